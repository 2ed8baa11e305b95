"""Each task in a real browser: from a finished run to a scrubbed example, back through a capsule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import Server, settled
from playwright.sync_api import Locator, Page, expect
from task_cases import KINDS

pytestmark = pytest.mark.browser

FOLLOWS = {"qa": ".token2", "translation": ".chip", "dialogue": ".chip"}  # the hand on ε


@pytest.mark.parametrize("kind", KINDS)
def test_from_a_finished_run_to_a_scrubbed_example_and_back_through_a_capsule(
    server: Server, task_runs: dict[str, str], page: Page, tmp_path: Path, kind: str
):
    page.goto(f"{server.url}/runs?run={task_runs[kind]}")
    page.get_by_role("button", name="Open in Explore").click(timeout=60_000)
    slider = page.get_by_role("slider", name="ε", exact=True)
    expect(slider).to_be_visible(timeout=120_000)  # torch comes first
    settled(page)
    text = page.get_by_test_id("stTextArea").get_by_role("textbox").input_value()
    told = page.locator("#player .head").first.locator(FOLLOWS[kind])
    before = _at(page, slider, "0", told)
    after = _at(page, slider, slider.get_attribute("max") or "", told)
    assert before != after
    assert _at(page, slider, "0", told) == before

    page.get_by_role("tab", name="Data").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Capsule (JSON)").first.click(timeout=60_000)
    waiting.value.save_as(tmp_path / "one.json")
    page.goto(f"{server.url}/capsule")
    page.locator("input[type=file]").set_input_files(tmp_path / "one.json")
    page.get_by_role("button", name="Verify").click(timeout=60_000)
    expect(page.get_by_text("Verified: all")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Open in Explore").click()
    expect(page.get_by_test_id("stTextArea").get_by_role("textbox")).to_have_value(text)
    if kind == "qa":
        expect(page.get_by_role("textbox", name="Question")).not_to_have_value("")
        expect(page).to_have_url(re.compile("beside="))
    expect(slider).to_be_visible(timeout=60_000)
    assert _at(page, slider, "0", told) == before


def _at(page: Page, slider: Locator, frame: str, told: Locator) -> list[str]:
    """What the player tells at a frame: the answer, and its tokens, or p(start) and p(end) of each."""
    slider.fill(frame)
    each = told.evaluate_all("nodes => nodes.map((n) => n.title + n.innerText)")
    assert len(each) > 1
    return [page.locator("#player .says").first.inner_text(), *each]
