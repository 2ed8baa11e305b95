from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from advlab.attacks import ATTACKS
from advlab.errors import AdvlabError, SettingError
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig, home
from advlab.runs.starters import STARTERS, starter_groups, starter_pair, train_for
from advlab.settings import build, check, plain, settings_of
from advlab.training.methods import METHODS

CLASSES = [DataConfig, ModelConfig, TrainConfig, *ATTACKS.values(), *METHODS.values()]
every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)


@every_class
def test_every_setting_helps_and_its_default_is_allowed(cls: type) -> None:
    check(cls())
    names = [item.name for item in settings_of(cls)]
    assert names == [field.name for field in dataclasses.fields(cls)]
    for item in settings_of(cls):
        assert len(item.meta.help.split()) >= 2, item.name
        assert item.kind in (bool, int, float, str), item.name
        assert item.label


@every_class
def test_settings_survive_json(cls: type) -> None:
    assert build(cls, json.loads(json.dumps(plain(cls())))) == cls()
    with pytest.raises(dataclasses.FrozenInstanceError):
        cls().anything = 1  # type: ignore[attr-defined]


@every_class
def test_values_out_of_bounds_are_refused(cls: type) -> None:
    for item in settings_of(cls):
        wrong: list[Any] = []
        if item.choices:
            wrong = ["no such choice", 3]
        elif item.kind in (int, float):
            wrong = ["many", float("nan"), float("inf"), True]
            if item.meta.low is not None:
                wrong.append(item.meta.low - 1)
            if item.meta.high is not None:
                wrong.append(item.meta.high + 1)
            if item.kind is int:
                wrong.append(10.5)
            for edge in (item.meta.low, item.meta.high):
                if edge is not None:
                    build(cls, {item.name: edge})  # bounds are inclusive
        elif item.kind is bool:
            wrong = [1, "yes"]
        else:
            wrong = [3]
        if not item.optional:
            wrong.append(None)
        for value in wrong:
            with pytest.raises(SettingError, match=f"{cls.__name__}.{item.name}: expected "):
                build(cls, {item.name: value})


def test_what_is_wrong_is_named_with_what_to_do() -> None:
    with pytest.raises(SettingError) as told:
        build(TrainConfig, {"epochs": 0})
    assert str(told.value) == (
        "TrainConfig.epochs: expected a whole number from 1 to 200, got 0; change it"
    )
    with pytest.raises(
        SettingError, match=r"TrainConfig has no setting 'speed'; choose from batch"
    ):
        build(TrainConfig, {"speed": 1})
    with pytest.raises(SettingError, match="expected one of robust, clean, last, got 'worst'"):
        build(TrainConfig, {"choose": "worst"})
    assert issubclass(SettingError, AdvlabError)


def test_numbers_get_the_type_of_their_setting() -> None:
    made = build(TrainConfig, {"lr": 1, "epochs": 3.0, "patience": 2.0})
    assert (type(made.lr), type(made.epochs), type(made.patience)) == (float, int, int)


def test_a_run_config_comes_back_from_json() -> None:
    config = RunConfig(
        "étude ε",
        data=DataConfig("a.csv", text_column="0", limit=50),
        model=ModelConfig("small"),
        method={"name": "freelb", "eps": 0.25},
        train=TrainConfig(epochs=2, patience=1),
    )
    assert RunConfig.from_json(config.to_json()) == config
    with pytest.raises(SettingError, match="TrainConfig has no setting 'epoch'"):
        RunConfig.from_json('{"train": {"epoch": 3}}')


def test_the_fingerprint_follows_everything_but_the_name() -> None:
    config = RunConfig("a")
    first = config.fingerprint
    assert dataclasses.replace(config, name="b").fingerprint == first
    for change in (
        {"data": DataConfig("messages")},
        {"model": ModelConfig("small")},
        {"method": {"name": "pgd"}},
        {"train": TrainConfig(seed=1)},
    ):
        assert dataclasses.replace(config, **change).fingerprint != first  # type: ignore[arg-type]


def test_defaults_suit_the_model() -> None:
    scratch, pretrained = TrainConfig.for_model("tiny"), TrainConfig.for_model("minilm")
    assert scratch == TrainConfig()
    assert pretrained.lr < scratch.lr / 5
    assert TrainConfig.for_model("minilm", lr=2e-5).lr == 2e-5
    robust = TrainConfig.for_model("minilm", "freelb")
    assert robust.lr == 2 * pretrained.lr
    assert not robust.tied_dropout


def test_home_is_the_users_folder(advlab_home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home() == advlab_home.resolve()
    monkeypatch.setenv("ADVLAB_HOME", str(advlab_home / "new" / "one"))
    assert home().is_dir()


def test_a_task_from_scratch_is_learnt_as_its_starter_learns_it() -> None:
    for task, start in STARTERS.items():
        made = train_for("tiny", "pgd", task)
        if task == "classification":
            assert made == TrainConfig.for_model("tiny")
        else:
            assert (made.lr, made.epochs) == (start.train.lr, start.train.epochs)
        assert train_for("tiny", "pgd", task, epochs=1).epochs == 1
        assert train_for("minilm", "pgd", task) == TrainConfig.for_model("minilm", "pgd")


@pytest.mark.parametrize("task", STARTERS)
def test_the_two_of_a_starter_differ_in_their_method_alone(task: str) -> None:
    plain, robust = starter_pair(3, task)
    assert plain.task == robust.task == task
    assert plain.method["name"] == "plain" != robust.method["name"]
    assert dataclasses.replace(plain, name="", method={}) == dataclasses.replace(
        robust, name="", method={}
    )
    assert RunConfig.from_json(plain.to_json()) == plain
    assert plain.train.seed == 3


def test_a_starter_reads_the_first_corpus_of_its_task_or_the_one_that_is_named() -> None:
    assert [c.data.source for c in starter_pair()] == ["reviews", "reviews"]
    pair = starter_pair(1, corpus="dianping")
    assert {c.data.source for c in pair} == {"dianping"}
    assert {c.train.epochs for c in pair} == {STARTERS["classification"].own["dianping"]["epochs"]}
    assert [c.name for c in pair] == [
        "Starter dianping: plain",
        "Starter dianping: adversarial (FGM)",
    ]
    assert len(starter_groups()) == sum(len(start.corpora) for start in STARTERS.values())
    with pytest.raises(SettingError, match="unknown corpus of the starter pair 'stories'"):
        starter_pair(corpus="stories")


def test_settings_that_named_the_task_beside_the_data_are_still_read() -> None:
    config = starter_pair(0, "qa")[0]
    values = json.loads(config.to_json())
    values["task"] = values["data"].pop("task")
    assert RunConfig.from_json(json.dumps(values)) == config
