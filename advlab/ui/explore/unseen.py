"""Under a box for sentences: the words that a model never saw in training."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advlab.errors import AdvlabError
from advlab.language import _
from advlab.pictures.wording import listed
from advlab.ui import plain_text
from advlab.ui.models import load_victim


def mark_unseen(models: Sequence[str], texts: Sequence[str]) -> None:
    """One caption for each group of models that know the same words; nothing where all are known."""
    from advlab.model.unseen import told, unseen

    found: dict[str, list[str]] = {}
    for letter, model in zip("ABC", models, strict=False):
        try:
            found.setdefault(told(unseen(load_victim(model), texts)), []).append(letter)
        except AdvlabError:
            continue  # what is wrong with this model is told where it attacks
    for strange, letters in found.items():
        if strange:
            every = len(letters) == len(models)
            whose = "" if every else _(" of model {letters}", letters=listed(letters))
            st.caption(
                _(
                    "Never seen in training{whose}: {strange}",
                    whose=whose,
                    strange=plain_text(strange),
                )
            )
