"""What a student may not do is tried on the functions that do it, past every form."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advlab.classroom import Classroom
from advlab.data import load_data, read_answered, read_tested
from advlab.data.files import guess, save_upload
from advlab.errors import AdvlabError, DataError, ModelError, RunError, SettingError
from advlab.runs import jobs
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.runs.queue import Store
from advlab.runs.spaces import Limits, Space, inside

CSV = b"text,label\n" + b"".join(f"so good {i},a\nso bad {i},b\n".encode() for i in range(30))
PLACES = [
    "/etc/passwd",
    "../../etc/passwd",
    "~/.ssh/id_rsa",
    "hub:stanfordnlp/sst2",
    "file:///etc/passwd",
    "C:\\secrets.csv",
    "./runs.db",
    "runs.db",
    "\0",
    "x" * 5000,
]


@pytest.fixture
def room(tmp_path: Path, advlab_home: Path) -> Classroom:
    return Classroom(advlab_home, limits=Limits(waiting=5, runs=8))


@pytest.fixture
def spaces(room: Classroom) -> tuple[Space, Space]:
    anna, ben = (room.join(room.code, name)[0] for name in ("Anna", "Ben"))
    return room.space_of(anna.id), room.space_of(ben.id)


@pytest.fixture
def anna(spaces: tuple[Space, Space]) -> Iterator[Space]:
    """In Anna's space."""
    with inside(spaces[0]):
        yield spaces[0]


@pytest.mark.parametrize("place", PLACES, ids=lambda p: p[:20].replace("\0", "null"))
def test_no_data_comes_from_a_place_of_the_server(anna: Space, place: str) -> None:
    for read in (
        lambda: load_data(DataConfig(place)),
        lambda: load_data(DataConfig("reviews", eval_source=place)),
        lambda: load_data(DataConfig(place, task="qa")),
        lambda: read_answered(place, DataConfig(place, task="translation")),
        lambda: read_tested(DataConfig("reviews", eval_source=place)),
        lambda: guess(Path(place), place),
        lambda: jobs.submit(RunConfig(data=DataConfig(place))) and load_data(DataConfig(place)),
    ):
        with pytest.raises(DataError, match=r"In a class, data comes from"):
            read()


@pytest.mark.parametrize("place", [*PLACES, "bert-base-uncased", "prajjwal1/bert-tiny", "minilm"])
def test_no_model_comes_from_a_place_of_the_server_or_the_hub(anna: Space, place: str) -> None:
    from advlab.model.victim import Victim

    with pytest.raises(ModelError, match="In a class, models come from"):
        Victim.load(place)
    with pytest.raises(SettingError, match="In a class, a run starts from tiny, small"):
        jobs.submit(RunConfig(model=ModelConfig(place)))


def test_a_dropped_file_is_its_owners_alone(spaces: tuple[Space, Space]) -> None:
    with inside(spaces[0]):
        path = str(save_upload(CSV, "../../own.csv"))
        assert Path(path).is_relative_to(spaces[0].root / "data")
        assert len(load_data(DataConfig(path)).head) == 2
        jobs.submit(RunConfig(data=DataConfig(path)))
    with inside(spaces[1]), pytest.raises(DataError, match="In a class"):
        load_data(DataConfig(path))


def test_a_link_out_of_the_space_leads_nowhere(anna: Space) -> None:
    (anna.root / "data").mkdir()
    trap = anna.root / "data" / "trap.csv"
    trap.symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="In a class"):
        load_data(DataConfig(str(trap)))


def test_one_file_is_refused_by_its_size_and_another_by_its_rows(anna: Space) -> None:
    with pytest.raises(DataError, match="may have 5 MB, and this one has 6"):
        save_upload(bytes(6 << 20), "big.csv")
    rows = b"text,label\n" + b"good,a\nbad,b\n" * 10_001
    path = save_upload(rows, "long.csv")
    with pytest.raises(DataError, match="may have 20,000 rows, and this one has 20,002"):
        load_data(DataConfig(str(path)))


