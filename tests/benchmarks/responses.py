"""How fast the Explore page answers in a real browser: medians of 20. Prints a Markdown table.

    python tests/benchmarks/responses.py RUN [RUN …]     runs of $ADVLAB_HOME, by id or name

Starts the app and a headless Chromium, one thread. Times are taken inside the page, from the event to
the first frame in which the new picture stands and the script has ended.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from playwright.sync_api import Browser, Page, WebSocket, sync_playwright

from advlab.cli.models import find_run

COUNT = 20
WORDS = ("soup", "film", "staff", "plot", "room", "story", "game", "meal", "book", "song", "walk")
# waits in the page itself: frame by frame, until the script has ended and `shown` holds
WAIT = """
([code, limit]) => new Promise((done, fail) => {
  const began = performance.now(), shown = new Function("return " + code);
  const look = () => {
    const app = document.querySelector("[data-testid=stApp]");
    const idle = app && app.dataset.testScriptState === "notRunning";
    if (idle && shown()) done(performance.now() - began);
    else if (performance.now() - began > limit) fail("not shown in time: " + code);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})
"""
# the player's own note of what it shows changes with every sentence
SHOWN = """(() => {
  const host = [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")]
    .map((h) => h.shadowRoot && h.shadowRoot.querySelector("#player")).find(Boolean);
  if (!host || window.lastPlayer === host.dataset.key) return false;
  window.lastPlayer = host.dataset.key;
  return true;
})()"""
SCRUB = """
() => {
  const hosts = [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")];
  const root = hosts.map((h) => h.shadowRoot).find((r) => r && r.querySelector("input[type=range]"));
  const range = root.querySelector("input[type=range]"), bar = root.querySelector(".panel .value");
  const now = root.querySelector(".now"), times = [];
  return new Promise((done) => {
    const step = (k) => {
      if (k === 20) return done(times);
      const before = now.textContent, began = performance.now();
      range.value = String(2 + (k % 2 ? 3 : 15) + (k % 4));
      range.dispatchEvent(new Event("input", { bubbles: true }));
      // the frame after the next one begins when this change has been painted
      requestAnimationFrame(() => requestAnimationFrame(() => {
        if (now.textContent === before) throw new Error("the slider moved nothing");
        times.push(performance.now() - began);
        step(k + 1);
      }));
    };
    step(0);
  });
}
"""


def wait(page: Page, code: str, limit: float = 60_000) -> float:
    """Milliseconds until the script has ended and `code` is true in the page."""
    return float(page.evaluate(WAIT, [code, limit]))


def row(name: str, times: list[float], allowed: float) -> None:
    middle, worst = statistics.median(times), max(times)
    fits = "yes" if middle <= allowed else "**no**"
    print(f"| {name} | {middle:.0f} | {worst:.0f} | {allowed:.0f} | {fits} |", flush=True)


def new_sentences(page: Page) -> list[float]:
    """From Ctrl+Enter to the new sentence's bars; the sentence was never attacked before."""
    times = []
    wait(page, SHOWN)
    for k in range(COUNT):
        word = WORDS[k % len(WORDS)]
        text = f"the {word} was slow but i would see it again {time.time_ns() % 100_000}"
        page.get_by_role("textbox", name="Sentence").fill(text)
        page.wait_for_timeout(300)  # typing itself is not timed
        began = time.perf_counter()
        page.keyboard.press("Control+Enter")
        page.wait_for_url(lambda url, t=text: urlencode({"text": t}) in url, timeout=60_000)
        wait(page, SHOWN)
        times.append(1000 * (time.perf_counter() - began))
    return times


def surfaces(page: Page) -> list[float]:
    """From choosing another random direction to all of its 21 × 21 points."""
    times = []
    for k in range(COUNT):
        if k % 2 == 0:  # a sentence whose surfaces were never drawn
            text = f"the {WORDS[k % len(WORDS)]} was slow but i would see it again {k}"
            page.get_by_role("textbox", name="Sentence").fill(text)
            page.get_by_role("button", name="Attack", exact=True).click()
            wait(
                page,
                "document.body.innerText.includes('Random direction 1: ')"
                " && !document.body.innerText.includes('of 4 parts drawn')",
            )
        wanted = "2" if k % 2 == 0 else "3"
        group = page.get_by_test_id("stButtonGroup").filter(has_text="Random direction")
        began = time.perf_counter()
        group.get_by_text(wanted, exact=True).click()
        wait(
            page,
            f"document.body.innerText.includes('Random direction {wanted}: ')"
            " && !document.body.innerText.includes('of 4 parts drawn')",
        )
        times.append(1000 * (time.perf_counter() - began))
        group.get_by_text("1", exact=True).click()
        wait(page, "document.body.innerText.includes('Random direction 1: ')")
    return times


def switches(page: Page, there: str, sign: str, back: str, home: str) -> list[float]:
    """Between two views or pages that were both open before."""
    times = []
    for k in range(COUNT + 2):
        name, shown = (there, sign) if k % 2 == 0 else (back, home)
        role = "tab" if name in ("Overview", "Perturbation") else "link"
        began = time.perf_counter()
        page.get_by_role(role, name=name, exact=True).click()  # type: ignore[arg-type]
        wait(page, f"document.body.innerText.includes({shown!r})")
        times.append(1000 * (time.perf_counter() - began))
    return times[2:]


def measure(page: Page, url: str, run: str, name: str, limit: float, *, brief: bool) -> None:
    """All rows of one model."""
    values = {"a": run, "b": "", "text": "the plot was slow but i would see it again"}
    page.goto(f"{url}/explore?{urlencode(values)}")
    wait(page, "document.body.innerText.includes('Drag ε')")
    page.wait_for_timeout(1500)
    page.evaluate(SCRUB)  # once to warm up
    row(f"{name}: scrub ε", [float(t) for t in page.evaluate(SCRUB)], 50)
    row(f"{name}: new sentence to full picture", new_sentences(page), limit)
    if brief:
        return
    row(
        f"{name}: view switch",
        switches(page, "Perturbation", "Attack only some words", "Overview", "Drag ε"),
        500,
    )
    row(f"{name}: page switch", switches(page, "Runs", "Runs", "Sentence", "Drag ε"), 500)
    page.get_by_role("tab", name="Geometry").click()
    wait(page, "document.body.innerText.includes('Random direction 1: ')")
    row(f"{name}: 21 × 21 surface", surfaces(page), 3000)


def frames_sent(page: Page, url: str, run: str) -> int:
    """Messages to the server while ε is moved twenty times."""
    sent: list[object] = []

    def listen(socket_: WebSocket) -> None:
        socket_.on("framesent", lambda frame: sent.append(frame))

    page.on("websocket", listen)
    page.goto(f"{url}/explore?{urlencode({'a': run, 'b': '', 'text': 'the plot was slow'})}")
    wait(page, "document.body.innerText.includes('Drag ε')")
    page.wait_for_timeout(1500)
    sent.clear()
    page.evaluate(SCRUB)
    page.wait_for_timeout(500)
    return len(sent)


@contextmanager
def opened() -> Iterator[tuple[str, Browser]]:
    """The app on a free port, and a headless Chromium."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "advlab", "app", "--port", str(port), "--no-browser"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
                break
            except OSError:
                time.sleep(0.1)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=["--no-sandbox", "--disable-gpu"],
            )
            yield url, browser
            browser.close()
    finally:
        server.terminate()
        server.wait()


def heads() -> None:
    """The head of the table that `row` fills."""
    print("| what | median, ms | worst, ms | allowed | within |\n|---|---|---|---|---|")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="ids or names of runs")
    parser.add_argument("--brief", action="store_true", help="only ε and new sentences")
    args = parser.parse_args()
    runs = [find_run(which) for which in args.runs]
    with opened() as (url, browser):
        heads()
        for info in runs:
            large = info.config.model.source not in ("tiny", "small")
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            measure(page, url, info.id, info.name, 1500 if large else 400, brief=args.brief)
            page.close()
        page = browser.new_page()
        sent = frames_sent(page, url, runs[0].id)
        print(f"\nMessages to the server during 20 moves of ε: {sent}")


if __name__ == "__main__":
    main()
