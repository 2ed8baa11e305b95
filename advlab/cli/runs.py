"""advlab runs: list, show, cancel, resume, rename or delete them."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from advlab.cli.flags import json_flag
from advlab.cli.models import find_run
from advlab.cli.printing import print_json
from advlab.cli.training import go_on
from advlab.errors import SettingError

if TYPE_CHECKING:
    from advlab.runs.info import RunInfo

HELP = "List, show, cancel, resume, rename or delete runs."
EXAMPLES = """examples:
  advlab runs                                 the list, newest first
  advlab runs show RUN                        settings and results of one
  advlab runs cancel RUN
  advlab runs resume RUN                      goes on here, from its last checkpoint
  advlab runs rename RUN "FreeLB, small ε"
  advlab runs delete RUN
  advlab runs rebuild                         makes a damaged list anew from the runs' folders
"""


def add(parser: argparse.ArgumentParser) -> None:
    """What to do, with which run."""
    json_flag(parser)
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "show", "cancel", "pause", "resume", "rename", "delete", "rebuild"),
    )
    parser.add_argument("which", nargs="?", help="a run's id or name")
    parser.add_argument("name", nargs="?", help="the new name")


def run(args: argparse.Namespace) -> int:
    """List and manage runs."""
    from advlab.runs import jobs

    if args.action == "list":
        return _list(args.json)
    if args.action == "rebuild":
        return _rebuild(args.json)
    if not args.which:
        raise SettingError(
            f"expected a run's id or name after '{args.action}', got none; see: advlab runs"
        )
    info = find_run(args.which)
    if args.action == "resume":
        return _resume(info, args.json)
    if args.action == "rename":
        if not args.name:
            raise SettingError("expected the new name after the run, got none; give it in quotes")
        jobs.rename(info.id, args.name)
    elif args.action != "show":
        {"cancel": jobs.cancel, "pause": jobs.pause, "delete": jobs.delete}[args.action](info.id)
    if args.action == "delete":
        shown = {"id": info.id, "deleted": True}
    else:
        info = jobs.run(info.id)
        shown = _row(info) | {"config": json.loads(info.config_json), "metrics": dict(info.metrics)}
    if args.json:
        print_json(shown)
    else:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


def _list(as_json: bool) -> int:
    from advlab.runs import jobs

    rows = [_row(info) for info in jobs.runs()]
    if as_json:
        print_json({"runs": rows})
        return 0
    if not rows:
        print("No runs yet. Start one: advlab demo")
    for row in rows:
        shares = [row[k] for k in ("clean", "robust") if row[k] is not None]
        accuracy = " / ".join(f"{share:.1%}" for share in shares)
        print(f"{row['id']}  {row['status']:11}  {accuracy:15}  {row['name']}")
    return 0


def _rebuild(as_json: bool) -> int:
    from advlab.runs.config import home
    from advlab.runs.rebuild import rebuild

    entered, left = rebuild(home())
    if as_json:
        print_json({"runs": entered, "left": left})
        return 0
    print(f"{entered} runs are in the new list; the old file stands beside it")
    for reason in left:
        print(f"left out: {reason}")
    return 0


def _resume(info: RunInfo, as_json: bool) -> int:
    result = go_on(info.id)
    if as_json:
        print_json(result)
    else:
        why = result["error"] or result["model"]
        print(f"{result['status']}: {why}")
    return 0 if result["status"] == "done" else 1


def _row(info: RunInfo) -> dict[str, Any]:
    metrics = dict(info.metrics)
    return {
        "id": info.id,
        "name": info.name,
        "status": info.status,
        "error": info.error,
        "clean": metrics.get("test_accuracy"),
        "robust": metrics.get("test_robust_accuracy"),
        "folder": str(info.folder.path),
    }
