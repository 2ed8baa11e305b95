"""Public data sets: from a folder, from the cache, and what is said when the hub is out of reach."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import datasets
import places
import pytest

from advlab.data import hub, load_data
from advlab.errors import DataError
from advlab.runs.config import DataConfig

FEATURES = datasets.Features(
    {
        "idx": datasets.Value("int32"),
        "sentence": datasets.Value("string"),
        "label": datasets.ClassLabel(names=["sad", "glad"]),
    }
)


def split(word, count, label=None):
    rows = {
        "idx": list(range(count)),
        "sentence": [f"{word} sentence {i}" for i in range(count)],
        "label": [i % 2 if label is None else label for i in range(count)],
    }
    return datasets.Dataset.from_dict(rows, features=FEATURES)


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No cache and no hub but what a test makes; no progress bars."""
    datasets.disable_progress_bars()
    monkeypatch.setenv("ADVLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    yield
    datasets.enable_progress_bars()


def test_a_saved_folder_is_read_with_its_class_names(tmp_path):
    saved = datasets.DatasetDict(
        {"train": split("a", 40), "validation": split("b", 10), "test": split("c", 12)}
    )
    saved.save_to_disk(str(tmp_path / "mine"))
    data = load_data(DataConfig(f"hub:{tmp_path / 'mine'}"))
    assert data.name == "mine"
    assert data.head == ("sad", "glad")
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 10, 12)
    assert data.train[1].id == "mine-train:2"
    assert (data.train[1].text, data.train[1].answer) == ("a sentence 1", "glad")
    assert len({e.id for part in (data.train, data.validation, data.test) for e in part}) == 62


def test_withheld_test_labels_make_validation_the_test(tmp_path):
    folder = tmp_path / "glue"
    folder.mkdir()
    for name, part in (
        ("train", split("a", 40)),
        ("validation", split("b", 10)),
        ("test", split("c", 9, -1)),
    ):
        part.to_parquet(str(folder / f"{name}.parquet"))
    data = load_data(DataConfig(f"hub:{folder}"))
    assert {e.text for e in data.test} == {f"b sentence {i}" for i in range(10)}
    assert len(data.train) + len(data.validation) == 40


def test_one_split_is_divided_and_one_parquet_file_is_enough(tmp_path):
    path = tmp_path / "only.parquet"
    split("a", 50).to_parquet(str(path))
    data = load_data(DataConfig(f"hub:{path}"))
    assert (data.name, len(data.test)) == ("only", 10)


def test_columns_can_be_chosen_and_are_listed_when_absent(tmp_path):
    lines = "".join(
        f'{{"first": "short {i}", "second": "the longer text {i}", "kind": {i % 2}}}\n'
        for i in range(30)
    )
    (tmp_path / "train.jsonl").write_text(lines)
    source = f"hub:{tmp_path}"
    assert load_data(DataConfig(source)).train[0].text.startswith("the longer text")
    assert load_data(DataConfig(source, text_column="first")).train[0].text.startswith("short")
    with pytest.raises(DataError, match="no column 'body'; its columns are: first, second, kind"):
        load_data(DataConfig(source, text_column="body"))


def test_pairs_of_texts_are_refused_unless_one_is_named(tmp_path):
    rows = {
        "premise": [f"a man sleeps {i}" for i in range(40)],
        "hypothesis": [f"a person rests {i}" for i in range(40)],
        "label": [i % 2 for i in range(40)],
    }
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "nli"))
    source = f"hub:{tmp_path / 'nli'}"
    with pytest.raises(DataError, match="'premise' and 'hypothesis': its labels belong to both"):
        load_data(DataConfig(source))
    data = load_data(DataConfig(source, text_column="premise"))
    assert any("'hypothesis' is not" in note for note in data.notes)


def test_the_cache_is_used_with_no_hub_and_a_local_folder_does_not_enter_it(tmp_path):
    folder = tmp_path / "cached_set"
    folder.mkdir()
    split("a", 40).to_parquet(str(folder / "train.parquet"))
    load_data(DataConfig(f"hub:{folder}"))
    with pytest.raises(DataError, match="cannot be reached"):
        load_data(DataConfig("hub:cached_set"))
    # what a download leaves behind
    datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    data = load_data(DataConfig("hub:cached_set"))
    assert len(data.train) + len(data.validation) + len(data.test) == 40
    assert data.head == ("sad", "glad")


def test_an_unreachable_hub_is_named_at_once_with_the_ways_out(tmp_path):
    start = time.monotonic()
    with pytest.raises(DataError) as caught:
        load_data(DataConfig("hub:owner/some_set"))
    assert time.monotonic() - start < 3
    for part in (
        "'owner/some_set'",
        "cannot be reached",
        "hf download owner/some_set --repo-type dataset",
        str(tmp_path / "cache"),
        "local CSV, TSV or JSONL file",
    ):
        assert part in str(caught.value)


def test_a_silent_hub_costs_two_seconds(monkeypatch):
    def never(*_args, **_kwargs):
        time.sleep(30)
        raise OSError("nobody waits for this answer any more")

    monkeypatch.setattr(socket, "getaddrinfo", never)  # a name server that does not answer
    start = time.monotonic()
    with pytest.raises(DataError, match="no answer in 2 s"):
        hub._probe("ag_news")
    assert time.monotonic() - start < 3


def test_offline_mode_asks_nobody(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set"):
        load_data(DataConfig("hub:ag_news"))


def test_a_reachable_port_passes_the_probe(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert hub.unreachable(address) is None
        monkeypatch.setenv("http_proxy", address)
        monkeypatch.setenv("no_proxy", "")
        assert hub.unreachable("http://hub.invalid") is None  # the proxy looks up the name


@pytest.mark.parametrize("name", ["", "./absent", "/absent/folder", "a/b/c"])
def test_names_that_can_be_nothing_are_refused(name):
    with pytest.raises(DataError, match=r"no data set folder|expected hub:NAME"):
        load_data(DataConfig(f"hub:{name}"))


def test_loading_files_imports_neither_datasets_nor_torch(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("".join(f"text {i},{i % 2}\n" for i in range(20)))
    code = (
        "import sys; from advlab.data import load_data; from advlab.runs.config import DataConfig;"
        f"load_data(DataConfig({str(path)!r}));"
        "assert not {'datasets', 'torch', 'pandas', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=places.ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
