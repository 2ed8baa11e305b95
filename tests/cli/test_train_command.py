from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SHORT, advlab, json_of, said
from victims import write_reviews


def test_training_reports_on_standard_error_and_names_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = write_reviews(tmp_path / "reviews.csv", n=60)
    out, err = said(
        capsys,
        "train",
        "--data",
        str(data),
        "--method",
        "pgd",
        "--eps",
        "0.3",
        "--steps",
        "2",
        "--name",
        "mine",
        *SHORT,
    )
    assert "done: mine" in out
    assert "test accuracy" in out
    assert "epoch 1: clean" in err
    row = json_of(capsys, "runs", "show", "mine")
    assert row["status"] == "done"
    assert (row["config"]["method"]["eps"], row["config"]["method"]["steps"]) == (0.3, 2)
    assert row["config"]["train"]["epochs"] == 1
    assert row["config"]["model"]["max_length"] == 24
    assert f"advlab attack {row['id']}" in out


def test_two_files_without_a_header_are_read_by_column_number(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import csv

    for name, n, seed in (("x.tsv", 60, 0), ("y.tsv", 20, 1)):
        source = write_reviews(tmp_path / f"{name}.csv", n=n, seed=seed)
        rows = list(csv.reader(source.read_text(encoding="utf-8").splitlines()))[1:]
        (tmp_path / name).write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    found = json_of(
        capsys,
        "train",
        "--data",
        str(tmp_path / "x.tsv"),
        "--text-column",
        "0",
        "--label-column",
        "1",
        "--eval-data",
        str(tmp_path / "y.tsv"),
        *SHORT,
    )
    assert found["status"] == "done"
    assert found["end"]["test_accuracy"]["n"] == 20
    card = json.loads((Path(found["model"]) / "advlab.json").read_text())
    assert sorted(card["head"]) == ["negative", "positive"]


def test_train_prints_one_json_object_and_nothing_else(tmp_path: Path) -> None:
    data = write_reviews(tmp_path / "reviews.csv", n=60)
    status, out, err = advlab(
        "train", "--data", str(data), *SHORT, "--json", home=tmp_path / "home"
    )
    assert status == 0, err
    found = json.loads(out, parse_constant=pytest.fail)
    assert found["status"] == "done"
    assert Path(found["model"], "model.safetensors").is_file()
    assert found["config"]["data"]["source"] == str(data)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "plain", "--steps", "3"), "plain has no setting --steps; it has none"),
        (("--method", "fgm", "--steps", "3"), "fgm has no setting --steps; it has --"),
        (("--epochs", "0"), "epochs: expected a whole number from 1"),
        (("--method", "pgd", "--eps", "-1"), "eps: expected a number"),
        (("--method", "pgd", "--eps", "nan"), "eps: expected a number"),
        (("--method", "alchemy"), "invalid choice: 'alchemy'"),
        (("--data", "no-such-file.csv"), "no-such-file.csv"),
        (("--data", "no-such-corpus"), "no-such-corpus"),
    ],
)
def test_train_names_what_is_wrong_and_exits_with_2(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, "train", "--json", *words, status=2)
    assert message in err
    assert out == ""


def test_a_mistake_leaves_standard_output_empty(tmp_path: Path) -> None:
    status, out, err = advlab("attack", "./nothing-here", "good", "--json", home=tmp_path)
    assert status == 2
    assert out == ""
    assert err.startswith("advlab: expected a model folder")
