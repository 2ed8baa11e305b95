from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from commands import json_of, said
from translators import EXAMPLES, shared_translator

from advlab.errors import SettingError
from advlab.records import Dataset, Event
from advlab.records.estimates import wilson
from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig, TrainConfig
from advlab.runs.jobs import RunInfo
from advlab.runs.standing import standing
from advlab.studies import sweep
from advlab.studies.sweep import Sweep, missing, ranking, submit
from advlab.training.judging import Judge

BASE = RunConfig(data=DataConfig("reviews", limit=40), train=TrainConfig(epochs=1, eval_limit=64))


def asked(**changes: Any) -> Sweep:
    return replace(Sweep(("fgm", "pgd"), (0.25, 0.5), (1, 3), (0,), BASE), **changes)


def test_every_combination_comes_once_and_plain_once_a_seed() -> None:
    configs = asked(seeds=(0, 1)).configs()
    titles = [c.name for c in configs]
    assert len(set(titles)) == len(titles) == 2 * (1 + 2 + 2 * 2)
    assert titles[0] == "reviews: plain, seed 0"
    assert {c.method["name"] for c in configs} == {"plain", "fgm", "pgd"}
    assert {c.method["steps"] for c in configs if c.method["name"] == "pgd"} == {1, 3}
    assert {c.train.seed for c in configs} == {0, 1}
    assert all(c.data == BASE.data for c in configs)


def test_a_method_with_another_usual_epsilon_keeps_its_proportion() -> None:
    [_, fgsm, fgm] = asked(methods=("fgsm", "fgm"), eps=(1.0,)).configs()
    assert fgsm.method["eps"] == pytest.approx(0.03)  # twice its default, as 1.0 is of 0.5
    assert fgm.method["eps"] == 1.0


def test_what_cannot_be_swept_is_told() -> None:
    with pytest.raises(SettingError, match="at most 60 runs, got 65"):
        asked(eps=tuple(0.1 * k for k in range(1, 17)), steps=(1, 2, 3)).configs()
    with pytest.raises(SettingError, match="'pdg'"):
        asked(methods=("pdg",)).configs()
    with pytest.raises(SettingError, match="a seed at least"):
        asked(seeds=()).configs()


def test_the_same_sweep_queues_only_what_is_missing() -> None:
    first = asked(methods=("fgm",), eps=(0.25,))
    submit(first)
    assert len(jobs.runs()) == 2
    wider = asked(methods=("fgm",))
    submit(wider)
    submit(wider)
    assert len(jobs.runs()) == 3  # one more ε, the same group
    assert [i.name for i in sweep.members(first)] == [
        "reviews: plain, seed 0",
        "reviews: fgm, ε 0.25, seed 0",
    ]
    sweep.stop(wider.group)
    assert {i.status for i in jobs.runs()} == {"paused"}
    assert len(missing(wider)) == 3
    submit(wider)
    assert {i.status for i in jobs.runs()} == {"queued"}
    assert list(sweep.groups()) == [wider.group]
    assert asked(base=replace(BASE, data=DataConfig("messages"))).group != wider.group


def finished(
    name: str,
    clean: int,
    robust: int,
    *,
    cost: float = 2.0,
    n: int = 400,
    alarm: bool = False,
    seed: int = 0,
    **method: Any,
) -> RunInfo:
    """A run of the queue whose diary says what it reached on n validation texts."""
    config = replace(
        BASE, name=name, method={"name": name, **method}, train=replace(BASE.train, seed=seed)
    )
    info = jobs.open_here(config, group="sweep-x")
    with info.folder.writer() as diary:
        diary.append(
            Event(
                "epoch",
                9,
                0.0,
                {
                    "epoch": 1,
                    "best": True,
                    "clean_accuracy": vars(wilson(clean, n)),
                    "robust_accuracy": vars(wilson(robust, n)),
                },
            )
        )
        if alarm:
            diary.append(Event("alarm", 9, 0.0, {"name": "collapse", "message": "collapsed"}))
        diary.append(
            Event(
                "end",
                9,
                0.0,
                {
                    "reason": "done",
                    "cost": cost,
                    "seconds": 5.0,
                    "test_accuracy": vars(wilson(80, 100)),
                    "test_robust_accuracy": vars(wilson(60, 100)),
                },
            )
        )
    return replace(jobs.run(info.id), status="done")


