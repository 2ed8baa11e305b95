"""Looking at one sentence in a real browser: what follows the hand, what a text may not do."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from browser import Server, rerun, settled
from playwright.sync_api import Page, WebSocket, expect

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.__xss = 1</script> <img src=x onerror='window.__xss = 1'> **bold** $x^2$ "
    "مرحبا بالعالم שלום 👩‍🚀 [link](javascript:window.__xss=1) fine"
)


def link(server: Server, pair: tuple[str, str], text: str, **more: str) -> str:
    values = {"a": pair[0], "b": pair[1], "text": text} | more
    return f"{server.url}/explore?{urlencode(values)}"


def test_eps_follows_the_hand_without_the_server(server: Server, pair: tuple[str, str], page: Page):
    sent: list[object] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))

    page.on("websocket", listen)
    page.goto(link(server, pair, "The plot was slow, but I would see it again."))
    slider = page.get_by_role("slider", name="ε", exact=True).first
    expect(slider).to_be_visible(timeout=60_000)
    settled(page)
    before = slider.get_attribute("aria-valuetext")
    sent.clear()
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") != before
    page.get_by_role("button", name="ε: one on").first.click()
    assert sent == []


def test_every_picture_of_the_player_follows_the_slider(
    server: Server, pair: tuple[str, str], page: Page
):
    page.goto(link(server, pair, "The staff were kind, but slow.", view="Perturbation"))
    slider = page.get_by_role("slider", name="ε", exact=True)
    expect(slider).to_be_visible(timeout=60_000)
    settled(page)
    bars = page.locator("#player").first.locator(".value")
    before = bars.all_text_contents()
    slider.fill("0")
    assert page.locator("#player .now").first.text_content() == slider.get_attribute(
        "aria-valuetext"
    )
    assert {text.strip("0.") for text in bars.all_text_contents()} <= {"", "special"}
    page.get_by_role("button", name="share of exit radius").first.click()
    slider.fill("12")
    assert any("%" in text for text in bars.all_text_contents())
    page.get_by_role("button", name="‖δ‖", exact=True).first.click()
    assert bars.all_text_contents() == before


def test_a_shielded_word_stays_shielded_on_every_page_and_in_the_link(
    server: Server, pair: tuple[str, str], page: Page
):
    page.goto(link(server, pair, "The staff were kind, but slow.", view="Perturbation"))
    word = page.get_by_role("button", name=re.compile("^slow")).first
    expect(word).to_be_visible(timeout=60_000)
    settled(page)
    word.click()
    expect(page).to_have_url(re.compile("shield=25-29"))
    settled(page)
    expect(page.locator("#player").first.get_by_text("shielded").first).to_be_visible()
    page.goto(page.url)
    settled(page)
    expect(page.locator("#player").first.get_by_text("shielded").first).to_be_visible(
        timeout=60_000
    )
    page.get_by_role("button", name="Free all").click()
    settled(page)
    expect(page).not_to_have_url(re.compile("shield="))


def test_a_pinned_sentence_stays_beside_the_next_one(
    server: Server, pair: tuple[str, str], page: Page
):
    page.goto(link(server, pair, "The staff were kind."))
    page.get_by_role("button", name=re.compile("Pin as reference")).click(timeout=60_000)
    settled(page)
    page.get_by_role("textbox", name="Sentence").fill("The soup was cold.")
    page.get_by_role("button", name="Attack", exact=True).click()
    expect(page.get_by_text("Pinned: “The staff were kind.”")).to_be_visible(timeout=60_000)
    expect(page).to_have_url(re.compile("pin="))
    page.get_by_role("button", name="Unpin").click()
    expect(page.get_by_text("Pinned: ")).to_have_count(0)


def test_a_hostile_text_is_only_text(server: Server, pair: tuple[str, str], page: Page):
    page.goto(link(server, pair, "Fine."))
    box = page.get_by_role("textbox", name="Sentence")
    expect(box).to_have_value("Fine.")
    box.fill(HOSTILE)
    page.get_by_role("button", name="Attack", exact=True).click()
    expect(page).to_have_url(re.compile("script"))
    settled(page)
    expect(page.locator(".says").first).to_be_visible(timeout=60_000)
    for tab in ("Perturbation", "Saliency", "Projection", "Geometry", "Data"):
        page.get_by_role("tab", name=tab).click()
        settled(page)
    assert page.evaluate("window.__xss") is None
    assert page.locator("img[src='x']").count() == 0


def test_twenty_thousand_characters_are_cut_with_a_note(
    server: Server, pair: tuple[str, str], page: Page
):
    page.goto(link(server, pair, "Fine."))
    page.get_by_role("textbox", name="Sentence").fill("rather slow " * 1666 + "The end")
    page.get_by_role("button", name="Attack", exact=True).click()
    expect(page.get_by_text(re.compile(r"[Oo]nly the first")).first).to_be_visible(timeout=60_000)
    expect(page.locator(".says").first).to_be_visible(timeout=60_000)


def test_a_link_restores_the_picture_and_a_phone_shows_it_whole(
    server: Server, pair: tuple[str, str], page: Page
):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(link(server, pair, "The staff were kind.", attack="fgm", eps="0.4", view="Saliency"))
    expect(page.get_by_role("textbox", name="Sentence")).to_have_value("The staff were kind.")
    settled(page)
    expect(page.get_by_role("tab", name="Saliency")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("FGM, ε = 0.4 × mean norm")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


VIEWS = {
    "Overview": "Five versions of the sentence",
    "Perturbation": "δ, dimension by dimension",
    "Geometry": "Straight ahead, or round the corner?",
    "Saliency": "Through the layers",
    "Projection": "δ made longer until words change",
    "Training": "The sentence through training",
    "Data": "Figures and tables",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_view_is_drawn_to_its_end_without_an_error_and_fits(
    server: Server, pair: tuple[str, str], page: Page, scheme: str, width: int
):
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 844})
    first, by_link = next(iter(VIEWS)), (scheme, width) == ("light", 1440)
    for view, last in VIEWS.items():
        if by_link or view == first:
            page.goto(link(server, pair, "The staff were kind, but the soup was cold.", view=view))
        else:  # without starting the app in the browser anew
            rerun(page, page.get_by_role("tab", name=view).click)
        expect(page.get_by_role("heading", name=last)).to_be_visible(timeout=60_000)
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        assert page.locator("[data-testid=stAlertContentError]").count() == 0, view
        nameless = page.locator(
            "[data-testid=stPlotlyChart]:not([aria-label]):not(:has([aria-label]))"
        )
        assert nameless.count() == 0, view
        shoot(page, f"{view.lower()}-{scheme}-{width}")


def shoot(page: Page, name: str) -> None:
    """The whole page as a picture to judge by eye, in the folder that ADVLAB_SHOTS names, if any."""
    folder = os.environ.get("ADVLAB_SHOTS")
    if not folder:
        return
    size = page.viewport_size
    assert size
    # the page scrolls inside its frame, so the window is made as tall as what is in it
    tall = page.get_by_test_id("stMain").evaluate("e => e.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": int(tall) + 40})
    page.wait_for_timeout(800)  # charts are drawn again for the new size
    Path(folder).mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(Path(folder) / f"{name}.png"))
    page.set_viewport_size(size)


def test_the_old_picture_stays_while_a_new_sentence_is_computed(
    server: Server, pair: tuple[str, str], page: Page
):
    page.goto(link(server, pair, "The staff were kind."))
    expect(page.locator("#player").first).to_be_visible(timeout=60_000)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    settled(page)
    # every frame that the browser draws is looked at, so that no blank moment goes unseen
    page.evaluate("""() => {
        window.least = {charts: 99, players: 99};
        const drawn = (e) => e.shadowRoot?.querySelector("#player svg") ? 1 : 0;
        const look = () => {
            const charts = document.querySelectorAll(".js-plotly-plot .main-svg").length;
            const players = [...document.querySelectorAll("[data-testid=stMain] *")]
                .reduce((sum, e) => sum + drawn(e), 0);
            window.least.charts = Math.min(window.least.charts, charts);
            window.least.players = Math.min(window.least.players, players);
            requestAnimationFrame(look);
        };
        look();
    }""")
    page.get_by_role("textbox", name="Sentence").fill("Slow " * 40 + "and never boring.")
    page.get_by_role("button", name="Attack", exact=True).click()
    expect(page).to_have_url(re.compile("never\\+boring|never%20boring"))
    settled(page)
    expect(page.locator("#player").get_by_text("never", exact=True).first).to_be_visible()
    least = page.evaluate("window.least")
    assert min(least.values()) > 0, least


def test_a_long_attack_is_stopped_by_its_button_and_a_short_one_follows(
    server: Server, pair: tuple[str, str], page: Page
):
    text = "Slow and long, but never boring; " * 8
    page.goto(link(server, pair, text.strip(), attack="pgd", steps="1000", restarts="5"))
    stop = page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible(timeout=60_000)
    page.wait_for_timeout(1000)  # it is in the midst of the attack
    expect(page.get_by_text("Attacking …")).to_be_visible()
    stop.click()
    expect(page.get_by_text(re.compile(r"Stopped\. Press Attack"))).to_be_visible(timeout=10_000)
    settled(page)
    expect(stop).to_have_count(0)
    expect(page.locator(".says")).to_have_count(0)  # nothing of an attack that was not made
    page.get_by_text(re.compile("ε = 0.5")).click()
    steps = page.get_by_label("Steps", exact=True)
    steps.fill("3")
    steps.press("Enter")
    page.get_by_role("textbox", name="Sentence").fill("The soup was cold.")
    page.get_by_role("button", name="Attack", exact=True).click()
    expect(page.locator(".says").first).to_be_visible(timeout=60_000)
    expect(page).to_have_url(re.compile("steps=3"))


def test_what_to_look_at_next_opens_by_a_click(server: Server, pair: tuple[str, str], page: Page):
    page.goto(link(server, pair, "The staff were kind, but slow."))
    expect(page.get_by_text(re.compile("^Next: Look at .* in Geometry"))).to_be_visible(
        timeout=60_000
    )
    settled(page)
    page.get_by_role("button", name="Open Geometry").click()
    expect(page.get_by_role("tab", name="Geometry")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("heading", name="The loss around the sentence")).to_be_visible()
    expect(page).to_have_url(re.compile("view=Geometry"))


def test_switching_the_surface_off_stops_it(server: Server, pair: tuple[str, str], page: Page):
    text = "Slow and long, but never boring and often kind; " * 5
    page.goto(link(server, pair, "Fine.", view="Geometry"))
    switch = page.get_by_text("Draw the surface", exact=True)
    expect(switch).to_be_visible(timeout=60_000)
    settled(page)
    switch.click()
    settled(page)
    expect(page.locator(".st-key-seeds0")).to_have_count(0)
    page.get_by_role("textbox", name="Sentence").fill(text)
    page.get_by_role("button", name="Attack", exact=True).click()
    settled(page)
    switch.click()
    page.wait_for_timeout(150)
    switch.click()
    settled(page)
    expect(page.locator(".st-key-seeds0")).to_have_count(0)
    expect(page.get_by_role("switch", name="Draw the surface")).not_to_be_checked()
    switch.click()
    expect(page.locator(".st-key-seeds0")).to_be_visible(timeout=60_000)


def test_pages_are_left_and_found_as_they_were(server: Server, pair: tuple[str, str], page: Page):
    page.goto(link(server, pair, "The staff were kind.", eps="0.4", seed="7", view="Projection"))
    expect(page.get_by_role("heading", name="Is it text?")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="Runs").first).to_be_visible()
    page.get_by_role("link", name="Sentence", exact=True).click()
    expect(page.get_by_role("textbox", name="Sentence")).to_have_value("The staff were kind.")
    expect(page.get_by_text("PGD, ε = 0.4 × mean norm")).to_be_visible()
    settled(page)
    assert "seed=7" in page.url


def test_many_sentences_lead_back_to_one(server: Server, pair: tuple[str, str], page: Page):
    page.goto(f"{server.url}/many")
    expect(page.get_by_text("of 30 sentences").first).to_be_visible(timeout=90_000)
    expect(page.get_by_text("60 of 60 rows")).to_be_visible(timeout=60_000)
    page.get_by_test_id("stButtonGroup").get_by_text("robust", exact=True).click()
    settled(page)
    assert page.locator("[data-testid=stAlertContentError]").count() == 0
    page.get_by_test_id("stButtonGroup").get_by_text("all", exact=True).click()
    expect(page.get_by_text("60 of 60 rows")).to_be_visible()
    settled(page)
    # the table is drawn on a canvas: its first row's box is found by its place
    page.wait_for_timeout(1000)  # until it stands in its new place
    table = page.get_by_test_id("stDataFrame").last
    wanted = table.locator("[role=gridcell][aria-colindex='1']").first.text_content()
    table.click(position={"x": 18, "y": 52})
    box = page.get_by_role("textbox", name="Sentence")
    expect(box).to_be_visible(timeout=60_000)
    expect(box).to_have_value(wanted or "")
    settled(page)
    page.get_by_role("link", name="Many sentences").click()
    expect(page.get_by_text("60 of 60 rows")).to_be_visible(timeout=60_000)
    settled(page)
    expect(page.get_by_role("heading", name="Many sentences")).to_be_visible()  # it opens once


def test_many_keeps_what_was_typed_when_another_page_is_visited(
    server: Server, pair: tuple[str, str], page: Page
):
    page.goto(f"{server.url}/many")
    expect(page.get_by_text("60 of 60 rows")).to_be_visible(timeout=90_000)
    page.get_by_role("textbox", name="Contains").fill("never")
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="Runs").first).to_be_visible()
    page.get_by_role("link", name="Many sentences").click()
    expect(page.get_by_role("textbox", name="Contains")).to_have_value("never")


def test_back_leaves_the_page_however_often_its_controls_were_changed(
    server: Server, pair: tuple[str, str], page: Page
):
    page.goto(server.url)
    expect(page.get_by_role("heading", name="advlab")).to_be_visible(timeout=60_000)
    settled(page)
    for _ in range(300):  # until the browser has its instruction; a page may not evaluate strings
        if page.evaluate("Boolean(window.history.oneStepAPage)"):
            break
        page.wait_for_timeout(100)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Sentence", exact=True).click()
    box = page.get_by_role("textbox", name="Sentence")
    expect(page.locator(".says").first).to_be_visible(timeout=60_000)
    for text in ("The soup was cold.", "The soup was hot.", "The soup was fine."):
        box.fill(text)
        page.get_by_role("button", name="Attack", exact=True).click()
        expect(page).to_have_url(re.compile(text.split()[-1]), timeout=60_000)
        settled(page)
    page.go_back()
    expect(page.get_by_role("heading", name="advlab")).to_be_visible(timeout=60_000)
    page.go_forward()
    expect(box).to_have_value("The soup was fine.", timeout=60_000)
    settled(page)
    expect(page.get_by_text(re.compile("^B: ")).first).to_be_visible()  # nothing was dropped
