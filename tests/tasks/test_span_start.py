"""A tiny reader begins with attention to what a question needs, and is an ordinary BERT."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForQuestionAnswering

from advlab.data.stories import dataset
from advlab.errors import SettingError
from advlab.model.tiny import tiny_victim
from advlab.model.victim import Victim
from advlab.records import Dataset
from advlab.tasks import build_task
from advlab.tasks.span_start import ASKED, BEGINNING, LAYERS, SAME_PLACE, SAME_WORD, waves

DATA = dataset()


@cache
def reader(size: str) -> Victim:
    """Made once a size: for reading only."""
    return made(DATA, size)


def made(data: Dataset, size: str = "tiny", seed: int = 0) -> Victim:
    return tiny_victim(size, data, seed=seed, max_length=128, task=build_task("qa"))


def attention(victim: Victim, ids: Tensor, layer: int = 0) -> Tensor:
    """(heads,T,T) the logits of a layer's attention to embeddings; the first half is a question."""
    types = (torch.arange(ids.shape[1]) >= ids.shape[1] // 2).long().unsqueeze(0)
    inputs = victim.model.bert.embeddings(ids, token_type_ids=types)
    heard = victim.model.bert.encoder.layer[layer].attention.self
    heads = victim.model.config.num_attention_heads
    q, k = (
        part(inputs)[0].reshape(ids.shape[1], heads, -1).transpose(0, 1)
        for part in (heard.query, heard.key)
    )
    return q @ k.transpose(1, 2) / q.shape[-1] ** 0.5


def twice(victim: Victim, words: int = 30) -> Tensor:
    """(1,2·words) different words, which all stand in the question and in the text."""
    dice = torch.Generator().manual_seed(0)
    half = 200 + torch.randperm(len(victim.tokenizer) - 200, generator=dice)[:words]
    return torch.cat([half, half]).unsqueeze(0)


@pytest.mark.parametrize("size", ["tiny", "small"])
@torch.no_grad()
def test_words_are_heard_that_are_the_same_most_of_all_in_the_question(size: str) -> None:
    victim = reader(size)
    for layer in range(LAYERS):
        logits = attention(victim, twice(victim), layer)
        asked, words = logits[1], logits[2:-1]  # the first of them prefers the question
        same = torch.eye(30, dtype=torch.bool)
        into = words[:, 30:, :30]  # what a word of the text hears of the question
        assert float(into[:, same].mean()) == pytest.approx(SAME_WORD, rel=0.3)
        assert float(into[:, ~same].mean()) == pytest.approx(0, abs=1.5)
        # of the question's words the same one is heard above all others nearly always
        found = logits[1:-1, 30:, :30].mean(0).argmax(1) == torch.arange(30)
        assert float(found.double().mean()) > 0.9
        # less what tokens of one type have in common
        more = asked[30:, :30].mean() - asked[30:, 30:].mean()
        assert ASKED / 3 < float(more) < ASKED


@torch.no_grad()
def test_one_head_hears_the_beginning_of_the_question_from_everywhere() -> None:
    victim = reader("tiny")
    logits = attention(victim, twice(victim))[0]
    assert logits.argmax(1).unique().tolist() == [2]
    assert float(logits[:, 2].mean()) == pytest.approx(BEGINNING, rel=0.2)
    share = logits.softmax(1)
    assert float(share[:, 1:4].sum(1).min()) > 0.4


@torch.no_grad()
def test_one_head_hears_what_stands_near_more_widely_and_loudly_from_layer_to_layer() -> None:
    victim = reader("tiny")
    heard, loud = [], []
    for n, layer in enumerate(victim.model.bert.encoder.layer):
        places = attention(victim, twice(victim), n)[-1]
        near, far = places.diagonal().mean(), places.diagonal(30).mean()
        assert float(near) > places.diagonal(3).mean() > far
        heard.append(float(near))
        loud.append(float(layer.attention.self.value.weight[-16:].norm()))
    assert heard[0] == pytest.approx(SAME_PLACE[0], rel=0.15)
    assert heard[-1] == pytest.approx(SAME_PLACE[1], rel=0.15)
    assert heard == sorted(heard, reverse=True)
    assert loud == sorted(loud)


def test_places_have_room_of_their_own_and_the_same_distance_the_same_product() -> None:
    embeddings = reader("tiny").model.bert.embeddings
    assert not embeddings.position_embeddings.weight[:, :48].any()
    assert not embeddings.token_type_embeddings.weight[:, 48:].any()
    assert not embeddings.word_embeddings.weight[:, 48:].any()
    product = waves(100, 16) @ waves(100, 16).T
    assert product.diagonal() == pytest.approx(1)
    for distance in (1, 7, 40):
        line = product.diagonal(distance)
        assert float(line.max() - line.min()) < 1e-4
    words = embeddings.word_embeddings.weight.norm(dim=1)
    assert words[words > 0].detach() == pytest.approx(1)


def test_the_start_depends_on_the_seed_alone() -> None:
    few = replace(DATA, train=DATA.train[:100])
    assert made(few, seed=3).hash == made(few, seed=3).hash != made(few, seed=4).hash
    before = torch.get_rng_state()
    made(few)
    assert torch.equal(before, torch.get_rng_state())


def test_transformers_opens_it_without_advlab(tmp_path: Path) -> None:
    victim = reader("tiny")
    victim.save(tmp_path)
    other = AutoModelForQuestionAnswering.from_pretrained(tmp_path).eval()
    batch = victim.encode(DATA.test[:1])
    with torch.no_grad():
        found = other(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            token_type_ids=batch.target["kinds"],
        )
        mine = victim.output(victim.embed(batch), batch)[0, :, 0]
    torch.testing.assert_close(found.start_logits[0][mine.isfinite()], mine[mine.isfinite()])


def test_every_word_of_texts_and_questions_is_one_token() -> None:
    victim = reader("tiny")
    for example in DATA.test[:50]:
        tokens = victim.reader.tokens(example)
        assert len(set(tokens.word_of) - {-1}) == sum(p == 0 for p in tokens.segment)
        assert victim.tokenizer.unk_token_id not in tokens.ids


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(SettingError, match="unknown model size 'huge'"):
        reader("huge")
