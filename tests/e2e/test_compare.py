"""Measuring in a real browser: robustness by view, every question, wide and narrow, light and dark."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from browser import Server, settled
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Pair = tuple[str, str]
SHOTS = os.environ.get("ADVLAB_SHOTS")  # a folder for screenshots, to be looked at


def shoot(page: Page, name: str) -> None:
    """Nothing is wider than the window; and a picture, where one is wanted."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def choose(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).or_(
        page.get_by_role("button", name=name, exact=True)
    ).first.click()
    settled(page)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_robustness_is_measured_once_and_read_by_view(
    server: Server, pair: Pair, page: Page, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server.url}/robustness")
    count = page.get_by_label("Texts", exact=True)
    page.get_by_text("Models, texts, attacks, ε").click(timeout=60_000)
    expect(count).to_be_visible(timeout=60_000)
    count.fill("40")
    count.press("Enter")
    settled(page)
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_role("heading", name="How much is left")).to_be_visible(timeout=120_000)
    for view, heading in (
        ("Curves", "How much is left"),
        ("Differences", "Is the difference real?"),
        ("Parts", "Where is it weak?"),
        ("Cost", "What does robustness cost?"),
        ("Texts", "Every text"),
    ):
        choose(page, view)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        shoot(page, f"robustness-{view}-{scheme}-{width}")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_each_question_is_answered(
    server: Server, pair: Pair, page: Page, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server.url}/questions")
    expect(page.get_by_role("heading", name="Both players")).to_be_visible(timeout=60_000)
    shoot(page, f"converge-{scheme}-{width}")
    for key, question, heading in (
        ("optima", "Do attacks stick?", "Do more starts break more?"),
        ("cost", "What does it cost?", "Clean against robust"),
        ("carry", "Does it carry over?", "Trained against × attacked with"),
    ):
        choose(page, question)
        count = page.locator(f".st-key-{key}-count input")
        count.fill("20")
        count.press("Enter")
        settled(page)
        page.get_by_role("button", name="Measure").click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=120_000)
        shoot(page, f"{heading.split()[0]}-{scheme}-{width}")
    choose(page, "Which settings?")
    expect(page.get_by_role("button", name="Train")).to_be_visible()
    shoot(page, f"sweep-{scheme}-{width}")


def test_a_measurement_goes_on_after_a_stop(server: Server, pair: Pair, page: Page) -> None:
    page.goto(f"{server.url}/questions?questions.which=What+does+it+cost%3F")
    measure = page.get_by_role("button", name="Measure")
    expect(measure).to_be_visible(timeout=60_000)
    settled(page)
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.fill("7")  # texts that no other test has measured
    seed.press("Enter")
    settled(page)
    kept = server.home / "outcomes"
    measure.click()
    expect(page.get_by_text("Any click stops it").first).to_be_visible()
    before = len(list(kept.rglob("*.json")))
    choose(page, "Does training converge?")  # a click elsewhere stops it
    expect(page.get_by_role("heading", name="Both players")).to_be_visible()
    choose(page, "What does it cost?")
    measure.click()
    expect(page.get_by_role("heading", name="Clean against robust")).to_be_visible(timeout=120_000)
    assert len(list(kept.rglob("*.json"))) >= before
