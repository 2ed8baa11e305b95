"""A lesson in a real browser: said, dragged, revealed; left, and gone on with."""

from __future__ import annotations

import re
import shutil

import pytest
from browser import Server, settled
from playwright.sync_api import Page, expect

from advlab.runs.folder import RunFolder
from advlab.runs.jobs import Store
from advlab.runs.starters import starter_group, starter_pair

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def starters(server: Server, pair: tuple[str, str]) -> None:
    """The pair of this server as the starter pair that lessons look for."""
    store = Store(server.home)
    for trained, config in zip(pair, starter_pair(), strict=True):
        run = store.open_here(config, group=starter_group("classification"))
        shutil.copytree(RunFolder.at(trained, server.home).model, run.folder.model)
        store.finish(run.id, 1, "done")


def test_a_lesson_is_predicted_dragged_and_revealed(server: Server, page: Page, starters: None):
    page.goto(f"{server.url}/course")
    page.get_by_role("link", name=re.compile("2 · Noise is not an attack")).click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("None", exact=True).click()
    page.get_by_role("button", name="Keep my prediction").click()
    page.get_by_role("button", name="Go on").click()
    field = page.get_by_role("spinbutton")
    field.fill("0.2")
    field.press("Enter")
    page.get_by_role("button", name="Keep my prediction").click()
    page.get_by_role("button", name="Go on").click()

    on = page.get_by_role("button", name="Go on")
    slider = page.get_by_role("slider", name="ε", exact=True)
    expect(slider).to_have_value("0")
    expect(on).to_be_disabled()
    slider.focus()
    slider.press("End")  # past the flip, or as far as there is
    expect(on).to_be_enabled()
    expect(slider).not_to_have_value("0")  # drawn again, it stays where it was

    page.reload()
    on.click()
    expect(page.get_by_text("Measured just now")).to_be_visible()
    expect(page.get_by_text("You said: None")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    settled(page)
    card, view = page.locator(".st-key-card"), page.locator(".st-key-sweep")
    above, below = card.bounding_box(), view.bounding_box()
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"]
    assert below["x"] + below["width"] <= 391
