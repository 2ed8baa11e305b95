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

from advlab.capsule import forecast, worth
from advlab.capsule.forecast import Forecast
from advlab.capsule.reader import AXES, Part, refused, shown
from advlab.capsule.worth import Passport
from advlab.errors import DataError
from advlab.pictures.page import versions
from advlab.pictures.sentences import headline
from advlab.records import AttackRecord

FORMAT = 1
MAX_BYTES = 16 * 2**20
MAX_TEXT = 20_000
BLOCK = "advlab-capsule"
# name -> axes, lowest, highest; every number must be finite, but None stands for ∞ where allowed
NUMBERS: dict[str, tuple[str, float, float, bool]] = {
    "clean": ("C", 0, 1, False),
    "adversarial": ("C", 0, 1, False),
    "noise": ("RC", 0, 1, False),
    "projected": ("C", 0, 1, False),
    "round_trip": ("C", 0, 1, False),
    "losses": ("S", -1e9, 1e9, False),
    "step_probs": ("SC", 0, 1, False),
    "step_norms": ("ST", 0, 1e9, False),
    "delta": ("TD", -1e9, 1e9, False),
    "delta_norm": ("T", 0, 1e9, False),
    "exit_radius": ("T", 0, 1e9, True),
    "certificate": ("T", 0, 1e9, False),
    "perturbable": ("T", 0, 1, False),
    "curve_eps": ("N", 0, 1e9, False),
    "curve_adversarial": ("NC", 0, 1, False),
    "curve_low": ("NC", 0, 1, False),
    "curve_high": ("NC", 0, 1, False),
}
SECTIONS = ("text", "label", "shield", "attack", "seed", "model", "tokens", "results")
OPTIONAL = ("explanations", "forecast")  # sections that a file may lack


@dataclass(frozen=True)
class Capsule:
    """What a capsule says. Axes as in `NUMBERS`."""

    made: str  # when, in UTC
    versions: Mapping[str, str]
    text: str
    label: str | None  # the class that was given; None: the model's own prediction
    shield: tuple[tuple[int, int], ...]
    attack: Mapping[str, Any]
    seed: int
    model: str
    model_hash: str
    tokenizer_hash: str
    label_names: tuple[str, ...]
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
    explanations: tuple[Passport, ...] = ()
    forecast: Forecast | None = None
    changed: tuple[str, ...] = ()  # sections that are not as they were saved

    @property
    def attacked(self) -> int:
        """The class whose loss the attack works on."""
        if self.label is not None:
            return self.label_names.index(self.label)
        return int(self.numbers["clean"].argmax())

    @property
    def flips_at(self) -> float | None:
        """The smallest ε found that flips it, × mean norm; None where the attack found none."""
        if self.flip_eps is not None:
            return self.flip_eps / self.mean_norm
        flipped = self.numbers["adversarial"].argmax() != self.numbers["clean"].argmax()
        return self.eps / self.mean_norm if flipped else None


def numbers_of(record: AttackRecord) -> dict[str, np.ndarray]:
    """The arrays of a record that a capsule holds."""
    curve = record.curve
    return {
        "clean": record.clean,
        "adversarial": record.adversarial,
        "noise": record.random,
        "projected": record.projected,
        "round_trip": record.round_trip,
        "losses": record.losses,
        "step_probs": record.step_probs,
        "step_norms": record.step_norms,
        "delta": record.delta,
        "delta_norm": record.delta_norm,
        "exit_radius": record.exit_radius,
        "certificate": record.certificate,
        "perturbable": record.perturbable.astype(float),
        "curve_eps": curve.eps,
        "curve_adversarial": curve.adversarial,
        "curve_low": curve.random_low,
        "curve_high": curve.random_high,
    }


