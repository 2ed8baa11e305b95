"""The card beside saved weights tells their hash, and never that of others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from victims import KINDS, make_victim

from advlab.model.card import CARD, files_digest, read_card, weights_hash
from advlab.model.victim import Victim


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_the_card_tells_the_hash_that_the_loaded_model_has(
    kind: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    make_victim(kind, dtype=dtype).save(tmp_path)
    assert weights_hash(tmp_path) == read_card(tmp_path)["hash"] == Victim.load(tmp_path).hash


def test_what_is_saved_after_more_training_has_a_hash_of_its_own(tmp_path: Path) -> None:
    victim = make_victim("bert", dtype=torch.float32)
    before = victim.hash
    with torch.no_grad():
        victim.model.classifier.bias += 1
    victim.save(tmp_path)
    assert weights_hash(tmp_path) == Victim.load(tmp_path).hash != before


def test_a_copied_folder_tells_the_same(tmp_path: Path) -> None:
    make_victim("bert").save(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two", copy_function=shutil.copyfile)
    assert weights_hash(tmp_path / "two") == weights_hash(tmp_path / "one") != ""


def test_a_card_beside_other_weights_is_not_believed(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 1)):
        make_victim("bert", seed=seed).save(tmp_path / name)
    shutil.copy(tmp_path / "two" / "model.safetensors", tmp_path / "one")
    assert weights_hash(tmp_path / "one") == ""
    assert files_digest(tmp_path / "one") == files_digest(tmp_path / "two")


def test_a_folder_whose_card_tells_no_hash_or_is_none_has_none(tmp_path: Path) -> None:
    make_victim("bert").save(tmp_path)
    card = read_card(tmp_path)
    (tmp_path / CARD).write_text(json.dumps({"name": card["name"]}))
    assert weights_hash(tmp_path) == ""
    (tmp_path / CARD).write_text("{")
    assert weights_hash(tmp_path) == ""
    (tmp_path / CARD).unlink()
    assert (weights_hash(tmp_path), read_card(tmp_path)) == ("", {})
