"""The models that lessons look at: the starter pair of each task, found or queued to be trained."""

from __future__ import annotations

from contextlib import suppress

from advlab.errors import AdvlabError
from advlab.lessons.course import course
from advlab.runs import jobs
from advlab.runs.config import RunConfig
from advlab.runs.jobs import RunInfo
from advlab.runs.starters import starter_group, starter_pair

Pair = tuple[RunInfo, RunInfo]


def needed() -> tuple[tuple[str, RunConfig], ...]:
    """Every run that the course needs and that is not there or on its way: (group, settings)."""
    tasks = dict.fromkeys(one.task for one in course())
    return tuple(run for task in tasks for run in missing(task))


def missing(task: str) -> tuple[tuple[str, RunConfig], ...]:
    """The runs of a task's pair that are neither trained nor on their way."""
    there = halves(task)
    return tuple(
        (starter_group(task), config)
        for config, half in zip(starter_pair(task=task), there, strict=True)
        if half is None
    )


def prepare(task: str) -> list[str]:
    """Queue what a task's pair lacks; the ids of the new runs."""
    return [jobs.submit(config, group=group) for group, config in missing(task)]


def pair(task: str) -> Pair | None:
    """The trained pair of a task, plain first; None until both are there."""
    plain, robust = halves(task)
    if plain is None or robust is None or not (_trained(plain) and _trained(robust)):
        return None
    return plain, robust


def halves(task: str) -> tuple[RunInfo | None, RunInfo | None]:
    """The newest plain and the newest adversarial run of a task: trained, else on its way."""
    plain: list[RunInfo] = []
    robust: list[RunInfo] = []
    for run in jobs.runs(group=starter_group(task)):
        with suppress(AdvlabError):  # settings of another version
            (plain if run.config.method.get("name") == "plain" else robust).append(run)
    return _best(plain), _best(robust)


def _best(runs: list[RunInfo]) -> RunInfo | None:
    """One with a model if there is one, else one that waits, runs or can be gone on with."""
    done = [run for run in runs if _trained(run)]
    return next(iter([*done, *(run for run in runs if run.active or run.resumable)]), None)


def _trained(run: RunInfo) -> bool:
    return run.status == "done" and run.folder.has_model
