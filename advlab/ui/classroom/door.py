"""The door of a class: who comes in by code or by the teacher's link, and everybody else stays out.

Pages, sockets, uploads and downloads alike are refused to a browser without the class's cookie, before
Streamlit sees the request. The pages of the door are plain HTML, since a cookie must be there before a
socket opens. Names and codes are escaped; the teacher's link is compared in constant time and nowhere
written down.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlencode

from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from advlab.classroom.room import TEACHER
from advlab.errors import AdvlabError
from advlab.language import _, fitting, language, speak
from advlab.ui.classroom.crowd import Crowd
from advlab.ui.classroom.login import CALLBACK, signed_in
from advlab.ui.hosts import Application, Message, Receive, Send

if TYPE_CHECKING:
    from advlab.classroom.room import Classroom

COOKIE = "advlab_class"
WANTED = "advlab_wanted"  # cookie: the page that was asked for, since a login leads to the first
LOGIN_TIME = 600  # seconds that a login may take
DAYS = 120  # for which a cookie is kept
FORM = 4096  # bytes of what is typed at the door
HEALTH = "/_stcore/health"
OPEN = ("/join", "/leave", HEALTH, "/favicon.ico")  # without a cookie
TEACH = "/teach/"
LOGOUT = "/auth/logout"  # Streamlit's own
NO_PAGE = ("/auth/", CALLBACK, *OPEN, TEACH)  # none to come back to after a login
UPLOAD = "/_stcore/upload_file"
FILES = ("/media", UPLOAD)  # downloads and uploads
CLOSED = ("/_stcore/metrics",)  # to everybody

STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
body { margin: 0; min-height: 100vh; display: grid; place-items: center }
main { width: min(24rem, 100vw - 3rem); padding: 1.5rem 0 }
h1 { font-size: 1.9rem; margin: 0 0 .5rem } p { margin: .5rem 0 }
label { display: block; margin-top: 1rem; font-weight: 600 }
input { box-sizing: border-box; width: 100%; font: inherit; padding: .6rem .7rem; margin-top: .3rem;
  border: 1px solid #7a8794; border-radius: 8px }
input[name=code] { text-transform: uppercase; letter-spacing: .2em }
button, .go { display: block; box-sizing: border-box; width: 100%; margin-top: 1.4rem; padding: .7rem;
  font: inherit; font-weight: 600; text-align: center; text-decoration: none; color: #fff;
  background: #0069a8; border: 0; border-radius: 8px; cursor: pointer }
.quiet { color: inherit; background: none; border: 1px solid #7a8794; margin-top: .8rem }
.error { padding: .6rem .8rem; border-left: 4px solid #d55e00; background: #d55e0018 }
:focus-visible { outline: 3px solid #e69f00; outline-offset: 2px }
"""


