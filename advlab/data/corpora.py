"""Which data sets come with advlab? Eight, written for it and rebuilt from their words on demand.

No file is stored and no network is used: each corpus is a generator (see the module of its name)
with a fixed seed and a fixed split, the same on every machine; tests pin the fingerprints.

    python -c "from advlab.data.corpora import CORPORA; print(CORPORA['reviews'].build().train[:3])"
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advlab.data import (
    assistant,
    assistant_edits,
    dianping,
    grammar,
    headlines,
    messages,
    normal_forms,
    phrases,
    reviews,
    stories,
)
from advlab.language import N_
from advlab.records import Dataset, Example
from advlab.records.contrasts import Contrast

SHOWN = 40  # examples among which a telling one is looked for


@dataclass(frozen=True)
class Corpus:
    """A built-in data set, as a menu shows it. `build` is cached: every call gives the same object.

    `showcase` holds sentences worth exploring first; they are not among the training texts.
    """

    name: str
    title: str
    about: str
    label_names: tuple[str, ...]
    build: Callable[[], Dataset]
    showcase: tuple[str, ...]
    task: str = "classification"  # what its examples are for
    # examples edited where it is known what is right then; None: it knows no edits
    contrasts: Callable[[Sequence[Example]], list[Contrast]] | None = None
    language: str = "en"  # of its texts: a key of `advlab.language.LANGUAGES`


def _corpus(
    name: str,
    title: str,
    about: str,
    label_names: tuple[str, ...],
    sentences: Callable[[], list[grammar.Sentence]],
    seed: int,
    showcase: tuple[str, ...],
    held_out: tuple[float, float] = (0.12, 0.18),
    language: str = "en",
) -> Corpus:
    @functools.cache
    def build() -> Dataset:
        validation, test = held_out
        return grammar.split(
            name, label_names, sentences(), seed=seed, about=about, validation=validation, test=test
        )

    return Corpus(name, title, about, label_names, build, showcase, language=language)


def shown(data: Dataset) -> tuple[Example, ...]:
    """Examples worth exploring first: a corpus's own, else the first of the test split."""
    corpus = CORPORA.get(data.name)
    own = corpus.showcase if corpus else ()
    return tuple(Example("showcase", text) for text in own) or data.test[:SHOWN]


CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        _corpus(
            "reviews",
            N_("Reviews: negative or positive"),
            N_(
                "17,520 invented opinions on films, food, places, people and things in some 3,000 "
                "words, half of them negative. More than half are short and plain, as people type; in "
                "most others negation, contrast or concession decides: counting good and bad words is "
                "not enough."
            ),
            ("negative", "positive"),
            reviews.sentences,
            11,
            (
                "The soup was cold, but I would eat there again tomorrow.",
                "The soup was hot, but I would never eat there again.",
                "Although the plot was predictable, I would gladly watch it again.",
                "The steering was unpredictable, and the seat was hard.",
                "The service was not slow but quick, and it made my week.",
            ),
            held_out=(0.03, 0.045),  # about as many texts to test on as the other corpora have
        ),
        _corpus(
            "dianping",
            N_("点评 (in Chinese): 差评 or 好评"),
            dianping.ABOUT,
            ("差评", "好评"),
            dianping.sentences,
            14,
            dianping.SHOWCASE,
            held_out=(0.03, 0.045),
            language="zh",
        ),
        _corpus(
            "messages",
            N_("Messages: ham or spam"),
            N_(
                "2,400 invented text messages, half of them spam for brands that do not exist. Friends "
                "write of prizes, parcels and banks too, and some spam sounds like a friend."
            ),
            ("ham", "spam"),
            messages.sentences,
            12,
            (
                "Hi Tom, I won a gift card at the school fair! Come and see it tonight.",
                "Congratulations! Your number was chosen for a gift card. Call 555-0142 today.",
                "Hey, your parcel is at the station. To release it, tap pay.example.com.",
                "Hey, your parcel came, I put it with the spare keys. Thanks a lot.",
            ),
        ),
        _corpus(
            "headlines",
            N_("Headlines: five topics"),
            N_(
                "2,500 invented headlines from world news, business, science, sport and culture, the "
                "same number of each. Topics borrow each other's words: banks win races and teams pay "
                "the price."
            ),
            headlines.LABELS,
            headlines.sentences,
            13,
            (
                "Lumira Bank wins race to sell coffee in Kenya",
                "Biologists win race to explain how bees count",
                "Comets pay price for slow start in home derby",
                "Stage comedy about football coach breaks box-office record",
            ),
        ),
        Corpus(
            "stories",
            N_("Stories: an answer to a question"),
            stories.ABOUT,
            (),
            stories.dataset,
            (),
            "qa",
        ),
        *(
            Corpus(name, made.TITLE, made.ABOUT, (), made.build, made.SHOWCASE, "translation")
            for name, made in (("normal-forms", normal_forms), ("phrases", phrases))
        ),
        Corpus(
            "assistant",
            N_("Assistant: bookings, directions, support"),
            assistant.ABOUT,
            (),
            assistant.build,
            assistant.SHOWCASE,
            "dialogue",
            assistant_edits.contrasts,
        ),
    )
}
