from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from short_runs import config_for, of_kind, run

from advlab.runs.config import DataConfig, Regularisation, RunConfig, TrainConfig
from advlab.training import loop as training
from advlab.training.loop import _sizes, epoch_batches, prepare
from advlab.training.methods.base import Step
from advlab.training.methods.inputs import FreeAT
from advlab.training.optimizer import adamw
from advlab.training.warmup import eps_strength, lr_share


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
    longest_of_ninth = sorted(lengths)[959 // 9]
    met = Counter(i for batch in eased[:25] for i in batch)
    assert max(lengths[i] for i in met) <= longest_of_ninth < max(lengths)
    assert len(met) == 107
    # 25 batches for 107 texts: four in a pass, the last of 11
    assert sum(met.values()) == 6 * 107 + 32
    assert set(met.values()) == {6, 7}


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


def test_hotflip_texts_warm_up_as_eps_does(texts: Path, tmp_path: Path) -> None:
    """At full weight from the first step this run reads two thirds of its texts right, not all."""
    config = replace(config_for(texts, epochs=5), regularise=Regularisation(hotflip=1.0))
    events = run(config, tmp_path)
    assert not of_kind(events, "alarm")
    assert of_kind(events, "epoch")[-1].values["clean_accuracy"]["value"] > 0.9
    assert "hotflip_loss" not in of_kind(events, "step")[0].values  # a clean phase first
    assert "hotflip_loss" in of_kind(events, "step")[-1].values


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