def save(
    record: AttackRecord,
    tokenizer_hash: str,
    made: str = "",
    explanations: Sequence[Passport] = (),
    foretold: Forecast | None = None,
) -> str:
    """A record as the JSON of a capsule. `made`: when; now, without it.

    `foretold` is what somebody thought would come out.
    """
    body: dict[str, Any] = {
        "text": record.text,
        "label": record.label_names[record.label] if record.label_given else None,
        "shield": [list(span) for span in record.shield],
        "attack": dict(record.attack),
        "seed": record.seed,
        "model": {
            "name": record.model,
            "weights": record.model_hash,
            "tokenizer": tokenizer_hash,
            "classes": list(record.label_names),
            "mean_norm": record.scale.mean_norm,
            "half_nn": record.scale.half_nn,
        },
        "tokens": list(record.tokens),
        "results": {
            "headline": headline(record),
            "eps": record.eps,
            "nearest": [row[0] for row in record.neighbours["l2"].tokens],
            "round_trip_text": record.round_trip_text,
            "best_step": record.best_step,
            "flip_eps": record.curve.flip_eps,
            "numbers": {name: _packed(v) for name, v in numbers_of(record).items()},
        },
    }
    body |= {"explanations": [asdict(p) for p in explanations]} if explanations else {}
    body |= {"forecast": asdict(foretold)} if foretold is not None else {}
    body = json.loads(json.dumps(body, allow_nan=False))  # what a reader will see
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
    try:
        found = json.loads(
            source_of(data), parse_constant=_no_constant, object_pairs_hook=_no_duplicates
        )
        json.dumps(found, ensure_ascii=False).encode()
    except DataError:
        raise
    except UnicodeEncodeError:
        raise refused("whole characters", "half of a surrogate pair") from None
    except (ValueError, RecursionError):
        raise refused(
            "JSON", "something else, or JSON that is cut off or nested too deeply"
        ) from None
    top = Part(found, "the file")
    kind = top.integer(BLOCK, 1, 1_000_000)
    if kind != FORMAT:
        raise refused(f"format {FORMAT}", f"format {kind}; open it with a newer advlab")
    model, results = top.part("model"), top.part("results")
    classes = model.texts("classes", 200, 1, AXES["C"])
    tokens = top.texts("tokens", 1000, 1, AXES["T"])
    sizes = {"T": len(tokens), "C": len(classes)}
    packed = results.part("numbers")
    numbers = {name: packed.array(name, spec, sizes) for name, spec in NUMBERS.items()}
    if int(sizes["S"]) < 1 or sizes["N"] < 1:
        raise refused("at least one step and one ε", "none")
    text = top.text("text", MAX_TEXT)
    label = top.value("label")
    if label is not None and (not isinstance(label, str) or label not in classes):
        raise refused("a label that is one of the classes, or null", shown(label))
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
        label_names=tuple(classes),
        tokens=tuple(tokens),
        nearest=tuple(results.texts("nearest", 1000, len(tokens), len(tokens))),
        round_trip_text=results.text("round_trip_text", 4 * MAX_TEXT),
        headline=results.text("headline", 4000),
        eps=results.number("eps", 0, 1e9),
        mean_norm=model.number("mean_norm", 1e-12, 1e9),
        half_nn=model.number("half_nn", 0, 1e9),
        best_step=results.integer("best_step", 0, sizes["S"] - 1),
        flip_eps=None if results.value("flip_eps") is None else results.number("flip_eps", 0, 1e9),
        numbers=numbers,
        explanations=tuple(worth.read(p) for p in top.parts("explanations", worth.MOST))
        if "explanations" in found
        else (),
        forecast=forecast.read(top.part("forecast")) if "forecast" in found else None,
        changed=tuple(name for name in SECTIONS if digests.value(name) != _digest(found.get(name)))
        + tuple(
            name
            for name in OPTIONAL
            if (name in found or name in digests.found)
            and digests.found.get(name) != _digest(found.get(name))
        ),
    )


def source_of(data: bytes) -> str:
    """The JSON of a capsule's file, which may be its web page."""
    if len(data) > MAX_BYTES:
        raise refused(f"at most {MAX_BYTES >> 20} MiB", f"{len(data) / 2**20:.1f} MiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise refused("text in UTF-8", "other bytes") from None
    if text.lstrip()[:1] != "<":
        return text
    # one pass: a pattern would search the rest of the file again from each opening tag
    _, opening, rest = text.partition(f'<script type="application/json" id="{BLOCK}">')
    block, closing, _ = rest.partition("</script>")
    if not opening or not closing:
        raise refused("a page that holds a capsule", "a page without one")
    return block


def _packed(values: np.ndarray) -> dict[str, Any]:
    kind = "<f4" if values.dtype == np.float32 else "<f8"
    raw = np.ascontiguousarray(values, dtype=kind).tobytes()
    return {"shape": list(values.shape), "type": kind, "data": base64.b64encode(raw).decode()}


def _spans(value: Any, length: int) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list) or len(value) > AXES["T"]:
        raise refused("a list of shielded spans", shown(value))
    spans = []
    for item in value:
        right = isinstance(item, list) and len(item) == 2 and all(type(v) is int for v in item)
        if not right or not 0 <= item[0] < item[1] <= length:
            raise refused(f"spans [start, end] within {length} characters", shown(item))
        spans.append((item[0], item[1]))
    return tuple(spans)


def _settings(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > 60 or not isinstance(value.get("name"), str):
        raise refused("an attack's settings with its name", shown(value))
    for name, item in value.items():
        plain = item is None or isinstance(item, str | int | float | bool)
        if not plain or len(str(item)) > 200 or len(name) > 60:
            raise refused(f"a plain value for the attack's {name[:60]!r}", shown(item))
    return value


def _no_constant(name: str) -> Any:
    raise refused("finite numbers", name)


def _no_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise refused("each name once", "a name twice in one object")
    return found


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
