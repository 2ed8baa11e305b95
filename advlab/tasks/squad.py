"""Answers compared as SQuAD compares them: exact match and token F1 after normalisation.

As the official scripts of SQuAD 1.1 and 2.0 do it (Rajpurkar et al. 2016, 1606.05250; 2018,
1806.03822): lower case, ASCII punctuation deleted (not spaced: `twenty-five` is `twentyfive`, and ’
and – stay), the words a, an and the replaced by a blank, blanks collapsed. The best of several
known answers counts, for each measure by itself. An answer that normalises to nothing is "no
answer": it is right, with F1 1, where the other normalises to nothing too, and has F1 0 otherwise.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
PUNCTUATION = str.maketrans("", "", string.punctuation)
# scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, kana, Han
_WRITTEN_ON = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def normalised(text: str) -> str:
    """An answer as it is compared."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact(answer: str, known: Sequence[str]) -> bool:
    """Whether an answer is one of the known ones; "" among them: there is no answer."""
    own = normalised(answer)
    return any(own == normalised(k) for k in _known(known))


def f1(answer: str, known: Sequence[str]) -> float:
    """The best F1 over the known answers of the words that they share, each as often as in both."""
    own = normalised(answer).split()
    return max(_shared(own, normalised(k).split()) for k in _known(known))


def character_f1(answer: str, known: Sequence[str]) -> float:
    """As `f1`, of characters: where a script puts no blanks between words, F1 is all or nothing."""
    own = [*normalised(answer).replace(" ", "")]
    return max(_shared(own, [*normalised(k).replace(" ", "")]) for k in _known(known))


def written_on(known: Sequence[str]) -> bool:
    """Whether answers are in a script without blanks between words."""
    return any(_WRITTEN_ON.search(k) for k in known)


def missing(known: Sequence[str]) -> bool:
    """Whether the known answers say that there is none."""
    return not any(normalised(k) for k in known)


def _known(known: Sequence[str]) -> Sequence[str]:
    """The known answers that say something; where none does, there is no answer."""
    return [k for k in known if normalised(k)] or [""]


def _shared(own: list[str], known: list[str]) -> float:
    if not own or not known:
        return float(own == known)
    common = (Counter(own) & Counter(known)).total()
    return 2 * common / (len(own) + len(known))


@lru_cache(
    maxsize=16_384
)  # each epoch asks again about the same texts: a fifth of a step of training
def places_of(text: str, answer: str) -> tuple[tuple[int, int], ...]:
    """Where a text says the same as an answer: the characters from its first to its last letter.

    The smallest stretches, without the punctuation and the articles around them, which vanish; none
    for an answer that normalises to nothing.
    """
    wanted = normalised(answer).split()
    n, places = len(wanted), []
    if not n:
        return ()
    words = [word for word in _words(text) if word[0] not in ("", "a", "an", "the")]
    for k in range(len(words) - n + 1):
        if wanted[0] not in words[k][0]:
            continue
        part = words[k : k + n]
        if n == 1:
            found = [m.start() for m in re.finditer(f"(?={re.escape(wanted[0])})", part[0][0])]
            ends = [(at, at + len(wanted[0])) for at in found]
        elif [word for word, _ in part[1:-1]] == wanted[1:-1]:
            # an answer may begin and end within a word: tokens do
            first = part[0][0].endswith(wanted[0]) and part[-1][0].startswith(wanted[-1])
            ends = [(-len(wanted[0]), len(wanted[-1]))] if first else []
        else:
            continue
        places += [(part[0][1][start], part[-1][1][end - 1] + 1) for start, end in ends]
    return tuple(places)


def _words(text: str) -> Iterator[tuple[str, Sequence[int]]]:
    """The words of a text in lower case without punctuation, and where each letter stands."""
    for match in re.finditer(r"\S+", text):
        word = match[0].lower()
        letters = word.translate(PUNCTUATION)
        if len(letters) == match.end() - match.start():
            yield letters, range(match.start(), match.end())
            continue
        kept = [
            (letter, place)
            for place, sign in enumerate(match[0], match.start())
            for letter in sign.lower().translate(PUNCTUATION)  # some letters are two in lower case
        ]
        yield "".join(letter for letter, _ in kept), [place for _, place in kept]


def best_threshold(
    leads: Sequence[float], answered: Sequence[float], missing: Sequence[bool]
) -> float:
    """The lead that "no answer" must have over the best span, for the highest mean quality.

    `leads`: its score less the best span's; `answered`: the quality of that span, 0 to 1, where
    there is an answer; `missing`: whether there is none, where silence has quality 1. As SQuAD
    2.0's search, but half-way between two examples, and the nearest to 0 of equally good ones.
    """
    order = sorted(range(len(leads)), key=lambda i: leads[i])
    value = float(sum(missing))  # silent on all
    tried = [(value, leads[i] - 1.0) for i in order[:1]]
    for i, after in zip(order, [*order, None][1:], strict=True):
        value += -1.0 if missing[i] else answered[i]
        if after is None:
            tried.append((value, leads[i] + 1.0))
        elif leads[after] > leads[i]:
            tried.append((value, (leads[i] + leads[after]) / 2))
    most = max((value for value, _ in tried), default=0.0)
    return min((cut for value, cut in tried if value >= most - 1e-9), key=abs, default=0.0)
