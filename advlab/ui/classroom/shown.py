"""What teacher and students see alike: bars of answers, the board of a challenge."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from advlab.classroom.challenges import Challenge, Entry
from advlab.classroom.polls import Bar, Poll
from advlab.language import _, n_
from advlab.ui import plain_text

STYLE = """<style>
.answers { display: grid; grid-template-columns: minmax(4rem, auto) 1fr; gap: .35rem .8rem;
  align-items: center; margin: .3rem 0 .6rem }
.answers dt { overflow-wrap: anywhere; max-width: 24rem }
.answers dd { margin: 0; display: flex; align-items: center; gap: .5rem; min-width: 0 }
.answers i { height: 1.3rem; border-radius: 4px; background: #8fa3b5; flex: none; min-width: 2px }
.answers .true { font-weight: 700 } .answers .true i { background: #0072b2 }
</style>"""


def question(poll: Poll) -> None:
    """The question as text, nothing in it read as markup."""
    st.html(
        '<p dir="auto" style="font-size:1.25rem;font-weight:600;margin:0;overflow-wrap:anywhere">'
        f"{html.escape(poll.question)}</p>"
    )


def bars(found: Sequence[Bar], measured: str | None) -> None:
    """The answers as bars, the measured one marked in words too."""
    most, total = max((bar.n for bar in found), default=0), sum(bar.n for bar in found)
    lines = []
    for bar in found:
        width = 70 * bar.n / most if most else 0
        mark = f" · {html.escape(_('measured'))}" if bar.true else ""
        lines.append(
            f'<dt class="{"true" if bar.true else ""}" dir="auto">{html.escape(bar.label)}</dt>'
            f'<dd class="{"true" if bar.true else ""}"><i style="width:{width:.0f}%"></i>'
            f"{bar.n}{mark}</dd>"
        )
    st.html(f'{STYLE}<dl class="answers">{"".join(lines)}</dl>')
    st.caption(n_("{n} answer", "{n} answers", total))
    if measured is not None:
        st.markdown(f"**{_('Measured: {value}', value=plain_text(measured))}**")


def board(challenge: Challenge, entries: Sequence[Entry], most: int = 10) -> None:
    """The best of each student, as the server measured it."""
    about = challenge.about
    if not entries:
        st.caption(_("Nobody has handed anything in yet."))
        return
    st.dataframe(
        {
            _("rank"): [e.rank for e in entries[:most]],
            _("student"): [e.name for e in entries[:most]],
            about.figure: [about.form.format(e.value) for e in entries[:most]],
        },
        hide_index=True,
        height="content",
        alt=_("The board of the challenge"),
    )
