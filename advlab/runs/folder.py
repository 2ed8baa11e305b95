"""A run on disk: where its files are, and how they are read while another process writes them.

    $ADVLAB_HOME/runs/<id>/
        config.json         the RunConfig
        events.jsonl        the diary: one Event a line, only ever appended to
        worker.log          what the worker printed, tracebacks included
        request             "pause" or "cancel" while one is asked for
        checkpoints/step-…/ weights, optimiser and random states, state.json
        model/              the chosen epoch as a Hugging Face folder

One process writes a diary (the run's worker); any number read it at any time. A line counts once
its newline is there, so a reader never sees half an event and never loses one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
import shutil
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

from advlab.errors import RunError
from advlab.language import _
from advlab.records import Event
from advlab.runs.config import RunConfig, home
from advlab.runs.disk import checkpoints, old_of, step_of, write_aside

REPEATED = ("step", "look", "epoch", "alarm")  # events that a resumed run may tell once more
RUN_ID = re.compile(r"[0-9a-f]{12}")
NAME_LIMIT = 200  # characters


def new_id() -> str:
    """A fresh run id: 12 hex digits."""
    return secrets.token_hex(6)


def run_path(run_id: str, root: Path | None = None) -> Path:
    """Folder of a run under `root` (the data folder), made or not; RunError for any other id."""
    runs = (root or home()).resolve() / "runs"
    if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
        raise RunError(
            _(
                "expected a run id of 12 hex digits, got {run_id!r}; take one from the "
                "list of runs",
                run_id=str(run_id)[:60],
            )
        )
    path = runs / run_id
    if not path.resolve().is_relative_to(runs):  # a link planted in the folder
        raise RunError(
            _(
                "run {run_id} lies outside {runs}; remove the link that stands there",
                run_id=run_id,
                runs=runs,
            )
        )
    return path


def clean_name(name: str) -> str:
    """A name fit for one line of a list: no control characters, any script, at most 200 long."""
    text = name.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be stored
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    return text.strip()[:NAME_LIMIT]


def utf8(text: str) -> bytes:
    r"""JSON text as UTF-8. A lone surrogate becomes `\udXXX`, which JSON reads back unchanged."""
    return text.encode("utf-8", "backslashreplace")


# -- the diary ---------------------------------------------------------------------------------


def to_line(event: Event) -> bytes:
    """One event as one line of JSON with its newline. numpy and torch numbers become plain ones."""
    text = json.dumps(dataclasses.asdict(event), ensure_ascii=False, default=_plain)
    return utf8(text) + b"\n"


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy and torch, scalars and arrays, without importing either
        return value.tolist()
    return str(value)


def from_line(line: bytes) -> Event | None:
    """The event of one line, or None where the line is not one."""
    try:
        found = json.loads(line)
        return Event(
            str(found["kind"]), int(found["step"]), float(found["time"]), dict(found["values"])
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


@dataclass(frozen=True)
class Tail:
    """What a read of the diary gave. Pass `offset` to the next read to get only what is new."""

    events: tuple[Event, ...]
    offset: int  # bytes from the start of the file, always at the start of a line
    damaged: int = 0  # complete lines that are not events; skipped


def read_events(path: Path, offset: int = 0) -> Tail:
    """The complete events of a diary from byte `offset` on; nothing where there is no file yet.

    An offset past the end belongs to another file: reading then starts at 0.
    """
    try:
        with path.open("rb") as file:
            if not 0 <= offset <= os.fstat(file.fileno()).st_size:
                offset = 0
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return Tail((), 0)
    whole = data[: data.rfind(b"\n") + 1]  # what follows is still being written, or torn
    found = [from_line(line) for line in whole.splitlines() if line.strip()]
    events = tuple(event for event in found if event is not None)
    return Tail(events, offset + len(whole), len(found) - len(events))


class EventWriter:
    """Appends events to a diary. Each is in the kernel's hands when `append` returns.

    So a killed process loses nothing that it appended. One writer at a time. A line torn by an
    earlier writer's death is cut off on opening; it was never a complete event to any reader.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._mend()
        except BaseException:
            self.close()
            raise

    def _mend(self) -> None:
        end = position = os.fstat(self._file).st_size
        tail = b""
        while position and b"\n" not in tail:
            step = min(position, 65536)
            position -= step
            tail = os.pread(self._file, step, position) + tail
        torn = tail[tail.rfind(b"\n") + 1 :]
        if torn and from_line(torn) is not None:  # only its newline is missing
            os.write(self._file, b"\n")
        elif torn:
            os.ftruncate(self._file, end - len(torn))

    def append(self, event: Event) -> None:
        """Add one event as one line; on a full disk the file is left as it was."""
        line = to_line(event)
        start = os.fstat(self._file).st_size
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError:
            os.ftruncate(self._file, start)
            raise

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


def timeline(events: Iterable[Event]) -> tuple[Event, ...]:
    """The events as one unbroken run, for curves.

    After a kill, a run continues from its last checkpoint and takes some steps a second time. The
    diary keeps both; here only the steps that led to the present weights stay.
    """
    kept: list[Event] = []
    for event in events:
        since = event.values.get("resumed_from") if event.kind == "note" else None
        if since is not None:
            kept = [e for e in kept if e.step <= since or e.kind not in REPEATED]
        kept.append(event)
    return tuple(kept)


