"""Changed texts for training: words dropped, swapped, replaced by others of like meaning, typos.

Each text is changed anew in each epoch, by dice that depend on seed, epoch and place alone, so that a
resumed run meets the same texts. Labels stay; what changes meaning too often is for the user to judge.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from advlab.records import Example
from advlab.settings import setting

_WORD = re.compile(r"\w[\w'’-]*|[^\w\s]+|\s+")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

# words that can stand for each other in everyday texts, written for advlab
SYNONYMS = """
good fine decent nice | great excellent superb wonderful terrific | bad poor lousy | awful
terrible horrible dreadful | boring dull tedious tiresome | funny amusing comical | film movie
picture | story plot tale | actor performer | acting performance | slow sluggish | fast quick
rapid swift | big large huge | small little tiny | happy glad cheerful | sad unhappy gloomy |
smart clever bright | stupid silly foolish | strange odd weird peculiar | beautiful lovely
gorgeous pretty | ugly hideous | easy simple | hard difficult tough | start begin | end finish |
buy purchase | help assist | show display | look appear seem | love adore | hate detest loathe |
watch see view | food meal dish | tasty delicious | hotel inn | room chamber | clean tidy
spotless | dirty filthy grubby | cheap inexpensive affordable | expensive costly pricey | staff
personnel crew | friendly kind warm | rude impolite | noisy loud | quiet calm silent | broken
damaged faulty | new fresh recent | old aged ancient | money cash | free complimentary | prize
award reward | win gain | call phone ring | message text note | now immediately | often
frequently | really truly very | almost nearly | perhaps maybe | whole entire complete | child
kid | man guy | woman lady | road street | car vehicle | home house | job work | team squad |
game match | market exchange | company firm business | government state | scientists researchers
| study research | rise climb increase | fall drop decline | strong powerful | weak feeble |
true real genuine | false fake
"""


def _groups(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for group in text.replace("\n", " ").split("|"):
        words = tuple(group.split())
        for word in words:
            found[word] = tuple(w for w in words if w != word)
    return found


BUILT_IN = _groups(SYNONYMS)


@dataclass(frozen=True)
class Augmentation:
    """How often a word of a training text is changed, and in what way."""

    word_dropout: float = setting(0.0, "Chance that a word is left out", low=0.0, high=0.9)
    word_swap: float = setting(
        0.0, "Chance that a word changes places with the next", low=0.0, high=0.9
    )
    synonyms: float = setting(
        0.0,
        "Chance that a word gives way to one of like meaning: from a small built-in list, else, in "
        "pretrained models, from its nearest neighbours in the model's own embeddings (tiny and small "
        "begin with random ones, which mean nothing yet)",
        low=0.0,
        high=0.9,
    )
    typos: float = setting(0.0, "Chance that a word gets a typing error", low=0.0, high=0.9)
    augmented: float = setting(
        0.5, "Part of the texts that is changed in an epoch", low=0.0, high=1.0, advanced=True
    )

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return bool(
            self.augmented and (self.word_dropout or self.word_swap or self.synonyms or self.typos)
        )

    def apply(
        self,
        example: Example,
        dice: random.Random,
        neighbours: Mapping[str, Sequence[str]] | None = None,
    ) -> Example:
        """The example with its text changed, or as it is. `neighbours`: own-embedding synonyms."""
        if dice.random() >= self.augmented:
            return example
        pieces = _WORD.findall(example.text)
        places = [i for i, piece in enumerate(pieces) if piece[0].isalnum()]
        for place in places:
            if dice.random() < self.synonyms:
                pieces[place] = synonym(pieces[place], dice, neighbours or {})
            if dice.random() < self.typos:
                pieces[place] = typo(pieces[place], dice)
        for here, there in itertools.pairwise(places):
            if dice.random() < self.word_swap:
                pieces[here], pieces[there] = pieces[there], pieces[here]
        kept = [i for i in places if dice.random() >= self.word_dropout] or places[:1]
        gone = set(places) - set(kept)
        text = "".join(piece for i, piece in enumerate(pieces) if i not in gone)
        text = re.sub(r" {2,}", " ", text).strip()
        return replace(example, text=text) if text else example


def synonym(word: str, dice: random.Random, neighbours: Mapping[str, Sequence[str]]) -> str:
    """Another word for `word`, in its case; itself where none is known."""
    options = BUILT_IN.get(word.lower()) or tuple(neighbours.get(word.lower(), ()))
    if not options:
        return word
    chosen = dice.choice(options)
    if word.isupper() and len(word) > 1:
        return chosen.upper()
    return chosen.capitalize() if word[0].isupper() else chosen


def typo(word: str, dice: random.Random) -> str:
    """One slip: two letters swapped, one left out, one doubled, or a neighbouring key hit."""
    if len(word) < 3:
        return word
    i = dice.randrange(1, len(word) - 1)  # the first letter is seldom mistyped
    slip = dice.choice(("swap", "drop", "double", "key"))
    if slip == "swap":
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if slip == "drop":
        return word[:i] + word[i + 1 :]
    if slip == "double":
        return word[:i] + word[i] + word[i:]
    row = next((keys for keys in _KEYS if word[i].lower() in keys), "")
    if not row:
        return word
    at = row.index(word[i].lower())
    beside = row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
    key = dice.choice(beside)
    return word[:i] + (key.upper() if word[i].isupper() else key) + word[i + 1 :]


def dice_for(seed: int, epoch: int, place: int) -> random.Random:
    """The dice of one text in one epoch."""
    return random.Random(f"augment/{seed}/{epoch}/{place}")
