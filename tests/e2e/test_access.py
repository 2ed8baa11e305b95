"""The pages by keyboard and by screen reader: what axe-core finds, and the main job without a mouse."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Server, rerun, settled
from playwright.sync_api import Page, expect

from advlab.ui.explore.view import VIEWS
from advlab.ui.pages import PAGES

pytestmark = pytest.mark.browser

# Streamlit's own markup: rule -> what its nodes begin with, and why they break it
STREAMLIT = {
    # the menu has a <div> for each group between its <ul> and its <li>
    "list": '<ul data-testid="stSidebarNavItems"',
    "listitem": '<li class="st-emotion-cache-',
}


def grave(page: Page) -> list[str]:
    """Serious and critical violations that are not listed above."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
        if not node["html"].startswith(STREAMLIT.get(one["id"], "\0"))
    ]


def test_no_page_has_a_serious_or_critical_violation(
    server: Server, task_runs: dict[str, str], page: Page
):
    addresses = [line.address for lines in PAGES.values() for line in lines]
    for kind, run in task_runs.items():
        views = VIEWS if kind == "translation" else ("Overview",)
        addresses += [f"explore?{urlencode({'a': run, 'view': view})}" for view in views]
    for address in addresses:
        page.goto(f"{server.url}/{address}")
        expect(page.get_by_test_id("stMain").locator("h1, h2").first).to_be_visible(timeout=60_000)
        settled(page)
        assert grave(page) == [], address


def test_the_main_job_needs_no_mouse(server: Server, task_runs: dict[str, str], page: Page):
    page.goto(f"{server.url}/explore?{urlencode({'a': task_runs['translation']})}")
    text = page.get_by_role("textbox", name="Source")
    expect(page.locator("#player .says")).to_be_visible(timeout=60_000)
    settled(page)
    first = text.input_value()
    rerun(page, lambda: page.keyboard.press("ArrowRight"))
    expect(text).not_to_have_value(first)
    second = text.input_value()
    rerun(page, lambda: page.keyboard.press("ArrowRight"))
    expect(text).not_to_have_value(second)
    rerun(page, lambda: page.keyboard.press("ArrowLeft"))
    expect(text).to_have_value(second)
    page.keyboard.press("/")
    expect(text).to_be_focused()
    page.keyboard.type("the third of june")
    rerun(page, lambda: page.keyboard.press("Enter"))
    expect(text).to_have_value("the third of june")  # no line was begun
    expect(page.locator("#player .text")).to_have_text("the third of june")
    expect(text).to_be_focused()
    page.keyboard.press("ArrowLeft")  # within the text: it stays
    page.get_by_role("slider", name="ε", exact=True).focus()
    page.keyboard.press("ArrowLeft")  # of the slider: it stays
    settled(page)
    expect(text).to_have_value("the third of june")
