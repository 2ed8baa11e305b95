"""A person's dialogues: JSON Lines with the turns of one dialogue a line, or a JSON array of these.

    {"turns": ["i need a ticket.", "from which city?", "from bern."]}
    {"messages": [{"role": "user", "content": "i need a ticket."}, {"role": "assistant", …}]}
    {"dialogue": [{"speaker": "A", "text": "i need a ticket."}, {"speaker": "B", …}]}

Every turn of the bot gives an example: what was said before it is the history. Where nobody is called
assistant or bot, it is the one who speaks second. What cannot be used is left out, and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from advlab.data.decoding import decoded, guess_encoding
from advlab.data.objects import json_array, json_lines
from advlab.data.raw import read_head, stream
from advlab.data.rows import limited
from advlab.errors import DataError
from advlab.language import _
from advlab.records import Example
from advlab.records.turns import written
from advlab.runs.config import DataConfig

TURNS = ("turns", "dialogue", "dialog", "messages", "conversation", "conversations", "utterances")
TEXTS = ("text", "content", "value", "utterance")
SPEAKERS = ("speaker", "role", "from")
BOTS = ("assistant", "bot", "gpt", "model", "agent")
SYSTEM = ("system", "developer")
FORM = '{"turns": ["a question", "its reply", …]} on each line'
MOST_TURNS = 1_000


@dataclass(frozen=True)
class Said:
    """One turn: by whom, where that is known, and what."""

    speaker: str  # "" where the file does not say
    text: str


def read(path: Path, config: DataConfig, notes: list[str] | None = None) -> list[Example]:
    """The replies of all dialogues in a file, each with its history; `notes` hears what was left out.

    `more` names the dialogue, by which a split must go. DataError where the file holds none.
    """
    name, told = path.name, Counter[str]()
    examples: list[Example] = []
    column = config.text_column
    for number, record in limited(_records(path, name, config), name, 1):
        turns = _turns(record, number, name, column)
        examples += _examples(turns, number, name.split(".")[0], told)
    if not examples:
        why = "".join(f"; {what}: {n:,}" for what, n in told.items())
        raise DataError(
            _(
                "{name} has no reply to learn from{why}; expected {form}",
                name=name,
                why=why,
                form=FORM,
            )
        )
    if notes is not None:
        notes += [f"{name}: {what}: {n:,}" for what, n in told.items()]
    return examples


def _records(path: Path, name: str, config: DataConfig) -> Iterator[tuple[int, dict[str, Any]]]:
    head = read_head(path, name)
    given = config.encoding
    encoding = given or guess_encoding(head.data, name, head.complete)[0]
    blocks = decoded(stream(path, name), encoding, name, given=given is not None)
    first = next((b for b in blocks if b.strip()), "")
    start = first.lstrip("\ufeff \t\r\n")

    def text() -> Iterator[str]:
        yield start
        yield from blocks

    if not start:
        raise DataError(_("{name} is empty; expected {form}", name=name, form=FORM))
    if start[0] not in "[{":
        raise DataError(
            _(
                "expected dialogues as JSON, got {name}, which begins with {start!r}; write {form}",
                name=name,
                start=start[:20],
                form=FORM,
            )
        )
    return json_array(text(), name) if start[0] == "[" else json_lines(text(), name)


def _turns(record: dict[str, Any], number: int, name: str, column: str | None) -> list[Said]:
    """The turns of one dialogue; DataError where a row holds something else."""
    keys = (column,) if column else TURNS
    key = next((k for k in keys if isinstance(record.get(k), list)), None)
    if key is None:
        raise DataError(
            _(
                "row {number:,} of {name}: expected a list of turns as {keys}, got "
                "{came}; write {form}",
                number=number,
                name=name,
                keys=" or ".join(keys[:3]),
                came=", ".join(map(repr, list(record)[:5])) or _("nothing"),
                form=FORM,
            )
        )
    found = []
    for turn in islice(record[key], MOST_TURNS):
        text = turn if isinstance(turn, str) else _first(turn, TEXTS)
        if not isinstance(text, str):
            raise DataError(
                _(
                    "row {number:,} of {name}: expected each turn as text, or as an object "
                    "with {texts}, got {turn!r}; write {form}",
                    number=number,
                    name=name,
                    texts=" or ".join(TEXTS[:2]),
                    turn=str(turn)[:60],
                    form=FORM,
                )
            )
        speaker = "" if isinstance(turn, str) else _first(turn, SPEAKERS)
        found.append(Said(str(speaker or "").casefold().strip(), " ".join(text.split())))
    return found


def _first(turn: Any, names: Sequence[str]) -> Any:
    return next((turn[n] for n in names if n in turn), None) if isinstance(turn, dict) else None


def _examples(turns: list[Said], number: int, stem: str, told: Counter[str]) -> list[Example]:
    """The replies of one dialogue; `told` counts what is left out."""
    kept = [t for t in turns if t.text and t.speaker not in SYSTEM]
    told["messages of a system, left out"] += sum(t.speaker in SYSTEM for t in turns)
    told["empty turns, left out"] += sum(not t.text for t in turns)
    if not all(t.speaker for t in kept):  # who speaks is not said: two in alternation
        kept = [Said(str(i % 2), t.text) for i, t in enumerate(kept)]
    merged: list[Said] = []
    for turn in kept:
        if merged and merged[-1].speaker == turn.speaker:
            merged[-1] = Said(turn.speaker, f"{merged[-1].text} {turn.text}")
            told["turns joined to the one before them, by the same speaker"] += 1
        else:
            merged.append(turn)
    speakers = list(dict.fromkeys(t.speaker for t in merged))
    bot = next((s for s in speakers if s in BOTS), speakers[1] if len(speakers) > 1 else None)
    if len(speakers) != 2:
        what = _("of more than two speakers") if len(speakers) > 2 else _("without a reply")
        told[f"dialogues {what}, left out"] += 1
        told += Counter()
        return []
    begun = 1 if merged[0].speaker == bot else 0
    told["first turns of a bot that nobody had asked, left out"] += begun
    merged = merged[begun:]
    for what in [what for what, n in told.items() if not n]:
        del told[what]
    return [
        Example(
            f"{stem}-{number}-{at // 2 + 1}",
            written([t.text for t in merged[:at]]),
            (merged[at].text,),
            more=(("dialogue", str(number)),),
        )
        for at in range(1, len(merged), 2)
    ]