class Gate:
    """ASGI middleware: lets only those in who have joined, and no body that is too large.

    `base`: the path below which the app stands, "" or "/lab". `login`: Streamlit's login is used, so
    pages are open and `advlab.ui.classroom.session` asks for it.
    """

    def __init__(
        self, app: Application, room: Classroom, base: str = "", login: bool = False
    ) -> None:
        self.app = app
        self.room = room
        self.base = base
        self.login = login
        self.crowd = Crowd()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it here."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if scope["path"] == HEALTH:  # a container's check knows no base path
            scope = {
                **scope,
                "path": self.base + HEALTH,
                "raw_path": f"{self.base}{HEALTH}".encode(),
            }
        answer = self._answer(scope)
        if answer is None and self.login:
            send = self._remembering(scope, send)
        if answer is None and scope["type"] == "websocket":
            await self._window(scope, receive, send)
        elif answer is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send(
                {"type": "websocket.close", "code": 1008, "reason": _("join the class first")}
            )
        else:
            await answer(scope, receive, send)  # type: ignore[arg-type]

    async def _window(self, scope: Message, receive: Receive, send: Send) -> None:
        """A page's socket, counted while it is open."""
        who = self._who(_headers(scope))
        if who is None or who == TEACHER:
            await self.app(scope, receive, send)
            return
        if reason := self.crowd.no_window(who):
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
        self.crowd.windows[who] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.crowd.windows[who] -= 1

    def _who(self, headers: Mapping[bytes, str]) -> str | None:
        """The student or teacher whose cookie came along."""
        return self.room.who(cookie_parser(headers.get(b"cookie", "")).get(COOKIE))

    def _too_many(self, who: str, scope: Message, path: str, headers: Mapping[bytes, str]) -> str:
        """Why a student's request asks too much of the server; "" where it does not."""
        with speak(spoken(headers.get(b"accept-language"))):
            if path.startswith(UPLOAD) and scope.get("method") == "PUT":
                return self.crowd.no_upload(who) or ""
            if scope["type"] == "http" and "text/html" in headers.get(b"accept", ""):
                return self.crowd.no_window(who) or ""
        return ""

    def _answer(self, scope: Message) -> Response | None:
        """What is answered at the door; None where the request goes in."""
        path = str(scope["path"]).removeprefix(self.base)
        headers = _headers(scope)
        if path.startswith(CLOSED):
            return PlainTextResponse("not found\n", 404)
        token = cookie_parser(headers.get(b"cookie", "")).get(COOKIE)
        if self.login and path == LOGOUT:
            self.room.forget(token)  # a teacher's, whose link came before the login
        who = self.room.who(token)
        limit = self.room.limits.upload << 20
        length = headers.get(b"content-length", "0")
        if who != TEACHER and (not length.isdigit() or int(length) > limit + (1 << 20)):
            with speak(spoken(headers.get(b"accept-language"))):
                told = _("In a class, a file may have {most} MB.", most=self.room.limits.upload)
            return PlainTextResponse(f"{told}\n", 413)
        if who not in (None, TEACHER) and who and path not in OPEN:
            too_many = self._too_many(who, scope, path, headers)
            if too_many:
                return PlainTextResponse(f"{too_many}\n", 429)
        if self.login and (back := self._back(scope)) is not None:
            return back
        if who is not None or path in OPEN or path.startswith(TEACH):
            return None
        if self.login:
            return self._to_log_in(path, headers)
        asked = urlencode({"next": path + _query(scope)}, quote_via=quote)
        if _looks(scope):
            return RedirectResponse(f"{self.base}/join?{asked}", 303)
        return PlainTextResponse("join the class first\n", 403)

    def _remembering(self, scope: Message, send: Send) -> Send:
        """`send` with a cookie that keeps which page a visitor asked for who has yet to log in."""
        path = str(scope["path"]).removeprefix(self.base) or "/"
        cookies = cookie_parser(_headers(scope).get(b"cookie", ""))
        known = signed_in(cookies) or self.room.who(cookies.get(COOKIE)) is not None
        if known or not _looks(scope) or path == "/" or path.startswith(NO_PAGE):
            return send
        wanted = quote(path + _query(scope), safe="")
        place = f"Path={self.base or '/'}; Max-Age={LOGIN_TIME}; HttpOnly; SameSite=Lax"

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = (b"set-cookie", f"{WANTED}={wanted}; {place}".encode("latin-1"))
                message["headers"] = [*message.get("headers", ()), cookie]
            await send(message)

        return with_cookie

    def _back(self, scope: Message) -> Response | None:
        """After a login, the way on to the page that was asked for before it."""
        path = str(scope["path"]).removeprefix(self.base)
        cookies = cookie_parser(_headers(scope).get(b"cookie", ""))
        if WANTED not in cookies or path not in ("", "/") or not _looks(scope):
            return None
        if not signed_in(cookies):
            return None
        answer = RedirectResponse(inside(unquote(cookies[WANTED]), self.base), 303)
        answer.delete_cookie(WANTED, path=self.base or "/")
        return answer

    def _to_log_in(self, path: str, headers: Mapping[bytes, str]) -> Response | None:
        """Who has yet to log in sees the page that asks for it: no file of anybody's, no upload."""
        if not path.startswith(FILES) or signed_in(cookie_parser(headers.get(b"cookie", ""))):
            return None
        return PlainTextResponse("log in first\n", 403)


