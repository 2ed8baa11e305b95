"""Coloured, dashed and quoted text: read on every page, as it was typed, and never markup."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from places import ROOT
from samples import sample_maps, sample_record
from victims import shared_victim

from advlab.attacks import PGD
from advlab.explain.explore import explore
from advlab.pictures import surface
from advlab.pictures.plane import marks
from advlab.pictures.style import AHEAD, CLASSES, DIVERGING, FLIPS, NEUTRAL, RUNS
from advlab.pictures.text import (
    AGAINST,
    DARKEST,
    FOR,
    coloured,
    cut,
    legend,
    quoted,
    shield_sentence,
    shielded_words,
    words_of,
)
from advlab.records import AttackRecord

HOSTILE = "<script>alert(1)</script>"


def bare(made: str) -> str:
    """What a reader sees of a piece of HTML."""
    import html

    return html.unescape(re.sub(r"<[^>]+>", "", made))


def luminance(colour: np.ndarray) -> float:
    """Relative luminance of WCAG 2.2 of a colour from 0 to 255."""
    c = colour / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], dtype=float)


def told(w: int) -> str:
    return f"word {w}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("colour", [FOR, AGAINST, NEUTRAL])
def test_words_are_read_on_their_darkest_colour_in_light_and_dark(theme: str, colour: str):
    themes = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    page, ink = (rgb(themes[theme][key]) for key in ("backgroundColor", "textColor"))
    under = DARKEST * rgb(colour) + (1 - DARKEST) * page
    light, dark = sorted([luminance(under), luminance(ink)], reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_white_is_read_on_the_colour_of_a_themes_buttons(theme: str):
    themes = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    assert 1.05 / (luminance(rgb(themes[theme]["primaryColor"])) + 0.05) >= 4.5


@pytest.mark.parametrize("kind", ["bert", "gpt2", "deberta"])
def test_the_coloured_sentence_is_the_text_as_it_was_typed(kind: str):
    text = "  The  UNBELIEVABLE film, <b>again</b>!"
    record = explore(shared_victim(kind), text, attack=PGD(1.0, steps=2))
    found = words_of(record)
    assert "".join(piece for piece, _ in found) == record.text
    words = [w for _, w in found if w >= 0]
    assert words == sorted(set(words))  # a word of several tokens is one piece
    assert len(words) == len(record.words)
    made = coloured(record, np.ones(len(record.words)), 1.0, told)
    assert bare(made) == record.text
    assert "<b>" not in made


def typed(record: AttackRecord) -> AttackRecord:
    """A record whose tokens stand in its text."""
    words = [t for t in range(len(record.tokens)) if record.word_of[t] >= 0]
    spans = np.zeros((len(record.tokens), 2), dtype=int)
    text = ""
    for t in words:
        spans[t] = len(text), len(text) + len(record.tokens[t])
        text += record.tokens[t] + " "
    return replace(record, text=text.strip(), spans=spans)


def test_for_and_against_differ_and_the_largest_is_darkest():
    record = typed(sample_record())
    values = np.zeros(len(record.words))
    values[:3] = 2.0, -1.0, np.nan
    made = re.findall(
        r"background:rgba\((\d+),(\d+),(\d+),([\d.]+)\)", coloured(record, values, 2.0, told)
    )
    assert [tuple(int(v) for v in m[:3]) for m in made[:2]] == [
        tuple(int(v) for v in rgb(c)) for c in (FOR, AGAINST)
    ]
    assert [float(m[3]) for m in made[:4]] == [DARKEST, DARKEST / 2, 0.0, 0.0]
    grey = coloured(record, values, 2.0, told, signed=False)
    assert "rgba(128,128,128" in grey
    assert str(int(rgb(FOR)[0])) + "," not in grey


def test_shielded_words_are_dashed_and_said_on_hover():
    record = typed(sample_record())
    start, end = record.spans[np.flatnonzero(record.word_of >= 0)[1]].tolist()
    held = replace(record, shield=((start, end),))
    assert shielded_words(held) == {1}
    made = coloured(held, np.ones(len(record.words)), 1.0, told)
    assert made.count("dashed") == 1
    assert 'title="word 1 (shielded)"' in made
    assert "dashed" not in coloured(record, np.ones(len(record.words)), 1.0, told)


def test_a_quote_dashes_its_shielded_words_and_names_them():
    text, shield = f"never {HOSTILE} again", ((0, 5),)
    assert cut(text, shield) == [("never", True), (f" {HOSTILE} again", False)]
    made = quoted(text, shield)
    assert "<script" not in made
    assert bare(made).startswith(f"“{text}”")
    assert "Shielded from the attack (dashed): ‘never’." in bare(made)
    assert shield_sentence(text, ()) == ""
    assert bare(quoted(text, ())) == f"“{text}”"


def test_the_legends_name_every_sign_and_escape():
    said = bare(legend([*marks([0, 1]), *surface.MARKS, *surface.SOLID_MARKS]))
    for name in ("clean word (A)", "clean word (B)", "own cell", "the lens", "decision boundary"):
        assert name in said
    assert "(A)" not in bare(legend(marks([1])))


def test_the_arrow_of_delta_has_a_colour_that_means_nothing_else():
    others = {*RUNS, *CLASSES, FLIPS, NEUTRAL, *(colour for _, colour in DIVERGING)}
    assert AHEAD not in others


def test_unsigned_and_hostile_maps_still_make_a_sentence():
    record = typed(sample_record(tokens=("[CLS]", HOSTILE, "שלום", "[SEP]")))
    values = sample_maps(tokens=("[CLS]", HOSTILE, "שלום", "[SEP]"))["saliency"].clean.words
    made = coloured(record, values, float(values.max()), lambda w: HOSTILE, signed=False)
    assert "<script" not in made
    assert bare(made) == record.text
