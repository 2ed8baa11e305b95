"""The tiny Llama: a word tokenizer, and heads that look back and look up before any training."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from advlab.data import assistant
from advlab.errors import SettingError
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.tasks.dialogue import Dialogue
from advlab.tasks.dialogue_start import learn_words, scratch


def small_data() -> Dataset:
    made = assistant.build()
    return Dataset("assistant", (), made.train[:2000], made.validation[:8], made.test[:8])


@lru_cache
def made() -> Victim:
    model, tokenizer = scratch("tiny", small_data(), seed=0, max_length=128)
    return Victim(model, tokenizer, task=Dialogue(), name="tiny", max_length=128)


def attention(victim: Victim, text: str) -> tuple[list[str], list[Tensor]]:
    """The words of a layout, and for each layer where every head looks: (H,T,T)."""
    batch = victim.encode([text])
    model: Any = victim.apart().model
    model.set_attn_implementation("eager")
    with torch.no_grad():
        out = model(inputs_embeds=victim.embed(batch), output_attentions=True)
    words = victim.tokenizer.convert_ids_to_tokens(batch.input_ids[0].tolist())
    return words, [a[0] for a in out.attentions]


TEXT = "the school is east of the market. the pool is west of the market. i am at the park."


@pytest.mark.parametrize("back", [1, 2, 3])
def test_three_heads_look_one_two_and_three_words_back(back: int) -> None:
    words, layers = attention(made(), TEXT)
    seen = layers[0][back - 1]
    for t in range(back, len(words)):
        assert int(seen[t].argmax()) == t - back
        assert float(seen[t, t - back]) > 0.6


def test_heads_find_what_stood_behind_a_word_and_two_behind_the_word_before() -> None:
    words, layers = attention(made(), f"{TEXT} from the pool go")
    here = len(words) - 3  # pool
    assert words[here] == "pool"
    first = words.index("pool")
    assert int(layers[1][0][here, :here].argmax()) == first + 1  # the word behind it: is
    go = here + 1
    assert float(layers[1][2][go, first + 2]) > 0.2  # two behind the word before: west


def test_a_word_lies_in_the_first_quarter_and_has_length_1() -> None:
    table = made().model.get_input_embeddings().weight
    assert not table[:, 16:].any()
    torch.testing.assert_close(table[1:].norm(dim=1), torch.ones(len(table) - 1))
    assert made().scale.mean_norm == pytest.approx(1.0)


def test_its_size_is_told_and_its_seed_decides() -> None:
    count = sum(p.numel() for p in made().model.parameters())
    assert 160_000 < count < 175_000
    data = small_data()
    again, other = (scratch("tiny", data, seed=s, max_length=128)[0].state_dict() for s in (0, 1))
    mine = made().model.state_dict()
    assert all(torch.equal(mine[k], again[k]) for k in mine)
    assert not torch.equal(mine["lm_head.weight"], other["lm_head.weight"])
    wide, _ = scratch("small", data, seed=0, max_length=64)
    assert wide.config.hidden_size == 128
    with pytest.raises(SettingError, match="unknown model size 'huge'"):
        scratch("huge", data, seed=0, max_length=64)


def test_an_ordinary_folder_opens_it_again(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    victim = made()
    victim.save(tmp_path / "model")
    opened = Victim.load(tmp_path / "model")
    assert isinstance(opened.task, Dialogue)
    examples = small_data().test
    batch, again = victim.encode(examples), opened.encode(examples)
    assert torch.equal(batch.input_ids, again.input_ids)
    assert victim.answers(victim.embed(batch), batch) == opened.answers(opened.embed(again), again)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    ids = tokenizer("<user> hello, i need a ticket. <bot>", return_tensors="pt")["input_ids"]
    assert ids[0].tolist() == victim.encode(["hello, i need a ticket."]).input_ids[0].tolist()
    with torch.no_grad():
        assert model(input_ids=ids).logits.shape[-1] == len(tokenizer)


def test_every_word_of_the_corpus_is_one_token_and_replies_are_spelled_as_they_are_written() -> (
    None
):
    reader = made().reader
    for example in assistant.build().test[:200]:
        ids = reader.reply(example.answers[0])
        assert reader.tokenizer.unk_token_id not in ids
        assert reader.tokenizer.decode(ids) == example.answers[0]


def test_rare_words_are_spelled_by_letters_where_a_text_has_any() -> None:
    examples = tuple(
        Example(str(i), t, ("yes",)) for i, t in enumerate(("a zebra", "a cat", "a cat"))
    )
    tokenizer = learn_words(Dataset("", (), examples, (), ()))
    letters = ["z", "##e", "##b", "##r", "##a"]
    assert tokenizer.tokenize("A cat, zebra") == ["a", "cat", "<unk>", *letters]
    ids = tokenizer("a zebra")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a zebra"