def routes(room: Classroom, base: str = "", login: bool = False) -> list[BaseRoute]:
    """The pages of the door."""

    async def join(request: Request) -> Response:
        with speak(spoken(request.headers.get("accept-language"))):
            after = inside(request.query_params.get("next", ""), base)
            if login:
                return RedirectResponse(after, 303)
            if request.method != "POST":
                return _page(_asking(request, room, after, base))
            given = await _form(request)
            name = given.get("name", "")
            try:
                _student, token = room.join(given.get("code", ""), name)
            except AdvlabError as error:
                return _page(_asking(request, room, after, base, name, str(error)), 403)
            return _known(request, after, token, base)

    async def teach(request: Request) -> Response:
        if not room.is_secret(request.path_params["secret"]):
            with speak(spoken(request.headers.get("accept-language"))):
                told = _("This is not the link of the class's teacher. Look at it again.")
                return _page(f"<h1>advlab</h1><p class=error>{html.escape(told)}</p>", 404)
        return _known(request, f"{base}/class", room.token_for(TEACHER), base)

    async def leave(request: Request) -> Response:
        room.forget(request.cookies.get(COOKIE))
        answer = RedirectResponse(f"{base}/join", 303)
        answer.delete_cookie(COOKIE, path=base or "/")
        return answer

    return [
        Route(f"{base}/join", join, methods=["GET", "POST"]),
        Route(f"{base}/teach/{{secret}}", teach),
        Route(f"{base}/leave", leave, methods=["POST"]),
    ]


def inside(wanted: str, base: str = "") -> str:
    """A place of this app to go on at: what leads elsewhere becomes the first page."""
    local = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted
    if not local or any(ord(sign) < 32 for sign in wanted) or wanted.startswith((*OPEN, TEACH)):
        wanted = "/"
    return base + wanted


def spoken(accepted: str | None) -> str:
    """The language of a browser, by what it says that it accepts."""
    for part in (accepted or "").split(","):
        known = fitting(part.split(";")[0].strip())
        if known:
            return known
    return "en"


def _headers(scope: Message) -> dict[bytes, str]:
    return {k.lower(): v.decode("latin-1") for k, v in scope.get("headers", ())}


def _looks(scope: Message) -> bool:
    """Whether a browser asks for a page to show."""
    asks = scope["type"] == "http" and scope.get("method") in ("GET", "HEAD")
    return asks and "text/html" in _headers(scope).get(b"accept", "")


def _query(scope: Message) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return f"?{query}" if query else ""


async def _form(request: Request) -> Mapping[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM:
            return {}
    found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    return {name: values[-1] for name, values in found.items()}


def _known(request: Request, after: str, token: str, base: str) -> Response:
    """Go on, with the cookie that says who this is."""
    answer = RedirectResponse(after, 303)
    told = request.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    secure = "https" in (request.url.scheme, told)  # of proxies in a row, the outermost
    answer.set_cookie(
        COOKIE,
        token,
        max_age=DAYS * 86400,
        path=base or "/",
        httponly=True,
        samesite="lax",
        secure=secure,
    )
    answer.headers["cache-control"] = "no-store"
    return answer


def _asking(
    request: Request, room: Classroom, after: str, base: str, name: str = "", error: str = ""
) -> str:
    """The form; for who is known already a way on."""
    known = room.who(request.cookies.get(COOKIE))
    student = room.student(known) if known and known != TEACHER else None
    told = f"<p class=error role=alert>{html.escape(error)}</p>" if error else ""
    if student is not None and not error:
        leave = html.escape(_("I am somebody else"))
        return (
            f"<h1>advlab</h1><p dir=auto>{html.escape(_('You are {name}.', name=student.name))}</p>"
            f'<a class=go href="{html.escape(after)}">{html.escape(_("Go on"))}</a>'
            f'<form method=post action="{base}/leave"><button class=quiet>{leave}</button></form>'
        )
    place = after.removeprefix(base)
    action = f"{base}/join?{urlencode({'next': place}, quote_via=quote)}"
    return (
        f"<h1>advlab</h1><p>{html.escape(_('Type the code that your teacher shows.'))}</p>{told}"
        f'<form method=post action="{html.escape(action)}">'
        f"<label>{html.escape(_('Code'))}<input name=code required autofocus maxlength=20 "
        "autocomplete=off autocapitalize=characters spellcheck=false></label>"
        f"<label>{html.escape(_('Your name, as the class knows you'))}<input name=name required "
        f'maxlength=40 dir=auto value="{html.escape(name[:40])}"></label>'
        f"<button>{html.escape(_('Join the class'))}</button></form>"
    )


def _page(body: str, status: int = 200) -> Response:
    head = (
        f'<!doctype html><html lang="{language()}"><head><meta charset=utf-8><title>advlab</title>'
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>"
    )
    answer = HTMLResponse(f"{head}<body><main>{body}</main></body></html>", status)
    answer.headers["cache-control"] = "no-store"
    return answer
