"""The door of a class as a browser meets it: requests past every form, as the server speaks them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from advlab.classroom import Classroom
from advlab.classroom.room import TEACHER
from advlab.runs.spaces import Limits
from advlab.ui.classroom.crowd import UPLOADS, WINDOWS
from advlab.ui.classroom.door import COOKIE, WANTED, Gate, inside, routes
from advlab.ui.classroom.login import USER

T = TypeVar("T")


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str
    read: int  # bytes of the request that were taken in


def alone(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine in a thread of its own: a browser's loop may run in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


class Browser:
    """Speaks to the class's server; keeps its cookie."""

    def __init__(self, room: Classroom, base: str = "", login: bool = False) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await PlainTextResponse("the app")(scope, receive, send)

        async def health(request: Any) -> PlainTextResponse:
            return PlainTextResponse("ok")

        own = Route(f"{base}/_stcore/health", health)
        gate = Middleware(Gate, room=room, base=base, login=login)
        doors = [*routes(room, base, login), own, Mount("/", app)]
        self.app = Starlette(routes=doors, middleware=[gate])
        self.cookie = ""
        self.base = base

    def ask(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """One request; a form is posted."""
        return alone(self._ask(path, form, headers))

    async def _ask(self, path: str, form: Any, headers: Mapping[str, str]) -> Answer:
        body = urlencode(form).encode() if form is not None else b""
        given = {"host": "class.test", "accept": "text/html", "content-length": str(len(body))}
        given |= {k.replace("_", "-"): v for k, v in headers.items()}
        if self.cookie:
            given.setdefault("cookie", f"{COOKIE}={self.cookie}")
        place, _sign, query = path.partition("?")
        scope = {
            "type": "http",
            "method": given.pop("method", "GET" if form is None else "POST"),
            "path": self.base + place,
            "raw_path": (self.base + place).encode(),
            "root_path": "",
            "scheme": given.pop("scheme", "http"),
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in given.items()],
            "server": ("class.test", 80),
            "client": ("127.0.0.1", 1),
            "http_version": "1.1",
        }
        sent: list[Any] = []
        read = 0

        async def receive() -> dict[str, Any]:
            nonlocal read
            read += len(body)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        if COOKIE in found.get("set-cookie", ""):
            self.cookie = found["set-cookie"].split(f"{COOKIE}=")[1].split(";")[0].strip('"')
        text = b"".join(m.get("body", b"") for m in sent[1:]).decode()
        return Answer(sent[0]["status"], found, text, read)


@pytest.fixture
def room(tmp_path: Path) -> Classroom:
    return Classroom(tmp_path, limits=Limits(upload=5))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/explore?a=1",
        "/_stcore/upload_file/a/b",
        "/media/x.zip",
        "/_stcore/stream",
        "/joining",
    ],
)
def test_nobody_comes_in_without_a_cookie(room: Classroom, path: str) -> None:
    for cookie in ("", "made-up", "teacher"):
        browser = Browser(room)
        browser.cookie = cookie
        assert browser.ask(path, accept="*/*").status == 403
        answer = browser.ask(path)
        assert answer.status == 303
        assert answer.headers["location"].startswith("/join?next=")


def test_a_socket_is_refused_before_it_opens(room: Classroom) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/_stcore/stream", "headers": []}
    alone(Gate(None, room)(scope, None, send))  # type: ignore[arg-type]
    assert [m["type"] for m in sent] == ["websocket.close"]


def test_a_student_joins_goes_on_where_they_wanted_and_is_known(room: Classroom) -> None:
    browser = Browser(room)
    wrong = browser.ask("/join", {"code": "AAAAAA", "name": "Anna"})
    assert wrong.status == 403
    assert "not the code" in wrong.body
    assert not browser.cookie
    answer = browser.ask("/join?next=/explore%3Fa%3D1", {"code": room.code, "name": "Anna"})
    assert (answer.status, answer.headers["location"]) == (303, "/explore?a=1")
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert "path=/" in flags
    assert "secure" not in flags
    assert browser.ask("/explore").body == "the app"
    assert "You are Anna" in browser.ask("/join").body
    assert browser.ask("/leave", {}).status == 303
    assert browser.ask("/explore").status == 303


