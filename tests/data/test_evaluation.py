"""On which texts a model is evaluated: a file whole, a run's own file by its held-out part."""

from __future__ import annotations

import shutil

import pytest

from advlab.data import load_data
from advlab.data.evaluation import Trained, choose_texts, seen_in_training
from advlab.errors import SettingError
from advlab.runs.config import DataConfig

CLASSES = ("bad", "good")


def write(path, count, word="text", classes=CLASSES):
    lines = [f"{word} {i},{classes[i % len(classes)]}\n" for i in range(count)]
    path.write_text("text,label\n" + "".join(lines))
    return str(path)


@pytest.fixture
def run(tmp_path):
    return Trained("first", CLASSES, DataConfig(write(tmp_path / "train.csv", 100)))


@pytest.mark.parametrize(("count", "classes"), [(872, CLASSES), (6, CLASSES), (5, ("good",))])
def test_a_file_is_used_whole_however_small_or_one_sided(tmp_path, run, count, classes):
    path = write(tmp_path / "test.csv", count, "other", classes)
    chosen = choose_texts({"source": path}, [run])
    assert [e.text for e in chosen.data.test] == [f"other {i}" for i in range(count)]
    assert chosen.data.head == CLASSES
    assert chosen.told == f"all {count} texts of test.csv"
    assert chosen.fitting == load_data(run.data).validation
    assert chosen.fitted == "the validation texts of first"


@pytest.mark.parametrize("copied", [False, True])
def test_a_runs_own_training_file_gives_its_held_out_part_by_its_own_settings(
    tmp_path, run, copied
):
    named = run.data.source
    if copied:  # the same bytes under another name are the same file
        named = str(shutil.copy(named, tmp_path / "copy.csv"))
    seeded = Trained("third", CLASSES, DataConfig(run.data.source, seed=7))
    chosen = choose_texts({"source": named}, [seeded, run])
    own = load_data(seeded.data)
    assert chosen.data.test == own.test
    assert chosen.told == (
        "the held-out 18 % of train.csv, 18 of 100 texts; third was trained on the rest"
    )
    assert choose_texts({}, [seeded]).told == chosen.told
    with pytest.raises(SettingError, match="third was trained on this data with another seed"):
        choose_texts({"source": named, "seed": 3}, [seeded, run])


def test_of_a_training_file_with_a_test_file_beside_it_the_validation_texts_are_held_out(
    tmp_path, run
):
    dev = write(tmp_path / "dev.csv", 30, "dev")
    both = Trained("both", CLASSES, DataConfig(run.data.source, eval_source=dev))
    chosen = choose_texts({"source": run.data.source}, [both])
    assert chosen.data.test == load_data(both.data).validation
    assert "that both was not trained on; its epoch was chosen by them" in chosen.told
    assert not {e.text for e in chosen.fitting} & {e.text for e in chosen.data.test}
    assert choose_texts({}, [both]).told == "all 30 texts of dev.csv"
    assert choose_texts({"source": dev}, [both]).told == "all 30 texts of dev.csv"


def test_corpora_keep_their_test_split_and_say_so():
    chosen = choose_texts({"source": "headlines"}, [Trained("x", CLASSES)])
    assert chosen.data.test == load_data(DataConfig("headlines")).test
    assert chosen.told == f"the {len(chosen.data.test)} test texts of headlines"


def test_without_a_run_one_delta_is_made_on_the_file_itself_and_that_is_said(tmp_path):
    path = write(tmp_path / "test.csv", 12)
    chosen = choose_texts({"source": path}, [Trained("folder", CLASSES)])
    assert chosen.fitting == chosen.data.test
    assert chosen.fitted.startswith("the same texts, as no run with these classes")
    with pytest.raises(SettingError, match="expected --data, since 'folder' is not a run"):
        choose_texts({}, [Trained("folder", CLASSES)])


def test_texts_that_a_run_knows_from_training_are_counted(tmp_path, run):
    known = [e.text for e in load_data(run.data).train][:3]
    held = load_data(run.data).test[0].text
    path = tmp_path / "test.csv"
    rows = [known[0].upper(), f"  {known[1].replace(' ', '   ')} ", known[2], held, "new one"]
    path.write_text("text,label\n" + "".join(f"{text},good\n" for text in rows))
    chosen = choose_texts({"source": str(path)}, [run])
    gone = Trained("gone", CLASSES, DataConfig(str(tmp_path / "absent.csv")))
    seen = seen_in_training(chosen.data.test, [run, gone, Trained("folder", CLASSES)])
    assert [one.count for one in seen] == [3, None, None]
    assert seen[0].sentence == "3 of these 5 texts stand in the training texts of first."
    assert seen[1].told.startswith(
        "the training texts of gone cannot be read now: there is no file"
    )
    assert seen[2].told == "what folder was trained on is not known here"
    own = choose_texts({}, [run])
    [seen] = seen_in_training(own.data.test, [run])
    assert seen.told.startswith("none of these texts")


def test_a_second_file_is_read_with_the_columns_of_the_first(tmp_path, run):
    path = tmp_path / "dev.csv"
    lines = [f"a much longer remark,text {i},{i % 2},{CLASSES[i % 2]}\n" for i in range(8)]
    path.write_text("body,text,kind,label\n" + "".join(lines))
    chosen = choose_texts({"source": run.data.source, "eval_source": str(path)}, [run])
    assert [e.text for e in chosen.data.test] == [f"text {i}" for i in range(8)]