@pytest.mark.parametrize(
    "asked",
    [
        {"train": TrainConfig(epochs=200)},
        {"train": TrainConfig(batch_size=1024)},
        {"train": TrainConfig(eval_limit=10_000)},
        {"train": TrainConfig(history=100)},
        {"model": ModelConfig(max_length=1024)},
        {"data": DataConfig("reviews", limit=1_000_000)},
        {"method": {"name": "pgd", "steps": 5000}},
    ],
    ids=lambda a: str(next(iter(a))),
)
def test_a_run_that_asks_for_too_much_is_refused_kindly(anna: Space, asked: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="so that everybody has a turn"):
        jobs.submit(replace(RunConfig(), **asked))
    assert not jobs.runs()


def test_of_very_many_runs_a_few_are_queued(anna: Space) -> None:
    def submit(_i: int) -> str:
        with inside(anna):
            try:
                jobs.submit(RunConfig())
            except RunError as error:
                return str(error)
            return ""

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(submit, range(200)))
    assert told.count("") == 5
    assert all("5 of your runs may wait" in text for text in told if text)
    assert len(jobs.runs()) == 5
    paused = jobs.runs()[0].id
    jobs.pause(paused)
    jobs.submit(RunConfig())
    with pytest.raises(RunError, match="may wait or train at once"):
        jobs.resume(paused)  # resuming is no way around it
    with pytest.raises(RunError, match="5 do, and 3 more"):
        jobs.make_room(3)


def test_another_students_run_is_not_there_by_any_name(spaces: tuple[Space, Space]) -> None:
    with inside(spaces[0]):
        run_id = jobs.submit(RunConfig("Anna's"))
    acts: list[Any] = [
        jobs.run,
        jobs.folder,
        jobs.pause,
        jobs.cancel,
        jobs.resume,
        jobs.delete,
        jobs.take,
        lambda i: jobs.rename(i, "Ben's"),
    ]
    with inside(spaces[1]):
        assert jobs.runs() == []
        assert jobs.events(run_id).events == ()
        for act in acts:
            with pytest.raises(AdvlabError):
                act(run_id)
        for trick in (f"../../{spaces[0].root.name}/runs/{run_id}", f"../{run_id}", run_id + "\0"):
            with pytest.raises(AdvlabError):
                jobs.run(trick)
    with inside(spaces[0]):
        assert jobs.run(run_id).name == "Anna's"
        assert jobs.run(run_id).status == "queued"


def finished(root: Path, name: str) -> str:
    """A run of the class that looks done, with a model."""
    store = Store(root)
    info = store.open_here(RunConfig(name), group="starter")
    info.folder.model.mkdir(parents=True)
    (info.folder.model / "config.json").write_text("{}")
    store.finish(info.id, 1, "done")
    return info.id


def test_the_classs_models_are_seen_and_cannot_be_changed(
    room: Classroom, spaces: tuple[Space, Space]
) -> None:
    run_id, secret = finished(room.root, "of the class"), Store(room.root).enqueue(RunConfig())
    with inside(spaces[0]):
        own = jobs.submit(RunConfig("own"))
        assert [run.id for run in jobs.runs()] == [own, run_id]
        assert jobs.is_shared(jobs.run(run_id))
        assert not jobs.is_shared(jobs.run(own))
        for act in (jobs.pause, jobs.cancel, jobs.resume, jobs.delete, jobs.take):
            with pytest.raises(RunError, match="there is no run"):
                act(run_id)
        with pytest.raises(RunError, match="there is no run"):
            jobs.rename(run_id, "mine")
        with pytest.raises(RunError, match="there is no run"):
            jobs.run(secret)  # what the teacher's queue holds is the teacher's
    assert Store(room.root).get(run_id).name == "of the class"