# -- the folder --------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunFolder:
    """The files of one run. Making one checks the id; `create` makes the folder itself."""

    id: str
    path: Path

    @staticmethod
    def at(run_id: str, root: Path | None = None) -> RunFolder:
        """The folder of a run under the data folder `root`; it need not exist yet."""
        return RunFolder(run_id, run_path(run_id, root))

    @staticmethod
    def create(config: RunConfig, root: Path | None = None) -> RunFolder:
        """A new folder with its config.json."""
        folder = RunFolder.at(new_id(), root)
        folder.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.path.mkdir(mode=0o700)
        folder.write_config(config)
        return folder

    def config(self) -> RunConfig:
        """The settings; RunError when the file is missing, SettingError when it does not fit."""
        try:
            text = (self.path / "config.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise RunError(
                _(
                    "run {id} has no config.json in {path}; start it anew",
                    id=self.id,
                    path=self.path,
                )
            ) from None
        return RunConfig.from_json(text)

    def write_config(self, config: RunConfig) -> None:
        """Replace config.json."""
        write_aside(self.path / "config.json", utf8(config.to_json() + "\n"))

    @property
    def diary(self) -> Path:
        """events.jsonl."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """worker.log."""
        return self.path / "worker.log"

    @property
    def model(self) -> Path:
        """The chosen epoch's Hugging Face folder; it may not exist yet."""
        model = self.path / "model"
        old = old_of(model)  # where the two cannot change places in one step
        return old if not model.exists() and old.is_dir() else model

    @property
    def has_model(self) -> bool:
        """Whether a model has been saved."""
        return (self.model / "config.json").is_file()

    def read(self, offset: int = 0) -> Tail:
        """Complete events from byte `offset` on."""
        return read_events(self.diary, offset)

    def writer(self) -> EventWriter:
        """Open the diary for appending; for the run's one worker."""
        return EventWriter(self.diary)

    def checkpoint_step(self) -> int | None:
        """Step of the newest whole checkpoint, or None where there is none to continue from."""
        whole, __ = checkpoints(self.path)
        return step_of(whole[-1]) if whole else None

    def outlook(self) -> str:
        """What a resume would do, as the second half of a sentence."""
        step = self.checkpoint_step()
        if step is not None:
            return _("it continues from step {step} when resumed", step=step)
        if checkpoints(self.path)[1]:
            return _("its checkpoint is damaged, so it starts anew when resumed")
        return _("no checkpoint was written yet, so it starts anew when resumed")

    def requested(self) -> str | None:
        """What the person at the screen has asked the worker for: pause, cancel or nothing."""
        try:
            word = (self.path / "request").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return word if word in ("pause", "cancel") else None

    def request(self, word: str | None) -> None:
        """Leave a request for the worker, or take it back with None."""
        flag = self.path / "request"
        if word is None:
            flag.unlink(missing_ok=True)
        elif self.path.is_dir():
            write_aside(flag, word.encode("ascii"))

    def last_log_line(self) -> str:
        """The last line that the worker printed, or nothing."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def size(self) -> int:
        """Bytes on disk. Files that vanish while they are counted count nothing."""
        return sum(_sizes(self.path))

    def delete(self) -> None:
        """Remove the folder. It leaves the list of runs at once, even if removing takes long."""
        if not self.path.exists():
            return
        aside = self.path.with_name(f".deleted-{self.id}-{secrets.token_hex(4)}")
        self.path.replace(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def download_name(self, name: str = "") -> str:
        """A file name for the zip, from the run's name: letters, digits and hyphens."""
        slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60]
        return f"{slug or 'run'}-{self.id}.zip"

    def zip_to(self, target: BinaryIO, what: Literal["model", "run"] = "model") -> None:
        """Write the model folder, or the whole run, as a zip into an empty seekable file.

        RunError where no model has been saved. A model that is replaced meanwhile is read again.
        """
        if what == "model" and not self.has_model:
            raise RunError(
                _(
                    "run {id} has saved no model yet; wait for the end of its first epoch",
                    id=self.id,
                )
            )
        source = self.model if what == "model" else self.path
        for attempt in range(3):
            target.seek(0)
            target.truncate()
            try:
                with zipfile.ZipFile(
                    target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False
                ) as archive:
                    for file in sorted(_files(source)):
                        # weights do not shrink, and deflating them is the slow part
                        stored = file.suffix == ".safetensors"
                        archive.write(
                            file,
                            Path(self.id) / file.relative_to(source),
                            zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED,
                        )
            except FileNotFoundError:
                if attempt == 2:
                    raise RunError(
                        _("run {id} is changing its files; try again", id=self.id)
                    ) from None
            else:
                return


def _files(folder: Path) -> Iterator[Path]:
    """Files that are whole: what is still being written stands under a name with a dot."""
    for base, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield from (Path(base) / name for name in names if not name.startswith("."))


def _sizes(folder: Path) -> Iterator[int]:
    for base, __, names in os.walk(folder):
        for name in names:
            try:
                yield (Path(base) / name).lstat().st_size
            except FileNotFoundError:
                continue
