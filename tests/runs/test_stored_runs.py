"""What the store keeps of a run: states, requests, names."""

from __future__ import annotations

import dataclasses

import pytest
from fake_runs import config

from advlab.errors import RunError, SettingError
from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig
from advlab.runs.jobs import Store


def test_only_the_attempt_that_runs_can_finish(store: Store) -> None:
    run_id = store.enqueue(config())
    first = store.claim(1)
    assert first is not None
    assert store.finish(run_id, first.attempt, "interrupted", "gone")
    store.resume(run_id)
    second = store.claim(1)
    assert second is not None
    assert not store.finish(run_id, first.attempt, "failed", "a late worker")
    assert store.get(run_id).status == "running"
    assert store.finish(run_id, second.attempt, "done")
    assert not store.finish(run_id, second.attempt, "failed")
    assert (store.get(run_id).status, store.get(run_id).error) == ("done", None)


@pytest.mark.parametrize(
    ("status", "what", "after"),
    [
        ("queued", "cancel", "cancelled"),
        ("queued", "pause", "paused"),
        ("paused", "cancel", "cancelled"),
        ("paused", "pause", "paused"),
        ("interrupted", "cancel", "cancelled"),
        ("cancelled", "cancel", "cancelled"),
        ("running", "cancel", "running"),
        ("running", "pause", "running"),
        ("interrupted", "pause", None),
        ("done", "cancel", None),
        ("done", "pause", None),
        ("failed", "cancel", None),
        ("cancelled", "pause", None),
    ],
)
def test_requests_by_state(store: Store, status: str, what: str, after: str | None) -> None:
    run_id = store.enqueue(config())
    if status != "queued":
        run = store.claim(1)
        assert run is not None
        if status != "running":
            store.finish(run_id, run.attempt, status)
    if after is None:
        with pytest.raises(RunError, match=f"cannot {what} run {run_id}: it is {status} already"):
            store.request(run_id, what)
        assert store.get(run_id).status == status
        return
    store.request(run_id, what)
    info = store.get(run_id)
    assert info.status == after
    assert (info.request, info.folder.requested()) == (
        (what, what) if after == "running" else (None, None)
    )


def test_a_pause_does_not_soften_a_cancel(store: Store) -> None:
    run_id = store.enqueue(config())
    run = store.claim(1)
    assert run is not None
    store.request(run_id, "pause")
    store.request(run_id, "cancel")
    asked = store.get(run_id).requested
    store.request(run_id, "pause")
    store.request(run_id, "cancel")
    assert store.get(run_id).requested == asked
    assert run.folder.requested() == "cancel"
    store.finish(run_id, run.attempt, "interrupted")
    assert run.folder.requested() is None  # a resumed run must not find an old request


@pytest.mark.parametrize("status", ["queued", "running", "done"])
def test_what_is_not_stopped_cannot_be_resumed(store: Store, status: str) -> None:
    run_id = store.enqueue(config())
    if status != "queued":
        run = store.claim(1)
        assert run is not None
        if status == "done":
            store.finish(run_id, run.attempt, "done")
    with pytest.raises(RunError, match=f"cannot resume run {run_id}: it is {status}"):
        store.resume(run_id)


def test_deleting_a_running_run_is_refused_and_any_other_goes_with_its_files(store: Store) -> None:
    run_id = store.enqueue(config())
    run = store.claim(1)
    assert run is not None
    with pytest.raises(RunError, match="while it is running; cancel it first"):
        store.delete(run_id)
    assert run.folder.path.is_dir()
    store.finish(run_id, run.attempt, "done")
    store.delete(run_id)
    assert store.listing() == []
    assert list((store.root / "runs").iterdir()) == []
    with pytest.raises(RunError, match="there is no run"):
        store.get(run_id)


@pytest.mark.parametrize(
    "name", ["对抗训练 ε=½", "اختبار", "🧪👩‍🔬", "<script>alert(1)</script>", "'; DROP"]
)
def test_a_run_takes_any_name(store: Store, name: str) -> None:
    run_id = store.enqueue(config("before"))
    store.rename(run_id, f" {name}\n")
    info = store.get(run_id)
    assert info.name == info.config.name == info.folder.config().name == name
    assert info.config.fingerprint == config().fingerprint
    with pytest.raises(RunError, match="at least one character"):
        store.rename(run_id, " \n ")


def test_names_that_utf8_cannot_hold_are_mended(store: Store) -> None:
    run_id = store.enqueue(config("a\ud800b\x00c"))
    store.rename(run_id, "\udfff!")
    assert (store.get(run_id).name, store.get(run_id).folder.config().name) == ("?!", "?!")


def test_a_run_without_a_name_gets_a_telling_one(store: Store) -> None:
    run = RunConfig(method={"name": "freelb"}, data=DataConfig("/tmp/my data.csv"))
    assert store.get(store.enqueue(run)).name == "freelb · my data.csv · tiny"


@pytest.mark.parametrize("bad", ["../../etc", "x" * 12, "0123456789ab/../.."])
def test_no_function_takes_a_path_for_an_id(store: Store, bad: str) -> None:
    for function in (
        store.get,
        store.delete,
        store.resume,
        store.begin,
        jobs.run,
        jobs.events,
        jobs.folder,
        lambda i: store.request(i, "cancel"),
        lambda i: store.rename(i, "name"),
    ):
        with pytest.raises(RunError, match="expected a run id"):
            function(bad)


def test_settings_of_another_version_do_not_hide_the_list(store: Store) -> None:
    run_id = store.enqueue(config("old"))
    info = dataclasses.replace(store.get(run_id), config_json='{"colour": "blue"}')
    assert info.name == "old"
    with pytest.raises(SettingError, match="no setting 'colour'"):
        info.config
