from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from advlab.errors import RunError
from advlab.records import Event
from advlab.runs.config import RunConfig
from advlab.runs.folder import RunFolder, clean_name, new_id, read_events, run_path, timeline


def step(number: int, **values: object) -> Event:
    return Event("step", number, 1.5, values)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(RunConfig(name="première épreuve"), tmp_path)


def test_a_config_comes_back_as_it_was_written(folder: RunFolder) -> None:
    assert folder.config() == RunConfig(name="première épreuve")
    assert sorted(p.name for p in folder.path.iterdir()) == ["config.json"]


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "..",
        "../../etc",
        "0123456789ab/..",
        "0123456789AB",
        "0123456789ab\n",
        "/0123456789a",
        "0123456789abc",
        "٠١٢٣٤٥٦٧٨٩ab",
        "0123456789a\x00",
        None,
        123456789012,
    ],
)
def test_anything_but_an_id_is_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(RunError, match="expected a run id of 12 hex digits"):
        run_path(bad, tmp_path)


def test_a_link_out_of_the_data_folder_is_refused(tmp_path: Path) -> None:
    run_id = new_id()
    (tmp_path / "data" / "runs").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data" / "runs" / run_id).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="lies outside"):
        RunFolder.at(run_id, tmp_path / "data")


def test_events_come_back_as_they_were_appended(folder: RunFolder) -> None:
    events = [
        Event("start", 0, 1.25, {"label_names": ["négatif", "正面", "a\u2028b\nc"], "eps": None}),
        Event("note", 0, 2.0, {"message": "a lone surrogate \ud800 and NUL \x00"}),
        step(1, clean_loss=0.5, adv_loss=float("inf")),
    ]
    with folder.writer() as diary:
        for event in events:
            diary.append(event)
    assert folder.read().events == tuple(events)
    assert folder.diary.read_bytes().count(b"\n") == 3


def test_numpy_numbers_are_written_as_plain_ones(folder: RunFolder) -> None:
    with folder.writer() as diary:
        diary.append(step(1, loss=np.float32(0.5), counts=np.arange(3)))
    assert folder.read().events[0].values == {"loss": 0.5, "counts": [0, 1, 2]}


def test_a_tail_holds_only_what_is_new(folder: RunFolder) -> None:
    assert folder.read() == read_events(folder.path / "nothing")
    with folder.writer() as diary:
        diary.append(step(1))
        first = folder.read()
        diary.append(step(2))
        second = folder.read(first.offset)
    assert [e.step for e in first.events] == [1]
    assert [e.step for e in second.events] == [2]
    assert folder.read(second.offset).events == ()
    assert len(folder.read(10**9).events) == 2  # an offset of another file starts anew


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_is_neither_read_nor_kept(folder: RunFolder, cut: int) -> None:
    with folder.writer() as diary:
        diary.append(step(1))
        diary.append(step(2, loss=0.25))
    whole = folder.diary.read_bytes()
    folder.diary.write_bytes(whole[:-cut])
    tail = folder.read()
    assert [e.step for e in tail.events] == [1]
    with folder.writer() as diary:
        diary.append(step(3))
    after = [e.step for e in folder.read(tail.offset).events]
    assert after == ([2, 3] if cut == 1 else [3])  # with only the newline missing nothing is lost
    assert folder.read().damaged == 0


def test_a_long_torn_line_is_cut_off_whole(folder: RunFolder) -> None:
    with folder.writer() as diary:
        diary.append(step(1))
    with folder.diary.open("ab") as file:
        file.write(b'{"kind": "' + b"x" * 200_000)
    with folder.writer() as diary:
        diary.append(step(2))
    assert [e.step for e in folder.read().events] == [1, 2]


def test_damaged_lines_are_counted_and_passed_over(folder: RunFolder) -> None:
    with folder.writer() as diary:
        diary.append(step(1))
    with folder.diary.open("ab") as file:
        file.write(b'\xff\xfe\x00garbage\n[1]\n{"kind": "step"}\n\n')
    with folder.writer() as diary:
        diary.append(step(2))
    tail = folder.read()
    assert [e.step for e in tail.events] == [1, 2]
    assert tail.damaged == 3


def test_a_failed_append_leaves_the_diary_as_it_was(folder: RunFolder, monkeypatch) -> None:
    real = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real(file, data[: len(data) - 10])

    with folder.writer() as diary:
        diary.append(step(1))
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            diary.append(step(2))
        monkeypatch.undo()
        diary.append(step(3))
    assert [e.step for e in folder.read().events] == [1, 3]


