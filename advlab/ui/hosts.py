"""Which names the server answers to: a stranger's page must not reach it under its own name.

A page of any site may have its name resolve to 127.0.0.1 (DNS rebinding); for the browser, the app
then belongs to that site. The name that it was asked for stands in the Host header, so a request for
a name that is not this server's is refused: pages, uploads and websockets alike. Origin, where a
browser sends one, must be the same place or a name that was allowed.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from advlab.language import _

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

OWN = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")
SETTING = "ADVLAB_ALLOWED_HOSTS"  # names apart by commas


class AllowedHosts:
    """ASGI middleware: requests for other names are refused with 403, websockets before they open.

    `bound`: the address that the server listens on. `added`: further names, as a proxy's; `*.name`
    stands for all below a name, `*` for any.
    """

    def __init__(self, app: Application, bound: str = OWN[1], added: Iterable[str] = ()) -> None:
        self.app = app
        self.added = all_added(added)
        self.everywhere = bound in EVERYWHERE
        here = socket.gethostname() if self.everywhere else bound
        self.own = {*OWN, _plain(here)}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with the reason."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k.lower(): v.decode("latin-1") for k, v in scope.get("headers", ())}
        reason = self.refusal(headers.get(b"host"), headers.get(b"origin"))
        if reason is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": _("host not allowed")})
        else:
            kind = (b"content-type", b"text/plain; charset=utf-8")
            await send({"type": "http.response.start", "status": 403, "headers": [kind]})
            await send({"type": "http.response.body", "body": f"{reason}\n".encode()})

    def refusal(self, host: str | None, origin: str | None) -> str | None:
        """Why a request with these headers is refused; None where it is not."""
        name = _host_of(f"//{host}") if host else None
        if name is None or not self.knows(name):
            return _(
                "This server does not answer to the name {value!r}. If it is the server's "
                "own, start it with --allow-host and that name, or name it in {setting}.",
                value=(host or "that is missing")[:80],
                setting=SETTING,
            )
        if origin is None:
            return None
        asking, parts = _host_of(origin), urlsplit(origin) if origin.isascii() else None
        same = parts is not None and parts.netloc.lower() == str(host).lower()
        if asking is None or not (same or self.allows(asking)):
            return _(
                "A page of {origin!r} may not use this server. If it stands before the "
                "server, as a proxy does, start the server with --allow-host and its name.",
                origin=origin[:80],
            )
        return None

    def knows(self, name: str) -> bool:
        """Whether a host name is this server's."""
        # a number is no name that could be made to point here, so no rebinding
        return name in self.own or self.allows(name) or (self.everywhere and _is_number(name))

    def allows(self, name: str) -> bool:
        """Whether a host name was allowed by whoever started the server."""
        return any(
            wanted in ("*", name) or (wanted.startswith("*.") and name.endswith(wanted[1:]))
            for wanted in self.added
        )


def all_added(names: Iterable[str]) -> tuple[str, ...]:
    """These names with those of `$ADVLAB_ALLOWED_HOSTS`, as they are compared.

    A scheme and a port that were written with a name are left out: any port of it is allowed.
    """
    found = (*names, *os.environ.get(SETTING, "").split(","))
    bare = (name.strip().split("://")[-1].rstrip("/") for name in found)
    return tuple(_host_of(f"//{name}") or _plain(name) for name in bare if name)


def _host_of(url: str) -> str | None:
    """The host of an address, without its port; None where it has none or is not well formed."""
    try:
        parts = urlsplit(url)
        __ = parts.port  # raises where it is no number
    except ValueError:
        return None
    if not parts.hostname or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    return _plain(parts.hostname)


def _plain(name: str) -> str:
    return name.strip().lower().strip("[]").rstrip(".")


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
