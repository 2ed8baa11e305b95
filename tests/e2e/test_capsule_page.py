"""Saving a sentence as a capsule and opening it again, in a real browser."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from browser import Server, rerun, settled
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def model(server: Server) -> str:
    """A random tiny model in the server's folder of models."""
    from advlab.model.tiny import tiny_victim
    from advlab.records import Dataset, Example

    texts = tuple(
        Example(str(i), text, (("negative", "positive")[i % 2],))
        for i, text in enumerate(("the staff were kind", "the soup was cold", "a slow dull film"))
    )
    data = Dataset("tests", ("negative", "positive"), texts, texts, texts)
    tiny_victim("tiny", data, seed=3, max_length=32).save(server.home / "models" / "capsuled")
    return "local:capsuled"


def test_a_capsule_goes_out_and_comes_back_verified(
    server: Server, model: str, page: Page, tmp_path: Path
):
    values = {"a": model, "b": "", "text": "The staff were kind.", "view": "Data"}
    page.goto(f"{server.url}/explore?{urlencode(values)}")
    for ending in ("Capsule (JSON)", "Page (HTML)"):
        button = page.get_by_role("button", name=ending)
        expect(button).to_be_visible(timeout=60_000)
        with page.expect_download() as waiting:
            button.click()
        waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
    files = sorted(tmp_path.iterdir())
    assert {f.suffix for f in files} == {".json", ".html"}
    for file in files:
        page.goto(f"{server.url}/capsule")
        page.locator("input[type=file]").set_input_files(file)
        expect(page.get_by_text("“The staff were kind.”").first).to_be_visible(timeout=60_000)
        expect(page.get_by_text("What the explanations are worth")).to_be_visible()
        expect(page.locator(".js-plotly-plot")).to_have_count(2)
        page.get_by_role("button", name="Verify").click()
        expect(page.get_by_text("Verified: all")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Open in Explore").click()
    expect(page.get_by_role("textbox", name="Sentence")).to_have_value("The staff were kind.")


def test_the_saved_page_reads_without_a_network_on_a_phone(
    server: Server, model: str, page: Page, tmp_path: Path
):
    values = {"a": model, "b": "", "text": "<script>window.__xss=1</script> fine", "view": "Data"}
    page.goto(f"{server.url}/explore?{urlencode(values)}")
    button = page.get_by_role("button", name="Page (HTML)")
    expect(button).to_be_visible(timeout=60_000)
    with page.expect_download() as waiting:
        button.click()
    waiting.value.save_as(tmp_path / "one.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((tmp_path / "one.html").as_uri())
    expect(page.get_by_role("heading", name="One sentence, attacked")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("svg[role=img]").count() == 2
    assert page.evaluate("window.__xss") is None
    assert [url for url in asked if not url.startswith("file:")] == []


def test_a_forecast_goes_into_the_capsule_and_is_compared(
    server: Server, model: str, page: Page, tmp_path: Path
):
    values = {"a": model, "b": "", "text": "The soup was cold.", "view": "Data"}
    page.goto(f"{server.url}/explore?{urlencode(values)}")
    choice = page.get_by_text("holds", exact=True)
    expect(choice).to_be_visible(timeout=60_000)
    settled(page)
    rerun(page, choice.click)  # the capsule holds what the script knew when it was made
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Capsule (JSON)").click()
    waiting.value.save_as(tmp_path / "one.json")
    page.goto(f"{server.url}/capsule")
    page.locator("input[type=file]").set_input_files(tmp_path / "one.json")
    expect(page.get_by_text("Foretold: it holds. Found: it")).to_be_visible(timeout=60_000)


def test_a_file_that_is_no_capsule_is_refused_in_words(server: Server, page: Page, tmp_path: Path):
    bad = tmp_path / "bad.json"
    bad.write_text('{"advlab-capsule": 1, "text": NaN}')
    page.goto(f"{server.url}/capsule")
    page.locator("input[type=file]").set_input_files(bad)
    expect(page.get_by_text("this is no capsule that can be opened")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Traceback")).to_have_count(0)
