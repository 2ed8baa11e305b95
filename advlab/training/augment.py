"""Changed texts for training: words dropped, swapped, replaced by others of like meaning, typos.

Each text is changed anew in each epoch, by draws that depend on seed, epoch and place alone, so that a
resumed run meets the same texts. Labels stay; what changes meaning too often is for the user to judge.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from advlab.attacks.text.edits import synonym, typo
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.records.script import HAN
from advlab.records.turns import MARK, turns_of
from advlab.runs.config import SCRATCH, Augmentation, RunConfig
from advlab.tasks import Batch, Tokens
from advlab.tasks.base import in_training

MOST_KEPT = 1_000_000  # tokens, at some 270 bytes each
_WORD = re.compile(rf"[{HAN}]|[^\W{HAN}](?:[^\W{HAN}]|['’-])*|[^\w\s]+|\s+")


def augmented(
    settings: Augmentation,
    example: Example,
    generator: random.Random,
    neighbours: Mapping[str, Sequence[str]] | None = None,
) -> Example:
    """The example with its text changed, or as it is. `neighbours`: own-embedding synonyms."""
    if generator.random() >= settings.augmented:
        return example
    if not MARK.search(example.text):
        return replace(example, text=_changed(settings, example.text, generator, neighbours or {}))
    lines = [  # turn by turn: a changed mark would give what is said to the other speaker
        f"{turn.speaker}: {_changed(settings, turn.text, generator, neighbours or {})}"
        for turn in turns_of(example.text)
    ]
    return replace(example, text="\n".join(lines))


def _changed(
    settings: Augmentation,
    text: str,
    generator: random.Random,
    neighbours: Mapping[str, Sequence[str]],
) -> str:
    pieces = _WORD.findall(text)
    places = [i for i, piece in enumerate(pieces) if piece[0].isalnum()]
    for place in places:
        if generator.random() < settings.synonyms:
            pieces[place] = synonym(pieces[place], generator, neighbours)
        if generator.random() < settings.typos:
            pieces[place] = typo(pieces[place], generator)
    for here, there in itertools.pairwise(places):
        if generator.random() < settings.word_swap:
            pieces[here], pieces[there] = pieces[there], pieces[here]
    kept = [i for i in places if generator.random() >= settings.word_dropout] or places[:1]
    gone = set(places) - set(kept)
    made = "".join(piece for i, piece in enumerate(pieces) if i not in gone)
    return re.sub(r" {2,}", " ", made).strip() or text


def generator_for(seed: int, epoch: int, place: int) -> random.Random:
    """What draws for one text in one epoch."""
    return random.Random(f"augment/{seed}/{epoch}/{place}")


class TrainingTexts:
    """The training texts as an epoch meets them: changed anew each time, where the settings say so.

    `tokens`: of the texts as they are. They are kept where each epoch meets them again and they are not
    too many: making them anew is a tenth of the training of a tiny model.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        victim: Victim,
        config: RunConfig,
        tokens: Sequence[Tokens] = (),
    ) -> None:
        self.examples = examples
        self.settings, self.seed = config.augment, config.train.seed
        keep = not self.settings.active and sum(map(len, tokens)) <= MOST_KEPT
        self.tokens = tokens if keep else ()
        # own-embedding synonyms mean something only where the embeddings were learnt before
        pretrained = config.model.source not in SCRATCH
        wanted = config.augment.synonyms and pretrained
        self.neighbours = synonyms_of(victim) if wanted else {}

    def batch(self, victim: Victim, places: Sequence[int], epoch: int) -> Batch:
        """The texts at these places, for the model that learns them."""
        kept = [self.tokens[i] for i in places] if self.tokens else None
        return in_training(victim.encode(self(places, epoch), kept))

    def __call__(self, places: Sequence[int], epoch: int) -> list[Example]:
        """The texts at these places."""
        if not self.settings.active:
            return [self.examples[i] for i in places]
        return [
            augmented(
                self.settings, self.examples[i], generator_for(self.seed, epoch, i), self.neighbours
            )
            for i in places
        ]


@torch.no_grad()
def synonyms_of(victim: Victim, nearest: int = 4) -> dict[str, list[str]]:
    """Whole words -> their nearest whole words by the cosine of their embeddings."""
    vocabulary = victim.tokenizer.get_vocab()
    words = {w.lstrip("Ġ▁"): i for w, i in vocabulary.items() if victim.ordinary[i]}
    words = {w: i for w, i in words.items() if w.isalpha() and w.islower() and len(w) > 2}
    names = list(words)
    rows = torch.nn.functional.normalize(victim.table[list(words.values())].float(), dim=1)
    found: dict[str, list[str]] = {}
    for start in range(0, len(names), 1024):
        close = (rows[start : start + 1024] @ rows.T).topk(min(nearest + 1, len(names))).indices
        for row, places in enumerate(close.tolist()):
            word = names[start + row]
            found[word] = [names[j] for j in places if names[j] != word][:nearest]
    return found
