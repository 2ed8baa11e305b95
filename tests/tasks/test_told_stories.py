"""A real pretrained causal model replies and is attacked: `ADVLAB_STORIES` names its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from stories import read_model, read_tokenizer

from advlab.attacks import PGD
from advlab.explain.explore import explore
from advlab.model.victim import Victim
from advlab.tasks.dialogue import Dialogue

FOLDER = Path(os.environ.get("ADVLAB_STORIES", ""))
pytestmark = pytest.mark.skipif(
    not (FOLDER / "stories260K.bin").is_file(),
    reason="ADVLAB_STORIES names no folder with the model",
)


def nats(model: torch.nn.Module, ids: torch.Tensor) -> float:
    with torch.no_grad():
        return float(model(input_ids=ids, labels=ids).loss)


def test_it_tells_a_story_and_would_not_with_its_rows_in_the_order_of_the_file() -> None:
    model, tokenizer = (
        read_model(FOLDER / "stories260K.bin"),
        read_tokenizer(FOLDER / "tok512.bin"),
    )
    ids = model.generate(torch.tensor([[1]]), max_new_tokens=100, do_sample=False)
    text = tokenizer.decode(ids[0], skip_special_tokens=True)
    assert text.startswith("Once upon a time, there was a little girl named Lily.")
    again = tokenizer(text, return_tensors="pt")["input_ids"]
    assert torch.equal(again, ids[:, : again.shape[1]])
    assert nats(model, ids) < 0.6
    assert nats(read_model(FOLDER / "stories260K.bin", turned=False), ids) > 2.5


def test_its_folder_opens_as_a_speaker(tmp_path: Path) -> None:
    read_model(FOLDER / "stories260K.bin").save_pretrained(tmp_path)
    read_tokenizer(FOLDER / "tok512.bin").save_pretrained(tmp_path)
    victim = Victim.load(tmp_path, task=Dialogue(longest=20))
    text = "User: Where is the dog?\nBot: He is in the park.\nUser: Who is with him?"
    record = explore(victim, text, attack=PGD(0.5, steps=4), points=5, draws=3)
    assert record.clean.answers[0] == record.reference != ""
    assert record.attacked.loss[0] > record.clean.loss[0]
    assert "User" not in " ".join(record.words)
