from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from short_runs import PGD2, assert_same_weights, config_for, of_kind, run, stop_after, weights
from transformers import AutoModelForSequenceClassification

from advlab.data import load_data
from advlab.model.victim import Victim
from advlab.records import Event
from advlab.runs.config import Augmentation, DataConfig, Regularisation
from advlab.training import loop as training
from advlab.training import meters
from advlab.training.checkpoints import State
from advlab.training.judging import Ranked
from advlab.training.loop import prepare, train


@pytest.fixture(scope="module")
def finished(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], Path]:
    """An uninterrupted adversarial run, and its folder."""
    folder = tmp_path_factory.mktemp("run")
    return run(config_for(texts, PGD2), folder), folder


def test_a_run_tells_its_story(finished: tuple[list[Event], Path], texts: Path) -> None:
    events, _ = finished
    kinds = [e.kind for e in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert kinds.count("epoch") == 2
    start, end = events[0].values, events[-1].values
    data = load_data(DataConfig(source=str(texts)))
    assert start["train_texts"] == len(data.train)
    assert start["answers"] == list(data.head)
    assert start["steps"] == 2 * -(-len(data.train) // 16) == events[-1].step
    assert start["majority"] == data.majority
    for event in of_kind(events, "step"):
        assert {"epoch", "clean_loss", "adv_loss", "delta_norm", "embed_norm", "lr", "eta"} <= set(
            event.values
        )
    for event in of_kind(events, "epoch"):
        clean, robust = event.values["clean_accuracy"], event.values["robust_accuracy"]
        assert clean["low"] <= clean["value"] <= clean["high"]
        assert robust["value"] <= clean["value"]
    assert end["reason"] == "done"
    assert end["test_robust_accuracy"]["value"] <= 1
    assert 0 <= end["padding"] < 0.3


def test_a_run_learns(texts: Path, tmp_path: Path) -> None:
    events = run(config_for(texts, epochs=6), tmp_path)
    assert events[-1].values["test_accuracy"]["value"] > 0.9
    assert not of_kind(events, "alarm")


def test_the_kept_model_opens_without_advlab(finished: tuple[list[Event], Path]) -> None:
    _, folder = finished
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model").eval()
    victim = Victim.load(folder / "model")
    batch = victim.encode(["the film was good", "a very dull scene"])
    with torch.no_grad():
        theirs = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    torch.testing.assert_close(victim.output(victim.embed(batch), batch), theirs, rtol=0, atol=1e-5)
    assert set(victim.head) == {"negative", "positive"}
    assert not [p for p in folder.rglob("*") if p.suffix in {".bin", ".pt", ".pth", ".pkl"}]


def test_word_vectors_keep_length_one(finished: tuple[list[Event], Path], texts: Path) -> None:
    _, folder = finished
    table = Victim.load(folder / "model").table
    lengths = table.norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths) * (lengths > 0), atol=1e-5, rtol=0)
    fresh, _ = prepare(config_for(texts, PGD2))
    assert (fresh.table - table).abs().max() > 0.01  # though they did move
    assert fresh.scale.mean_norm == Victim.load(folder / "model").scale.mean_norm


def test_word_vectors_may_be_left_to_grow(texts: Path, tmp_path: Path) -> None:
    config = config_for(texts, epochs=1)
    free = replace(config, model=replace(config.model, unit_norm=False))
    run(free, tmp_path)
    kept = Victim.load(tmp_path / "model")
    lengths = kept.table.norm(dim=1)[kept.ordinary]
    assert (lengths - 1).abs().max() > 0.01
    assert kept.scale.mean_norm == prepare(free)[0].scale.mean_norm  # ε still counts the first ones


def test_the_same_config_gives_the_same_run(
    finished: tuple[list[Event], Path], texts: Path, tmp_path: Path
) -> None:
    events, folder = finished
    again = run(config_for(texts, PGD2), tmp_path)
    assert_same_weights(folder, tmp_path)
    first, second = ([e.values for e in of_kind(es, "epoch")] for es in (events, again))
    assert first == second
    ends = [
        (e[-1].values["test_accuracy"], e[-1].values["test_robust_accuracy"])
        for e in (events, again)
    ]
    assert ends[0] == ends[1]
    starts = [of_kind(es, "step")[0].values["clean_loss"] for es in (events, again)]
    assert starts[0] == starts[1]


def test_another_seed_gives_another_run(
    finished: tuple[list[Event], Path], texts: Path, tmp_path: Path
) -> None:
    run(config_for(texts, PGD2, seed=4, epochs=1), tmp_path)
    other = weights(tmp_path)
    same = weights(finished[1])
    assert any(not torch.equal(other[k], same[k]) for k in same)


def test_how_often_progress_is_reported_changes_nothing(
    finished: tuple[list[Event], Path], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports, timings of plain steps and checkpoints draw nothing from the run's random state."""
    monkeypatch.setattr(training, "REPORT_EVERY", 0.0)
    monkeypatch.setattr(meters, "PLAIN_EVERY", 5)
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 0.05)
    events = run(config_for(texts, PGD2), tmp_path)
    assert len(of_kind(events, "step")) == events[-1].step
    assert of_kind(events, "step")[-1].values["cost"] > 1
    assert_same_weights(finished[1], tmp_path)


