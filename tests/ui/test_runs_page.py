"""The page of runs in every state that a run can be in, and what it does; no browser."""

from __future__ import annotations

import pytest
from runs_in_states import RUNS, config, keys, make, page, said

from advlab.runs import jobs

pytestmark = pytest.mark.usefixtures("quiet_server", "saved_model")


@pytest.mark.parametrize(
    ("state", "wanted", "absent"),
    [
        ("queued", {"pause", "cancel", "delete"}, {"resume", "explore"}),
        ("running", {"pause", "cancel"}, {"resume", "explore", "delete"}),
        ("paused", {"resume", "delete"}, {"pause", "cancel"}),
        ("failed", {"resume", "delete"}, {"pause", "cancel", "explore"}),
        ("done", {"explore", "rename", "delete"}, {"pause", "cancel", "resume"}),
    ],
)
def test_a_run_offers_what_fits_its_state(state: str, wanted: set[str], absent: set[str]):
    run_id = make(state)
    found = keys(page(RUNS, run=run_id))
    assert wanted <= found
    assert not absent & found


def test_a_failed_run_says_why():
    app = page(RUNS, run=make("failed"))
    assert any("KeyError" in e.value for e in app.error)


def test_an_alarm_is_shown_as_it_was_written():
    app = page(RUNS, run=make("running"))
    assert any("\\*stayed\\*" in w.value for w in app.warning)


def test_a_queued_run_says_its_place():
    make("queued")
    second = jobs.submit(config("later"))
    app = page(RUNS, run=second)
    assert "place 2 in the queue" in said(app)


def test_pause_cancel_and_resume_reach_the_run():
    run_id = make("queued")
    assert run_id is not None
    app = page(RUNS, run=run_id)
    app.button(key="pause").click().run()
    assert jobs.run(run_id).status == "paused"
    app.button(key="resume").click().run()
    assert jobs.run(run_id).status == "queued"
    app.button(key="cancel").click().run()
    assert jobs.run(run_id).status == "cancelled"


def test_rename_and_delete_ask_and_then_do():
    run_id = make("cancelled")
    assert run_id is not None
    app = page(RUNS, run=run_id)
    app.button(key="rename").click().run()
    app.text_input(key=f"new-name.{run_id}").set_value("<b>新</b>")
    app.button(key="save-name").click().run()
    assert jobs.run(run_id).name == "<b>新</b>"
    assert "\\<b\\>新" in said(app)
    app.button(key="delete").click().run()
    assert jobs.run(run_id).status == "cancelled"  # nothing is gone before the answer
    app.button(key="delete-for-good").click().run()
    assert not app.exception
    assert not jobs.runs()


def test_a_rename_is_a_form_that_enter_sends():
    run_id = make("cancelled")
    app = page(RUNS, run=str(run_id))
    app.button(key="rename").click().run()
    field, save = app.text_input(key=f"new-name.{run_id}"), app.button(key="save-name")
    assert field.proto.form_id
    assert field.proto.form_id == save.proto.form_id
    assert save.proto.is_form_submitter


def test_a_run_shows_the_hash_that_links_and_capsules_use():
    run_id = make("done")
    from advlab.ui.models import load_victim, weights_of

    app = page(RUNS, run=str(run_id))
    assert f"weights {load_victim(str(run_id)).hash}" in said(app)
    assert weights_of(str(run_id)) == load_victim(str(run_id)).hash


@pytest.mark.parametrize("wrong", ["0123456789ab", "../../etc", "<script>"])
def test_a_wrong_run_in_the_address_is_said_and_the_list_stays(wrong: str):
    run_id = make("done")
    app = page(RUNS, run=wrong)
    assert not app.exception
    assert any("does not exist" in w.value for w in app.warning)
    assert f"open.{run_id}" in keys(app)


def test_runs_are_compared_over_each_other_with_what_differs():
    make("done", "first")
    make("cancelled", "second")
    app = page(RUNS, view="Compare")
    assert not app.exception
    assert len(app.get("plotly_chart")) == 2
    assert "Settings that differ" in said(app)


def test_the_table_lists_every_run():
    make("done", "first")
    make("failed", "second")
    app = page(RUNS, view="Table")
    assert list(app.dataframe[0].value["name"]) == ["second", "first"]
