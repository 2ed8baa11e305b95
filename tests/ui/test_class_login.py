"""A login by OpenID Connect: secrets by which nobody could come in are told before anybody tries."""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from places import ROOT
from streamlit import config
from streamlit.logger import get_logger
from streamlit.runtime.secrets import secrets_singleton
from streamlit.testing.v1 import AppTest

from advlab.classroom import Classroom
from advlab.classroom.scheduler import FairScheduler
from advlab.errors import SettingError
from advlab.runs import jobs
from advlab.ui.classroom import login, session

has_authlib = importlib.util.find_spec("authlib") is not None
RIGHT = """[auth]
redirect_uri = "https://lab.example.org/lab/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "advlab"
client_secret = "secret"
server_metadata_url = "https://login.example.org/.well-known/openid-configuration"
"""
NAMED = RIGHT.replace("client_id", "[auth.school]\nclient_id")


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Puts a text where Streamlit looks for its secrets."""
    place, before = tmp_path / "secrets.toml", config.get_option("secrets.files")

    def write(text: str) -> None:
        place.write_text(text, encoding="utf-8")
        secrets_singleton._reset()

    config.set_option("secrets.files", [str(place)])
    yield write
    config.set_option("secrets.files", before)
    secrets_singleton._reset()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[auth", "cannot read Streamlit's secrets.*Error parsing"),
        ("[auth]", "lacks redirect_uri, cookie_secret under"),
        (RIGHT.replace("client_secret", "client_secrets"), r"lacks client_secret under \[auth\]"),
        (NAMED.replace("client_id", "id"), r"lacks client_id under \[auth.school\]"),
        (NAMED.replace("school", "my_school"), r"underscores.*\[auth.my-school\]"),
        (re.sub("client.*|server.*", "", RIGHT), "lacks client_id, client_secret"),
        (re.sub('cookie_secret = ".*"', 'cookie_secret = "xxx"', RIGHT), "32 or more random"),
    ],
)
def test_secrets_by_which_nobody_could_log_in_are_refused(
    secrets: Callable[[str], None], text: str, told: str
) -> None:
    secrets(text)
    with pytest.raises(SettingError, match=told):
        login.address_of_login(8501, "lab")


def test_without_a_login_the_class_has_a_code(secrets: Callable[[str], None]) -> None:
    secrets("[other]\nkey = 1")
    assert login.address_of_login(8501) == ""


@pytest.mark.skipif(has_authlib, reason="Authlib is here")
def test_a_login_without_authlib_says_what_to_install(secrets: Callable[[str], None]) -> None:
    secrets(RIGHT)
    with pytest.raises(SettingError, match=re.escape("pip install 'advlab[login]'")):
        login.address_of_login(8501, "lab")


def test_students_open_the_address_to_which_the_login_sends_them_back(
    secrets: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_check_authlib", lambda: None)  # carries nothing out here
    secrets(RIGHT)
    assert login.address_of_login(8501, "lab") == "https://lab.example.org/lab"
    assert login.providers(secrets_singleton["auth"].to_dict()) == ["default"]
    with pytest.raises(SettingError, match="/oauth2callback"):
        login.address_of_login(8501, "other")
    secrets(NAMED.replace("https://lab.example.org/lab", "http://localhost:{port}"))
    assert login.address_of_login(9000) == "http://localhost:9000"
    assert login.providers(secrets_singleton["auth"].to_dict()) == ["school"]


def test_the_readmes_login_is_one_that_is_taken(
    secrets: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_check_authlib", lambda: None)
    lines = (ROOT / "README.md").read_text(encoding="utf-8").split("    [auth]\n")[1]
    block = "[auth]\n" + "\n".join(line.strip() for line in lines.split("\n\n")[0].split("\n"))
    secrets(block.replace('cookie_secret = "…"', f'cookie_secret = "{"0" * 64}"'))
    assert login.address_of_login(8501, "lab") == "https://lab.example.org/lab"


@pytest.fixture
def room(advlab_home: Path) -> Iterator[Classroom]:
    room = Classroom(advlab_home, most=1)
    session.open_room(room)
    jobs.use_scheduler(FairScheduler(room.root, room.spaces))
    yield room
    jobs.stop_scheduler()
    jobs.use_scheduler(None)
    session.open_room(None)


def shown(monkeypatch: pytest.MonkeyPatch, came: tuple[str, str] | None) -> AppTest:
    """The first page for whom a provider names so. AppTest sends no cookies: what they say is given."""
    named = lambda here: here.logged_in(*came).id if came else None  # noqa: E731
    monkeypatch.setattr(session, "_named", named)
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not test.exception
    return test


def test_a_login_opens_one_space_for_good_and_a_full_class_says_so(
    room: Classroom, secrets: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets(NAMED)
    assert [b.label for b in shown(monkeypatch, None).button] == ["Log in: school"]
    for _again in range(2):  # in another browser too
        test = shown(monkeypatch, ("key of Anna", "\u200b"))
        assert "Log out" in [b.label for b in test.button]
    assert [s.name for s in room.students()] == ["Student"]
    session.open_room(room)  # AppTest's windows are one session
    test = shown(monkeypatch, ("key of Ben", "Ben"))
    assert [e.value.split(",")[0] for e in test.error] == ["The class has 1 students"]
    assert [b.label for b in test.button] == ["Log out"]
    assert len(room.students()) == 1


def test_a_failed_login_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    login.short_log()
    log = get_logger("streamlit.web.server.starlette.starlette_auth_routes")
    log.addHandler(caplog.handler)
    try:
        raise ConnectionError("no answer")
    except ConnectionError:
        log.warning("Error for %s.", "school", exc_info=True)
    finally:
        log.removeHandler(caplog.handler)
    (record,) = caplog.records
    assert logging.Formatter().format(record) == "Error for school. ConnectionError: no answer"
