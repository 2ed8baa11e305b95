"""What the Explore page is asked, and how an address says it: a sentence, models, one attack, a seed.

The address holds the whole request, so a reload or a copied link brings it back. A link that comes
from elsewhere in the app may name only some of it: the rest stays as it was, but for what belonged to
another sentence or to other models (`_BELONGS`). No widget and no session is touched here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from advlab.language import _
from advlab.settings import Setting, settings_of
from advlab.ui import plain_text

if TYPE_CHECKING:
    from advlab.attacks import Attack

LIMIT = 2000  # characters: more than any model here reads, and short enough for an address
LONGEST = 200  # characters of a goal
MOST = 1024  # spans in a link: more than a text of `LIMIT` characters can need
FIRST_EPS = 0.25  # of a first visit: the default 0.5 flips nearly every small model
Spans = tuple[tuple[int, int], ...]
PLAIN = (
    "a",
    "b",
    "c",
    "weights",
    "text",
    "beside",
    "label",
    "goal",
    "shield",
    "pin",
    "attack",
    "seed",
)
# what a link that names one of the keys does away with, unless it gives it itself: an answer, a goal, a
# shield and what stands beside are of one sentence, hashes and the other models of one choice of models
_BELONGS = {
    "text": ("beside", "label", "goal", "shield"),
    **dict.fromkeys("abc", ("a", "b", "c", "weights")),
}


@dataclass(frozen=True)
class Request:
    """One text to attack. `label` is its class or answer; None: each model's own prediction."""

    text: str
    label: str | None
    models: tuple[str, ...]  # ids: A, B, C
    attack: Attack
    seed: int
    cut: int = 0  # characters left out at the end
    shield: Spans = ()  # spans of the text that are not attacked
    beside: str = ""  # read with the text and not attacked: a question
    goal: str = ""  # what the attack aims at beside the loss: keyword:WORD

    def query(self) -> dict[str, str]:
        """The address of this request: of the attack ε, the unit, and what is not at its default."""
        from advlab.attacks import attack_settings

        defaults = {i.name: i.default for i in settings_of(type(self.attack))}
        settings = {
            k: v
            for k, v in attack_settings(self.attack).items()
            if k in ("name", "eps", "unit") or v != defaults[k]
        }
        return link(
            self.models,
            settings,
            self.text,
            label=self.label or "",
            seed=self.seed,
            shield=self.shield,
            beside=self.beside,
            goal=self.goal,
        )

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Request:
        """The request of an address; what it leaves out, or says wrongly, is at its default."""
        text = query.get("text", "").strip()
        seed = query.get("seed", "")
        return cls(
            text[:LIMIT],
            query.get("label") or None,
            tuple(query[k] for k in "abc" if query.get(k)),
            _attack(query),
            int(seed) if seed.isascii() and seed.isdigit() and len(seed) < 10 else 0,
            max(len(text) - LIMIT, 0),
            from_link(query.get("shield", ""), len(text[:LIMIT])),
            query.get("beside", "").strip()[:LIMIT],
            query.get("goal", "")[:LONGEST],
        )


def link(
    models: Sequence[str],
    attack: Mapping[str, Any],
    text: str | None = None,
    *,
    label: str | None = None,
    seed: int | None = None,
    shield: Spans = (),
    beside: str = "",
    goal: str = "",
) -> dict[str, str]:
    """The address of a sentence, two or three models and an attack; what is None is left as it was.

    `attack`: its "name" and settings. They may come from a file, so none of them says what else the
    link opens.
    """
    a, b, c = (*models, "", "")[:3]
    found = {k: _written(v) for k, v in attack.items() if k not in ("name", *PLAIN)}
    found |= {"a": a, "b": b, "attack": str(attack["name"])}
    found |= {"c": c} if c else {}
    found |= {} if text is None else {"text": text}
    found |= {} if label is None else {"label": label}
    found |= {} if seed is None else {"seed": str(seed)}
    found |= {"beside": beside} if beside else {}
    found |= {"goal": goal} if goal else {}
    return found | ({"shield": to_link(shield)} if shield else {})


def names() -> tuple[str, ...]:
    """Every name that an address may hold: the plain ones, and the settings of all attacks."""
    from advlab.attacks import ATTACKS

    fields = {item.name: None for cls in ATTACKS.values() for item in settings_of(cls)}
    return (*PLAIN, *fields)


def joined(memory: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What a link names, with the rest as it was: both as addresses."""
    from advlab.attacks import ATTACKS

    gone = {old for name in given for old in _BELONGS.get(name, ())}
    if "attack" in given:  # a whole attack: what it leaves out is at its default
        gone |= set(names()) - set(PLAIN)
    rest = {k: v for k, v in memory.items() if k not in gone}
    return {"attack": next(iter(ATTACKS))} | rest | dict(given)


def models_here(
    query: Mapping[str, str], titles: Mapping[str, str], has_weights: Callable[[str, str], bool]
) -> tuple[dict[str, str], list[str]]:
    """The link with its models as they are here, and what to warn of.

    One whose id is not among `titles` (id -> title) is looked for by its weights:
    `has_weights(id, hash)`.
    """
    hashes = dict(zip("abc", query.get("weights", "").split("."), strict=False))
    found, warnings = dict(query), []
    for k in "abc":
        name, wanted = query.get(k), hashes.get(k)
        if not name:
            continue
        if name not in titles:
            same = [i for i in titles if wanted and has_weights(i, wanted)]
            if same:
                found[k] = same[0]
            else:
                warnings.append(
                    _(
                        "The model {name} of this link is not here; another is shown.",
                        name=plain_text(name, 60),
                    )
                )
        elif wanted and not has_weights(name, wanted):
            warnings.append(
                _(
                    "The weights of {titles} are not those that this link was made with: the "
                    "picture may differ.",
                    titles=plain_text(titles[name], 60),
                )
            )
    return found, warnings


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same characters in as few spans as can be, in order."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def to_link(spans: Spans) -> str:
    """‘4-9.12-15’."""
    return ".".join(f"{start}-{end}" for start, end in merged(spans))


def from_link(value: str, length: int) -> Spans:
    """Spans of a text of this length; what is no span is left out."""
    found = []
    for part in value.split(".")[:MOST]:
        start, __, end = part.partition("-")
        if start.isdecimal() and end.isdecimal() and len(start) < 6 and len(end) < 6:
            span = (int(start), int(end))
            if span[0] < span[1] <= length:
                found.append(span)
    return merged(found)


def _attack(query: Mapping[str, str]) -> Attack:
    """The attack of an address, by its name; an empty address is a first visit."""
    from advlab.attacks import ATTACKS

    first = next(iter(ATTACKS.values()))()
    if not query:
        return replace(first, eps=FIRST_EPS)
    cls = ATTACKS.get(query.get("attack", ""))
    if cls is None:
        return first
    read = {i.name: _read(i, query[i.name]) for i in settings_of(cls) if i.name in query}
    return cls(**{k: v for k, v in read.items() if v is not None})


def _read(item: Setting, text: str) -> Any:
    """A setting from an address; None where it does not fit, so that the default stays."""
    try:
        if item.kind is bool:
            return {"True": True, "False": False}.get(text)
        value: Any = item.kind(text)
    except ValueError:
        return None
    if item.choices:
        return value if value in item.choices else None
    if isinstance(value, int | float):
        low, high = item.meta.low, item.meta.high
        fits = value == value and (low is None or value >= low) and (high is None or value <= high)
        return value if fits and abs(value) != float("inf") else None
    return value


def _written(value: Any) -> str:
    """A setting in an address; a number as short as it can be read back exactly."""
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value)
