from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from short_runs import config_for, of_kind, run
from victims import make_victim

from advlab.data import load_data
from advlab.errors import DataError, ModelError, SettingError
from advlab.runs.config import DataConfig, ModelConfig
from advlab.tasks.scratch import learn_tokenizer
from advlab.training.augment import synonyms_of
from advlab.training.loop import prepare, train


def test_what_cannot_be_loaded_is_told_before_training(texts: Path, tmp_path: Path) -> None:
    config = config_for(texts)
    with pytest.raises(SettingError, match="unknown training method"):
        next(train(replace(config, method={"name": "magic"}), tmp_path))
    with pytest.raises(DataError):
        next(train(replace(config, data=DataConfig(source="/no/such.csv")), tmp_path))
    with pytest.raises(ModelError):
        next(train(replace(config, model=ModelConfig(source="/no/such/model")), tmp_path))


def test_label_smoothing_is_for_training_only(texts: Path) -> None:
    victim, data = prepare(config_for(texts, label_smoothing=0.4))
    batch = victim.encode(data.test[:4])
    x = victim.embed(batch).detach()
    plain = torch.nn.functional.cross_entropy(
        victim.output(x, batch), batch.target["labels"], reduction="none"
    )
    torch.testing.assert_close(victim.objective(batch)(x), plain)
    smooth = torch.nn.functional.cross_entropy(
        victim.output(x, batch), batch.target["labels"], reduction="none", label_smoothing=0.4
    )
    assert not torch.allclose(smooth, plain)
    torch.testing.assert_close(victim.objective(batch, training=True)(x), smooth)
    victim.model.train()  # what is asked for decides, not the model's mode
    for trained, wanted in ((False, plain), (True, smooth)):
        objective = victim.objective(batch, training=trained)
        with victim.analysing():
            torch.testing.assert_close(objective(x), wanted)
            rows = torch.tensor([2, 0])
            torch.testing.assert_close(objective.take(rows)(x[rows]), wanted[rows])


def test_the_tokenizer_is_the_same_every_time(texts: Path) -> None:
    """A resumed run learns it anew: other numbers would put the words on other rows."""
    corpus = [e.text for e in load_data(DataConfig(source=str(texts))).train]
    first = learn_tokenizer(corpus, 700).get_vocab()
    assert all(learn_tokenizer(corpus, 700).get_vocab() == first for _ in range(4))
    other = learn_tokenizer(corpus[::-1], 700).get_vocab()
    assert other == first  # nor does the order of the texts matter


def test_own_embedding_synonyms_are_close_whole_words() -> None:
    victim = make_victim("bert")
    with torch.no_grad():
        table = victim.model.get_input_embeddings().weight
        ids = victim.tokenizer.get_vocab()
        table[ids["great"]] = table[ids["good"]] * 1.01
    victim.forget()
    found = synonyms_of(victim, nearest=2)
    assert found["good"][0] == "great"
    assert all(len(others) <= 2 and word not in others for word, others in found.items())


def test_texts_that_are_cut_are_told(texts: Path, tmp_path: Path) -> None:
    config = replace(config_for(texts, epochs=1), model=ModelConfig(max_length=10))
    [note] = of_kind(run(config, tmp_path), "note")
    said = re.fullmatch(
        r"training texts: (\d+) of 1\d\d texts are longer than 10 tokens: .*",
        note.values["message"],
    )
    assert said
    assert int(said[1]) > 10
