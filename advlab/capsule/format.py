"""A capsule: one attacked sentence as a file that another machine can open, read and verify.

JSON, or a web page that holds the same JSON in an inert block. Files come from strangers: they are
bounded, typed and range-checked before anything is made of them, nothing in them is a path or code,
and text from them is only ever text. Every section has a digest, so a change by hand is named.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from advlab.capsule import forecast, legacy, worth
from advlab.capsule.forecast import Forecast
from advlab.capsule.reader import AXES, SHARED_NUMBERS, Part, Spec, parsed, refused, shown
from advlab.capsule.worth import Passport
from advlab.errors import CapsuleError, DataError
from advlab.language import _
from advlab.pictures.page import versions
from advlab.pictures.sentences import headline
from advlab.pictures.style import short
from advlab.pictures.wording import tells_tokens
from advlab.records import AttackRecord, Reading
from advlab.records.examples import NO_ANSWER

FORMAT = 2  # the first had classes alone; `legacy` reads it
MAX_BYTES = 16 * 2**20
MAX_TEXT = 20_000
MAX_NAME = 200  # of a class, or another part of a reading
BLOCK = "advlab-capsule"
NUMBERS: dict[str, Spec] = {**SHARED_NUMBERS, "curve_low": ("N", 0, 1), "curve_high": ("N", 0, 1)}
# what the model said -> the axis of its versions; each has these columns, and the task's own parts
READINGS = {
    "clean": "1",
    "attacked": "1",
    "noise": "R",
    "nearest tokens": "1",
    "as text again": "1",
    "steps": "S",
    "curve": "N",
}
FURTHER = "PQ"  # axes that a task's own part may have beside that of the versions
COLUMNS: dict[str, tuple[float, float]] = {
    "score": (0, 1),
    "sure": (0, 1),
    "margin": (-np.inf, np.inf),
    "loss": (-1e9, np.inf),
    "hold": (-np.inf, np.inf),
    "broken": (0, 1),
}
SECTIONS = ("text", "label", "shield", "attack", "seed", "model", "tokens", "results")
OPTIONAL = ("beside", "goal", "explanations", "forecast")  # sections that a file may lack


@dataclass(frozen=True)
class Capsule:
    """What a capsule says. Axes as in `NUMBERS`."""

    made: str  # when, in UTC
    versions: Mapping[str, str]
    text: str
    label: str | None  # the answer that was given; None: the model's own
    shield: tuple[tuple[int, int], ...]
    attack: Mapping[str, Any]
    seed: int
    model: str
    model_hash: str
    tokenizer_hash: str
    task: Mapping[str, Any]
    tokens: tuple[str, ...]
    nearest: tuple[str, ...]  # T
    round_trip_text: str
    headline: str
    eps: float  # raw
    mean_norm: float
    half_nn: float
    best_step: int
    flip_eps: float | None
    numbers: Mapping[str, np.ndarray]
    readings: Mapping[str, Reading]
    beside: str = ""
    goal: str = ""
    explanations: tuple[Passport, ...] = ()
    forecast: Forecast | None = None
    changed: tuple[str, ...] = ()  # sections that are not as they were saved

    @property
    def reference(self) -> str:
        """The answer whose loss the attack works on."""
        return self.readings["clean"].answers[0] if self.label is None else self.label

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that were told apart, each a part of every reading; none in other tasks."""
        return tuple(self.readings["clean"].parts) if _classifies(self.task) else ()

    @property
    def written(self) -> bool:
        """Whether its answers are written token by token, so that what is sure is so per token."""
        return tells_tokens(self.readings["clean"])

    @property
    def chance(self) -> str:
        """What the score of the reference is: ‘Probability of positive’."""
        name = self.reference
        if not self.classes and name != NO_ANSWER:
            name = f"“{short(name)}”"
        return _(
            "Probability {which}of {name}", which=_("per token ") if self.written else "", name=name
        )

    @property
    def flips_at(self) -> float | None:
        """The smallest ε found that flips it, × mean norm; None where the attack found none."""
        if self.flip_eps is not None:
            return self.flip_eps / self.mean_norm
        flipped = bool(self.readings["attacked"].broken[0])
        return self.eps / self.mean_norm if flipped else None


