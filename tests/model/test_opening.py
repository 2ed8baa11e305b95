"""A folder gives the model that it describes, or says in words why it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForMaskedLM,
    BertModel,
    XLNetConfig,
    XLNetForSequenceClassification,
)
from victims import LABELS, TEXTS, make_victim, subword_tokenizer, word_tokenizer

from advlab.errors import ModelError
from advlab.model.card import CARD
from advlab.model.files import INDEX, WEIGHTS
from advlab.model.victim import Victim


def saved(folder: Path, kind: str = "bert", labels: int = 3, seed: int = 0) -> Path:
    """A folder as transformers writes it, without advlab's card."""
    make_victim(kind, labels=labels, seed=seed, dtype=torch.float32).save(folder)
    (folder / CARD).unlink()
    return folder


def configure(folder: Path, **values: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def reweigh(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]):
    state = change(load_file(folder / WEIGHTS))
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})


def outputs(victim: Victim) -> torch.Tensor:
    batch = victim.encode(TEXTS)
    with torch.no_grad():
        return victim.output(victim.embed(batch), batch)


# ---- weights --------------------------------------------------------------------------------


def masked(folder: Path) -> Path:
    model = make_victim("bert", dtype=torch.float32)
    BertForMaskedLM(model.model.config).save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


def prefixed(folder: Path) -> Path:
    reweigh(saved(folder), lambda state: {f"module.{k}": t for k, t in state.items()})
    return folder


def without_a_layer(folder: Path) -> Path:
    reweigh(saved(folder), lambda s: {k: t for k, t in s.items() if ".layer.1." not in k})
    return folder


def more_words(folder: Path) -> Path:
    configure(saved(folder), vocab_size=len(word_tokenizer("bert")) + 7)
    return folder


def fewer_layers(folder: Path) -> Path:
    configure(saved(folder), num_hidden_layers=1)
    return folder


BROKEN = {
    prefixed: ("missing", "bert.embeddings"),
    without_a_layer: ("missing", "bert.encoder.layer.1.attention"),
    more_words: ("of another size", "word_embeddings.weight: "),
    fewer_layers: ("config.json does not name", "bert.encoder.layer.1."),
}


@pytest.mark.parametrize("make", BROKEN, ids=lambda m: m.__name__)
@pytest.mark.parametrize("head", [None, LABELS, ("a", "b")])
def test_weights_that_are_not_those_of_the_configuration_are_refused_and_named(
    make: Callable[[Path], Path], head: Any, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=BROKEN[make][0]) as told:
        Victim.load(make(tmp_path), head=head)
    assert BROKEN[make][1] in str(told.value)


def encoder(folder: Path) -> Path:
    victim = make_victim("bert", dtype=torch.float32)
    BertModel(victim.model.config).save_pretrained(folder)
    victim.tokenizer.save_pretrained(folder)
    return folder


def three_names_over_two(folder: Path) -> Path:
    configure(saved(folder, labels=2), id2label={"0": "a", "1": "b", "2": "c"})
    return folder


@pytest.mark.parametrize(
    ("make", "new"),
    [
        (masked, "bert.pooler.dense.bias, bert.pooler.dense.weight, classifier.bias"),
        (encoder, "classifier.bias, classifier.weight"),
        (three_names_over_two, "classifier.bias, classifier.weight"),
    ],
    ids=["masked", "encoder", "three names"],
)
def test_a_missing_head_is_refused_for_attacks_and_told_for_training(
    make: Callable[[Path], Path], new: str, tmp_path: Path
) -> None:
    folder = make(tmp_path)
    with pytest.raises(ModelError, match="train a head first: advlab train") as told:
        Victim.load(folder)
    assert new.split(", ")[0] in str(told.value)
    first, again = (Victim.load(folder, head=("a", "b", "c"), seed=3) for _ in range(2))
    assert new in first.notes[0]
    assert "the head is new, drawn from seed 3" in first.notes[0]
    assert first.head == ("a", "b", "c")
    assert torch.equal(outputs(first), outputs(again))
    other = Victim.load(folder, head=("a", "b", "c"), seed=4)
    assert not torch.equal(outputs(first), outputs(other))


