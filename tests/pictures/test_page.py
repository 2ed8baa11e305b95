"""The frame of written pages: every text stays text, nothing is asked of a network."""

from __future__ import annotations

import tomllib
from html.parser import HTMLParser

import pytest
from places import ROOT

from advlab.pictures.page import Band, Bar, Chart, Line, Section, Table, frame
from advlab.pictures.style import CJK_FONTS, side

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7777 * 7 }}"
CHART = Chart(
    HOSTILE,
    [
        Band([0, 1], [0, 0.2], [0.5, 1], HOSTILE, 0.3),
        Line([0, 1], [0.2, 0.8], HOSTILE, dash=HOSTILE, name=HOSTILE),
    ],
    x_ticks=[(0, HOSTILE), (1, "1")],
    y_ticks=[(0, HOSTILE), (1, "1")],
    x_title=HOSTILE,
    y_title=HOSTILE,
    legend=HOSTILE,
)
PARTS = [
    Section(HOSTILE, HOSTILE, chart=CHART, table=Table([HOSTILE], [[HOSTILE], [Bar(0.5)]], (0,)))
]


class Opened(HTMLParser):
    """The tags and the attributes' names that a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}


def test_whatever_a_text_holds_it_stays_text() -> None:
    made = frame(
        HOSTILE, HOSTILE, PARTS, quote=[(HOSTILE, True)], lead=HOSTILE, provenance=PARTS[0]
    )
    found = Opened(made)
    assert {"svg", "td", "footer"} <= found.tags
    assert not found.tags & {"script", "img"}
    assert not {name for name in found.names if name.startswith("on") or name == "src"}
    assert "54439" not in made


def test_data_in_a_block_cannot_end_it() -> None:
    made = frame("t", "h", [], block=("data", f'{{"text": "{HOSTILE}"}}'))
    assert made.count("</script>") == 1
    assert '<script type="application/json" id="data">' in made


def test_a_page_asks_for_nothing_and_runs_scripts_only_for_plotlys_figures() -> None:
    for sections in (PARTS, [Section("t", plot="<div>drawn</div>")]):
        made = frame("t", "h", sections)
        assert not Opened(made).names & {"src", "href"}
        assert not [sign for sign in ("url(", "@import", "://") if sign in made]
        assert ("default-src 'none'" in made) == (sections is PARTS)
    assert "<div>drawn</div>" in made


def test_a_chart_stands_between_its_first_and_last_tick() -> None:
    made = Chart("c", [], [(2.0, ""), (4.0, "")], [(0.0, ""), (1.0, "")], width=640, height=240)
    assert (made.across(2), made.across(4)) == (56, 626)
    assert (made.down(1), made.down(0)) == (10, 196)
    band = Band([2, 4], [0, 0], [1, 1], "", 1)
    assert made.points(band).split() == ["56.0,10.0", "626.0,10.0", "626.0,196.0", "56.0,196.0"]
    with pytest.raises(ValueError, match="shorter"):
        made.points(Line([2, 4], [1], ""))


def test_a_side_has_its_letter_with_and_without_a_name() -> None:
    assert (side(0, "plain"), side(2)) == ("A: plain", "C")


def test_pages_and_written_pages_name_the_fonts_that_have_chinese_characters() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    for stack in (frame("t", "h", []), config["theme"]["font"]):
        places = [stack.index(f"'{name}'") for name in CJK_FONTS]
        assert places == sorted(places)
        assert stack.index("sans-serif") > places[-1]
