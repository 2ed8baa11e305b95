"""What there is to read while the starter pair trains: what is trained, what δ is, what comes next."""

from __future__ import annotations

import streamlit as st

from advlab.language import N_, _
from advlab.runs import jobs
from advlab.runs.jobs import RunInfo
from advlab.runs.standing import Standing
from advlab.runs.starters import STARTERS
from advlab.ui import plain_text
from advlab.ui.train.run import stand


def meanwhile(plain: str, robust: str) -> None:
    """Three short paragraphs with the numbers of this moment, under one bar for both runs."""
    runs = jobs.run(plain), jobs.run(robust)
    st.progress(
        sum(run.progress or 0.0 for run in runs) / 2,
        " · ".join(
            f"{name} {run.progress or 0:.0%}".replace("%", " %")
            for name, run in zip((_("plain"), _("adversarial")), runs, strict=True)
        ),
    )
    one, two = (stand(run) for run in runs)
    for column, title, text in zip(
        st.columns(3, gap="medium"),
        (_("What is being trained"), _("What δ is"), _("How to read the picture that comes")),
        (trained(runs[0], one), delta(runs[1], two), _(PICTURE)),
        strict=True,
    ):
        column.markdown(f"**{title}**")
        column.markdown(plain_text(text))


def trained(run: RunInfo, now: Standing) -> str:
    """The two networks and their texts."""
    size = _(" of {parameters:,} numbers each", parameters=now.parameters) if now.parameters else ""
    corpora = STARTERS[run.config.task].corpora
    about = corpora.get(run.config.data.source, "")
    texts = _("{n:,} texts", n=now.train_texts) if now.train_texts else _("texts")
    return _(
        "Two small networks{size}. They begin alike and read the same {texts} "
        "({about}) in the same order, {epochs} times over. One thing differs: the "
        "second also learns from each text pushed the way that misleads it most.",
        size=size,
        texts=texts,
        about=_(about),
        epochs=run.config.train.epochs,
    )


def delta(run: RunInfo, now: Standing) -> str:
    """What δ is, and how long it is by now."""
    eps = float(run.config.method["eps"])
    text = _(
        "A network reads a word as a vector, a row of numbers. δ is what is added "
        "to the vectors of a text to raise the loss most. It may be ε long in all, "
        "here {eps:g} of the length of one word vector, and ε rises to that from "
        "0. ",
        eps=eps,
    )
    if not now.delta_norm or not now.embed_norm:
        return text + _("Still ε is 0: at first the network learns from clean texts alone.")
    text += _(
        "By now δ is {delta_norm:.2f} of a word vector long",
        delta_norm=now.delta_norm / now.embed_norm,
    )
    if now.clean_loss is None or now.adv_loss is None:
        return text + "."
    return text + _(
        ", and raises the loss from {clean_loss:.2f} to {adv_loss:.2f} nats.",
        clean_loss=now.clean_loss,
        adv_loss=now.adv_loss,
    )


PICTURE = N_(
    "One text opens under both models, with its words coloured by how far δ "
    "moves them. Draw ε up from 0 and watch the two answers: the plain model "
    "should change its mind at a smaller ε. Then ask what δ did: as a rule no "
    "vector comes near enough to another word to be read as it."
)
