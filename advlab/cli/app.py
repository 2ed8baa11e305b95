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
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")


def run(args: argparse.Namespace) -> int:
    """Serve the app until interrupted."""
    from advlab.ui.launch import serve

    check_port(args.host, args.port)
    serve(port=args.port, host=args.host, browser=not args.no_browser, allow=args.allow_host)
    return 0


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
