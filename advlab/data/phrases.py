"""Short English sentences and their German and Chinese: every ending and measure word must agree.

    to german : my old dog finds the red lamp      ->  mein alter Hund findet die rote Lampe
    to chinese : a small cat needs a book          ->  一只小猫需要一本书

A wrong ending is an error that one can read. Two grammars make them: German articles and adjectives
agree with gender and case, the verb stands second and an infinitive last; Chinese nouns take their
measure word, and time and place stand before the verb. The source says which language is meant.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeVar

from advlab.data.grammar import shuffled
from advlab.language import N_
from advlab.records import Dataset, Example

T = TypeVar("T")
SEED = 22
SIZES = {"train": 10_000, "validation": 400, "test": 1000}
LANGUAGES = ("german", "chinese")
TITLE = N_("Phrases: English to German and Chinese")
ABOUT = N_(
    "11,400 short English sentences, half to be put into German and half into Chinese, in which every "
    "article, ending and measure word must agree: a wrong one is an error that one can read."
)
SHOWCASE = (
    "to german : my old dog looks for the red lamp",
    "to chinese : a small cat needs a book",
    "to german : in the evening the boy sells a beautiful picture",
)


class Noun(NamedTuple):
    """An English noun with its German gender and forms, and its Chinese word and measure word."""

    english: str
    german: str
    gender: str  # m, f, n
    chinese: str
    measure: str
    weak: bool = False  # takes -n outside the nominative


BEINGS = (
    Noun("man", "Mann", "m", "男人", "个"),
    Noun("woman", "Frau", "f", "女人", "个"),
    Noun("child", "Kind", "n", "孩子", "个"),
    Noun("dog", "Hund", "m", "狗", "只"),
    Noun("cat", "Katze", "f", "猫", "只"),
    Noun("horse", "Pferd", "n", "马", "匹"),
    Noun("teacher", "Lehrer", "m", "老师", "位"),
    Noun("nurse", "Krankenschwester", "f", "护士", "位"),
    Noun("boy", "Junge", "m", "男孩", "个", weak=True),
    Noun("girl", "Mädchen", "n", "女孩", "个"),
    Noun("bear", "Bär", "m", "熊", "头"),
    Noun("queen", "Königin", "f", "女王", "位"),
)
THINGS = (
    Noun("apple", "Apfel", "m", "苹果", "个"),
    Noun("book", "Buch", "n", "书", "本"),
    Noun("lamp", "Lampe", "f", "灯", "盏"),
    Noun("letter", "Brief", "m", "信", "封"),
    Noun("picture", "Bild", "n", "画", "幅"),
    Noun("bag", "Tasche", "f", "包", "个"),
    Noun("chair", "Stuhl", "m", "椅子", "把"),
    Noun("shirt", "Hemd", "n", "衬衫", "件"),
    Noun("flower", "Blume", "f", "花", "朵"),
    Noun("key", "Schlüssel", "m", "钥匙", "把"),
    Noun("boat", "Boot", "n", "船", "条"),
    Noun("clock", "Uhr", "f", "钟", "座"),
)
PLACES = (
    Noun("garden", "Garten", "m", "花园", "座"),
    Noun("school", "Schule", "f", "学校", "所"),
    Noun("village", "Dorf", "n", "村子", "个"),
    Noun("market", "Markt", "m", "市场", "个"),
    Noun("kitchen", "Küche", "f", "厨房", "间"),
    Noun("house", "Haus", "n", "房子", "座"),
    Noun("forest", "Wald", "m", "森林", "片"),
    Noun("city", "Stadt", "f", "城市", "座"),
)
ADJECTIVES = (
    ("old", "alt", "老"),
    ("small", "klein", "小"),
    ("big", "groß", "大"),
    ("beautiful", "schön", "漂亮的"),
    ("new", "neu", "新"),
    ("strange", "seltsam", "奇怪的"),
    ("red", "rot", "红色的"),
    ("white", "weiß", "白色的"),
)
# he sees, see, er sieht, sehen, Chinese
VERBS = (
    ("looks at", "look at", "betrachtet", "betrachten", "看"),
    ("buys", "buy", "kauft", "kaufen", "买"),
    ("looks for", "look for", "sucht", "suchen", "找"),
    ("needs", "need", "braucht", "brauchen", "需要"),
    ("takes", "take", "nimmt", "nehmen", "拿"),
    ("draws", "draw", "zeichnet", "zeichnen", "画"),
    ("sells", "sell", "verkauft", "verkaufen", "卖"),
    ("washes", "wash", "wäscht", "waschen", "洗"),
)
TIMES = (
    ("today", "heute", "今天"),
    ("every day", "jeden Tag", "每天"),
    ("in the evening", "am Abend", "晚上"),
    ("on monday", "am Montag", "星期一"),
    ("now", "jetzt", "现在"),
    ("often", "oft", "常常"),
)
ARTICLES = {
    "the": {"nom": "der die das", "acc": "den die das", "dat": "dem der dem"},
    "a": {"nom": "ein eine ein", "acc": "einen eine ein", "dat": "einem einer einem"},
    "my": {"nom": "mein meine mein", "acc": "meinen meine mein", "dat": "meinem meiner meinem"},
}
CHINESE_ARTICLES = {"the": "那", "a": "一", "my": "我的"}


@dataclass(frozen=True)
class Phrase:
    """A noun with its article and perhaps an adjective, in three languages."""

    article: str
    adjective: tuple[str, str, str] | None
    noun: Noun

    @property
    def english(self) -> str:
        """`an old dog`."""
        words = [self.adjective[0]] if self.adjective else []
        words.append(self.noun.english)
        article = "an" if self.article == "a" and words[0][0] in "aeiou" else self.article
        return " ".join([article, *words])

    def german(self, case: str) -> str:
        """`einen alten Hund`: article, ending and noun as the case wants them."""
        words = [ARTICLES[self.article][case].split()["mfn".index(self.noun.gender)]]
        if self.adjective:
            words.append(self.adjective[1] + ending(self.article, case, self.noun.gender))
        weak = self.noun.weak and case != "nom"
        return " ".join([*words, self.noun.german + ("n" if weak else "")])

    @property
    def chinese(self) -> str:
        """`一只老狗`; what is mine takes no measure word."""
        measure = "" if self.article == "my" else self.noun.measure
        adjective = self.adjective[2] if self.adjective else ""
        return CHINESE_ARTICLES[self.article] + measure + adjective + self.noun.chinese


def ending(article: str, case: str, gender: str) -> str:
    """Of a German adjective in the singular: weak after `der`, mixed after `ein` and `mein`."""
    if case == "dat" or (case == "acc" and gender == "m"):
        return "en"
    if article == "the":
        return "e"
    return {"m": "er", "f": "e", "n": "es"}[gender]


def sentence(rng: random.Random, language: str) -> tuple[str, str, str]:
    """A source, its translation, and the pattern that both follow."""
    subject, thing = phrase(rng, BEINGS), phrase(rng, THINGS)
    verb, time = pick(rng, VERBS), pick(rng, TIMES)
    place = phrase(rng, PLACES, articles=("the", "my")) if rng.random() < 0.4 else None
    pattern = pick(rng, ("plain", "time", "wish", "not", "question"))
    source = english(pattern, subject, verb, thing, time, place)
    write = german if language == "german" else chinese
    return f"to {language} : {source}", write(pattern, subject, verb, thing, time, place), pattern


def english(
    pattern: str,
    subject: Phrase,
    verb: Sequence[str],
    thing: Phrase,
    time: Sequence[str],
    place: Phrase | None,
) -> str:
    """The source in English."""
    where = f" in {place.english}" if place else ""
    s, o = subject.english, thing.english
    return {
        "plain": f"{s} {verb[0]} {o}{where}",
        "time": f"{time[0]} {s} {verb[0]} {o}{where}",
        "wish": f"{s} wants to {verb[1]} {o}{where}",
        "not": f"{s} does not {verb[1]} {o}{where}",
        "question": f"does {s} {verb[1]} {o}{where} ?",
    }[pattern]


def german(
    pattern: str,
    subject: Phrase,
    verb: Sequence[str],
    thing: Phrase,
    time: Sequence[str],
    place: Phrase | None,
) -> str:
    """The German: the finite verb second, an infinitive last."""
    where = f" in {place.german('dat')}" if place else ""
    s, o = subject.german("nom"), thing.german("acc")
    return {
        "plain": f"{s} {verb[2]} {o}{where}",
        "time": f"{time[1]} {verb[2]} {s} {o}{where}",
        "wish": f"{s} will {o}{where} {verb[3]}",
        "not": f"{s} {verb[2]} {o}{where} nicht",
        "question": f"{verb[2]} {s} {o}{where}?",
    }[pattern]


def chinese(
    pattern: str,
    subject: Phrase,
    verb: Sequence[str],
    thing: Phrase,
    time: Sequence[str],
    place: Phrase | None,
) -> str:
    """The Chinese: when and where before the verb."""
    where = f"在{place.chinese}里" if place else ""
    s, o, v = subject.chinese, thing.chinese, verb[4]
    return {
        "plain": f"{s}{where}{v}{o}",
        "time": f"{time[2]}{s}{where}{v}{o}",
        "wish": f"{s}想{where}{v}{o}",
        "not": f"{s}不{where}{v}{o}",
        "question": f"{s}{where}{v}{o}吗？",
    }[pattern]


def phrase(
    rng: random.Random, nouns: Sequence[Noun], articles: Sequence[str] = ("the", "a", "my")
) -> Phrase:
    """A noun with an article, every other time with an adjective."""
    adjective = pick(rng, ADJECTIVES) if rng.random() < 0.5 else None
    return Phrase(pick(rng, articles), adjective, pick(rng, nouns))


def pick(rng: random.Random, options: Sequence[T]) -> T:
    """One of them, by the one source of chance."""
    return options[int(rng.random() * len(options))]


@cache
def build() -> Dataset:
    """The corpus: half in each language; no English sentence stands in two splits."""
    rng = random.Random(SEED)
    seen: set[str] = set()
    pairs: list[Example] = []
    while len(pairs) < sum(SIZES.values()):
        language = LANGUAGES[len(pairs) % 2]
        source, answer, pattern = sentence(rng, language)
        bare = source.split(" : ", 1)[1]
        if bare in seen:
            continue
        seen.add(bare)
        more = (("language", language), ("pattern", pattern))
        pairs.append(Example("", source, (answer,), more=more))
    pairs = shuffled(pairs, rng)
    splits: list[tuple[Example, ...]] = []
    for part, size in SIZES.items():
        mine, pairs = pairs[:size], pairs[size:]
        named = (
            Example(f"phrases-{part}-{i}", e.text, e.answers, more=e.more)
            for i, e in enumerate(mine, 1)
        )
        splits.append(tuple(named))
    return Dataset("phrases", (), *splits, about=ABOUT)