def test_a_head_that_is_whole_keeps_its_weights_and_a_body_stays_as_it_was(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    before = load_file(folder / WEIGHTS)
    on = Victim.load(folder, head=LABELS)
    assert on.notes == ()
    assert torch.equal(outputs(on), outputs(Victim.load(folder)))
    other = Victim.load(folder, head=("red", "green", "blue"), seed=1)
    assert other.notes == (
        "the head is new, drawn from seed 1: classifier.bias, classifier.weight",
    )
    state = other.model.state_dict()
    changed = [k for k, t in before.items() if not torch.equal(state[k], t)]
    assert "classifier.weight" in changed
    assert all(k.startswith("classifier.") for k in changed)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    def spoil(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        state["bert.encoder.layer.0.output.dense.bias"][3] = float("nan")
        return state

    reweigh(saved(tmp_path), spoil)
    for head in (None, LABELS):
        with pytest.raises(ModelError, match=r"finite weights.* layer|finite weights.*layer\.0"):
            Victim.load(tmp_path, head=head)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../outside.safetensors", "of the same folder"),
        ("/etc/hostname", "of the same folder"),
        ("pytorch_model.bin", "safetensors files"),
        (7, "safetensors files"),
        ("gone.safetensors", "found none"),
    ],
)
def test_an_index_that_names_anything_but_files_beside_it_is_refused(
    name: Any, told: str, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "model")
    save_file(load_file(folder / WEIGHTS), tmp_path / "outside.safetensors")
    torch.save({}, folder / "pytorch_model.bin")
    keys = list(load_file(folder / WEIGHTS))
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(keys, name)}))
    with pytest.raises(ModelError, match=told):
        Victim.load(folder)


def test_shards_beside_their_index_are_read(tmp_path: Path) -> None:
    victim = make_victim("bert", dtype=torch.float32)
    victim.save(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    victim.model.save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert torch.equal(outputs(Victim.load(tmp_path)), outputs(victim))


# ---- classes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"problem_type": "multi_label_classification"}, "problem_type 'multi_label"),
        ({"problem_type": "regression"}, "problem_type 'regression'"),
        ({"id2label": {"0": "score"}}, r"one output: regression"),
        ({"num_labels": 10**7}, "at most 10,000 classes, got 10,000,000"),
        ({"id2label": {"0": "a", "1": "a", "2": "b"}}, "two classes of one name"),
        ({"id2label": {"0": "a", "1": "b", "7": "c"}}, "number them without gaps"),
        ({"num_hidden_layers": 10**6}, "got 1,000,000 in num_hidden_layers"),
        ({"max_position_embeddings": 10**10}, "give the config.json that belongs"),
    ],
)
def test_heads_that_do_not_choose_a_class_and_absurd_sizes_are_refused(
    values: dict[str, Any], told: str, tmp_path: Path
) -> None:
    configure(saved(tmp_path), **values)
    with pytest.raises(ModelError, match=told):
        Victim.load(tmp_path)


def test_a_model_of_several_labels_may_be_trained_to_choose_one(tmp_path: Path) -> None:
    configure(saved(tmp_path), problem_type="multi_label_classification")
    victim = Victim.load(tmp_path, head=LABELS)
    assert "the head is new" in victim.notes[0]
    victim.save(tmp_path / "on")
    assert Victim.load(tmp_path / "on").head == LABELS


