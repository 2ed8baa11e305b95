from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capsules import TEXT, changed, coded, failed, record_of, same, saved, with_reading
from samples import sample_record
from victims import LABELS, make_victim, shared_victim

from advlab.attacks import FGM, PGD, RandomNoise
from advlab.capsule.format import COLUMNS, load, numbers_of, readings_of, save
from advlab.capsule.page import page
from advlab.capsule.verify import verify, versions_differ
from advlab.cli.main import main
from advlab.errors import DataError
from advlab.explain.explore import explore
from advlab.pictures.sentences import percent
from advlab.records import AttackRecord


def test_a_capsule_holds_every_number_exactly() -> None:
    found = load(saved().encode())
    for name, values in numbers_of(record_of()).items():
        np.testing.assert_array_equal(found.numbers[name], values, err_msg=name)
        assert found.numbers[name].dtype == values.dtype
    assert set(found.readings) == set(readings_of(record_of()))
    for name, reading in readings_of(record_of()).items():
        same(found.readings[name], reading, name)
    assert found.classes == LABELS
    assert (found.reference, found.label) == (record_of().reference, None)
    assert (found.text, found.seed, found.changed) == (TEXT, 4, ())
    assert found.tokens == record_of().tokens
    assert saved() == save(
        record_of(), shared_victim("bert").tokenizer_hash, made="2026-01-01 00:00:00 UTC"
    )


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "deberta"])
def test_a_capsule_verifies_on_the_model_that_made_it(kind: str) -> None:
    verdict = verify(load(saved(kind).encode()), shared_victim(kind))
    assert verdict.verified, verdict.sentence
    assert "Verified" in verdict.sentence
    assert versions_differ(load(saved(kind).encode())) == {}


def test_a_capsule_made_here_verifies_in_another_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = make_victim("bert")
    victim.save(tmp_path / "model")
    from advlab.model.victim import Victim

    victim = Victim.load(tmp_path / "model")
    record = explore(victim, TEXT, attack=PGD(0.5, steps=3), seed=1)
    (tmp_path / "one.json").write_text(save(record, victim.tokenizer_hash), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "advlab",
        "capsule",
        "verify",
        str(tmp_path / "one.json"),
        "--model",
        str(tmp_path / "model"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verified" in done.stdout
    other = make_victim("bert", seed=9)
    other.save(tmp_path / "other")
    assert main([*command[3:-1], str(tmp_path / "other")]) == 1
    assert "weights" in capsys.readouterr().out


def test_another_model_is_named() -> None:
    verdict = verify(load(saved().encode()), make_victim("bert", seed=9))
    bad = {c.what for c in verdict.checks if not c.ok}
    assert "weights" in bad
    assert "attacked probabilities" in bad
    assert not bad & {"the file", "tokens", "tokenizer", "classes"}


def test_another_tokenizer_is_named() -> None:
    assert "tokenizer" in failed(load(saved("bert").encode()), "gpt2")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"text": "a dull film"}, "the file's text"),
        ({"seed": 5}, "the file's seed"),
        ({"label": "maybe"}, "the file's label"),
        ({"shield": [[0, 3]]}, "the file's shield"),
    ],
)
def test_what_was_changed_by_hand_is_named(values: dict[str, Any], what: str) -> None:
    found = load(changed(**values))
    assert found.changed == (what.removeprefix("the file's "),)
    assert what in failed(found)
    # and the figures do not follow from the changed file, even with the digest set right
    assert failed(replace(found, changed=()))


def test_a_figure_that_was_made_up_is_found() -> None:
    whole = json.loads(saved())
    reading = whole["results"]["readings"]["attacked"]
    parts = reading["parts"]
    parts["no"], parts["yes"] = parts["yes"], parts["no"]
    found = load(json.dumps(whole).encode())
    assert found.changed == ("results",)
    assert failed(replace(found, changed=())) == {"attacked probabilities"}
    # nor can only the answer, or only a number beside the parts, be made up
    for column, values in (
        ("answers", [next(n for n in LABELS if n not in reading["answers"])]),
        ("score", {"shape": [1], "type": "<f8", "data": coded([0.123])}),
        ("sure", {"shape": [1], "type": "<f8", "data": coded([0.999])}),
    ):
        found = load(with_reading("attacked", **{column: values}))
        assert found.changed == ("results",)
        assert failed(replace(found, changed=())) == {"attacked probabilities"}, column


def test_an_unknown_attack_in_a_capsule_is_a_failed_check_not_a_crash() -> None:
    assert "the attack" in failed(load(changed(attack={"name": "os.system", "eps": 1})))


def with_figures(**columns: float) -> AttackRecord:
    """The record whose attacked text has these figures."""
    record = record_of()
    given = {name: np.array([value]) for name, value in columns.items()}
    readings = dict(record.readings) | {"attacked": replace(record.attacked, **given)}
    return replace(record, readings=readings)


@pytest.mark.parametrize(
    "columns",
    [{"margin": -np.inf, "hold": -np.inf}, {"margin": np.inf, "loss": np.inf}, {"margin": -3e9}],
    ids=str,
)
def test_what_is_saved_can_be_opened_with_endless_figures_too(columns: dict[str, float]) -> None:
    record = with_figures(**columns)
    source = save(record, "0" * 12)
    found = load(source.encode())
    same(found.readings["attacked"], record.attacked, "attacked")
    assert page(found, source)


@pytest.mark.parametrize("column", [*COLUMNS])
def test_a_figure_that_is_no_number_is_refused_before_it_is_saved(column: str) -> None:
    with pytest.raises(DataError, match=rf"makes no capsule: expected numbers .* '{column}', got"):
        save(with_figures(**{column: np.nan}), "0" * 12)
    for strange in (np.nan, np.inf):
        with pytest.raises(DataError, match=r"makes no capsule: expected .* got "):
            save(replace(record_of(), eps=strange), "0" * 12)


def test_another_tasks_answers_and_label_are_any_text() -> None:
    record = sample_record()
    record = replace(
        record,
        task={"name": "another task"},
        reference="in <b>1889</b>",
        given=True,
        readings={
            name: replace(r, answers=("in Paris",) * len(r), parts={"start": -2 * r.margin})
            for name, r in record.readings.items()
        },
        curve=replace(
            record.curve, attacked=replace(record.curve.attacked, parts={"start": record.curve.low})
        ),
    )
    source = save(record, "0" * 12)
    found = load(source.encode())
    assert (found.reference, found.classes) == ("in <b>1889</b>", ())
    for name, reading in readings_of(record).items():
        same(found.readings[name], reading, name)
    made = page(found, source).partition("<script")[0]
    assert "in Paris" in made
    assert "<b>1889" not in made
    assert f">{percent(float(record.noise.score.mean()))}<" in made
    assert "task" in failed(found)


@pytest.mark.parametrize("attack", [FGM(0.3), RandomNoise(0.5), PGD(0.0), PGD(0.2, p="linf")])
def test_other_attacks_make_capsules_too(attack: Any) -> None:
    victim = shared_victim("bert")
    record = explore(victim, TEXT, attack=attack, label="maybe")
    source = save(record, victim.tokenizer_hash)
    found = load(source.encode())
    assert verify(found, victim).verified
    page(found, source)