@pytest.mark.parametrize("method", [PGD2, {"name": "freelb", "eps": 0.5, "steps": 2}])
@pytest.mark.parametrize("at", [5, "epoch", "end"])
def test_a_resumed_run_equals_the_uninterrupted_one(
    texts: Path, tmp_path: Path, method: dict[str, Any], at: int | str
) -> None:
    """Paused inside an epoch, after an epoch's last step, and after the run's last step."""
    config = config_for(texts, method, epochs=2, choose="clean")
    whole = run(config, tmp_path / "whole")
    per_epoch = whole[0].values["steps"] // 2
    steps = {"epoch": per_epoch, "end": 2 * per_epoch}.get(str(at), at)
    assert isinstance(steps, int)
    first = run(config, tmp_path / "parts", stop=stop_after(steps))
    assert first[-1].kind == "end"
    assert first[-1].values["reason"] == "paused"
    assert first[-1].step == steps
    torch.rand(17)  # the second process has another random state
    rest = run(config, tmp_path / "parts", resume=True)
    assert rest[-1].values["reason"] == "done"
    assert f"resumed from step {steps}" in of_kind(rest, "note")[0].values["message"]
    epochs = [e.values for e in of_kind(first, "epoch") + of_kind(rest, "epoch")]
    assert epochs == [e.values for e in of_kind(whole, "epoch")]
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")
    for name in ("test_accuracy", "test_robust_accuracy", "best_epoch"):
        assert rest[-1].values[name] == whole[-1].values[name]


def test_a_killed_run_goes_on_from_its_last_checkpoint(
    finished: tuple[list[Event], Path], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "REPORT_EVERY", 0.0)
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 0.0)
    events = train(config_for(texts, PGD2), tmp_path)
    for event in events:
        if event.step == 4:
            break
    events.close()  # the process is gone: nothing is written on the way out
    (tmp_path / "checkpoints" / ".writing-step-0000099").mkdir()  # it died while writing another
    rest = run(config_for(texts, PGD2), tmp_path, resume=True)
    assert "resumed from step 3" in of_kind(rest, "note")[0].values["message"]
    assert_same_weights(finished[1], tmp_path)


def test_a_cut_checkpoint_is_named_and_the_one_before_it_continues(
    finished: tuple[list[Event], Path], texts: Path, tmp_path: Path
) -> None:
    run(config_for(texts, PGD2), tmp_path, stop=stop_after(5))
    (good,) = (tmp_path / "checkpoints").iterdir()
    cut = good.with_name("step-0000006")
    shutil.copytree(good, cut)
    (cut / "state.json").write_text('{"step": 6}')
    data = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(data[:-100])
    rest = run(config_for(texts, PGD2), tmp_path, resume=True)
    message = of_kind(rest, "note")[0].values["message"]
    assert "resumed from step 5" in message
    assert "step-0000006 is damaged and was passed over" in message
    assert_same_weights(finished[1], tmp_path)


def test_a_checkpoint_of_an_earlier_release_goes_on(
    finished: tuple[list[Event], Path], texts: Path, tmp_path: Path
) -> None:
    """It held a number for the best epoch, −9 before the first, and a count that no one reads."""
    first = run(config_for(texts, PGD2), tmp_path, stop=stop_after(5))
    assert first[-1].values["reason"] == "paused"
    (file,) = (tmp_path / "checkpoints").glob("step-*/state.json")
    state = json.loads(file.read_text())
    assert state["best"] is None
    file.write_text(json.dumps(state | {"best": -9.0, "plain_steps": 1}))
    rest = run(config_for(texts, PGD2), tmp_path, resume=True)
    assert "resumed from step 5" in of_kind(rest, "note")[0].values["message"]
    assert_same_weights(finished[1], tmp_path)


def test_the_state_of_a_run_survives_its_checkpoint() -> None:
    state = State(step=7, rise=3, level=0.5, hard=0.25, validated=1, seconds=2.5)
    assert state.improves(Ranked(True, 0.75), epoch=1)
    assert State.from_json(json.dumps(asdict(state))) == state
    assert State.from_json("{}") == State()


def test_a_cancelled_run_says_so_and_keeps_a_checkpoint(texts: Path, tmp_path: Path) -> None:
    events = run(config_for(texts), tmp_path, stop=stop_after(3, "cancel"))
    assert (events[-1].values["reason"], events[-1].step) == ("cancelled", 3)
    assert len(list((tmp_path / "checkpoints").glob("step-*"))) == 1


def test_resuming_without_a_checkpoint_begins_anew(texts: Path, tmp_path: Path) -> None:
    events = run(config_for(texts, epochs=1), tmp_path, resume=True)
    [note] = of_kind(events, "note")
    assert "started again from the beginning" in note.values["message"]
    assert events[-1].values["reason"] == "done"


def test_augmented_and_regularised_training_is_the_same_again_after_a_resume(
    texts: Path, tmp_path: Path
) -> None:
    config = replace(
        config_for(texts, {"name": "fgm"}, epochs=2),
        regularise=Regularisation(rdrop=1.0, mixup=0.5, hotflip=0.5, dropout=0.2),
        augment=Augmentation(word_dropout=0.2, word_swap=0.1, synonyms=0.2, typos=0.1),
    )
    whole = run(config, tmp_path / "whole")
    steps = iter(range(10**6))
    events = list(
        train(config, tmp_path / "cut", stop=lambda: "pause" if next(steps) == 5 else None)
    )
    assert events[-1].values["reason"] == "paused"
    rest = list(train(config, tmp_path / "cut", resume=True))
    assert rest[-1].values["test_accuracy"] == whole[-1].values["test_accuracy"]
    told = of_kind(whole, "step")[-1].values
    assert {"rdrop_loss", "mixup_loss", "hotflip_loss"} <= set(told)
    one, other = (
        load_file(tmp_path / name / "model/model.safetensors") for name in ("whole", "cut")
    )
    assert all(torch.equal(one[k], other[k]) for k in one)
