"""Which names the server answers to, over real sockets and in the rules alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import places
import pytest

from advlab.ui.hosts import SETTING, AllowedHosts

START_LIMIT = 90.0  # seconds
SOCKET = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def status(port: int, host: str | None, origin: str | None = None, *, upgrade: bool = False) -> int:
    """The status line's number of a request with these headers, sent as bytes."""
    path = "/_stcore/stream" if upgrade else "/"
    lines = f"GET {path} HTTP/1.1\r\n"
    lines += "" if host is None else f"Host: {host}\r\n"
    lines += "" if origin is None else f"Origin: {origin}\r\n"
    lines += SOCKET if upgrade else "Connection: close\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall((lines + "\r\n").encode())
        return int(wire.recv(4096).split()[1])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The app as `advlab app` starts it, behind a proxy that is called lab.example.org."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("hosts")
    words = ("app", "--port", str(number), "--no-browser", "--allow-host", "lab.example.org")
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "advlab", *words],
            cwd=places.ROOT,
            env=os.environ | {"ADVLAB_HOME": str(home), SETTING: "class.local, *.school.test"},
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + START_LIMIT
    while True:
        assert server.poll() is None, (home / "log").read_text()
        assert time.monotonic() < deadline, "the server did not answer in time"
        try:
            status(number, "localhost")
            break
        except (OSError, IndexError):
            time.sleep(0.1)
    yield number
    server.terminate()
    server.wait(timeout=20)


@pytest.mark.parametrize("upgrade", [False, True], ids=["page", "websocket"])
@pytest.mark.parametrize(
    ("host", "origin", "answered"),
    [
        ("localhost:{port}", "http://localhost:{port}", True),
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}", True),
        ("[::1]:{port}", "http://[::1]:{port}", True),
        ("LocalHost.:{port}", None, True),
        ("127.0.0.1:{port}", "https://lab.example.org", True),  # a proxy that rewrites Host
        ("lab.example.org", "https://lab.example.org", True),
        ("class.local", "http://class.local", True),
        ("room.school.test", "http://room.school.test", True),
        ("evil.example:{port}", "http://evil.example:{port}", False),  # rebinding
        ("evil.example:{port}", None, False),
        ("127.0.0.1:{port}", "http://evil.example", False),
        ("127.0.0.1:{port}", "http://127.0.0.1:3000", False),  # another server of this machine
        ("127.0.0.1:{port}", "null", False),
        ("localhost.evil.example", None, False),
        ("evillab.example.org", None, False),
        ("school.test", None, False),
        ("lab.example.org@evil.example", None, False),
        ("192.168.7.7", "http://192.168.7.7", False),
    ],
)
def test_the_server_answers_to_its_own_names_alone(
    port: int, host: str, origin: str | None, answered: bool, upgrade: bool
) -> None:
    filled = [None if text is None else text.format(port=port) for text in (host, origin)]
    got = status(port, *filled, upgrade=upgrade)
    assert got == ((101 if upgrade else 200) if answered else 403), filled


def test_a_refusal_says_what_to_do(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := wire.recv(4096):
            answer += part
    assert b"--allow-host" in answer
    assert b"content-security-policy" in answer.lower()


def test_on_every_address_numbers_are_answered_and_strange_names_are_not() -> None:
    async def nothing(*_: object) -> None: ...

    guard = AllowedHosts(nothing, bound="0.0.0.0")
    assert guard.refusal("192.168.7.7:8501", "http://192.168.7.7:8501") is None
    assert guard.refusal(f"{socket.gethostname()}:8501", None) is None
    assert guard.refusal("evil.example", None)
    assert guard.refusal(None, None)
    assert AllowedHosts(nothing, added=["*"]).refusal("any.example", "http://any.example") is None
