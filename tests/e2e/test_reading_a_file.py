"""A large file on the New run page in a real browser: the bar, and the button that stops it."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Server
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_reading_a_large_file_shows_how_far_it_is_and_can_be_cancelled(
    server: Server, page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "large.csv"
    with path.open("w") as stream:
        stream.write("text,label\n")
        for i in range(400_000):
            stream.write(f"{i} {'some ordinary words in a row ' * 12},{'ab'[i % 2]}\n")
    page.goto(f"{server.url}/new")
    page.get_by_role("radio", name="Your file").click(timeout=60_000)
    box = page.get_by_label("Or its path")
    box.fill(str(path), timeout=60_000)
    box.press("Enter")
    expect(page.get_by_text("Reading the data: ")).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Reading was stopped.")).to_be_visible(timeout=120_000)
    expect(page.get_by_role("button", name="Read it after all")).to_be_visible()
