"""The min–max microscope: one batch in slow motion, under several methods beside each other.

The controls stand in the address, so that a link opens the same batch under the same methods.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from advlab.data.corpora import CORPORA, shown
from advlab.errors import AdvlabError
from advlab.language import _
from advlab.pictures import microscope as pictures
from advlab.pictures.style import side
from advlab.records import Example, SlowMotion
from advlab.runs import jobs
from advlab.runs.starters import shown_name
from advlab.settings import settings_of
from advlab.training.epochs import kept
from advlab.ui import KEEP, plain_text
from advlab.ui.launch import warm_up
from advlab.ui.parts import folded, said, section, table
from advlab.ui.player import player
from advlab.ui.train.link import one_of, opened, some_of, to_link
from advlab.ui.train.short_training import short_training
from advlab.ui.train.specimen import FRESH, SIZE, Specimen, seen

FIRST = ("plain", "fgm", "pgd", "freelb", "trades")
MOST_METHODS = 5  # side by side, each with a colour of its own
MOST_STEPS = 12  # of an ascent: more frames than one looks at
LR = 2e-4  # a tenth of the peak of a model from scratch
KEPT = "kept"  # in place of an epoch: the weights that the run chose
LONGEST = 300  # characters of the pinned sentence: it stands in the address
BOUND: dict[str, Any] = {"bind": "query-params"}


def microscope_page() -> None:
    """Everything on the page: what is looked at, the slow motion, what the step changed."""
    st.title(_("Microscope"), anchor=False)
    st.markdown(
        _(
            "Adversarial training is a game of two players on every batch: the inner player looks "
            "for the δ that hurts most, the outer player moves the weights against it. Here is one "
            "batch in slow motion, as the training methods really compute it, from the same "
            "weights, texts and random numbers."
        )
    )
    with st.spinner(_("Loading PyTorch (once, a few seconds)…")):
        warm_up()
    try:
        specimen = _specimen()
        examples = specimen.data
        pinned = _pinned(specimen, shown(examples)[0] if examples.train else Example("", ""))
        methods = _methods()
        batch, lr = _step(specimen)
        if methods and pinned.text:
            with st.spinner(_("Looking at the batch under each method…")):
                records = seen(specimen, batch, methods, pinned, lr)
            _slow_motion(records)
            _changed(records)
            short_training(specimen, methods, pinned)
    except AdvlabError as error:
        st.error(plain_text(str(error)), icon=":material/error:")


# ---- what is looked at ----------------------------------------------------------------------


def _specimen() -> Specimen:
    """The model with its data."""
    runs = {r.id: shown_name(r.name) for r in jobs.runs() if r.folder.has_model and not r.active}
    names = {FRESH: _("A new tiny model, before its first step")} | runs
    left, right = st.columns(2)
    one_of("model", list(names))
    model = left.selectbox(
        _("Model"),
        list(names),
        format_func=lambda i: names[i],
        key="model",
        help=_("A copy of it takes one step and is thrown away; the model itself stays as it is."),
        **KEEP,
    )
    to_link("model", model)
    if model == FRESH:
        one_of("corpus", list(CORPORA))
        corpus = right.selectbox(
            _("Texts"),
            list(CORPORA),
            format_func=lambda name: _(CORPORA[name].title),
            key="corpus",
            **KEEP,
        )
        to_link("corpus", corpus)
        return Specimen(FRESH, None, corpus)
    epochs = [KEPT, *map(str, kept(jobs.run(model).folder.path))]
    one_of("epoch", epochs)
    epoch = right.selectbox(
        _("Weights"),
        epochs,
        format_func=lambda e: _("those that the run kept") if e == KEPT else _after(e),
        key="epoch",
        help=_("Saved epochs of this run. The texts are those that it was trained on."),
        **KEEP,
    )
    to_link("epoch", epoch)
    return Specimen(model, None if epoch == KEPT else int(epoch), "")


def _after(epoch: str) -> str:
    return _("before training") if epoch == "0" else _("after epoch {epoch}", epoch=epoch)


def _pinned(specimen: Specimen, first: Example) -> Example:
    """The sentence that is read before and after the step."""
    from advlab.tasks import TASKS

    task = TASKS[specimen.config.task]
    mine = (
        f"{specimen.model}.{specimen.corpus}"  # another model's texts begin with another sentence
    )
    opened("pin", first.text[:LONGEST], str)
    opened("pin_beside", first.beside[:LONGEST], str)
    if st.session_state.get("pinned.of", mine) != mine:
        st.session_state["pin"] = first.text[:LONGEST]
        st.session_state["pin_beside"] = first.beside[:LONGEST]
    st.session_state["pinned.of"] = mine
    text = st.text_input(
        _("Pinned sentence"),
        max_chars=LONGEST,
        key="pin",
        help=_("Read before the step and after it. Its known answer must stand, else its own."),
        **KEEP,
    )
    beside = first.beside
    if task.beside is not None:
        beside = st.text_input(_(task.beside.title), max_chars=LONGEST, key="pin_beside", **KEEP)
        to_link("pin_beside", beside)
    to_link("pin", text)
    text, beside = (text or "").strip(), (beside or "").strip()
    if not text:
        st.info(_("Type a sentence to pin."))
    known = first.answers if (text, beside) == (first.text, first.beside) else ()
    return Example("pinned", text, known, beside)


def _methods() -> list[dict[str, Any]]:
    """The methods with ε and the number of steps, where they have these."""
    from advlab.training.methods import METHODS

    followed = [name for name, cls in METHODS.items() if not cls.unobserved]
    some_of("methods", followed, FIRST)
    chosen = st.multiselect(
        _("Training methods"),
        followed,
        format_func=lambda name: _(METHODS[name].title),
        max_selections=MOST_METHODS,
        key="methods",
        help=_("Not here: {names}.", names=_left_out()),
        **KEEP,
    )
    to_link("methods", chosen)
    one, two = st.columns(2)
    eps = one.number_input(
        _("ε, × mean norm"),
        0.0,
        10.0,
        0.5,
        0.05,
        key="eps",
        help=_(
            "Radius of the ball that holds δ, in mean lengths of a word vector. FGSM and SMART, "
            "whose ball is another, keep their own."
        ),
        **BOUND,
    )
    steps = two.number_input(
        _("Ascent steps K"),
        1,
        MOST_STEPS,
        3,
        1,
        key="steps",
        help=_("Of methods that take several. FreeLB makes K passes and K − 1 steps."),
        **BOUND,
    )
    if not chosen:
        st.info(_("Choose a method."))
    return [_settings(name, float(eps or 0.0), int(steps or 1)) for name in chosen]


def _left_out() -> str:
    from advlab.training.methods import METHODS

    return _("; ").join(
        f"{_(m.title)}: {_(m.unobserved)}" for m in METHODS.values() if m.unobserved
    )


def _settings(name: str, eps: float, steps: int) -> dict[str, Any]:
    """A method as a run keeps it."""
    from advlab.training.methods import METHODS

    fields = {item.name: item for item in settings_of(METHODS[name])}
    found: dict[str, Any] = {"name": name}
    if "eps" in fields and fields["p"].default == "l2":
        found |= {"eps": eps, "unit": "norm"}
    return found | ({"steps": steps} if "steps" in fields else {})


def _step(specimen: Specimen) -> tuple[int, float]:
    """The number of the batch, from 0, and the learning rate of its step."""
    most = specimen.batches
    opened("batch", 1, lambda text: int(text) if text.isdecimal() and len(text) < 9 else None)
    st.session_state["batch"] = min(max(int(st.session_state["batch"] or 1), 1), most)
    one, two = st.columns(2)
    chosen = one.number_input(
        _("Batch"),
        1,
        most,
        step=1,
        key="batch",
        help=_(
            "{size} texts in the order of an epoch; there are {most} batches here.",
            size=SIZE,
            most=most,
        ),
        **KEEP,
    )
    lr = two.number_input(
        _("Learning rate"),
        0.0,
        1.0,
        LR,
        1e-4,
        format="%g",
        key="lr",
        help=_("Of the one step. Training reaches its peak only after a warm-up."),
        **BOUND,
    )
    to_link("batch", chosen)
    return int(chosen or 1) - 1, float(lr or 0.0)


# ---- what is seen ---------------------------------------------------------------------------


def _slow_motion(records: list[SlowMotion]) -> None:
    """The player, with the text of the batch whose δ is shown."""
    with section(
        _("The batch in slow motion"),
        _(
            "Press Play, or go step by step; ← and → on the slider do the same. All methods share "
            "the moments and every scale."
        ),
    ):
        texts = records[0].texts
        text = st.selectbox(
            _("Text of the batch whose δ is shown"),
            range(len(texts)),
            format_func=lambda i: f"{i + 1}: {texts[i][:120]}",
            key="shown",
            **BOUND,
        )
        text = int(text or 0)
        player(pictures.reel(records, text), key="microscope")
        st.caption(
            _(
                "Ball: its edge is ε, the centre the text as it is. How far a point is from the "
                "centre is the true length of δ, and the angle from one point to the next is true; "
                "which way it turns is not, since δ has more than two dimensions. A dashed line is "
                "the projection. Curves: the loss at the δ that was evaluated last, with the dropout "
                "of training; a method whose curve begins later makes no clean pass. Bars: ‖δ‖ (L2) "
                "on each token."
            )
        )
        if fold := folded("microscope.numbers"):
            with fold:
                for n, record in enumerate(records):
                    st.markdown(f"**{plain_text(side(n, _(record.title)))}**")
                    table(
                        pictures.columns(record, text),
                        f"microscope_table{n}",
                        _("Every moment of the method in numbers"),
                    )


def _changed(records: list[SlowMotion]) -> None:
    """What the optimiser step did to the weights and to the pinned sentence."""
    from advlab.training.pinned import FARTHEST

    with section(
        _("What the step changed for the pinned sentence"),
        _("The same sentence before the step and after it, under the weights of each method."),
    ):
        said(records[0].sentence, large=True)
        said(pictures.pinned_sentence(records[0]))
        form = st.column_config.NumberColumn(format="%.4g")
        numbers = pictures.changed_columns(records)
        table(
            numbers,
            "microscope_changed",
            _("What one step of each method did"),
            **dict.fromkeys(list(numbers)[1:], form),
        )
        st.caption(
            _(
                "Outer loss: what the weights descend on, nats, mean of the batch. Gradient norm: of "
                "all weights together, shortened to {clip} before the step. Weights moved: L2 length "
                "of the step of AdamW at learning rate {lr}; it has no memory yet, so that each weight "
                "moves by about the learning rate, whatever the method. Probability and margin are of "
                "{reference}. Flip ε: the smallest ε at which PGD breaks it, × mean norm, to two or "
                "three digits; empty: none up to {farthest}. One step changes it little, and either "
                "way.",
                farthest=f"{FARTHEST:g}",
                clip=f"{records[0].clip:g}",
                lr=f"{records[0].lr:g}",
                reference=plain_text(records[0].reference, 80),
            )
        )
