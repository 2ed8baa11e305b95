"""What can be done with a run: pause, cancel, resume, open, download, rename, delete."""

from __future__ import annotations

import io
from collections.abc import Callable

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _
from advlab.runs import jobs
from advlab.runs.folder import RunFolder
from advlab.runs.jobs import RunInfo
from advlab.runs.starters import shown_name
from advlab.ui import plain_text
from advlab.ui.train.run import EXPLORE


def actions(info: RunInfo) -> None:
    """Buttons for what fits the run's state."""
    with st.container(horizontal=True):
        if info.active:
            asked = info.request is not None
            st.button(
                _("Pause"),
                key="pause",
                icon=":material/pause:",
                disabled=asked,
                on_click=attempt,
                args=(jobs.pause, info.id),
                help=_("Stops after this step and writes a checkpoint to go on from"),
            )
            st.button(
                _("Cancel"),
                key="cancel",
                icon=":material/stop:",
                disabled=info.request == "cancel",
                on_click=attempt,
                args=(jobs.cancel, info.id),
            )
        if info.resumable:
            st.button(
                _("Resume"),
                key="resume",
                icon=":material/play_arrow:",
                type="primary",
                on_click=attempt,
                args=(jobs.resume, info.id),
                help=plain_text(info.folder.outlook().capitalize()),
            )
        if info.folder.has_model and not info.active:
            open_in_explore(info)
            st.download_button(
                _("Download"),
                key="download",
                icon=":material/download:",
                # made by a thread that draws no page and knows no visitor: settle the folder here
                data=lambda: model_zip(info.folder),
                file_name=info.folder.download_name(info.name),
                mime="application/zip",
                on_click="ignore",
                help=_("The model as a zip of a Hugging Face folder: opens without advlab"),
            )
        if jobs.is_shared(info):
            st.caption(_("A model of the class: to be looked at, not to be changed."))
            return
        if st.button(_("Rename"), key="rename", icon=":material/edit:"):
            rename(info.id, info.name)
        if info.status != "running" and st.button(
            _("Delete"), key="delete", icon=":material/delete:"
        ):
            delete(info.id, shown_name(info.name))


def open_in_explore(info: RunInfo) -> None:
    """To the Explore page, this model beside its twin where it has one."""
    twin = (
        next(
            (r.id for r in jobs.runs(group=info.group) if r.id != info.id and r.folder.has_model),
            None,
        )
        if info.group
        else None
    )
    pair = {"a": info.id} if twin is None else {"a": twin, "b": info.id}
    if st.button(_("Open in Explore"), key="explore", icon=":material/search_insights:"):
        st.switch_page(EXPLORE, query_params=pair)


def attempt(action: Callable[[str], None], run_id: str) -> None:
    """Do it; a state that changed meanwhile is told, not raised."""
    try:
        action(run_id)
    except AdvlabError as error:
        st.toast(plain_text(str(error)), icon=":material/error:")


def model_zip(folder: RunFolder) -> io.BytesIO:
    """The zip of a run's model, made when it is asked for."""
    target = io.BytesIO()
    folder.zip_to(target)
    target.seek(0)
    return target


def rename(run_id: str, name: str) -> None:
    """Ask for another name."""
    st.dialog(_("Rename run"))(_rename)(run_id, name)


def _rename(run_id: str, name: str) -> None:
    key = f"new-name.{run_id}"

    def save() -> None:
        attempt(lambda id_: jobs.rename(id_, st.session_state[key] or ""), run_id)
        st.rerun()  # the whole page, which closes the dialog

    with st.form("rename", border=False):  # Enter saves, as in any form
        st.text_input(_("Name"), value=name, max_chars=200, key=key)
        st.form_submit_button(_("Save"), type="primary", key="save-name", on_click=save)


def delete(run_id: str, name: str) -> None:
    """Ask before the files are gone."""
    st.dialog(_("Delete run?"))(_delete)(run_id, name)


def _delete(run_id: str, name: str) -> None:
    st.markdown(
        _(
            "**{name}** with its model, checkpoints and events. This cannot be undone.",
            name=plain_text(name, 80),
        )
    )

    def for_good() -> None:
        attempt(jobs.delete, run_id)
        st.session_state.get("diaries", {}).pop(run_id, None)
        st.query_params.pop("run", None)
        st.rerun()

    with st.container(horizontal=True):
        st.button(_("Delete for good"), type="primary", key="delete-for-good", on_click=for_good)
        if st.button(_("Keep it"), key="keep"):
            st.rerun()