@pytest.mark.parametrize("told", ["https", "https, http"])
def test_a_cookie_behind_https_is_secure_and_holds_below_its_path(
    room: Classroom, told: str
) -> None:
    browser = Browser(room, "/lab")
    form = {"code": room.code, "name": "Anna"}
    answer = browser.ask("/join", form, x_forwarded_proto=told)
    assert answer.headers["location"] == "/lab/"
    flags = answer.headers["set-cookie"].lower()
    assert "secure" in flags
    assert "path=/lab" in flags
    assert browser.ask("/").body == "the app"
    assert Browser(room, "/lab").ask("/x").headers["location"] == "/lab/join?next=%2Fx"


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.test",
        "https://evil.test",
        "/\\evil.test",
        "\t//evil.test",
        "/join",
        "/leave",
        "",
        "/a\nb",
    ],
)
def test_the_way_on_leads_nowhere_else(wanted: str) -> None:
    assert inside(wanted, "/lab") == "/lab/"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_script_in_a_name_stays_text(room: Classroom, name: str) -> None:
    browser = Browser(room)
    for code in ("AAAAAA", room.code):
        answer = browser.ask("/join", {"code": code, "name": name})
        assert "<script" not in answer.body
        assert "<img" not in answer.body
    body = browser.ask("/join").body
    assert "&lt;" in body
    assert "<script" not in body
    assert "<img" not in body
    told = Browser(room).ask("/join?next=" + urlencode({"": name})[1:]).body
    assert "<script" not in told
    assert "<img" not in told


def test_the_teachers_link_opens_and_any_other_does_not(room: Classroom) -> None:
    browser = Browser(room)
    for guess in ("x", room.secret[:-1], room.secret + "x", room.code, "%00"):
        assert browser.ask(f"/teach/{guess}").status == 404
    assert not browser.cookie
    answer = browser.ask(f"/teach/{room.secret}")
    assert (answer.status, answer.headers["location"]) == (303, "/class")
    assert room.who(browser.cookie) == TEACHER
    assert answer.headers["cache-control"] == "no-store"


def test_an_upload_of_a_gigabyte_is_refused_by_its_size_before_it_is_read(room: Classroom) -> None:
    browser = Browser(room)
    browser.ask("/join", {"code": room.code, "name": "Anna"})
    answer = browser.ask("/_stcore/upload_file/a/b", {}, method="PUT", content_length=str(1 << 30))
    assert (answer.status, answer.read) == (413, 0)
    assert "5 MB" in answer.body
    for odd in ("-1", "1e9", "many"):
        assert browser.ask("/x", {}, method="PUT", content_length=odd).status == 413


def test_what_is_typed_at_the_door_is_bounded(room: Classroom) -> None:
    browser = Browser(room)
    answer = browser.ask("/join", {"code": room.code, "name": "x" * 100_000})
    assert answer.status == 403
    assert not room.students()


def test_measurements_of_the_server_are_nobodys(room: Classroom) -> None:
    browser = Browser(room)
    browser.ask(f"/teach/{room.secret}")
    assert browser.ask("/_stcore/metrics").status == 404


def test_the_door_speaks_the_browsers_language(room: Classroom) -> None:
    body = Browser(room).ask("/join", accept_language="zh-CN,zh;q=0.9,en;q=0.8").body
    assert '<html lang="zh">' in body


def test_a_containers_check_of_health_needs_no_base_path(room: Classroom) -> None:
    outside = Browser(room, "/lab")
    outside.base = ""  # asks past the proxy
    assert outside.ask("/_stcore/health", accept="*/*").body == "ok"
    assert outside.ask("/_stcore/metrics").status == 404