def test_the_cheapest_of_those_that_cannot_be_told_apart_is_recommended() -> None:
    found = ranking(
        [
            finished("plain", 340, 80, cost=1.0),
            finished("freelb", 338, 262, cost=2.9, eps=0.5, steps=3),
            finished("fgm", 336, 256, cost=1.9, eps=0.5),
            finished("pgd", 330, 160, cost=1.1, eps=0.1, steps=3),
        ]
    )
    assert [s.method["name"] for s in found.settings] == ["freelb", "fgm", "pgd", "plain"]
    assert found.advice.startswith("Take fgm, ε 0.5:")
    assert "not tell it apart from freelb" in found.advice
    assert "+44.0 points" in found.advice  # 64 % against 20 %
    assert "−1.0 points" in found.advice
    assert "largest tried" in found.advice


def test_a_setting_that_raised_an_alarm_is_passed_over() -> None:
    found = ranking(
        [
            finished("plain", 340, 80),
            finished("fgm", 336, 256, cost=1.9, eps=0.5, alarm=True),
            finished("freelb", 336, 250, cost=2.9, eps=0.5, steps=3),
        ]
    )
    assert found.advice.startswith("Take freelb")
    assert "alarm in fgm, ε 0.5" in found.advice


def test_plain_training_wins_where_nothing_is_gained() -> None:
    found = ranking([finished("plain", 360, 200), finished("fgm", 200, 190, eps=0.5)])
    assert "Plain training is the best" in found.advice
    assert "No adversarial setting" in ranking([finished("plain", 1, 1)]).advice


def test_seeds_are_pooled_and_what_is_missing_is_counted() -> None:
    runs = [finished("fgm", k, k - 20, eps=0.5, seed=s) for s, k in enumerate((300, 320, 340))]
    found = ranking([*runs, replace(runs[0], status="queued")])
    [one] = found.settings
    assert (one.clean.n, one.clean.value) == (1200, 0.8)
    assert len(one.ids) == 3
    assert found.waiting == 1
    assert (
        "Runs still to come: 1;"
        in ranking([*runs, finished("plain", 1, 1), replace(runs[0], status="queued")]).advice
    )


def test_a_real_sweep_from_the_command_line_goes_on_where_it_was(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("sweep", "--methods", "fgm", "--eps", "0.3", "--limit", "40", "--epochs", "1")
    first = json_of(capsys, *words)
    assert {row["method"]["name"] for row in first["ranking"]} == {"plain", "fgm"}
    scores = [row["clean"]["value"] + row["robust"]["value"] for row in first["ranking"]]
    assert scores == sorted(scores, reverse=True)
    runs = json_of(capsys, "runs")["runs"]
    wider = json_of(capsys, *words, "--seeds", "0", "1")
    assert wider["group"] == first["group"]
    assert len(json_of(capsys, "runs")["runs"]) == len(runs) + 2
    assert all(len(row["runs"]) == 2 for row in wider["ranking"])
    out, _ = said(capsys, *words)
    assert first["advice"] in out
    assert json.loads(json.dumps(wider))["ranking"]


def test_what_the_test_texts_answers_come_to_stands_in_the_diary_and_in_the_sweep() -> None:
    victim = shared_translator("bart")
    data = Dataset("d", (), EXAMPLES, EXAMPLES, EXAMPLES)
    settings = TrainConfig(eval_limit=4, eval_eps=1.0)
    told = Judge(data, settings).test(victim)
    json.dumps(told, allow_nan=False)
    figures = standing([Event("end", 1, 0.0, told)]).quoted
    assert list(figures) == ["chrF", "exact match", "answer changed"]
    for name, (clean, robust) in figures.items():
        assert (clean.n, robust.n) == (4, 4)
        assert vars(clean) == told["test_quoted"][name]["clean"]
    broken = told | {"test_quoted": {"chrF": {"clean": "high"}}}
    assert standing([Event("end", 1, 0.0, broken)]).quoted == {}
    runs = []
    for seed in (0, 1):
        config = replace(BASE, name="plain", method={"name": "plain"})
        config = replace(config, train=replace(config.train, seed=seed))
        info = jobs.open_here(config, group="sweep-x")
        with info.folder.writer() as diary:
            rates = {k: vars(wilson(3, 4)) for k in ("clean_accuracy", "robust_accuracy")}
            diary.append(Event("epoch", 9, 0.0, {"epoch": 1, "best": True, **rates}))
            diary.append(Event("end", 9, 0.0, told | {"reason": "done", "seconds": 1.0}))
        jobs.Store().finish(info.id, 1, "done")
        runs.append(jobs.run(info.id))
    table = sweep.columns(sweep.ranking(runs))
    clean, robust = figures["chrF"]
    assert table["chrF (test)"][0].startswith(f"{clean.value:.3g} [")
    assert f"→ {robust.value:.3g} [" in table["chrF (test)"][0]
