"""advlab capsule: what it understands, and how it finds the model of a capsule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import json_of, said
from victims import LABELS, make_victim

from advlab.capsule.format import load
from advlab.cli.capsule import model_of_weights
from advlab.errors import ModelError
from advlab.model.card import CARD
from advlab.model.victim import Victim
from advlab.runs import jobs
from advlab.runs.config import RunConfig

TEXT = "the film was good"


@pytest.fixture
def runs() -> dict[str, Path]:
    """Two runs that have a model, name -> its folder."""
    folders = {}
    for seed, name in enumerate(("first", "second")):
        info = jobs.open_here(RunConfig(name))
        make_victim("bert", seed=seed).save(info.folder.model)
        folders[name] = info.folder.model
    return folders


def kept(capsys: pytest.CaptureFixture[str], file: Path, *words: str) -> Path:
    """A capsule of the text, saved there."""
    quick = ("--text", TEXT, "--attack", "fgm")
    said(capsys, "capsule", "save", str(file), *quick, *words)
    return file


@pytest.mark.parametrize("label", ["1", LABELS[1]])
def test_a_class_is_named_or_counted_as_in_attack(
    label: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = kept(capsys, tmp_path / "one.json", "--model", "first", "--label", label)
    assert load(file.read_bytes()).label == LABELS[1]
    found = json_of(capsys, "attack", "first", TEXT, "--attack", "fgm", "--label", label)
    assert found["reference"] == LABELS[1]


def test_a_class_that_is_none_is_refused_as_in_attack(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("capsule", "save", str(tmp_path / "one.json"), "--model", "first", "--text", TEXT)
    told = said(capsys, *words, "--label", "7", status=2)[1]
    assert told == said(capsys, "attack", "first", TEXT, "--label", "7", status=2)[1]
    assert "got 7" in told


def test_the_model_of_a_capsule_is_found_among_the_runs_and_no_other_is_loaded(
    runs: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = kept(capsys, tmp_path / "one.json", "--model", "first")
    opened, really = [], Victim.load
    monkeypatch.setattr(
        Victim, "load", lambda source, **more: opened.append(source) or really(source, **more)
    )
    assert json_of(capsys, "capsule", "verify", str(file))["verified"]
    assert opened == [runs["first"]]  # the second one, which is newer, is passed by


def test_a_folder_whose_card_tells_no_hash_is_known_by_loading_it(runs: dict[str, Path]) -> None:
    wanted = Victim.load(runs["first"]).hash
    for folder in runs.values():  # as older versions saved it
        card = json.loads((folder / CARD).read_text())
        del card["hash"], card["digest"]
        (folder / CARD).write_text(json.dumps(card))
    assert model_of_weights(wanted).name == "first"


def test_weights_put_beside_the_card_of_others_are_found_where_they_are(
    runs: dict[str, Path],
) -> None:
    wanted = Victim.load(runs["first"]).hash
    first, second = (runs[name] / "model.safetensors" for name in ("first", "second"))
    first.rename(first.with_suffix(".aside"))
    second.rename(first)
    first.with_suffix(".aside").rename(second)
    found = model_of_weights(wanted)
    assert (found.name, found.hash) == ("second", wanted)


def test_weights_that_no_run_has_are_told(runs: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="a run with the weights 0123456789ab, found none"):
        model_of_weights("0123456789ab")