def test_readers_beside_a_writing_process_see_every_event_once(folder: RunFolder) -> None:
    program = (
        "import sys; from pathlib import Path; from advlab.records import Event\n"
        "from advlab.runs.folder import EventWriter\n"
        "with EventWriter(Path(sys.argv[1])) as diary:\n"
        "    for n in range(3000): diary.append(Event('step', n, 0.0, {'pad': 'ü' * (n % 500)}))\n"
    )
    seen: list[list[int]] = [[], []]
    done = threading.Event()

    def follow(mine: list[int]) -> None:
        offset = 0
        while True:
            last = done.is_set()
            tail = folder.read(offset)
            assert tail.damaged == 0
            mine += [e.step for e in tail.events]
            offset = tail.offset
            if last:
                return

    readers = [threading.Thread(target=follow, args=(mine,)) for mine in seen]
    for reader in readers:
        reader.start()
    code = subprocess.run([sys.executable, "-c", program, str(folder.diary)], timeout=60).returncode
    done.set()
    for reader in readers:
        reader.join(timeout=20)
    assert code == 0
    assert seen == [list(range(3000))] * 2


def test_a_killed_writer_loses_nothing_that_it_appended(folder: RunFolder) -> None:
    program = (
        "import sys; from pathlib import Path; from advlab.records import Event\n"
        "from advlab.runs.folder import EventWriter\n"
        "diary = EventWriter(Path(sys.argv[1]))\n"
        "for n in range(10**9):\n"
        "    diary.append(Event('step', n, 0.0, {'pad': 'x' * 3000}))\n"
        "    print(n, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder.diary)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 200:
            pass
        writer.kill()
        rest = writer.stdout.read().split()
    steps = [e.step for e in folder.read().events]
    assert steps == list(range(len(steps)))
    assert len(steps) > max(200, *(int(n) for n in rest[:-1] or [0]))


def test_a_timeline_drops_the_steps_that_were_taken_again() -> None:
    resumed = Event("note", 2, 0.0, {"message": "resumed from step 2", "resumed_from": 2})
    start = Event("start", 0, 0.0, {})
    events = [start, step(1), step(2), step(3, lost=True), step(4, lost=True), resumed, step(3)]
    kept = timeline(events)
    assert [e.step for e in kept if e.kind == "step"] == [1, 2, 3]
    assert not any(e.values.get("lost") for e in kept)
    assert start in kept
    assert resumed in kept


def test_the_newest_complete_checkpoint_counts(folder: RunFolder) -> None:
    assert folder.checkpoint_step() is None
    for name, state in [
        ("step-0000090", '{"step": 90}'),
        ("step-0000120", '{"step": 120}'),
        ("step-0000150", "{torn"),
        (".writing-step-0000180", '{"step": 180}'),
    ]:
        (folder.path / "checkpoints" / name).mkdir(parents=True)
        (folder.path / "checkpoints" / name / "state.json").write_text(state)
    assert folder.checkpoint_step() == 120


def test_names_of_any_script_are_kept_and_control_characters_are_not() -> None:
    assert clean_name("  对抗训练 · اختبار 🧪 e\u0301 ") == "对抗训练 · اختبار 🧪 e\u0301"
    assert clean_name("a\nb\tc\x00d\u2028e") == "a b c d e"
    assert clean_name("\ud800") == "?"
    assert len(clean_name("x" * 10_000)) == 200


def test_a_request_is_left_read_and_taken_back(folder: RunFolder) -> None:
    assert folder.requested() is None
    folder.request("pause")
    folder.request("cancel")
    assert folder.requested() == "cancel"
    folder.request(None)
    folder.request(None)
    assert folder.requested() is None
    (folder.path / "request").write_bytes(b"\xff nonsense")
    assert folder.requested() is None


def test_a_model_is_zipped_whole_and_nothing_half_written_with_it(folder: RunFolder) -> None:
    with pytest.raises(RunError, match="no model yet"):
        folder.zip_to(io.BytesIO())
    folder.model.mkdir()
    (folder.model / "config.json").write_text("{}")
    (folder.model / "model.safetensors").write_bytes(bytes(range(256)) * 40)
    (folder.model / ".part").write_text("half")
    (folder.path / ".writing-model").mkdir()
    (folder.path / ".writing-model" / "config.json").write_text("half")
    target = io.BytesIO()
    folder.zip_to(target)
    with zipfile.ZipFile(target) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        weights = archive.read(f"{folder.id}/model.safetensors")
    assert sorted(names) == [f"{folder.id}/config.json", f"{folder.id}/model.safetensors"]
    assert weights == bytes(range(256)) * 40
    whole = io.BytesIO()
    folder.zip_to(whole, "run")
    with zipfile.ZipFile(whole) as archive:
        assert json.loads(archive.read(f"{folder.id}/config.json"))["name"] == "première épreuve"
        assert not any("writing" in name for name in archive.namelist())


def test_download_names_are_plain(folder: RunFolder) -> None:
    assert folder.download_name('a/../"b"\r\nSet-Cookie: 对') == f"a-b-set-cookie-{folder.id}.zip"
    assert folder.download_name("对抗") == f"run-{folder.id}.zip"


def test_deleting_removes_the_folder_and_its_size(folder: RunFolder) -> None:
    before = folder.size()
    (folder.path / "weights").write_bytes(b"x" * 1000)
    assert folder.size() == before + 1000
    folder.delete()
    folder.delete()
    assert folder.size() == 0
    assert list(folder.path.parent.iterdir()) == []
