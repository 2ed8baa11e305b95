"""Single words changed: one of like meaning, a typing error."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

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


def synonym(word: str, generator: random.Random, neighbours: Mapping[str, Sequence[str]]) -> str:
    """Another word for `word`, in its case; itself where none is known."""
    options = BUILT_IN.get(word.lower()) or tuple(neighbours.get(word.lower(), ()))
    if not options:
        return word
    chosen = generator.choice(options)
    if word.isupper() and len(word) > 1:
        return chosen.upper()
    return chosen.capitalize() if word[0].isupper() else chosen


def typo(word: str, generator: random.Random) -> str:
    """One slip: two letters swapped, one left out, one doubled, or a neighbouring key hit."""
    if len(word) < 3:
        return word
    i = generator.randrange(1, len(word) - 1)  # the first letter is seldom mistyped
    slip = generator.choice(("swap", "drop", "double", "key"))
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
    key = generator.choice(beside)
    return word[:i] + (key.upper() if word[i].isupper() else key) + word[i + 1 :]
