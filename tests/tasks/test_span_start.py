"""A tiny reader begins with attention to equal words and near places, and is an ordinary BERT."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForQuestionAnswering

from advlab.data.stories import dataset
from advlab.errors import SettingError
from advlab.model.tiny import tiny_victim
from advlab.model.victim import Victim
from advlab.tasks import build_task
from advlab.tasks.span_start import SAME_PLACE, SAME_WORD, waves

DATA = dataset()


def reader(size: str = "tiny", seed: int = 0) -> Victim:
    return tiny_victim(size, DATA, seed=seed, max_length=128, task=build_task("qa"))


def attention(victim: Victim, ids: Tensor) -> Tensor:
    """(heads,T,T) the first layer's logits of attention; the first half is a question."""
    types = (torch.arange(ids.shape[1]) >= ids.shape[1] // 2).long().unsqueeze(0)
    inputs = victim.model.bert.embeddings(ids, token_type_ids=types)
    layer = victim.model.bert.encoder.layer[0].attention.self
    heads = victim.model.config.num_attention_heads
    q, k = (
        part(inputs)[0].reshape(ids.shape[1], heads, -1).transpose(0, 1)
        for part in (layer.query, layer.key)
    )
    return q @ k.transpose(1, 2) / q.shape[-1] ** 0.5


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_attention_begins_with_equal_words_and_near_places(size: str) -> None:
    victim = reader(size)
    dice = torch.Generator().manual_seed(0)
    half = 200 + torch.randperm(len(victim.tokenizer) - 200, generator=dice)[:30]
    ids = torch.cat([half, half]).unsqueeze(0)  # each word of the question stands in the text
    with torch.no_grad():
        logits = attention(victim, ids)
    words, places = logits[:-1, :30, 30:], logits[-1]
    same = torch.eye(30, dtype=torch.bool)
    assert float(words[:, same].mean()) == pytest.approx(SAME_WORD, rel=0.2)
    assert float(words[:, ~same].mean()) == pytest.approx(0, abs=1.5)
    # of the words of the question, the same one is heard above all others nearly always
    assert float((words.mean(0).argmax(0) == torch.arange(30)).double().mean()) > 0.9
    # a quarter more, since words have a share of these dimensions too, and here they are the same
    assert float(places.diagonal().mean()) == pytest.approx(1.25 * SAME_PLACE, rel=0.1)
    near, far = places.diagonal(3).mean(), places.diagonal(30).mean()
    assert float(places.diagonal().mean()) > near + 1 > far + 4


def test_places_have_room_of_their_own_and_the_same_distance_the_same_product() -> None:
    embeddings = reader().model.bert.embeddings
    for part in (embeddings.position_embeddings, embeddings.token_type_embeddings):
        beside = (
            part.weight[:, :48] if part is embeddings.position_embeddings else part.weight[:, 48:]
        )
        assert not beside.any()
    product = waves(100, 16) @ waves(100, 16).T
    assert product.diagonal() == pytest.approx(1)
    for distance in (1, 7, 40):
        line = product.diagonal(distance)
        assert float(line.max() - line.min()) < 1e-4
    words = embeddings.word_embeddings.weight.norm(dim=1)
    assert words[words > 0].detach() == pytest.approx(1)


def test_the_start_depends_on_the_seed_alone() -> None:
    assert reader(seed=3).hash == reader(seed=3).hash != reader(seed=4).hash
    before = torch.get_rng_state()
    reader()
    assert torch.equal(before, torch.get_rng_state())


def test_transformers_opens_it_without_advlab(tmp_path: Path) -> None:
    victim = reader()
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
    victim = reader()
    for example in DATA.test[:50]:
        tokens = victim.reader.tokens(example)
        assert len(set(tokens.word_of) - {-1}) == sum(p == 0 for p in tokens.segment)
        assert victim.tokenizer.unk_token_id not in tokens.ids


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(SettingError, match="unknown model size 'huge'"):
        reader("huge")
