"""Seconds from the click on "Train the starter pair" to the picture on Explore, in a real browser.

One run after the other (`ADVLAB_MAX_RUNS=1`) and both at once, by turns, each in an empty data folder:

    python tests/benchmarks/first_minute.py [ROUNDS]
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 900_000  # milliseconds that the pair may take
PORT = 8597
SERVE = f"from advlab.ui.launch import serve; serve(port={PORT}, browser=False)"


def measured(browser: Browser, folder: Path, most: str | None) -> float:
    """Seconds from the click until both predictions stand on Explore; `most`: runs at once."""
    environment = os.environ | {"ADVLAB_HOME": str(folder), "PYTHONPATH": str(ROOT)}
    environment.pop("ADVLAB_MAX_RUNS", None)
    if most is not None:
        environment["ADVLAB_MAX_RUNS"] = most
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        _wait_for(f"http://127.0.0.1:{PORT}/_stcore/health")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(LIMIT)
        page.goto(f"http://127.0.0.1:{PORT}/")
        button = page.get_by_role("button", name="Train the starter pair")
        button.wait_for()
        page.wait_for_timeout(10_000)  # torch is there by now, as for one who reads the page
        begun = time.monotonic()
        button.click()
        page.wait_for_url(re.compile(r"/explore\?"))
        page.locator(".says").first.wait_for()
        taken = time.monotonic() - begun
        page.close()
        return taken
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("the server did not answer within two minutes; read server.log in its folder")


def main() -> None:
    """Alternate, print each time, then the medians and their ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    found: dict[str, list[float]] = {"one after the other": [], "both at once": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(rounds):
            for how, most in (("one after the other", "1"), ("both at once", None)):
                with tempfile.TemporaryDirectory() as folder:
                    found[how].append(measured(browser, Path(folder), most))
                print(f"{how}: {found[how][-1]:.1f} s", flush=True)
        browser.close()
    one, both = (statistics.median(times) for times in found.values())
    print(f"medians {one:.1f} s and {both:.1f} s: {both / one:.2f} of the time")


if __name__ == "__main__":
    main()
