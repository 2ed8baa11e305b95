"""What a student may ask of a server that others use too: checked where the work begins.

Each function does nothing where the space of the moment has no limits, as a user's own folder has
none. The forms show the limits; these functions hold them, whatever the forms showed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from advlab.errors import DataError, ModelError, RunError, SettingError
from advlab.language import _
from advlab.runs.config import RunConfig
from advlab.runs.spaces import Limits, current


def limits() -> Limits | None:
    """The limits that hold here; None: there are none."""
    space = current()
    return None if space is None else space.limits


def source_refusal(source: str | None) -> str | None:
    """Why data may not come from there; None where it may. A plain name is left to the reader."""
    if not source or limits() is None or not any(sign in source for sign in "/\\:~."):
        return None
    return None if own_file(source) else _no_place(source)


def check_source(source: str, corpora: Iterable[str]) -> None:
    """DataError where data is neither a corpus nor a file that the student dropped here."""
    if limits() is not None and source.strip() not in corpora and not own_file(source):
        raise DataError(_no_place(source))


def own_file(source: str) -> bool:
    """Whether a path is a file that was dropped into this space, or by the teacher for the class."""
    space = current()
    if space is None or "\0" in source:
        return False
    place = Path(source.strip())
    folders = [home.resolve() / "data" for home in (space.root, space.shared) if home]
    try:
        where = place.resolve()
        return place.is_absolute() and place.is_file() and any(map(where.is_relative_to, folders))
    except OSError:  # a name that is too long, or a circle of links
        return False


def check_folder(source: str) -> None:
    """ModelError where a model is neither the student's, the class's, nor allowed by name."""
    space = current()
    if space is None or space.limits is None or source in space.limits.models:
        return
    place = Path(source)
    homes = [space.root, *([space.shared] if space.shared else [])]
    allowed = [home.resolve() / part for home in homes for part in ("runs", "models")]
    try:
        where = place.resolve()
    except (OSError, ValueError):  # no name that a file could have
        where = Path("/")
    if not place.is_absolute() or not any(where.is_relative_to(home) for home in allowed):
        raise ModelError(
            _(
                "In a class, models come from your own runs and from the class, not from {source!r}; "
                "choose one from the list.",
                source=str(source)[:80],
            )
        )


def check_run(config: RunConfig) -> None:
    """SettingError or DataError where a run asks for more than a student may."""
    bounds = limits()
    if bounds is None:
        return
    for source in (config.data.source, config.data.eval_source):
        refusal = source_refusal(source)
        if refusal is not None:
            raise DataError(refusal)
    if config.model.source not in bounds.models:
        raise SettingError(
            _(
                "In a class, a run starts from {allowed}, not from {source!r}; choose one of these.",
                allowed=", ".join(bounds.models),
                source=config.model.source[:80],
            )
        )
    for what, value, most in _asked(config, bounds):
        check_most(what, value, most)


def _asked(config: RunConfig, bounds: Limits) -> list[tuple[str, float, int]]:
    """What a run asks for, each with the most that it may be."""
    asked: list[tuple[str, float, int]] = [
        (_("epochs"), config.train.epochs, bounds.epochs),
        (_("texts in a batch"), config.train.batch_size, bounds.batch),
        (_("tokens of a text"), config.model.max_length, bounds.tokens),
        (_("training texts"), config.data.limit or 0, bounds.texts),
        (_("validation texts"), config.train.eval_limit, bounds.measured),
        (_("epochs whose weights are kept"), config.train.history, bounds.epochs),
    ]
    for settings in (config.method, config.task_settings):
        numbers: dict[str, Any] = {k: v for k, v in settings.items() if isinstance(v, int)}
        most = bounds.effort if settings is config.method else bounds.tokens
        asked += [(name.replace("_", " "), value, most) for name, value in numbers.items()]
    return asked


def check_most(what: str, value: float, most: int) -> None:
    """SettingError where a student asks for more than `most`."""
    if value > most:
        raise SettingError(
            _(
                "In a class, at most {most:,} {what} are allowed, so that everybody has a turn; "
                "{asked:,} were asked for. Take fewer.",
                most=most,
                what=what,
                asked=value,
            )
        )


def check_rows(rows: int) -> None:
    """DataError where a file has more rows than a student's may have."""
    bounds = limits()
    if bounds is not None and rows > bounds.texts:
        raise DataError(
            _(
                "In a class, a file may have {most:,} rows, and this one has {rows:,}; "
                "leave some of them out.",
                most=bounds.texts,
                rows=rows,
            )
        )


def check_text(*texts: str) -> None:
    """SettingError where a text to attack is longer than a student's may be."""
    bounds = limits()
    if bounds is not None:
        check_most(_("characters of a text"), max(map(len, texts), default=0), bounds.characters)


def check_upload(size: int) -> None:
    """DataError where a file is larger than a student's may be. `size`: bytes."""
    bounds = limits()
    if bounds is not None and size > bounds.upload << 20:
        raise DataError(
            _(
                "In a class, a file may have {most} MB, and this one has {size:.0f}; "
                "leave some rows out.",
                most=bounds.upload,
                size=size / 2**20,
            )
        )


def check_room(waiting: int, runs: int, more: int = 1) -> None:
    """RunError where so many more runs do not fit, beside those that wait and those that there are."""
    space = current()
    if space is None or space.limits is None:
        return
    bounds = space.limits
    if waiting + more > bounds.waiting:
        raise RunError(
            _(
                "In a class, {most} of your runs may wait or train at once; {waiting} do, and {more} "
                "more would be too many. Wait for one to end, or cancel one.",
                most=bounds.waiting,
                waiting=waiting,
                more=more,
            )
        )
    if runs + more > bounds.runs:
        raise RunError(
            _(
                "In a class, you may keep {most} runs, and you have {runs}; delete some of them.",
                most=bounds.runs,
                runs=runs,
            )
        )
    used = _size(space.root) >> 20
    if used > bounds.disk:
        raise RunError(
            _(
                "In a class, your runs and files may take {most:,} MB, and they take {used:,}; "
                "delete some runs.",
                most=bounds.disk,
                used=used,
            )
        )


def _size(folder: Path) -> int:
    """Bytes below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for base, _folders, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(base) / name).lstat().st_size
            except OSError:
                continue
    return total


def _no_place(source: str) -> str:
    return _(
        "In a class, data comes from the built-in corpora and from files that you drop here, not from "
        "{source!r}; choose a corpus, or drop the file.",
        source=source[:80],
    )