def test_before_the_login_no_file_goes_in_or_out(room: Classroom) -> None:
    signed = create_signed_value(get_cookie_secret(), USER, "{}").decode()
    for path, method in (("/media/x.zip", "GET"), ("/_stcore/upload_file/a/b", "PUT")):
        browser = Browser(room, login=True)
        for cookie in ("", f"{USER}=", f"{USER}=made-up", f"{USER}={signed[:-2]}"):
            assert browser.ask(path, {}, method=method, cookie=cookie).status == 403
        assert browser.ask(path, {}, method=method, cookie=f"{USER}={signed}").body == "the app"
    assert Browser(room, login=True).ask("/explore").body == "the app"  # asks to log in


@pytest.mark.parametrize("base", ["", "/lab"])
def test_a_login_leads_to_the_page_that_was_asked_for(room: Classroom, base: str) -> None:
    browser = Browser(room, base, login=True)
    signed = f"{USER}={create_signed_value(get_cookie_secret(), USER, '{}').decode()}"
    asked = browser.ask("/lesson?step=3&at=a%20b")
    kept = asked.headers["set-cookie"].split(";")[0]
    assert asked.body == "the app"
    assert "HttpOnly" in asked.headers["set-cookie"]
    for path in ("/", "/auth/login", "/oauth2callback?code=1"):  # the way there, not a page
        assert "set-cookie" not in browser.ask(path).headers
    back = browser.ask("/", cookie=f"{kept}; {signed}")
    assert (back.status, back.headers["location"]) == (303, f"{base}/lesson?step=3&at=a%20b")
    assert "Max-Age=0" in back.headers["set-cookie"]  # once
    assert browser.ask("/", cookie=kept).body == "the app"  # not logged in yet
    assert browser.ask("/", cookie=signed).body == "the app"
    for elsewhere in ("//other.test", "https://other.test", "/join"):
        cookie = f"{WANTED}={quote(elsewhere, safe='')}; {signed}"
        assert browser.ask("/", cookie=cookie).headers["location"] == f"{base}/"


def test_who_logs_out_is_no_teacher_any_more(room: Classroom) -> None:
    browser = Browser(room, login=True)
    browser.ask(f"/teach/{room.secret}")
    assert room.who(browser.cookie) == TEACHER
    browser.ask("/auth/logout")
    assert room.who(browser.cookie) is None


def test_one_student_cannot_fill_the_servers_memory_with_files(room: Classroom) -> None:
    anna, ben = Browser(room), Browser(room)
    ben.app = anna.app
    for browser, name in ((anna, "Anna"), (ben, "Ben")):
        browser.ask("/join", {"code": room.code, "name": name})
    path = "/_stcore/upload_file/a/"
    said = [anna.ask(f"{path}{i}", {}, method="PUT").status for i in range(UPLOADS + 1)]
    assert said == [200] * UPLOADS + [429]
    assert "wait" in anna.ask(f"{path}x", {}, method="PUT").body
    assert ben.ask(f"{path}x", {}, method="PUT").status == 200
    assert anna.ask("/explore").status == 200


def test_windows_of_one_student_are_counted_while_they_are_open(room: Classroom) -> None:
    tokens = [room.join(room.code, name)[1] for name in ("Anna", "Ben")]
    closed: list[str] = []

    async def crowd() -> None:
        end = asyncio.Event()

        async def page(scope: Any, receive: Any, send: Any) -> None:
            await end.wait()

        gate = Gate(page, room)

        async def open_one(token: str) -> None:
            async def send(message: Any) -> None:
                closed.append(message["reason"])

            cookie = [(b"cookie", f"{COOKIE}={token}".encode())]
            scope = {"type": "websocket", "path": "/_stcore/stream", "headers": cookie}
            await gate(scope, None, send)  # type: ignore[arg-type]

        open_now = [asyncio.create_task(open_one(tokens[0])) for _i in range(WINDOWS + 2)]
        open_now.append(asyncio.create_task(open_one(tokens[1])))
        await asyncio.sleep(0)
        assert len(closed) == 2
        assert "close some" in closed[0]
        end.set()
        await asyncio.gather(*open_now)
        await open_one(tokens[0])
        assert len(closed) == 2

    alone(crowd())
