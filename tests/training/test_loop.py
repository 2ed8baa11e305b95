from __future__ import annotations

import itertools
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification
from victims import make_victim, write_reviews

from advlab.attacks import FGM, PGD
from advlab.attacks.evaluate import wilson
from advlab.data import load_data
from advlab.errors import DataError, ModelError, RunError, SettingError
from advlab.model.victim import Victim
from advlab.records import Event
from advlab.runs.config import (
    Augmentation,
    DataConfig,
    ModelConfig,
    Regularisation,
    RunConfig,
    TrainConfig,
)
from advlab.tasks.scratch import learn_tokenizer
from advlab.training import judging, meters
from advlab.training import loop as training
from advlab.training.augment import synonyms_of
from advlab.training.checkpoints import State
from advlab.training.judging import Judgement, Ranked
from advlab.training.loop import _sizes, epoch_batches, prepare, train
from advlab.training.methods import build_method
from advlab.training.methods.base import Step
from advlab.training.methods.inputs import FreeAT
from advlab.training.optimizer import adamw
from advlab.training.warmup import eps_strength, lr_share
from advlab.training.watches import easy_and_hard, overfitted

PGD2 = {"name": "pgd", "eps": 0.5, "steps": 2}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data") / "texts.csv", 240)


def config_for(texts: Path, method: dict[str, Any] | None = None, **changes: Any) -> RunConfig:
    settings: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 16,
        "lr": 3e-3,
        "eval_limit": 16,
        "choose": "last",
        "seed": 3,
    } | changes
    return RunConfig(
        "test",
        data=DataConfig(source=str(texts)),
        model=ModelConfig(max_length=24),
        method=method or {"name": "plain"},
        train=TrainConfig(**settings),
    )


def run(config: RunConfig, folder: Path, **more: Any) -> list[Event]:
    return list(train(config, folder, **more))


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [e for e in events if e.kind == kind]


def stop_after(steps: int, word: str = "pause") -> Callable[[], str | None]:
    asked = []

    def stop() -> str | None:
        asked.append(1)
        return word if len(asked) == steps else None

    return stop


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def assert_same_weights(a: Path, b: Path) -> None:
    first, second = weights(a), weights(b)
    assert set(first) == set(second)
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert Victim.load(a / "model").hash == Victim.load(b / "model").hash


@pytest.fixture(scope="module")
def finished(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], Path]:
    """An uninterrupted adversarial run, and its folder."""
    folder = tmp_path_factory.mktemp("run")
    return run(config_for(texts, PGD2), folder), folder


# ---- schedules and batches ------------------------------------------------------------------


def test_an_epoch_meets_each_text_once_in_another_order() -> None:
    lengths = [3 + (i * 7) % 40 for i in range(501)]
    first, again = epoch_batches(lengths, 16, 1, 0), epoch_batches(lengths, 16, 1, 0)
    assert first == again
    for batches in (first, epoch_batches(lengths, 16, 1, 1), epoch_batches(lengths, 16, 2, 0)):
        assert sorted(i for batch in batches for i in batch) == list(range(501))
        assert max(map(len, batches)) == 16
        assert len(batches) == 32
    assert first != epoch_batches(lengths, 16, 1, 1)
    assert first != epoch_batches(lengths, 16, 2, 0)


def test_buckets_keep_padding_small_and_the_order_mixed() -> None:
    lengths = [5 + (i * 37) % 60 for i in range(3200)]
    batches = epoch_batches(lengths, 32, 0, 0)
    slots = sum(len(b) * max(lengths[i] for i in b) for b in batches)
    assert 1 - sum(lengths) / slots < 0.03
    means = [sum(lengths[i] for i in b) / len(b) for b in batches]
    rises = sum(a < b for a, b in itertools.pairwise(means))
    assert 0.3 < rises / len(means) < 0.7  # neither sorted up nor down


