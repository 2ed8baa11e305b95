"""How the slots of `reviews` are filled: nouns with their adjectives, agreement, verdicts, lists.

`{clause}` carries the text's class, `{!clause}` the other one. What must agree within a text (the
domain that it speaks of, the noun last named) stands in the writer's notes.
"""

from __future__ import annotations

from collections.abc import Mapping

from advlab.data.grammar import Rule, Writer
from advlab.data.reviews.words import (
    DOMAINS,
    FACTS,
    GROUPS,
    ITEMS,
    LISTS,
    SCENES,
    VERDICTS,
    Aspect,
    Domain,
)

_ABSOLUTE = frozenset(LISTS["absolute"])  # adjectives that take no "very"

AMBIGUOUS = frozenset(
    {w for d in DOMAINS for a in d.aspects for w in a.words[0]}
    & {w for d in DOMAINS for a in d.aspects for w in a.words[1]}
)


_PARTS = {d.name: {a.noun: a for a in d.aspects} for d in DOMAINS}
_ITEMS = {item.noun: item for item in ITEMS}

_SINGULAR = {item.noun: item for item in ITEMS if not item.plural}


def _parts(w: Writer) -> dict[str, Aspect]:
    return _PARTS[_domain(w).name]


def _domain(w: Writer) -> Domain:
    if "domain" not in w.notes:
        w.notes["domain"] = DOMAINS[int(w.rng.random() * len(DOMAINS))]
    return w.notes["domain"]


def _named(w: Writer, among: Mapping[str, Aspect]) -> Aspect:
    """One that the text has not spoken of yet; `{adj}`, `{was}`, `{it}` agree with it."""
    w.notes["aspect"] = among[w.even(tuple(among))]
    return w.notes["aspect"]


def _aspect(w: Writer, label: int) -> str:
    return "the " + _named(w, _parts(w)).noun


def _item(w: Writer, label: int) -> str:
    """A noun by itself, with "the", "my", "this" before it."""
    item = _named(w, _ITEMS)
    before = w.pick(item.before)
    if item.plural and before == "this":
        before = "these"
    return f"{before} {item.noun}".strip()


def _adjective(w: Writer, label: int) -> str:
    return w.pick(w.notes["aspect"].words[label])


def _clear_adjective(w: Writer, label: int) -> str:
    """One that means the same of every noun: negation is hard enough to read by itself."""
    words = w.notes["aspect"].words[label]
    return w.pick([word for word in words if word not in AMBIGUOUS] or words)


def _intense(w: Writer, label: int) -> str:
    adjective = _adjective(w, label)
    return f"{w.pick(LISTS['fully' if adjective in _ABSOLUTE else 'very'])} {adjective}"


def _noun_phrase(w: Writer, label: int) -> str:
    aspect = _named(w, _parts(w))
    return f"{'' if aspect.mass else 'a '}{_adjective(w, label)} {aspect.noun}"


def _the_noun_phrase(w: Writer, label: int) -> str:
    aspect = _named(w, _parts(w))
    return f"the {_adjective(w, label)} {aspect.noun}"


def _short_phrase(w: Writer, label: int) -> str:
    """A part or a thing with its adjective and no article, as in notes: "friendly staff"."""
    among = _ITEMS if w.rng.random() < 0.5 else _parts(w)
    aspect = _named(w, among)
    return f"{_adjective(w, label)} {aspect.noun}"


def _single_phrase(w: Writer, label: int) -> str:
    """A thing with its adjective and, where it is one, an article: "such {…}", "what {…}"."""
    item = _named(w, _ITEMS)
    return f"{'' if item.mass else 'a '}{_adjective(w, label)} {item.noun}"


def _one_phrase(w: Writer, label: int) -> str:
    """As `_single_phrase`, of what one may call "this"."""
    item = _named(w, _SINGULAR)
    return f"{'' if item.mass else 'a '}{_adjective(w, label)} {item.noun}"


def _agree(singular: str, plural: str) -> Rule:
    return lambda w, label: plural if w.notes["aspect"].plural else singular


def _pronoun(w: Writer, label: int) -> str:
    aspect = w.notes["aspect"]
    return "they" if aspect.plural else w.pick(("he", "she")) if aspect.person else "it"


def _thing(w: Writer, label: int) -> str:
    if "thing" not in w.notes:
        w.notes["thing"] = w.even(_domain(w).things)
    return w.notes["thing"]


def _verdict(w: Writer, label: int) -> str:
    kinds = ("any", _domain(w).kind)
    fitting = [words[label] for kind, words in VERDICTS if kind in kinds]
    return w.fill(w.even(fitting), label)


def _listed(name: str) -> Rule:
    return lambda w, label: w.even(LISTS[name])


RULES: dict[str, Rule] = {name: _listed(name) for name in LISTS} | {
    "aspect": _aspect,
    "item": _item,
    "adj": _adjective,
    "clear": _clear_adjective,
    "intense": _intense,
    "np": _noun_phrase,
    "np_other": lambda w, label: _noun_phrase(w, 1 - label),
    "the_np": _the_noun_phrase,
    "the_np_other": lambda w, label: _the_noun_phrase(w, 1 - label),
    "short_np": _short_phrase,
    "single_np": _single_phrase,
    "one_np": _one_phrase,
    "was": _agree("was", "were"),
    "is": _agree("is", "are"),
    "looks": _agree("looks", "look"),
    "seems": _agree("seems", "seem"),
    "makes": _agree("makes", "make"),
    "it": _pronoun,
    "thing": _thing,
    "again": lambda w, label: _domain(w).again,
    "used": lambda w, label: _domain(w).used,
    "scene": lambda w, label: w.fill(
        w.even(_domain(w).scenes if w.rng.random() < 0.5 else SCENES), label
    ),
    "verdict": _verdict,
    "fact": lambda w, label: w.fill(w.even([fact[label] for fact in FACTS]), label),
    "opener": (
        "to be honest,",
        "in my opinion,",
        "all in all,",
        "for me,",
        "frankly,",
        "honestly,",
    ),
    "kind/1": GROUPS["@kind"],
    "kind/0": GROUPS["@mean"],
    "pleased/1": GROUPS["@pleased"],
    "pleased/0": GROUPS["@cross"],
    "glad/1": GROUPS["@mood"],
    "glad/0": GROUPS["@gloom"],
    "great/1": LISTS["great"],
    "great/0": LISTS["awful"],
    # of anything; most negations turn one of these
    "mild/1": LISTS["good"],
    "mild/0": LISTS["bad"],
    "better/1": ("better",),
    "better/0": ("worse",),
    "clause": (
        "{aspect} {was} {adj}",
        "{aspect} {was} {adj}",
        "{aspect} {was} {adj}",
        "{aspect} {was} {intense}",
        "{aspect} {was} {mild}",
        "{aspect} {was} {mild}",
        "{aspect} {was} {great}",
        "I found {aspect} {adj}",
        "I thought {aspect} {was} {adj}",
    ),
    "both": ("{aspect} {was} {adj} and {adj}",),
    "turned": ("{!mild}", "{!mild}", "{!clear}"),
    "negated": (
        "{aspect} {was} not {turned}",
        "{aspect} {was} not {turned} at all",
        "{aspect} {was} never {turned}",
        "{aspect} {was} hardly {turned}",
        "{aspect} {was} far from {turned}",
        "I did not find {aspect} {turned}",
    ),
    # negative words that turn nothing round
    "kept": (
        "{aspect} {was} not only {adj} but also {adj}",
        "there is no doubt that {aspect} {was} {adj}",
    ),
}
