"""The slow motion is played in the browser alone, by hand and by keyboard."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from browser import Server, settled
from playwright.sync_api import Page, WebSocket, expect

pytestmark = pytest.mark.browser


def test_a_batch_is_played_paused_stepped_and_reset_without_the_server(server: Server, page: Page):
    sent: list[object] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: sent.append(frame))

    page.on("websocket", listen)
    link = urlencode({"corpus": "messages", "methods": "plain,pgd", "steps": 2})
    page.goto(f"{server.url}/microscope?{link}")
    slider = page.get_by_role("slider", name="moment", exact=True)
    expect(slider).to_be_visible(timeout=150_000)
    settled(page)
    sent.clear()
    now, lit = page.locator("#player .now"), page.locator("#player [aria-current=step]")
    assert now.text_content() == "Clean pass"
    assert lit.all_text_contents() == ["Clean pass", "Clean pass"]
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert now.text_content() == "Ascent step 1 of 2"
    assert lit.all_text_contents() == ["Ascent step 1 of 2"]  # plain training has none, and waits
    ball = page.get_by_role("img", name="B: PGD, Ball of radius ε")
    assert "0.50 ε long, inside the ball" in (ball.get_attribute("aria-label") or "")
    page.get_by_role("button", name="moment: one on").click()
    assert (now.text_content() or "").startswith("Step 1 is brought back")
    page.get_by_role("button", name="Back to the start").click()
    assert now.text_content() == "Clean pass"
    page.get_by_label("Speed").select_option("4")
    play = page.get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # paused before the first frame has passed
    assert now.text_content() == "Clean pass"
    page.keyboard.press("Enter")
    expect(now).to_have_text("Optimiser step")
    expect(play).to_be_visible()  # at the end it stops by itself
    assert "Pinned sentence" in " ".join(page.locator("#player .says").all_text_contents())
    assert sent == []
