"""A capsule on a page: read safely, verified on a model of this machine, opened in Explore."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import streamlit as st

from advlab.capsule import forecast, worth
from advlab.capsule.format import MAX_BYTES, Capsule, load
from advlab.errors import AdvlabError
from advlab.language import _, listing
from advlab.pictures import attack
from advlab.pictures.sentences import percent, units
from advlab.pictures.text import quoted
from advlab.records import Scale
from advlab.ui import plain_text
from advlab.ui.explore import request
from advlab.ui.models import borrow, model_choices, weights_of
from advlab.ui.parts import chart, said, table


def opened() -> None:
    """The upload, and everything about what came."""
    st.markdown(
        _(
            "A capsule is one attacked sentence in a file, saved from the *Data* tab "
            "of a sentence: text, settings, hashes of model and tokenizer, δ and the "
            "attack's figures. Open one to read it, and to have every figure computed "
            "again."
        )
    )
    file = st.file_uploader(
        _("Capsule (JSON, or its HTML page)"),
        type=["json", "html"],
        key="capsule.file",
        max_upload_size=MAX_BYTES >> 20,
    )
    if file is None:
        return
    try:
        found = load(file.getvalue())
    except AdvlabError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
        return
    if found.beside:
        said(found.beside)
    st.html(quoted(found.text, found.shield))
    said(found.headline)
    if found.forecast is not None:
        said(
            forecast.compared(found.forecast, found.flips_at, found.eps / found.mean_norm),
            large=True,
        )
    _charts(found)
    _figures(found)
    _explanations(found)
    _check(found)


def _charts(found: Capsule) -> None:
    left, right = st.columns(2)
    with left:
        st.markdown("**{}**".format(plain_text(_("{name} against ε", name=found.chance))))
        chart(
            attack.curve(
                found.numbers["curve_eps"],
                found.readings["curve"].score,
                found.numbers["curve_low"],
                found.numbers["curve_high"],
                own=found.eps,
                norm=found.mean_norm,
                reference=found.reference,
            ),
            "capsule.curve",
            _("{name} against ε", name=found.chance) + f". {found.headline}",
        )
    with right:
        st.markdown(_("**Where δ sits**"))
        chart(
            attack.bars(
                found.tokens,
                found.numbers["delta_norm"] / found.mean_norm,
                found.numbers["perturbable"] > 0,
            ),
            "capsule.bars",
            _("Length of δ on each word"),
        )
    with st.expander(_("Numbers")):
        left, right = st.columns(2)
        n, name = found.numbers, found.chance
        with left:
            table(
                {
                    _("ε, × mean norm"): (n["curve_eps"] / found.mean_norm).tolist(),
                    _("{name}, attacked", name=name): found.readings["curve"].score.tolist(),
                    _("noise, lowest"): n["curve_low"].tolist(),
                    _("noise, highest"): n["curve_high"].tolist(),
                },
                "capsule.curve_table",
                _("{name} against ε", name=found.chance),
            )
        with right:
            table(
                {
                    _("token"): list(found.tokens),
                    _("‖δ‖, × mean norm"): (n["delta_norm"] / found.mean_norm).tolist(),
                    _("nearest"): list(found.nearest),
                },
                "capsule.token_table",
                _("δ on each token"),
            )


def _explanations(found: Capsule) -> None:
    if found.explanations:
        st.markdown(_("**What the explanations are worth**"))
        table(
            worth.columns(found.explanations),
            "capsule.passport",
            _("Baseline, settings, completeness, spread and agreement of each method"),
        )
        st.caption(
            _("{meaning} *Verify* computes the attack again, not these.", meaning=_(worth.MEANING))
        )


def _figures(found: Capsule) -> None:
    rows = []
    for name, key in (
        (_("the sentence"), "clean"),
        (_("under attack"), "attacked"),
        (_("nearest tokens"), "nearest tokens"),
        (_("as text again"), "as text again"),
    ):
        said_then = found.readings[key]
        rows.append(
            {
                "": name,
                _("answer"): said_then.answers[0],
                _("how sure per token") if found.written else _("how sure"): percent(
                    float(said_then.sure[0])
                ),
            }
        )
    left, right = st.columns(2)
    left.dataframe(
        rows, hide_index=True, placeholder="–", alt=_("What the capsule says of the sentence")
    )
    settings: dict[str, Any] = {
        _("saved"): found.made,
        _("model"): found.model,
        _("weights"): found.model_hash,
        _("tokenizer"): found.tokenizer_hash,
        _("seed"): found.seed,
        "ε": units(found.eps, Scale(found.mean_norm, found.half_nn)),
        **({_("goal"): found.goal} if found.goal else {}),
        **{_("attack: {k}", k=k): v for k, v in found.attack.items()},
        **found.versions,
    }
    right.dataframe(
        {_("setting"): list(settings), _("value"): [str(v) for v in settings.values()]},
        hide_index=True,
        height=240,
        placeholder="–",
        alt=_("Settings in the capsule"),
    )
    if found.changed:
        st.warning(
            _("Changed after it was saved: {changed}.", changed=listing(found.changed)),
            icon=":material/warning:",
        )


def _check(found: Capsule) -> None:
    titles = model_choices()
    if not titles:
        said(_("There is no model on this machine to verify it with. Train or copy one first."))
        return
    with st.spinner(_("Looking for the model by its weights …")):
        same = model_of(found.model_hash, titles)
    if not same:
        said(_("No model here has these weights; another one will show what differs."))
    ids = [*same, *(i for i in titles if i not in same)]
    model = st.selectbox(_("Model"), ids, format_func=titles.__getitem__, key="capsule.model")
    with st.container(horizontal=True):
        wanted = st.button(_("Verify"), type="primary", icon=":material/verified:")
        st.page_link(
            "pages/explore/explore.py",
            label=_("Open in Explore"),
            icon=":material/search_insights:",
            query_params=link(found, model),
        )
    if not wanted:
        return
    from advlab.capsule.verify import verify, versions_differ

    try:
        with st.spinner(_("Attacking again …")), borrow(model) as victim:
            verdict = verify(found, victim)
    except AdvlabError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
        return
    (st.success if verdict.verified else st.error)(plain_text(verdict.sentence))
    st.dataframe(
        [
            {"": "✓" if c.ok else "✗", _("what"): _(c.what), _("finding"): c.note}
            for c in verdict.checks
        ],
        hide_index=True,
        placeholder="–",
        alt=_("Every check of the capsule"),
    )
    for name, (saved, here) in versions_differ(found).items():
        st.caption(
            plain_text(
                _("Saved with {name} {saved}, here {here}.", name=name, saved=saved, here=here)
            )
        )


def model_of(wanted: str, titles: Iterable[str]) -> list[str]:
    """The first of these models whose weights have this hash, if any. Broken ones are passed by."""
    for id_ in titles:
        with suppress(AdvlabError):
            if weights_of(id_) == wanted:
                return [id_]
    return []


def link(found: Capsule, model: str) -> dict[str, str]:
    """The address of the same sentence, attack and seed on the Explore page."""
    return request.link(
        [model],
        found.attack,
        found.text,
        label=found.label or "",
        seed=found.seed,
        shield=found.shield,
        beside=found.beside,
        goal=found.goal,
    )