def numbers_of(record: AttackRecord) -> dict[str, np.ndarray]:
    """The arrays of a record that a capsule holds."""
    curve = record.curve
    return {
        "losses": record.losses,
        "step_norms": record.step_norms,
        "delta": record.delta,
        "delta_norm": record.delta_norm,
        "exit_radius": record.exit_radius,
        "certificate": record.certificate,
        "perturbable": record.perturbable.astype(float),
        "curve_eps": curve.eps,
        "curve_low": curve.low,
        "curve_high": curve.high,
    }


def readings_of(record: AttackRecord) -> dict[str, Reading]:
    """What the model said, as a capsule holds it."""
    return {**record.readings, "curve": record.curve.attacked}


def save(
    record: AttackRecord,
    tokenizer_hash: str,
    made: str = "",
    explanations: Sequence[Passport] = (),
    foretold: Forecast | None = None,
) -> str:
    """A record as the JSON of a capsule, which `load` has read. `made`: when; now, without it.

    `foretold` is what somebody thought would come out. DataError where `load` would refuse it, as when
    a figure is not a number.
    """
    try:
        whole = _whole(_body(record, tokenizer_hash, explanations, foretold), made)
        load(whole.encode("utf-8", "replace"))
    except CapsuleError as error:
        raise DataError(
            _(
                "this record makes no capsule: {gap}; change the text, the attack or the model",
                gap=error.gap,
            )
        ) from None
    return whole


def _body(
    record: AttackRecord,
    tokenizer_hash: str,
    explanations: Sequence[Passport],
    foretold: Forecast | None,
) -> dict[str, Any]:
    """The sections of a record's capsule."""
    body: dict[str, Any] = {
        "text": record.text,
        "label": record.reference if record.given else None,
        "shield": [list(span) for span in record.shield],
        "attack": dict(record.attack),
        "seed": record.seed,
        "model": {
            "name": record.model,
            "weights": record.model_hash,
            "tokenizer": tokenizer_hash,
            "task": dict(record.task),
            "mean_norm": record.scale.mean_norm,
            "half_nn": record.scale.half_nn,
        },
        "tokens": list(record.tokens),
        "results": {
            "headline": headline(record),
            "eps": record.eps,
            "nearest": [row[0] for row in record.neighbours.tokens],
            "round_trip_text": record.round_trip_text,
            "best_step": record.best_step,
            "flip_eps": record.curve.flip_eps,
            "numbers": {name: _packed(v) for name, v in numbers_of(record).items()},
            "readings": {name: _written(r) for name, r in readings_of(record).items()},
        },
    }
    body |= {"beside": record.beside} if record.beside else {}
    body |= {"goal": record.goal} if record.goal else {}
    body |= {"explanations": [asdict(p) for p in explanations]} if explanations else {}
    body |= {"forecast": asdict(foretold)} if foretold is not None else {}
    return body


def _whole(body: Mapping[str, Any], made: str) -> str:
    """The file of these sections. CapsuleError where a number is none."""
    body = parsed(json.dumps(body))  # what a reader will see
    whole = {
        BLOCK: FORMAT,
        "made": made or datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "versions": versions(),
        **body,
        "digests": {name: _digest(body[name]) for name in (*SECTIONS, *OPTIONAL) if name in body},
    }
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)


