"""The player alone in a browser: its charts agree with what is said, and can be read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from samples import sample_record

from advlab.pictures.reel import Chart, Series, sweep
from advlab.ui import player

pytestmark = pytest.mark.browser
JS = Path(str(player.__file__)).with_suffix(".js").read_text(encoding="utf-8")
DRAW = """async ([source, data]) => {
  document.body.innerHTML = '<div id="player" style="width:600px"></div>';
  const made = await import("data:text/javascript," + encodeURIComponent(source));
  made.default({ data, parentElement: document.body, setTriggerValue: () => {} });
  await new Promise((done) => setTimeout(done, 300));
  const texts = [...document.querySelectorAll("#player svg text")];
  return { says: document.querySelector("#player .says").textContent,
    texts: texts.map((t) => [t.textContent, Number(t.getAttribute("y"))]) };
}"""


def drawn(page: Page, a: float, b: float, said: str = "") -> dict[str, Any]:
    """What a chart of two constant shares over the epochs 0 to 4 writes, with each text's height."""
    lines = tuple(
        Series(f"{n}: x", "#0072B2", "", [v] * 5) for n, v in zip("AB", (a, b), strict=True)
    )
    reel = sweep([sample_record()])
    data = reel.data() | {
        "x": [0, 1, 2, 3, 4],
        "labels": list("01234"),
        "start": 4,
        "charts": [asdict(Chart("P", (0.0, 1.0), True, lines))],
    }
    for panel in data["panels"]:
        panel.update(said=[said] * 5, flipped=None, before="", noise=None, grown=None, nearest=None)
        panel["bars"] = {k: [rows[0]] * 5 for k, rows in panel["bars"].items()}
    page.goto("about:blank")
    return page.evaluate(DRAW, [JS, {"reel": data, "texts": player.texts(), "key": f"{a} {b}"}])


def test_a_share_is_written_as_in_the_sentences(page: Page):
    for share, text in ((0.995, "99.5 %"), (0.9999, "> 99.9 %"), (1, "100 %"), (0.5, "50 %")):
        assert f"A {text}" in dict(drawn(page, share, 0.2)["texts"])


def test_numbers_stand_above_the_axis_and_apart_and_epochs_are_whole(page: Page):
    texts = drawn(page, 0.0005, 0.0004)["texts"]
    axis = (
        next(y for text, y in texts if text == "epoch" or text == "4") - 15
    )  # its labels stand below
    a, b = dict(texts)["A < 0.1 %"], dict(texts)["B < 0.1 %"]
    assert max(a, b) < axis
    assert abs(a - b) >= 14
    assert not any(text in ("0.5", "1.5", "2.5") for text, __ in texts)


def test_a_share_and_its_sign_stay_on_one_line(page: Page):
    assert drawn(page, 0.5, 0.4, "“Nele” > 99.9 %")["says"] == "“Nele” >\u00a099.9\u00a0%"
