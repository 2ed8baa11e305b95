"""One replaced word: the estimate is the gradient's, the rise is the model's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from samples import renamed
from victims import TEXTS, chances, shared_victim

from advlab.attacks import PGD
from advlab.errors import SettingError
from advlab.explain.explore import analyse, explore
from advlab.explain.neighbours import candidates
from advlab.explain.subject import Subject
from advlab.pictures import substitutions
from advlab.records import Substitutions

TEXT = TEXTS[1]


@pytest.mark.parametrize("kind", ["bert", "gpt2", "electra"])
@pytest.mark.parametrize("targeted", [False, True])
def test_every_replacement_is_run_through_the_model(kind: str, targeted: bool) -> None:
    victim = shared_victim(kind)
    attack = PGD(1.0, steps=2, targeted=targeted)
    record = explore(victim, TEXT, attack=attack, label=1)
    found: Substitutions = analyse(victim, record, "substitutions", top=25)
    subject = Subject.of(victim, record)
    ids = subject.batch.input_ids[0]
    names = victim.vocabulary.texts(list(range(len(victim.table))))
    x = subject.embeds.detach().clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(
        victim.output(x, subject.batch), subject.batch.target["labels"]
    )
    (grad,) = torch.autograd.grad(loss, x)
    assert found.start == pytest.approx(loss.item())
    for k in range(25):
        place, word = int(found.places[k]), names.index(found.words[k])
        promised = float(grad[0, place] @ (victim.table[word] - victim.table[ids[place]]))
        assert found.estimates[k] == pytest.approx(promised, rel=1e-8)
        other = ids.clone()
        other[place] = word
        with torch.no_grad():
            logits = victim.output(victim.embed(other[None]), subject.batch)
            real = (
                torch.nn.functional.cross_entropy(logits, subject.batch.target["labels"])
                - loss.detach()
            )
        assert found.rises[k] == pytest.approx(float(real), abs=1e-9)
        np.testing.assert_allclose(chances(found.reading)[k], logits.softmax(-1)[0].numpy())
    promises = -found.estimates if targeted else found.estimates
    assert (np.diff(promises) <= 1e-12).all()
    columns = substitutions.swap_columns(record, found, None)
    reals = np.array(columns["real rise, nats"])
    assert (np.diff(reals if targeted else -reals) >= 0).all()
    assert sorted(columns["rank by estimate"]) == list(range(1, 26))


def test_shielded_words_are_not_replaced() -> None:
    victim = shared_victim("bert")
    start = TEXT.index("great")
    record = explore(victim, TEXT, attack=PGD(1.0), shield=[(0, start), (start + 5, len(TEXT))])
    found: Substitutions = analyse(victim, record, "substitutions")
    assert {record.tokens[t] for t in found.places} == {"great"}
    assert len(found.words) == found.possible
    assert "great" not in found.words
    assert "great → " in substitutions.swap_sentence(record, found)


def test_the_picture_holds_every_rise_and_marks_flips() -> None:
    victim = shared_victim("bert")
    record = explore(victim, TEXT, attack=PGD(1.0))
    found: Substitutions = analyse(victim, record, "substitutions")
    figure = substitutions.estimates(record, found)
    assert (
        substitutions.estimates(record, found, 1, substitutions.reach(found)).layout
        == figure.layout
    )
    low, high = figure.layout.yaxis.range
    assert low < found.rises.min()
    assert found.rises.max() < high
    flips = (chances(found.reading).argmax(1) != chances(record.clean)[0].argmax()).sum()
    (other,) = (t for t in figure.data if t.name == "other prediction")
    assert len(other.x) == flips
    none = renamed(
        found,
        words=(),
        places=found.places[:0],
        estimates=found.estimates[:0],
        rises=found.rises[:0],
        reading=found.reading.take([]),
    )
    assert "no word here" in substitutions.swap_sentence(record, none)
    substitutions.estimates(record, none)


def test_impossible_numbers_of_replacements_are_refused() -> None:
    victim = shared_victim("bert")
    record = explore(victim, TEXT, attack=PGD(1.0))
    with pytest.raises(SettingError, match="replacements"):
        analyse(victim, record, "substitutions", top=0)


def test_real_words_are_neither_pieces_nor_punctuation() -> None:
    class Known:
        """Enough of a victim: rows, their kinds and a tokenizer."""

        def __init__(self, *tokens: str) -> None:
            self.tokens, self.tokenizer = tokens, self
            self.table, self.device = torch.zeros(len(tokens), 2), torch.device("cpu")
            self.kinds = torch.tensor(
                [0 if t.startswith("[") else 2 if t.startswith("##") else 1 for t in tokens]
            )
            self.ordinary = self.kinds > 0

        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            return [self.tokens[i] for i in ids]

    def words(*tokens: str) -> list[str]:
        victim: object = Known(*tokens)
        kept = candidates(victim, True).tolist()  # type: ignore[arg-type]
        return [t for t, k in zip(tokens, kept, strict=True) if k]

    assert words("[PAD]", "film", "##s", ",", "2nd", "…", "été") == ["film", "2nd", "été"]
    assert words("Ġfilm", "s", "Ġ,", "Ġgood", ".") == ["Ġfilm", "Ġgood"]
    assert words(",", ".", "[PAD]") == [",", "."]  # no word at all: everything ordinary
    victim = shared_victim("bert")
    record = explore(victim, TEXT, attack=PGD(1.0))
    for name in ("nearest", "embedded"):
        found = analyse(victim, record, name, whole=True)
        assert found.perturbed["l2"].excluded == int((~candidates(victim, True)).sum())
    assert analyse(victim, record, "exits", whole=True).excluded >= 5


def test_a_text_of_unknown_words_alone_has_no_replacement() -> None:
    victim = shared_victim("bert")
    record = explore(victim, "zzz qqq", attack=PGD(1.0))
    found: Substitutions = analyse(victim, record, "substitutions")
    assert found.possible == 0
    assert found.words == ()
    assert chances(found.reading).shape == (0, len(tuple(record.clean.parts)))
    assert "no word here" in substitutions.swap_sentence(record, found)
