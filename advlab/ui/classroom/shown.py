"""What teacher and students see alike: bars of answers, the board of a challenge."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import streamlit as st

from advlab.classroom.challenges import Challenge, Entry
from advlab.classroom.polls import Bar, Poll
from advlab.language import _, n_
from advlab.ui import plain_text

STYLE = """<style>
dl.answers { padding: 0; display: grid;
  grid-template-columns: minmax(4rem, auto) 1fr; gap: .35rem .8rem;
  align-items: center; margin: .3rem 0 .6rem }
.answers dt { overflow-wrap: anywhere; max-width: 24rem }
.answers dd { margin: 0; display: flex; align-items: center; gap: .5rem; min-width: 0 }
.answers i { height: 1.3rem; border-radius: 4px; background: #8fa3b5; flex: none; min-width: 2px }
.answers .true { font-weight: 700 } .answers .true i { background: #0072b2 }
</style>"""

TABLE = """<style>
.of-class { overflow-x: auto }
.of-class table { border-collapse: collapse; width: 100%; margin: 0 }
.of-class th, .of-class td { text-align: left; padding: .35rem .7rem .35rem 0; border: 0;
  border-bottom: 1px solid #8fa3b544; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
.of-class th { font-weight: 600; opacity: .8; white-space: nowrap; overflow-wrap: normal }
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
        width = 80 * bar.n / most if most else 0
        mark = f" · {html.escape(_('measured'))}" if bar.true else ""
        kind = "true" if bar.true else ""
        lines.append(
            f'<dt class="{kind}" dir="auto">{html.escape(bar.label)}{mark}</dt>'
            f'<dd class="{kind}"><i style="width:{width:.0f}%"></i>{bar.n}</dd>'
        )
    st.html(f'{STYLE}<dl class="answers">{"".join(lines)}</dl>')
    st.caption(n_("{n} answer", "{n} answers", total))
    if measured is not None:
        st.markdown(f"**{_('Measured: {measured}', measured=plain_text(measured))}**")


def board(challenge: Challenge, entries: Sequence[Entry], most: int = 10) -> None:
    """The best of each student, as the server measured it."""
    about = challenge.about
    if not entries:
        st.caption(_("Nobody has handed anything in yet."))
        return
    rows = entries[:most]
    table(
        {
            _("rank"): [str(e.rank) for e in rows],
            _("student"): [e.name for e in rows],
            about.figure: [about.form.format(e.value) for e in rows],
        },
        _("The board of the challenge"),
    )


def table(columns: Mapping[str, Sequence[str]], caption: str) -> None:
    """A table of text that grows with the letters of the page; nothing in it is read as markup.

    `caption`: what it is, for those who hear the page.
    """
    head = "".join(f"<th scope=col>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f'<td dir="auto">{html.escape(value)}</td>' for value in row) + "</tr>"
        for row in zip(*columns.values(), strict=True)
    )
    st.html(
        f'{TABLE}<div class="of-class" tabindex="0"><table aria-label="{html.escape(caption)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
