from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import streamlit as st
import torch

from advlab.errors import ModelError, RunError
from advlab.model.card import CARD, files_digest
from advlab.model.tiny import tiny_victim
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig
from advlab.ui.explore.capsule import model_of
from advlab.ui.models import (
    borrow,
    fitting_pair,
    has_weights,
    load_victim,
    model_choices,
    weights_of,
)
from advlab.ui.turns import TURNS


@pytest.fixture(autouse=True)
def one_model(advlab_home: Path) -> Path:
    """`local:one`, a tiny random model in the data folder."""
    st.cache_resource.clear()
    texts = tuple(
        Example(str(i), f"a good text {i}", (("negative", "positive")[i % 2],)) for i in range(8)
    )
    data = Dataset("tests", ("negative", "positive"), texts, texts, texts)
    folder = advlab_home / "models" / "one"
    tiny_victim("tiny", data, seed=0, max_length=32).save(folder)
    return folder


def test_folders_of_the_data_folder_can_be_chosen():
    assert model_choices() == {"local:one": "one (folder)"}


@pytest.mark.parametrize("id_", ["local:../models/one", "local:", "local:two", "local:one/../one"])
def test_an_id_cannot_name_anything_else(id_: str):
    with pytest.raises(ModelError, match="choose another"):
        load_victim(id_)


def test_a_run_that_is_not_there_is_named():
    with pytest.raises(RunError, match="no run"):
        load_victim("0123456789ab")


def test_a_model_is_loaded_once_until_its_weights_change(one_model: Path):
    first = load_victim("local:one")
    assert load_victim("local:one") is first
    before = weights_of("local:one")
    with torch.no_grad():
        other = tiny_victim(
            "tiny", Dataset("x", ("a", "b"), *[(Example("0", "a b", ("a",)),)] * 3), seed=1
        )
    other.save(one_model)
    assert weights_of("local:one") != before
    assert load_victim("local:one") is not first


def test_a_model_is_named_by_its_hash_and_known_by_the_digest_of_its_files_too(one_model: Path):
    named = weights_of("local:one")
    assert named == load_victim("local:one").hash
    assert has_weights("local:one", named)
    assert has_weights("local:one", files_digest(one_model))
    assert not has_weights("local:one", "0123456789ab")
    assert not has_weights("local:one", "")
    (one_model / CARD).unlink()  # as of a model that advlab did not save
    assert weights_of("local:one") == named  # one hash everywhere, whoever saved the model
    assert not has_weights("local:one", "")


def test_a_capsule_finds_its_model_by_the_card_and_without_one_by_loading(
    one_model: Path, monkeypatch: pytest.MonkeyPatch
):
    wanted = load_victim("local:one").hash
    with monkeypatch.context() as patch:
        patch.setattr(Victim, "load", lambda *_, **__: pytest.fail("a model was loaded"))
        assert model_of(wanted, model_choices()) == ["local:one"]
        assert model_of("0123456789ab", model_choices()) == []
    (one_model / CARD).unlink()
    assert model_of(wanted, model_choices()) == ["local:one"]


def test_a_borrowed_model_shares_weights_and_is_ready_for_analysis():
    shared = load_victim("local:one")
    with borrow("local:one") as victim:
        assert victim is not shared
        assert victim.model is not shared.model
        mine = next(victim.model.parameters())
        assert mine.data_ptr() == next(shared.model.parameters()).data_ptr()
        assert not victim.model.training
        assert not mine.requires_grad


def test_concurrent_borrowers_get_what_one_alone_gets():
    def gradient(text: str) -> torch.Tensor:
        with borrow("local:one") as victim:
            batch = victim.encode([Example("0", text, victim.head[1:2])])
            embeds = victim.embed(batch).detach().requires_grad_()
            return torch.autograd.grad(victim.objective(batch)(embeds).sum(), embeds)[0]

    texts = [f"a good text {i}" for i in range(8)] * 4
    alone = [gradient(text) for text in texts]
    with ThreadPoolExecutor(2 * TURNS.at_once) as pool:
        together = list(pool.map(gradient, texts))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    assert all(p.grad is None for p in load_victim("local:one").model.parameters())


def test_the_pair_to_open_with_fits_each_other_and_the_data():
    def made(source: str, method: str) -> str:
        return jobs.submit(RunConfig(data=DataConfig(source), method={"name": method}))

    plain = made("reviews", "plain")
    older = made("reviews", "pgd")
    newer = made("reviews", "fgm")
    alone = made("headlines", "plain")  # the newest, and nothing to compare it with
    ids = [run.id for run in jobs.runs()]
    assert ids == [alone, newer, older, plain]
    assert fitting_pair(ids) == [plain, newer]
    assert fitting_pair([alone, older, newer]) == [older, newer]
    assert fitting_pair([alone]) == [alone]
    assert fitting_pair([alone, "local:one"]) == [alone]
    assert fitting_pair(["local:one", "local:two"]) == ["local:one", "local:two"]