def load(data: bytes) -> Capsule:
    """Read a capsule from JSON or from its web page. DataError says what is wrong with the file."""
    found = parsed(source_of(data))
    top = Part(found, _("the file"))
    kind = top.integer(BLOCK, 1, 1_000_000)
    if kind > FORMAT:
        raise refused(
            _("format {format}", format=FORMAT),
            _("format {kind}; open it with a newer advlab", kind=kind),
        )
    model, results = top.part("model"), top.part("results")
    tokens = top.texts("tokens", 1000, 1, AXES["T"])
    sizes = {"T": len(tokens), "1": 1}
    label = _label(top)
    if kind == 1:
        task = {"name": "classification"}
        numbers, readings = legacy.read(top, label, sizes)
    else:
        task = _settings(model.value("task"))
        numbers, readings = _measured(results, sizes)
        _consistent(readings, label, _classifies(task))
    if sizes["S"] < 1 or sizes["N"] < 1:
        raise refused(_("at least one step and one ε"), "none")
    text = top.text("text", MAX_TEXT)
    digests = top.part("digests")
    return Capsule(
        made=top.text("made", 40),
        versions=top.part("versions").strings(20, 60),
        text=text,
        label=label,
        shield=_spans(top.value("shield"), len(text)),
        attack=_settings(top.value("attack")),
        seed=top.integer("seed", 0, 2**31 - 1),
        model=model.text("name", 300),
        model_hash=model.text("weights", 64),
        tokenizer_hash=model.text("tokenizer", 64),
        task=task,
        tokens=tuple(tokens),
        nearest=tuple(results.texts("nearest", 1000, len(tokens), len(tokens))),
        round_trip_text=results.text("round_trip_text", 4 * MAX_TEXT),
        headline=results.text("headline", 4000),
        eps=results.number("eps", 0, 1e9),
        mean_norm=model.number("mean_norm", 1e-12, 1e9),
        half_nn=model.number("half_nn", 0, 1e9),
        best_step=results.integer("best_step", 0, sizes["S"] - 1),
        flip_eps=results.number_or_none("flip_eps", 0, 1e9),
        numbers=numbers,
        readings=readings,
        beside=top.text("beside", MAX_TEXT) if "beside" in found else "",
        goal=top.text("goal", MAX_NAME) if "goal" in found else "",
        explanations=tuple(worth.read(p) for p in top.parts("explanations", worth.MOST))
        if "explanations" in found
        else (),
        forecast=forecast.read(top.part("forecast")) if "forecast" in found else None,
        changed=_changed(found, digests),
    )


def _label(top: Part) -> str | None:
    label = top.value("label")
    if label is not None and (not isinstance(label, str) or len(label) > MAX_TEXT):
        raise refused(_("an answer as text, or null"), shown(label))
    return label


def _changed(found: Mapping[str, Any], digests: Part) -> tuple[str, ...]:
    """The sections that are not as their digests say, one that was added or taken out among them."""
    needed = [name for name in SECTIONS if digests.value(name) != _digest(found.get(name))]
    further = [
        name
        for name in OPTIONAL
        if (name in found or name in digests.found)
        and digests.found.get(name) != _digest(found.get(name))
    ]
    return (*needed, *further)


