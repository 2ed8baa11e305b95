"""The server: starts Streamlit with the scheduler, security headers, and torch warming up behind.

The first page must not wait for torch (seconds), so a thread imports it while the page is drawn;
pages that need it call `warm_up` and find it there.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.runs import jobs
from advlab.ui import memory
from advlab.ui.hosts import EVERYWHERE, AllowedHosts, Application, Message, Receive, Send, all_added

if TYPE_CHECKING:
    from starlette.middleware import Middleware
    from starlette.routing import BaseRoute

    from advlab.classroom.room import Classroom

# No script that the server itself did not send, and no request to anywhere else: a token or a file
# name that slips through as HTML can neither run nor load anything. Plotly, WebGL, tables and
# Streamlit's own components work under it.
POLICY = (
    "default-src 'self'; script-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; frame-ancestors 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)

HEAD_START = 1.5  # seconds that the first page has to itself before torch is imported behind it

_warm = threading.Thread()  # replaced when warming begins
_wanted = threading.Event()  # somebody waits: no more head start
_lock = threading.Lock()


class SecurityHeaders:
    """ASGI middleware: the same headers on every answer."""

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on; add the headers when the answer begins."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self.app(scope, receive, with_headers)


def few_threads() -> None:
    """One thread for torch, unless the environment says otherwise; before torch is imported.

    With a training run beside it, torch's default two threads were 14 to 24 times slower than one.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def start_warming() -> None:
    """Begin to import torch and what stands on it, in a thread; once a process."""
    global _warm
    with _lock:
        if _warm.ident is None:
            few_threads()
            _warm = threading.Thread(target=_import_slowly, name="advlab-warm-up", daemon=True)
            _warm.start()


def is_warm() -> bool:
    """Whether the slow imports are done."""
    return _warm.ident is not None and not _warm.is_alive()


def warm_up() -> None:
    """Return once torch is there.

    Pages wait here rather than import beside the thread: two threads in the midst of torch's
    circular imports can see half a module.
    """
    _wanted.set()
    start_warming()
    _warm.join()


def _import_slowly() -> None:
    _wanted.wait(HEAD_START)
    import torch

    import advlab.explain.explore
    import advlab.training.loop  # noqa: F401

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1") or "1"))
    memory.set_aside()


def prepare_session() -> None:
    """What each run of app.py needs, whoever started the server: cheap when done already."""
    few_threads()
    jobs.ensure_scheduler()
    start_warming()


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """The scheduler lives as long as the server; workers outlive it."""
    jobs.ensure_scheduler()
    start_warming()
    housekeeping = memory.Housekeeping()
    housekeeping.start()
    try:
        yield
    finally:
        housekeeping.stop()
        jobs.stop_scheduler()


def app_script() -> Path:
    """app.py: beside the package in a checkout, inside it where a wheel was installed."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_app", package.parent):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir():
            return folder / "app.py"
    raise FileNotFoundError(
        f"expected app.py in {package.parent} or {package / '_app'}, found none; reinstall advlab"
    )


def serve(
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    browser: bool = True,
    allow: Sequence[str] = (),
    base: str = "",
    room: Classroom | None = None,
) -> None:
    """Serve the app until it is stopped. `port` None: 8501, or the next free one.

    `host`: the address to listen on; anything but this machine's own is a decision about who may
    train here. `allow`: names that the server answers to besides (`AllowedHosts`). `browser`: open
    one. `base`: the path below which a proxy shows the app, as lab or course/lab. `room`: the class
    that is served, in its own home; see `advlab.ui.classroom`. Prints nothing: whoever calls tells the
    address.
    """
    few_threads()
    memory.few_pools()
    os.umask(0o077)  # texts and models are their owner's alone
    import streamlit as st
    from starlette.middleware import Middleware

    from advlab.ui.language import SpokenLinks

    script = app_script()
    # Streamlit looks for .streamlit/config.toml beside the program that was started, which for the
    # console script is a bin/ folder; app.py is where ours stands
    sys.argv = [str(script)]
    settings: dict[str, Any] = {
        "server.address": host,
        "server.headless": not browser,
        "server.disconnectedSessionTTL": memory.SESSION_LEFT,
        # Streamlit's greeting: a class's address is another one, and where it greets, its pages offer
        # whoever has a coding agent to install skills for programming with Streamlit
        "logger.hideWelcomeMessage": True,
        # the middleware is stricter, and guards more than websockets
        "server.allowedHosts": ["*"],
        "server.corsAllowedOrigins": [f"https://{n}" for n in all_added(allow) if "*" not in n],
    }
    if port is not None:
        settings["server.port"] = port
    base = base.strip("/")
    if base:
        settings["server.baseUrlPath"] = base
    if host in EVERYWHERE:  # else Streamlit asks a stranger for this machine's address
        settings["browser.serverAddress"] = "localhost"
    _navigation_only()
    guards = [
        Middleware(SecurityHeaders),
        Middleware(AllowedHosts, bound=host, added=allow),
        Middleware(SpokenLinks),
    ]
    doors: list[BaseRoute] = []
    if room is not None:
        settings["server.maxUploadSize"] = room.limits.upload
        gate, doors = _class(room, f"/{base}" if base else "")
        guards.append(gate)
    app = st.App(script, lifespan=lifespan, middleware=guards, routes=doors)
    app.run(config=settings)


def _class(room: Classroom, base: str) -> tuple[Middleware, list[BaseRoute]]:
    """Serve a class: sessions in spaces of their own, one fair queue, and a door."""
    from starlette.middleware import Middleware

    from advlab.classroom.scheduler import FairScheduler
    from advlab.ui.classroom import door, login, session

    def minutes_of(home: Path) -> float | None:
        return None if home == room.root else room.limits.minutes

    jobs.use_scheduler(FairScheduler(room.root, room.spaces, minutes_of=minutes_of))
    session.open_room(room)
    by_login = login.uses_login()
    login.short_log()
    gate = Middleware(door.Gate, room=room, base=base, login=by_login)
    return gate, door.routes(room, base, by_login)


def _navigation_only() -> None:
    """Tell Streamlit that pages/ is no directory of its old kind, before the first visitor comes.

    It takes any folder of that name for one until app.py has run once, so that a first visit by a
    link to a page met "page not found". The switch is not public: where it is gone, so be it.
    """
    try:
        from streamlit.runtime.pages_manager import PagesManager
    except ImportError:
        return
    PagesManager.uses_pages_directory = False
