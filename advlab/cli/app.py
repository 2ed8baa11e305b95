"""advlab app: the laboratory in a browser."""

from __future__ import annotations

import argparse
import socket

from advlab.errors import SettingError

HELP = "Open the laboratory in a browser."
EXAMPLES = """examples:
  advlab app                                  http://127.0.0.1:8501
  advlab app --port 9000 --no-browser         on a server; reach it through a tunnel or proxy
  advlab app --allow-host lab.example.org     behind a proxy of that name
  advlab app --allow-host lab.example.org --base-path lab     as https://lab.example.org/lab
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Where to listen."""
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (default: 8501)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--allow-host",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names that the server answers to besides localhost and --host, as a proxy's; "
        "*.name for all below it",
    )
    base_flag(parser)
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")


def run(args: argparse.Namespace) -> int:
    """Serve the app until interrupted."""
    from advlab.ui.launch import serve

    base = checked_base(args.base_path)
    check_port(args.host, args.port)
    browser = not args.no_browser
    print(f"\n  advlab is at {address(args.host, args.port, base)}; Ctrl+C ends it\n", flush=True)
    serve(port=args.port, host=args.host, browser=browser, allow=args.allow_host, base=base)
    return 0


def address(host: str, port: int, base: str) -> str:
    """Where a browser on this machine finds the app."""
    from advlab.ui.hosts import EVERYWHERE

    name = "localhost" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}" + (f"/{base}" if base else "")


def base_flag(parser: argparse.ArgumentParser) -> None:
    """Add --base-path."""
    parser.add_argument(
        "--base-path",
        default="",
        metavar="PATH",
        help="the path below which a proxy shows the server, as lab in https://example.org/lab",
    )


def checked_base(path: str) -> str:
    """A base path without slashes at its ends; SettingError where it is none."""
    base = path.strip("/")
    parts = base.split("/") if base else []
    # in ASCII alone: the cookies' headers carry it
    if not all(p.isascii() and p.replace("-", "").replace("_", "").isalnum() for p in parts):
        raise SettingError(
            "expected --base-path of letters (a to z), digits, hyphens and slashes, "
            f"got {path!r}; try lab"
        )
    return base


def check_port(host: str, port: int) -> None:
    """SettingError where nobody can listen there."""
    if not 0 < port < 65536:
        raise SettingError(f"expected --port from 1 to 65535, got {port}; try 8501")
    family, place = socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port)
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise SettingError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; "
            "choose another --port or --host"
        ) from None