@pytest.mark.parametrize(
    ("own", "names", "wanted"),
    [
        (("pos", "neg"), ("neg", "pos"), ("pos", "neg")),
        (("POSITIVE", "NEGATIVE"), ("negative", "positive"), ("positive", "negative")),
        (("LABEL_0", "LABEL_1"), ("0", "1"), ("0", "1")),
        (("positive", "negative"), ("0", "1"), ("1", "0")),
    ],
)
def test_going_on_with_a_model_keeps_what_its_classes_mean(
    own: tuple[str, ...], names: tuple[str, ...], wanted: tuple[str, ...], tmp_path: Path
) -> None:
    configure(saved(tmp_path, labels=2), id2label=dict(enumerate(own)))
    before, on = Victim.load(tmp_path), Victim.load(tmp_path, head=names)
    assert on.head == wanted
    assert torch.equal(outputs(before), outputs(on))
    assert on.notes == (() if set(own) == set(names) else (on.notes[0],))
    if on.notes:
        assert f"{own[0]} is {wanted[0]}" in on.notes[0]
    on.save(tmp_path / "on")
    assert Victim.load(tmp_path / "on").head == wanted


# ---- tokenizers -----------------------------------------------------------------------------


def test_a_folder_without_tokenizer_files_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    for file in folder.glob("*token*"):
        file.unlink()
    with pytest.raises(ModelError, match=r"found no tokenizer\.json"):
        Victim.load(folder)


def test_a_tokenizer_of_special_tokens_alone_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    victim = make_victim("bert", dtype=torch.float32)
    bare = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, unk_token="[UNK]", pad_token="[PAD]")
    with pytest.raises(ModelError, match="expected a tokenizer that knows words"):
        Victim(victim.model, tokenizer, head=LABELS, name="bare")


def test_a_tokenizer_with_more_tokens_than_the_table_has_rows_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    subword_tokenizer("wordpiece").save_pretrained(folder)
    with pytest.raises(ModelError, match="tokenizer's are beyond them, up to") as told:
        Victim.load(folder)
    assert "give the tokenizer that belongs to these weights" in str(told.value)


def test_a_tokenizer_without_a_padding_token_pads_with_another_or_is_refused() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    victim = make_victim("bert", dtype=torch.float32)
    words = word_tokenizer("bert").get_vocab()
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    none = PreTrainedTokenizerFast(tokenizer_object=backend)
    with pytest.raises(ModelError, match="expected a tokenizer with a padding token"):
        Victim(victim.model, none, head=LABELS, name="none")
    end = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="[SEP]")
    assert Victim(victim.model, end, head=LABELS, name="end").reader.pad == words["[SEP]"]


def test_a_limit_of_minus_one_is_no_limit() -> None:
    tokenizer = word_tokenizer("xlnet")
    config = XLNetConfig(vocab_size=len(tokenizer), d_model=16, n_layer=2, n_head=2, d_inner=32)
    config.pad_token_id, config.num_labels = tokenizer.pad_token_id, 3
    model = XLNetForSequenceClassification(config).eval()
    victim = Victim(model, tokenizer, head=LABELS, name="xlnet", max_length=64)
    assert victim.max_length == 64
    assert victim.encode(["the film was good"]).input_ids.shape == (1, 6)


def test_a_tokenizers_own_smaller_limit_is_kept(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 9
    tokenizer.save_pretrained(folder)
    victim = Victim.load(folder)
    assert victim.max_length == 9
    assert victim.encode(["good " * 30]).input_ids.shape == (1, 9)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_other_tools_may_pad_to_the_saved_limit(kind: str, tmp_path: Path) -> None:
    folder = saved(tmp_path, kind)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.model_max_length == 38  # of 40 positions
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    found = tokenizer(
        ["good " * 99, "the film"], padding="max_length", truncation=True, return_tensors="pt"
    )
    assert found.input_ids.shape == (2, 38)
    with torch.no_grad():
        mine = outputs_of(Victim.load(folder), "the film")
        torch.testing.assert_close(model(**found).logits[1], mine, rtol=0, atol=1e-5)


def outputs_of(victim: Victim, text: str) -> torch.Tensor:
    batch = victim.encode([text])
    return victim.output(victim.embed(batch), batch)[0]
