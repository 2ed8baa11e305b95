"""A worker whose trainer counts instead of training: `python fake_trainer.py ID`.

Real in everything that the queue sees: a process of its own, events, checkpoints, requests. The
run's `method` mapping says how it behaves; names as in `count`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from advlab.errors import DataError
from advlab.records import Event
from advlab.runs.config import RunConfig
from advlab.training.worker import main


def count(
    config: RunConfig,
    folder: Path,
    *,
    resume: bool = False,
    stop: Callable[[], str | None] = lambda: None,
) -> Iterator[Event]:
    how = {"steps": 10, "delay": 0.0, "save_every": 5, "fail": "", "deaf": False} | config.method
    step = checkpoint(folder) if resume else 0
    yield Event("start", step, time.time(), {"steps": how["steps"]})
    while step < how["steps"]:
        step += 1
        yield Event("step", step, time.time(), {"clean_loss": 1 / step})
        if how["fail"] == "user":
            raise DataError("expected two classes, got one; add texts of another class")
        if how["fail"] == "bug":
            raise KeyError("weights")
        time.sleep(how["delay"])
        asked = None if how["deaf"] else stop()
        if asked or step % how["save_every"] == 0:
            save(folder, step)
        if asked:
            reason = {"pause": "paused", "cancel": "cancelled"}[asked]
            yield Event("end", step, time.time(), {"reason": reason})
            return
    rate = {"value": 0.75, "low": 0.7, "high": 0.8, "n": 100}
    yield Event("epoch", step, time.time(), {"clean_accuracy": rate, "best": True})
    yield Event("end", step, time.time(), {"reason": "done"})


def save(folder: Path, step: int) -> None:
    aside = folder / "checkpoints" / ".writing"
    aside.mkdir(parents=True, exist_ok=True)
    (aside / "state.json").write_text(json.dumps({"step": step}))
    aside.rename(folder / "checkpoints" / f"step-{step:07d}")


def checkpoint(folder: Path) -> int:
    return max((int(p.name[5:]) for p in (folder / "checkpoints").glob("step-*")), default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], train=count))
