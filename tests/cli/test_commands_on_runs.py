from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import places
import pytest
from commands import SHORT, advlab, ids, json_of, said
from victims import write_reviews

from advlab.cli.main import main

# ---- attack ---------------------------------------------------------------------------------


def test_attack_tells_the_story(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "attack", "plain", "the film was good", "--eps", "0.4")
    for part in ("0.40 × mean norm", "clean", "under attack", "random noise", "read as text"):
        assert part in out
    assert "Random noise of the same length flips" in out


def test_attack_flags_reach_the_attack(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json_of(
        capsys,
        "attack",
        ids(capsys)["fgm"],
        "the film was good",
        "--steps",
        "7",
        "--restarts",
        "2",
        "--eps",
        "0.3",
        "--unit",
        "half-nn",
        "--start",
        "random",
        "--attack-seed",
        "5",
        "--label",
        "negative",
    )
    expected = {
        "name": "pgd",
        "steps": 7,
        "restarts": 2,
        "eps": 0.3,
        "unit": "half-nn",
        "start": "random",
    }
    assert {k: record["attack"][k] for k in expected} == expected
    assert len(record["losses"]) == 8
    assert record["seed"] == 5
    assert record["reference"] == "negative"
    assert record["eps"] == pytest.approx(0.3 * record["scale"]["half_nn"])


def test_words_can_be_spared_or_attacked_alone(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def moved(*words: str) -> list[str]:
        record = json_of(capsys, "attack", "plain", "The film was good.", *words)
        pairs = zip(record["tokens"], record["delta_norm"], strict=True)
        return [token for token, length in pairs if length > 0]

    assert "film" not in moved("--spare", "film", "The")
    assert moved("--spare", "film") == [t for t in moved() if t != "film"]
    assert moved("--only", "good") == ["good"]
    _, err = said(capsys, "attack", "plain", "good", "--only", "bad", status=2)
    assert "words of the sentence, got bad" in err
    _, err = said(capsys, "attack", "plain", "good", "--only", "good", "--spare", "good", status=2)
    assert "got both" in err


def test_what_is_not_printed_is_not_computed(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from advlab.explain import saliency

    made, really = [], saliency.explain
    monkeypatch.setattr(
        saliency, "explain", lambda name, case: made.append(name) or really(name, case)
    )
    said(capsys, "attack", "plain", "the film was good", "--attack", "fgm")
    assert made == []
    record = json_of(capsys, "attack", "plain", "the film was good", "--attack", "fgm")
    assert made == list(record["saliency"]) == list(saliency.DEFAULTS)


def test_attack_prints_one_json_object_and_nothing_else(runs: Path) -> None:
    status, out, err = advlab("attack", "plain", "<script> good 🎬", "--json", home=runs)
    assert status == 0, err
    assert json.loads(out, parse_constant=pytest.fail)["text"] == "<script> good 🎬"


def test_a_model_folder_serves_as_a_model(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = json_of(capsys, "runs", "show", "plain")["folder"] + "/model"
    by_name, by_folder = (
        json_of(capsys, "attack", which, "good", "--attack", "fgm") for which in ("plain", folder)
    )
    assert by_name["model_hash"] == by_folder["model_hash"]
    assert by_name["readings"]["clean"] == by_folder["readings"]["clean"]


def test_a_class_that_is_called_by_a_number_is_meant_by_its_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from victims import make_victim

    victim = make_victim("bert", labels=2)
    victim.head = ("1", "2")
    victim.save(tmp_path / "model")
    quick = ("attack", str(tmp_path / "model"), "the film was good", "--attack", "fgm", "--label")
    assert json_of(capsys, *quick, "1")["reference"] == "1"
    assert json_of(capsys, *quick, "0")["reference"] == "1"
    assert "expected a label among 1, 2" in said(capsys, *quick, "3", status=2)[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plain", ""), "got an empty text"),
        (("plain", "good", "--label", "splendid"), "expected a label among"),
        (("plain", "good", "--attack", "fgm", "--steps", "3"), "fgm has no setting --steps"),
        (("plain", "good", "--eps", "-0.5"), "eps: expected a number of at least 0"),
        (("./no-such-folder", "good"), "found none at no-such-folder"),
        (("plain",), "the following arguments are required: text"),
    ],
)
def test_attack_names_what_is_wrong_and_exits_with_2(
    words: tuple[str, ...], message: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, "attack", *words, status=2)
    assert message in err
    assert out == ""


# ---- evaluate -------------------------------------------------------------------------------


def test_evaluate_compares_models_on_the_data_of_the_first(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json_of(
        capsys,
        "evaluate",
        "plain",
        "fgm",
        "--eps",
        "0.2",
        "0.6",
        "--steps",
        "10",
        "--restarts",
        "2",
    )
    assert [m["name"] for m in found["models"]] == ["plain", "fgm"]
    assert (found["attack"]["steps"], found["attack"]["restarts"]) == (10, 2)
    for model in found["models"]:
        assert [row["eps"] for row in model["robust_accuracy"]] == [0.2, 0.6]
        values = [model["clean_accuracy"], *model["robust_accuracy"]]
        assert all(r["interval"][0] <= r["value"] <= r["interval"][1] for r in values)
        assert values[0]["value"] >= values[1]["value"] >= values[2]["value"]
        assert all(row["n"] == found["n"] for row in values)
    assert found["models"][0]["model_hash"] != found["models"][1]["model_hash"]


def test_evaluate_takes_a_file_of_its_own_and_draws_some_of_it(
    runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = str(write_reviews(tmp_path / "other.csv", n=60, seed=9))
    quick = ("evaluate", "plain", "--data", data, "--attack", "fgm", "--eps", "0.2")
    found = json_of(capsys, *quick, "--max-texts", "5", "--attack-seed", "3")
    assert found["n"] == 5
    assert found["texts"] == "5, drawn at random, of all 60 texts of other.csv"
    assert [one["model"] for one in found["seen_in_training"]] == ["plain"]
    out, _ = said(capsys, *quick)
    assert "Texts: all 60 texts of other.csv." in out
    assert "in the training texts of plain." in out
    assert "ε = 0.2" in out
    assert "random noise of that length" in out
    assert "always the most frequent answer" in out


def test_evaluate_uses_the_held_out_part_of_a_runs_own_file_alone(
    runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = json_of(capsys, "runs", "show", "plain")["config"]["data"]["source"]
    words = ("--attack", "fgm", "--eps", "0.2", "--report", str(tmp_path / "out"))
    found = json_of(capsys, "evaluate", "plain", "--data", own, *words)
    assert found["texts"].startswith("the held-out 18 % of reviews.csv, ")
    assert found["texts"].endswith("; plain was trained on the rest")
    assert [one["count"] for one in found["seen_in_training"]] == [0]
    few = next(a for a in found["alarms"] if a["name"] == "too few texts")
    assert few["advice"].startswith("The data has no more texts")
    for name in ("report.html", "report.md", "report.json"):
        assert found["texts"] in (tmp_path / "out" / name).read_text(encoding="utf-8")


def test_a_few_texts_or_one_class_are_enough_to_evaluate_on(
    runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = write_reviews(tmp_path / "all.csv", n=60, seed=9).read_text().splitlines()
    one = [line for line in lines[1:] if line.endswith(lines[1].rsplit(",", 1)[1])]
    (tmp_path / "six.csv").write_text("\n".join([lines[0], *one[:6]]))
    words = ("--data", str(tmp_path / "six.csv"), "--attack", "fgm", "--eps", "0.2")
    out, err = said(capsys, "evaluate", "plain", *words)
    assert "Texts: all 6 texts of six.csv." in out
    assert "note: six.csv holds one class only: its accuracy says little." in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plain", "--eps", "0.2", "-3"), "eps: expected a number of at least 0"),
        (("plain", "--max-texts", "0"), "--max-texts of at least 1"),
        (("plain", "--attack", "noise", "--momentum", "1"), "noise has no setting --momentum"),
        (("plain", "--data", "headlines"), "expected data with the classes of plain"),
        ((), "the following arguments are required: models"),
    ],
)
def test_evaluate_names_what_is_wrong_and_exits_with_2(
    words: tuple[str, ...], message: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, "evaluate", *words, status=2)
    assert message in err
    assert out == ""


def test_a_model_that_is_no_run_needs_data(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = json_of(capsys, "runs", "show", "plain")["folder"] + "/model"
    assert "expected --data" in said(capsys, "evaluate", folder, status=2)[1]


# ---- runs -----------------------------------------------------------------------------------


def test_with_no_runs_the_list_says_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert "advlab demo" in said(capsys, "runs")[0]
    assert json_of(capsys, "runs") == {"runs": []}
    assert "none yet" in said(capsys, "runs", "show", "anything", status=2)[1]


def test_runs_are_listed_newest_first_with_their_accuracy(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json_of(capsys, "runs", "list")["runs"]
    assert [row["name"] for row in rows] == ["fgm", "plain"]
    assert {row["status"] for row in rows} == {"done"}
    out, _ = said(capsys, "runs")
    for row, line in zip(rows, out.splitlines(), strict=True):
        assert line.startswith(row["id"])
        assert f"{row['clean']:.1%} / {row['robust']:.1%}" in line


def test_a_run_is_renamed_and_deleted(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ADVLAB_HOME", str(tmp_path))
    data = write_reviews(tmp_path / "reviews.csv", n=60)
    run = json_of(capsys, "train", "--data", str(data), *SHORT)["run"]
    assert json_of(capsys, "runs", "rename", run, "Größer ε")["name"] == "Größer ε"
    shown = json_of(capsys, "runs", "show", "Größer ε")
    assert shown["id"] == run
    assert "the new name" in said(capsys, "runs", "rename", run, status=2)[1]
    assert "done" in said(capsys, "runs", "cancel", run, status=2)[1]
    assert json_of(capsys, "runs", "delete", run) == {"id": run, "deleted": True}
    assert not Path(shown["folder"]).exists()
    assert json_of(capsys, "runs") == {"runs": []}


@pytest.mark.parametrize("action", ["show", "cancel", "pause", "resume", "rename", "delete"])
def test_an_action_without_a_run_or_with_an_unknown_one_is_refused(
    action: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "expected a run's id or name" in said(capsys, "runs", action, status=2)[1]
    _, err = said(capsys, "runs", action, "nobody", "x", status=2)
    assert "there is no run 'nobody'" in err
    assert "plain" in err


def test_a_reader_that_stops_early_is_no_error(runs: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m advlab runs show plain | head -c 1",
        shell=True,
        cwd=places.ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ADVLAB_HOME": str(runs)},
        timeout=60,
    )
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr


def test_transfer_prints_every_kind_and_both_ways(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("transfer", "plain", "fgm", "--max-texts", "8", "--eps", "0.5")
    found = json_of(capsys, *words)
    assert found["models"] == ["plain", "fgm"]
    assert set(found["transfer"]) == {"delta", "words"}
    assert all(len(rates) == 2 for rates in found["kinds"].values())
    assert all(0 <= rate["value"] <= 1 for rates in found["kinds"].values() for rate in rates)
    noise, strong = found["kinds"]["random noise"], found["kinds"]["PGD-20"]
    assert all(a["value"] >= b["value"] for a, b in zip(noise, strong, strict=True))
    out, _ = said(capsys, *words)
    assert "one δ for all texts" in out
    assert "made on the model of the row" in out
    assert "Texts: 8, drawn at random, of the held-out 18 % of reviews.csv" in out
    assert "The one δ for all texts is made on the validation texts of plain." in out
    _, err = said(capsys, *words[:-1], "0", status=2)
    assert "above 0" in err


def test_a_report_is_written_and_a_second_evaluation_reads_the_first(
    runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("evaluate", "plain", "fgm", "--eps", "0.1", "0.5", "--report", str(tmp_path / "out"))
    first = json_of(capsys, *words)
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"report.html", "report.md", "report.json", "accuracy.csv", "texts.csv"}
    files = list((runs / "outcomes").rglob("*.json"))
    stamps = [file.stat().st_mtime_ns for file in files]
    again = json_of(capsys, *words)
    assert [file.stat().st_mtime_ns for file in files] == stamps
    for one, other in zip(first["models"], again["models"], strict=True):
        assert one["robust_accuracy"] == other["robust_accuracy"]
    assert isinstance(first["alarms"], list)


def test_attack_names_words_that_were_never_seen_in_training(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ids(capsys)["plain"]
    assert main(["attack", run, "qwyx", "--steps", "1"]) == 0
    assert "note: never seen in training: qwyx — read as " in capsys.readouterr().out