def source_of(data: bytes) -> str:
    """The JSON of a capsule's file, which may be its web page."""
    if len(data) > MAX_BYTES:
        raise refused(
            _("at most {max_bytes} MiB", max_bytes=MAX_BYTES >> 20), f"{len(data) / 2**20:.1f} MiB"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise refused(_("text in UTF-8"), _("other bytes")) from None
    if text.lstrip()[:1] != "<":
        return text
    # one pass: a pattern would search the rest of the file again from each opening tag
    __, opening, rest = text.partition(f'<script type="application/json" id="{BLOCK}">')
    block, closing, __ = rest.partition("</script>")
    if not opening or not closing:
        raise refused(_("a page that holds a capsule"), _("a page without one"))
    return block


def _packed(values: np.ndarray) -> dict[str, Any]:
    kind = "<f4" if values.dtype == np.float32 else "<f8"
    raw = np.ascontiguousarray(values, dtype=kind).tobytes()
    return {"shape": list(values.shape), "type": kind, "data": base64.b64encode(raw).decode()}


def _written(reading: Reading) -> dict[str, Any]:
    columns = {name: _packed(getattr(reading, name).astype(float)) for name in COLUMNS}
    parts = {name: _packed(values) for name, values in reading.parts.items()}
    return {"answers": list(reading.answers), **columns, "parts": parts}


def _measured(
    results: Part, sizes: dict[str, int]
) -> tuple[dict[str, np.ndarray], dict[str, Reading]]:
    """The numbers and readings of a file; the axes that they have are added to `sizes`."""
    packed = results.part("numbers")
    numbers = {name: packed.array(name, spec, sizes) for name, spec in NUMBERS.items()}
    told = results.part("readings")
    return numbers, {name: _reading(told, name, sizes) for name in READINGS}


def _reading(told: Part, name: str, sizes: dict[str, int]) -> Reading:
    part, axis = told.part(name), READINGS[name]
    score, sure, margin, loss, hold, broken = (
        part.array(column, (axis, *bounds), sizes) for column, bounds in COLUMNS.items()
    )
    answers = part.texts("answers", MAX_TEXT, len(score), len(score))
    found = part.part("parts")
    if len(found.found) > AXES["C"]:
        raise refused(
            _("at most {axes} parts in {name!r}", axes=AXES["C"], name=name), str(len(found.found))
        )
    if any(len(key) > MAX_NAME for key in found.found):
        raise refused(
            _(
                "parts with names of at most {max_name} characters in {name!r}",
                max_name=MAX_NAME,
                name=name,
            ),
            "a longer",
        )
    parts = {key: _part(found, key, axis, sizes) for key in found.found}
    return Reading(tuple(answers), score, sure, margin, loss, hold, broken > 0, parts)


def _part(found: Part, key: str, axis: str, sizes: dict[str, int]) -> np.ndarray:
    """A task's own column (N,…): further axes of its own, as places in a text or tokens."""
    shape = found.part(key).value("shape")
    further = len(shape) - 1 if isinstance(shape, list) else 0
    if not 0 <= further <= len(FURTHER):
        raise refused(
            _("a shape of 1 to {most} axes for {key!r}", most=1 + len(FURTHER), key=key),
            shown(shape),
        )
    return found.array(key, (axis + FURTHER[:further], -np.inf, np.inf), dict(sizes))


def _classifies(task: Mapping[str, Any]) -> bool:
    """Whether the parts of a reading are the probabilities of classes."""
    return task["name"] == "classification"


def _consistent(readings: Mapping[str, Reading], label: str | None, classes: bool) -> None:
    """All readings have the same parts. Where these are classes, nothing else is an answer."""
    parts = tuple(readings["clean"].parts)
    for name, reading in readings.items():
        if set(reading.parts) != set(parts):
            raise refused(
                _("the same parts in {name!r} as in 'clean'", name=name), shown(list(reading.parts))
            )
        if not classes:
            continue
        strange = next((answer for answer in reading.answers if answer not in parts), None)
        if strange is not None:
            raise refused(_("answers in {name!r} that are classes", name=name), shown(strange))
        if any(values.ndim > 1 for values in reading.parts.values()):
            raise refused(_("one probability for each version in {name!r}", name=name), "several")
        if any(((values < 0) | (values > 1)).any() for values in reading.parts.values()):
            raise refused(
                _("probabilities from 0 to 1 in {name!r}", name=name), _("one that is not")
            )
    if classes and label is not None and label not in parts:
        raise refused(_("a label that is one of the classes, or null"), shown(label))


def _spans(value: Any, length: int) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list) or len(value) > AXES["T"]:
        raise refused(_("a list of shielded spans"), shown(value))
    spans = []
    for item in value:
        right = isinstance(item, list) and len(item) == 2 and all(type(v) is int for v in item)
        if not right or not 0 <= item[0] < item[1] <= length:
            raise refused(
                _("spans [start, end] within {length} characters", length=length), shown(item)
            )
        spans.append((item[0], item[1]))
    return tuple(spans)


def _settings(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > 60 or not isinstance(value.get("name"), str):
        raise refused(_("settings with a name"), shown(value))
    for name, item in value.items():
        plain = item is None or isinstance(item, str | int | float | bool)
        if not plain or len(str(item)) > 200 or len(name) > 60:
            raise refused(_("a plain value for {name!r}", name=name[:60]), shown(item))
    return value


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
