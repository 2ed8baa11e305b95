"""How the slots of `dianping` are filled: nouns with their adjectives, degree and measure words.

`{clause}` carries the text's class, `{!clause}` the other one. What a text speaks of (its domain, the
thing's measure word, the noun last named) stands in the writer's notes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from advlab.data.dianping.words import DOMAINS, FACTS, ITEMS, LISTS, VERDICTS, WHOLE, Aspect, Domain
from advlab.data.grammar import Rule, Writer

AMBIGUOUS = frozenset(
    {w for d in DOMAINS for a in d.aspects for w in a.words[0]}
    & {w for d in DOMAINS for a in d.aspects for w in a.words[1]}
)
_PARTS = {d.name: {a.noun: a for a in d.aspects} for d in DOMAINS}
_ITEMS = {item.noun: item for item in ITEMS}

DEGREES = (
    *("很{}", "很{}", "很{}", "非常{}", "特别{}", "真的很{}", "相当{}", "十分{}"),
    *("挺{}的", "实在很{}", "确实很{}"),
)
BAD_DEGREES = ("有点{}", "有些{}", "太{}", "太{}了")  # 太大 finds fault, whatever is big
_EXCLAIMED = frozenset(LISTS["exclaimed"])  # what 太…了 praises
_FIXED = ("不", "有")  # words that begin so, and these, have no 不 before them
_NEVER = frozenset({"一般", "吸引人"})


def _domain(w: Writer) -> Domain:
    if "domain" not in w.notes:
        w.notes["domain"] = DOMAINS[int(w.rng.random() * len(DOMAINS))]
    return w.notes["domain"]


def _thing(w: Writer) -> str:
    """With its measure word: 部电影."""
    if "thing" not in w.notes:
        w.notes["thing"] = w.even(_domain(w).things)
    return w.notes["thing"]


def _named(w: Writer, among: Mapping[str, Aspect]) -> Aspect:
    """One that the text has not spoken of yet; adjectives behind it are its own."""
    w.notes["aspect"] = among[w.even(tuple(among))]
    return w.notes["aspect"]


def _aspect(w: Writer, label: int) -> str:
    return _named(w, _PARTS[_domain(w).name]).noun


def _item(w: Writer, label: int) -> str:
    return w.pick(("这", "这", "那", "今天这", "昨天那", "上次那")) + _named(w, _ITEMS).noun


def _adjective(w: Writer, label: int) -> str:
    return w.pick(w.notes["aspect"].words[label])


def _plain_adjective(w: Writer, label: int) -> str:
    """One that 不 can stand before."""
    words = w.notes["aspect"].words[label]
    return w.pick([word for word in words if not word.startswith(_FIXED) and word not in _NEVER])


def _predicate(w: Writer, label: int) -> str:
    """What is said of the noun last named: an adjective with its degree, or a whole predicate."""
    aspect = w.notes["aspect"]
    if aspect.whole[label] and w.rng.random() < 0.2:
        return w.pick(aspect.whole[label])
    return _degree(w, label)


def _degree(w: Writer, label: int) -> str:
    adjective = _adjective(w, label)
    own = BAD_DEGREES if label == 0 else ("太{}了",) if adjective in _EXCLAIMED else ()
    return w.pick((*DEGREES, *own)).format(adjective)


def _fitting(w: Writer, among: tuple[tuple[str, tuple[str, str]], ...], label: int) -> str:
    kinds = ("any", _domain(w).kind)
    return w.fill(w.even([words[label] for kind, words in among if kind in kinds]), label)


def _listed(name: str) -> Rule:
    return lambda w, label: w.even(LISTS[name])


RULES: dict[str, Rule] = {name: _listed(name) for name in LISTS} | {
    "aspect": _aspect,
    "item": _item,
    "adj": _adjective,
    "plain": _plain_adjective,
    "very": _degree,
    "pred": _predicate,
    "m": lambda w, label: _thing(w)[0],
    "this": lambda w, label: "这" + _thing(w),
    "such": lambda w, label: "一" + _thing(w),
    "thing": lambda w, label: _thing(w)[1:],
    "use": lambda w, label: _domain(w).use,
    "again": lambda w, label: w.fill(_domain(w).again, label),
    "scene": lambda w, label: w.fill(w.even(_domain(w).scenes), label),
    "verdict": lambda w, label: _fitting(w, VERDICTS, label),
    "fact": lambda w, label: _fitting(w, FACTS, label),
    "whole": lambda w, label: w.even([words[label] for words in WHOLE]),
    "other": ("{before}{use}的那{m}",),
    "clause": ("{aspect}{pred}", "{aspect}{pred}", "{aspect}{pred}", "{negated}"),
    # turns what comes behind it
    "not": (
        *("不", "不", "不", "并不", "并不", "一点也不", "一点都不", "不怎么", "不算", "根本不"),
        *("算不上", "谈不上", "称不上", "没有那么", "没我想的那么", "远远谈不上"),
    ),
    "negated": ("{aspect}{not}{!plain}",),
    "will/1": ("我也会{again}", "我还是想{again}", "我也愿意{again}", "我还是会{again}"),
    "will/0": ("我也不会{again}", "我还是不想{again}", "我也不愿意{again}", "我也懒得{again}"),
    "but": ("但", "但", "但是", "可是", "不过", "可", "然而"),
    "though": ("虽然", "虽然", "虽说", "尽管"),
}


def ended(text: str, rng: random.Random) -> str:
    """`text` as people end it when they type: with nothing, with ！ or as it is."""
    draw = rng.random()
    end = "" if draw < 0.5 else "！" if draw < 0.65 else "。"
    return text.removesuffix("。") + end
