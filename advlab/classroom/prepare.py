"""The models that a class begins with, trained into its home before anybody comes."""

from __future__ import annotations

from collections.abc import Sequence

from advlab.runs import jobs
from advlab.runs.config import RunConfig
from advlab.runs.starters import STARTERS, starter_group, starter_pair


def wanted(tasks: Sequence[str] = ()) -> list[tuple[str, RunConfig]]:
    """(group, settings) of each run that a class needs; of all tasks where none are named."""
    return [
        (starter_group(task), config)
        for task in (tasks or STARTERS)
        for config in starter_pair(task=task)
    ]


def missing(tasks: Sequence[str] = ()) -> list[tuple[str, RunConfig]]:
    """Those that are not there yet, whole, in the data folder of the moment."""
    there = {
        run.config.fingerprint
        for group in {group for group, _config in wanted(tasks)}
        for run in jobs.runs(group=group)
        if run.status == "done" and run.folder.has_model
    }
    return [(group, config) for group, config in wanted(tasks) if config.fingerprint not in there]
