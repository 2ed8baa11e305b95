"""advlab class: the laboratory for a room, each student with a space of their own."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from advlab.cli.app import base_flag, check_port, checked_base
from advlab.errors import SettingError

HELP = "Serve a class: students join by a code, the teacher by a secret link."
EXAMPLES = """examples:
  advlab prepare-class                        train the models that lessons need, before the class
  advlab class                                prints the address, the code and the teacher's link
  advlab class --students 60 --runs 4
  advlab class --host 127.0.0.1 --host-name lab.example.org --base-path lab     behind a proxy
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Where to listen, and how many come."""
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (default: 8501)")
    parser.add_argument(
        "--host", default="0.0.0.0", help="address to listen on (default: all of this machine's)"
    )
    parser.add_argument(
        "--host-name",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names under which students reach the server, as a proxy's; *.name for all below it; "
        "the first is printed, as https:// unless it says http://, with its port if it has one",
    )
    base_flag(parser)
    parser.add_argument(
        "--students", type=int, default=40, help="how many may join at most (default: 40)"
    )
    parser.add_argument(
        "--runs", type=int, help="trainings beside each other (default: the cores but one)"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=["tiny", "small"],
        metavar="NAME",
        help="models from which students may train: tiny, small, minilm (default: tiny small)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve the class until interrupted."""
    base = checked_base(args.base_path)
    if args.students < 1 or (args.runs is not None and args.runs < 1):
        raise SettingError("expected --students and --runs of 1 or more; try --students 40")
    wrong = set(args.models) - {"tiny", "small", "minilm"}
    if wrong:
        raise SettingError(f"expected --models from tiny, small, minilm, got {', '.join(wrong)}")
    check_port(args.host, args.port)
    os.umask(0o077)
    folder = enter_class_home()
    if args.runs is not None:
        os.environ["ADVLAB_MAX_RUNS"] = str(args.runs)
    os.environ.setdefault("ADVLAB_MODELS_KEPT", "12")

    from advlab.classroom import Classroom
    from advlab.runs.spaces import Limits
    from advlab.ui.classroom.login import address_of_login
    from advlab.ui.launch import serve

    login = address_of_login(args.port, base)
    address = login or address_of(args.host, args.port, args.host_name, base)
    limits = Limits(models=tuple(args.models))
    room = Classroom(folder, most=args.students, limits=limits, address=address)
    print(f"\n  Students open   {address}")
    print("  and log in" if login else f"  and type        {room.code}")
    print(f"\n  Teacher's link, for you alone:\n  {address}/teach/{room.secret}")
    print(f"\n  The class lives in {folder}\n", flush=True)
    # the browser comes back from a login by the address that the secrets name
    names = [*args.host_name, *([str(urlsplit(login).hostname)] if login else [])]
    serve(port=args.port, host=args.host, browser=False, allow=names, base=base, room=room)
    return 0


def enter_class_home() -> Path:
    """From now on this process is at home in the class's folder, `class` in the data folder."""
    from advlab.runs.config import home

    folder = home() / "class"
    folder.mkdir(mode=0o700, exist_ok=True)
    os.environ["ADVLAB_HOME"] = str(folder)
    return folder


def address_of(host: str, port: int, names: list[str], base: str) -> str:
    """The address that students open: the first name, or this machine's number in its network.

    SettingError for a name with a path.
    """
    named = [name.rstrip("/") for name in names if "*" not in name]
    if named:
        place = named[0] if named[0].startswith(("http://", "https://")) else f"https://{named[0]}"
        if place.count("/") > 2:
            raise SettingError(
                f"expected --host-name without a path, got {named[0]!r}; the path has a flag of "
                "its own, as --host-name lab.example.org --base-path lab"
            )
    else:
        here = _own_number() if host in ("0.0.0.0", "::") else host
        place = f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"
    return f"{place}/{base}" if base else place


def _own_number() -> str:
    """This machine's number in its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