def test_short_texts_come_first_as_often_as_need_be() -> None:
    lengths = [5 + (i * 37) % 60 for i in range(960)]
    usual, eased = epoch_batches(lengths, 32, 0, 0), epoch_batches(lengths, 32, 0, 0, short=25)
    assert eased == epoch_batches(lengths, 32, 0, 0, short=25)
    assert eased[25:] == usual[25:]
    longest_of_third = sorted(lengths)[959 // 3]
    met = Counter(i for batch in eased[:25] for i in batch)
    assert max(lengths[i] for i in met) <= longest_of_third < max(lengths)
    assert len(met) == 320
    assert set(met.values()) == {2, 3}  # 25 batches of 32, of 320 texts


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_run_reads_short_texts_first_within_its_first_epoch(
    share: float, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def batches(*args: Any, **more: Any) -> list[list[int]]:
        asked.append(args[3:])
        return epoch_batches(*args, **more)

    monkeypatch.setattr(training, "epoch_batches", batches)
    config = config_for(texts, short_first=share)
    start = next(e for e in run(config, tmp_path) if e.kind == "start")
    total = start.values["steps"]
    assert asked == [(0, min(total // 2, round(share * total))), (1, 0)]


def test_the_optimiser_forgets_as_fast_as_the_settings_say() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer = adamw([weight], TrainConfig(lr=0.1, beta2=0.5, weight_decay=0.0))
    for gradient in (4.0, 1.0):  # m: 0.4, 0.46; v: 8, 4.5; corrected by 1 - β^t
        weight.grad = torch.full((3,), gradient)
        optimizer.step()
    m, v = 0.46 / (1 - 0.9**2), 4.5 / (1 - 0.5**2)
    assert torch.allclose(weight.data, torch.tensor(-0.1 * (1 + m / v**0.5)), atol=1e-6)


def test_texts_and_answers_are_both_padded_little() -> None:
    config = RunConfig(data=DataConfig("normal-forms", task="translation"))
    victim, data = prepare(config)
    examples = data.train[:2000]
    sizes = _sizes(victim, examples, victim.reader.tokens_of(examples))
    texts = [len(t) for t in victim.reader.tokens_of(examples)]
    answers = [len(victim.reader.tokenizer(text_target=e.answer).input_ids) for e in examples]
    batches = epoch_batches(sizes, 64, 0, 0)
    assert sorted(i for batch in batches for i in batch) == list(range(2000))
    for lengths in (texts, answers):
        slots = sum(len(b) * max(lengths[i] for i in b) for b in batches)
        assert 1 - sum(lengths) / slots < 0.12


def test_eps_rises_from_nothing_to_all() -> None:
    settings = TrainConfig(eps_warmup=0.5)
    shares = [eps_strength(s, 10, 100, settings) for s in range(100)]
    assert shares[:10] == [0.0] * 10
    assert shares[10] == pytest.approx(0.02)
    assert shares[59] == pytest.approx(1.0)
    assert shares[60:] == [1.0] * 40
    assert shares == sorted(shares)
    at_once = TrainConfig(eps_warmup=0.0)
    assert [eps_strength(s, 0, 10, at_once) for s in range(10)] == [1.0] * 10
    assert [eps_strength(s, None, 10, at_once) for s in range(10)] == [0.0] * 10


def test_the_learning_rate_rises_and_falls() -> None:
    settings = TrainConfig(lr_warmup=0.2)
    shares = [lr_share(s, 50, settings) for s in range(50)]
    assert shares[0] == pytest.approx(0.1)
    assert max(shares) == shares[9] == 1.0
    assert shares[:10] == sorted(shares[:10])
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert 0 < shares[-1] < 0.05
    assert lr_share(50, 50, settings) == 0.0
    assert all(0 < lr_share(s, 3, TrainConfig(lr_warmup=0.0)) <= 1 for s in range(3))
    assert all(0 < lr_share(s, 3, TrainConfig(lr_warmup=1.0)) <= 1 for s in range(3))


# ---- a run ----------------------------------------------------------------------------------


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


def test_the_cost_of_a_step_is_told_once_it_is_more_than_chance() -> None:
    state = State(step=5, step_seconds=0.6, plain_seconds=1.0)  # one timing: any ratio may come
    meter = meters.CostMeter(state, batch_size=16, total=1000)
    assert meter.readings()["cost"] is None
    state.step = meters.FIRST + (meters.TIMINGS - 1) * meters.PLAIN_EVERY
    state.step_seconds, state.plain_seconds = 6.0, 3.0
    assert meter.readings()["cost"] == 2.0


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


# ---- stopping and going on ------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("number", "rank"),
    [
        (-9.0, None),
        (0.75, Ranked(True, 0.75)),
        (2.0, Ranked(True, 2.0)),
        (-0.5, Ranked(False, 0.5)),
    ],
)
def test_ranks_of_an_earlier_release_are_understood(number: float, rank: Ranked | None) -> None:
    """One number, less by 1 where every text got the same class."""
    assert State.from_json(json.dumps({"best": number})).best == rank


@pytest.mark.parametrize("choose", ["robust", "clean"])
def test_an_epoch_of_one_class_never_ranks_above_one_that_tells_texts_apart(choose: str) -> None:
    good, bad = wilson(9, 10), wilson(2, 10)
    constant, varied = Judgement(good, good, 0.7, 1), Judgement(bad, bad, 0.7, 2)
    assert varied.rank(choose, 1) > constant.rank(choose, 5)
    assert constant.rank(choose, 2) >= constant.rank(choose, 1)
    state = State()
    assert state.improves(constant.rank(choose, 1), 1)  # better than no model at all
    assert state.improves(varied.rank(choose, 2), 2)
    assert not state.improves(constant.rank(choose, 3), 3)
    assert (state.best_epoch, state.idle) == (2, 1)


def test_the_last_epoch_is_kept_unless_it_alone_collapsed() -> None:
    rate, state = wilson(5, 10), State()
    constant, varied = Judgement(rate, rate, 0.7, 1), Judgement(rate, rate, 0.7, 2)
    kept = [
        state.improves(judged.rank("last", epoch), epoch)
        for epoch, judged in enumerate((constant, varied, constant, constant, varied), start=1)
    ]
    assert kept == [True, True, False, True, True]


def test_a_cancelled_run_says_so_and_keeps_a_checkpoint(texts: Path, tmp_path: Path) -> None:
    events = run(config_for(texts), tmp_path, stop=stop_after(3, "cancel"))
    assert (events[-1].values["reason"], events[-1].step) == ("cancelled", 3)
    assert len(list((tmp_path / "checkpoints").glob("step-*"))) == 1


def test_resuming_without_a_checkpoint_begins_anew(texts: Path, tmp_path: Path) -> None:
    events = run(config_for(texts, epochs=1), tmp_path, resume=True)
    [note] = of_kind(events, "note")
    assert "started again from the beginning" in note.values["message"]
    assert events[-1].values["reason"] == "done"


def test_the_best_epoch_is_kept_and_patience_ends_a_run(texts: Path, tmp_path: Path) -> None:
    config = config_for(texts, epochs=12, choose="clean", patience=2, lr=1e-2)
    events = run(config, tmp_path)
    scores = [e.values["clean_accuracy"]["value"] for e in of_kind(events, "epoch")]
    best = scores.index(max(scores)) + 1
    assert events[-1].values["best_epoch"] == best
    assert [e.values["best"] for e in of_kind(events, "epoch")][best:] == [False] * (
        len(scores) - best
    )
    if len(scores) < 12:
        assert events[-1].values["reason"] == "early stop"
        assert len(scores) == best + 2


# ---- what goes wrong ------------------------------------------------------------------------


def test_a_collapse_raises_one_alarm(texts: Path, tmp_path: Path) -> None:
    at_once = {"clean_start": 0.0, "eps_warmup": 0.0}
    method = {"name": "pgd", "eps": 20.0, "steps": 2, "adv_weight": 1.0}
    events = run(config_for(texts, method, epochs=4, lr=2e-2, **at_once), tmp_path)
    alarms = of_kind(events, "alarm")
    assert [a.values["name"] for a in alarms] == ["collapse"]
    assert "collapsed" in alarms[0].values["message"]
    assert "ε" in alarms[0].values["message"]


def test_an_alarm_is_told_once_wherever_the_run_is_killed(texts: Path, tmp_path: Path) -> None:
    at_once = {"clean_start": 0.0, "eps_warmup": 0.0}
    method = {"name": "pgd", "eps": 20.0, "steps": 2, "adv_weight": 1.0}
    config = config_for(texts, method, epochs=4, lr=2e-2, **at_once)
    told = [e.kind for e in run(config, tmp_path / "whole") if e.kind in ("alarm", "epoch")]
    assert "alarm" in told
    for place in range(len(told)):
        folder = tmp_path / str(place)
        before: list[Event] = []
        for event in train(config, folder):  # killed as soon as that event is out
            before.append(event)
            if sum(e.kind in ("alarm", "epoch") for e in before) > place:
                break
        after = run(config, folder, resume=True)
        told_since = re.findall(r"resumed from step (\d+)", str(of_kind(after, "note")))
        since = int(told_since[0]) if told_since else 0
        kept = [e for e in before if e.step <= since]  # the others are met again
        assert [e.kind for e in kept + after if e.kind in ("alarm", "epoch")] == told


@pytest.mark.parametrize("name", ["noise", "fgm", "fgsm", "pgd", "freelb"])
def test_a_healthy_adversarial_run_raises_no_alarm(name: str, texts: Path, tmp_path: Path) -> None:
    events = run(config_for(texts, {"name": name}, epochs=5), tmp_path)
    assert not of_kind(events, "alarm")
    assert events[-1].values["test_accuracy"]["value"] > 0.75


def test_losses_that_are_not_finite_stop_the_run(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a finite loss"):
        run(
            config_for(texts, {"name": "pgd", "eps": 1e38, "start": "random"}, clean_start=0.0),
            tmp_path,
        )


def test_what_cannot_be_loaded_is_told_before_training(texts: Path, tmp_path: Path) -> None:
    config = config_for(texts)
    with pytest.raises(SettingError, match="unknown training method"):
        next(train(replace(config, method={"name": "magic"}), tmp_path))
    with pytest.raises(DataError):
        next(train(replace(config, data=DataConfig(source="/no/such.csv")), tmp_path))
    with pytest.raises(ModelError):
        next(train(replace(config, model=ModelConfig(source="/no/such/model")), tmp_path))


def test_label_smoothing_is_for_training_only(texts: Path) -> None:
    victim, data = prepare(config_for(texts, label_smoothing=0.4))
    batch = victim.encode(data.test[:4])
    x = victim.embed(batch).detach()
    plain = torch.nn.functional.cross_entropy(
        victim.output(x, batch), batch.target["labels"], reduction="none"
    )
    torch.testing.assert_close(victim.objective(batch)(x), plain)
    smooth = torch.nn.functional.cross_entropy(
        victim.output(x, batch), batch.target["labels"], reduction="none", label_smoothing=0.4
    )
    assert not torch.allclose(smooth, plain)
    torch.testing.assert_close(victim.objective(batch, training=True)(x), smooth)
    victim.model.train()  # what is asked for decides, not the model's mode
    for trained, wanted in ((False, plain), (True, smooth)):
        objective = victim.objective(batch, training=trained)
        with victim.analysing():
            torch.testing.assert_close(objective(x), wanted)
            rows = torch.tensor([2, 0])
            torch.testing.assert_close(objective.take(rows)(x[rows]), wanted[rows])


def test_the_tokenizer_is_the_same_every_time(texts: Path) -> None:
    """A resumed run learns it anew: other numbers would put the words on other rows."""
    corpus = [e.text for e in load_data(DataConfig(source=str(texts))).train]
    first = learn_tokenizer(corpus, 700).get_vocab()
    assert all(learn_tokenizer(corpus, 700).get_vocab() == first for _ in range(4))
    other = learn_tokenizer(corpus[::-1], 700).get_vocab()
    assert other == first  # nor does the order of the texts matter


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


def test_hotflip_texts_warm_up_as_eps_does(texts: Path, tmp_path: Path) -> None:
    """At full weight from the first step this run reads two thirds of its texts right, not all."""
    config = replace(config_for(texts, epochs=5), regularise=Regularisation(hotflip=1.0))
    events = run(config, tmp_path)
    assert not of_kind(events, "alarm")
    assert of_kind(events, "epoch")[-1].values["clean_accuracy"]["value"] > 0.9
    assert "hotflip_loss" not in of_kind(events, "step")[0].values  # a clean phase first
    assert "hotflip_loss" in of_kind(events, "step")[-1].values


def test_own_embedding_synonyms_are_close_whole_words() -> None:
    victim = make_victim("bert")
    with torch.no_grad():
        table = victim.model.get_input_embeddings().weight
        ids = victim.tokenizer.get_vocab()
        table[ids["great"]] = table[ids["good"]] * 1.01
    victim.forget()
    found = synonyms_of(victim, nearest=2)
    assert found["good"][0] == "great"
    assert all(len(others) <= 2 and word not in others for word, others in found.items())


def test_an_earned_eps_waits_while_the_perturbed_loss_is_near_guessing(
    texts: Path, tmp_path: Path
) -> None:
    def strengths(eps: float, schedule: str) -> list[float]:
        config = config_for(
            texts, {"name": "fgm", "eps": eps}, epochs=6, eps_schedule=schedule, clean_start=0.1
        )
        events = run(config, tmp_path / f"{schedule}{eps}")
        return [e.values["strength"] for e in of_kind(events, "epoch")]

    easy, hard = strengths(0.05, "earned"), strengths(50.0, "earned")
    assert easy[-1] == strengths(50.0, "linear")[-1] == 1.0
    assert hard[-1] < 1.0
    assert all(a >= b for a, b in zip(easy, hard, strict=True))


def test_an_earned_eps_is_judged_once_a_batch_and_by_perturbed_batches_alone(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With losses planted above the mark, ε waits one step a batch: free's replays do not add up."""

    def planted(method: Any, victim: Any, batch: Any, step: Step) -> dict[str, float]:
        step.carry.setdefault("spared", plain)
        return {"clean_loss": 0.1} if step.carry["spared"] else {"clean_loss": 0.1, "adv_loss": 9.0}

    monkeypatch.setattr(training, "REPORT_EVERY", 0.0)
    strengths = {}
    for plain in (False, True):
        monkeypatch.setattr(FreeAT, "backward", planted)
        config = config_for(
            texts,
            {"name": "free"},
            epochs=2,
            eps_schedule="earned",
            clean_start=0.0,
            eps_warmup=0.9,
        )
        told = [
            e.values["strength"]
            for e in of_kind(run(config, tmp_path / str(plain)), "step")
            if e.values["strength"] > 0
        ]
        strengths[plain] = told
    assert len(set(strengths[False])) == 1  # waits, and never falls back
    assert len(strengths[False]) > 5
    assert strengths[True] == sorted(strengths[True])
    assert strengths[True][-1] > 0.8


def test_the_cosine_schedule_ends_where_the_linear_one_ends() -> None:
    cosine = TrainConfig(eps_schedule="cosine", eps_warmup=0.5)
    linear = TrainConfig(eps_warmup=0.5)
    assert eps_strength(5, 10, 100, cosine) == 0
    assert eps_strength(60, 10, 100, cosine) == eps_strength(60, 10, 100, linear) == 1
    assert eps_strength(15, 10, 100, cosine) < eps_strength(15, 10, 100, linear)


def test_catastrophic_overfitting_is_a_gap_and_a_fall() -> None:
    def rates(easy: int, hard: int) -> tuple[Any, Any]:
        return wilson(easy, 256), wilson(hard, 256)

    assert overfitted(*rates(220, 40), before=0.6)
    assert not overfitted(*rates(220, 190), before=0.8)  # PGD is always a little stronger
    assert not overfitted(*rates(220, 40), before=0.1)  # never was robust
    assert not overfitted(*rates(40, 40), before=0.6)  # collapsed, or ε too large: another matter


@pytest.mark.parametrize(
    ("method", "watched"),
    [
        ({"name": "fgm"}, True),
        ({"name": "fgsm", "eps": 0.02}, True),
        ({"name": "fast", "p": "linf", "ball": "token"}, True),
        ({"name": "pgd", "steps": 1}, True),
        ({"name": "free"}, True),
        ({"name": "pgd", "steps": 2}, False),
        ({"name": "freelb"}, False),
    ],
)
def test_one_step_runs_are_watched_in_their_own_ball(
    method: dict[str, Any],
    watched: bool,
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Accuracies as an overfitting run has them stand in for the attacks' outcomes."""
    asked: list[Any] = []
    made: Any = build_method(method)

    def outcomes(victim: Any, examples: Any, attack: Any = None, **_: Any) -> list[bool]:
        share = 0.9
        if attack is not None and attack.eps == made.eps:
            asked.append(attack)
            if isinstance(attack, PGD):
                share = 0.7 if sum(isinstance(a, PGD) for a in asked) == 1 else 0.1
        return [i < share * len(examples) for i in range(len(examples))]

    monkeypatch.setattr(judging, "survives", outcomes)
    events = run(config_for(texts, method, epochs=4, clean_start=0.0), tmp_path)
    alarms = [e.values for e in of_kind(events, "alarm")]
    found = [a for a in alarms if a["name"] == "catastrophic overfitting"]
    assert len(found) == watched
    assert all("pgd or freelb" in a["message"] for a in found)
    assert all((a.p, a.ball, a.unit) == (made.p, made.ball, made.unit) for a in asked)


def test_on_a_hidden_layer_the_judges_ball_is_watched() -> None:
    judge = PGD(0.25, steps=5, step_size=0.4)
    method = build_method({"name": "hidden", "steps": 1, "eps": 3.0})
    assert method.one_step
    assert easy_and_hard(method, judge) == (FGM(0.25), judge)


def test_a_real_run_that_overfits_to_its_one_step_is_caught(texts: Path, tmp_path: Path) -> None:
    """Fast-AT with a wide L∞ ball: at last one step leaves four texts in five, PGD-5 one in three."""
    config = config_for(
        texts, {"name": "fast", "p": "linf", "eps": 0.1}, epochs=14, eval_limit=64, weight_decay=0.0
    )
    told: list[str] = []
    for event in train(config, tmp_path):
        if event.kind == "alarm":
            told.append(event.values["name"])
            break
    assert told == ["catastrophic overfitting"]


def test_texts_that_are_cut_are_told(texts: Path, tmp_path: Path) -> None:
    config = replace(config_for(texts, epochs=1), model=ModelConfig(max_length=10))
    [note] = of_kind(run(config, tmp_path), "note")
    said = re.fullmatch(
        r"training texts: (\d+) of 1\d\d texts are longer than 10 tokens: .*",
        note.values["message"],
    )
    assert said
    assert int(said[1]) > 10
