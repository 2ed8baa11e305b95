"""The first minute and what must survive it, in a real browser against a real server."""

from __future__ import annotations

import re

import pytest
from browser import Server, settled
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

TRAINED = 400_000  # milliseconds that training may take on a machine that has other work too
ROWS = "".join(
    f"{'gut' if i % 2 else 'schlecht'};„Film {i}“ war {'schön' if i % 2 else 'öde'}, sagt Müller\n"
    for i in range(80)
)


def test_the_starter_pair_trains_through_a_reload_and_lands_on_a_sentence(
    server: Server, page: Page
):
    page.goto(server.url)
    page.get_by_role("button", name="Train the starter pair").click()
    expect(page.get_by_role("heading", name="Training the starter pair")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Epoch \d"))).not_to_have_count(0, timeout=TRAINED)

    page.reload()  # nothing of the run lives in the page
    expect(page.get_by_role("heading", name="Training the starter pair")).to_be_visible()
    expect(page.get_by_text("Starter: plain").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"running$"))).not_to_have_count(0)

    page.wait_for_url(
        re.compile(r"/explore\?(?=.*\ba=\w{12})(?=.*\bb=\w{12}).*\btext="), timeout=TRAINED
    )
    expect(page.get_by_role("heading", name="Explore a sentence")).to_be_visible()
    sentence = page.get_by_role("textbox", name="Sentence")
    expect(sentence).not_to_have_value("")
    expect(page.locator(".says").first).to_be_visible(timeout=60_000)


def test_a_phone_with_large_letters_cuts_nothing_on_the_first_page(server: Server, page: Page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url)
    expect(page.get_by_role("heading", name="advlab", exact=True)).to_be_visible(timeout=60_000)
    settled(page)
    page.add_style_tag(content="html { font-size: 32px !important }")
    page.wait_for_timeout(500)
    names = page.get_by_test_id("stPageLink-NavLink").locator("span")
    expect(names.nth(6)).to_be_attached()  # the page may not have begun to run when it is asked
    assert (
        names.evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth + 1).length") == 0
    )
    box = page.locator(".st-key-formula .katex-html").first.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_runs_are_listed_after_a_restart_of_the_server(server: Server, page: Page):
    server.stop()
    server.start()
    page.goto(f"{server.url}/runs")
    expect(page.get_by_role("button", name=re.compile("Starter: plain"))).to_be_visible()
    page.get_by_role("button", name=re.compile("Starter: plain")).click()
    expect(page).to_have_url(re.compile(r"\?run=\w{12}"))
    expect(page.get_by_role("heading", name="Starter: plain")).to_be_visible()
    expect(page.get_by_text("Robust accuracy")).to_be_visible()
    expect(page.get_by_role("button", name="Open in Explore")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename.endswith(".zip")


def test_a_run_is_started_watched_and_cancelled(server: Server, page: Page):
    page.goto(f"{server.url}/new")
    name = page.get_by_label("Name of the run")
    name.fill("short-lived")
    name.press("Enter")
    epochs = page.get_by_label("Epochs", exact=True)
    epochs.fill("50")
    epochs.press("Enter")
    settled(page)
    page.get_by_role("button", name="Start run").click()
    expect(page).to_have_url(re.compile(r"/runs\?run=\w{12}"))
    expect(page.get_by_role("heading", name="short-lived")).to_be_visible()
    expect(page.get_by_text(re.compile(r"step \d+ of \d+"))).to_be_visible(timeout=TRAINED)
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text(re.compile(r"cancelled$")).first).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_csv_in_an_odd_encoding_is_read_and_shown(server: Server, page: Page, encoding: str):
    page.goto(f"{server.url}/new")
    page.get_by_text("Your file").click()
    page.locator("input[type=file]").first.set_input_files(
        {
            "name": "Kritiken <b>.csv",
            "mimeType": "text/csv",
            "buffer": ("urteil;satz\n" + ROWS).encode(encoding),
        }
    )
    expect(
        page.get_by_text(re.compile(r"read as CSV, .*semicolon between columns"))
    ).to_be_visible()
    expect(page.get_by_text("2 classes: gut, schlecht")).to_be_visible()
    # the table is drawn on a canvas; its cells stand in the accessible table behind it
    expect(page.get_by_text(re.compile("„Film 0“ war öde, sagt Müller")).first).to_be_attached()
    settled(page)
    expect(page.get_by_role("button", name="Start run")).to_be_enabled()
    page.get_by_text("Built-in corpus").click()
    page.get_by_text("Your file").click()
    expect(page.get_by_label("Or its path")).to_have_value(re.compile(r"Kritiken.*\.csv$"))


def test_a_wrong_file_is_named_and_the_other_choices_stay(server: Server, page: Page):
    page.goto(f"{server.url}/new")
    page.get_by_label("Name of the run").fill("kept")
    page.get_by_label("Name of the run").press("Enter")
    settled(page)
    page.get_by_text("Your file").click()
    page.locator("input[type=file]").first.set_input_files(
        {
            "name": "one.csv",
            "mimeType": "text/csv",
            "buffer": b"label,text\n" + b"".join(b"a,text %d\n" % i for i in range(50)),
        }
    )
    expect(page.get_by_role("alert")).to_contain_text("class")
    expect(page.get_by_role("button", name="Start run")).to_be_disabled()
    expect(page.get_by_label("Name of the run")).to_have_value("kept")
