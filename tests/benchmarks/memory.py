"""The server's memory while visitors are there and after they left.

    python tests/benchmarks/memory.py [--visitors 12] [--rounds 1] [--wait 60]

A server of its own with a pair of small models; each visitor is a browser context of its own that
attacks sentences on the Explore page and looks at its views. MiB of resident memory, by round.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import psutil
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
VIEWS = ("Overview", "Perturbation", "Geometry", "Saliency", "Projection", "Data")


def resident(pid: int) -> float:
    """MiB."""
    return psutil.Process(pid).memory_info().rss / 2**20


def started(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The server and its address, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = ("app", "--no-browser", "--port", str(port))
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "advlab", *words],
            cwd=ROOT,
            env=os.environ | {"ADVLAB_HOME": str(home)},
            stdout=log,
            stderr=log,
        )
    while True:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
        except OSError:
            time.sleep(0.2)
        else:
            return server, url


def visit(url: str, visitors: int, number: int) -> None:
    """So many browsers at once, each on every view of a sentence of its own; then all close."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        pages = [browser.new_context().new_page() for _ in range(visitors)]
        for view in VIEWS:
            for n, page in enumerate(pages):
                text = f"The soup was hot but I would not eat {number} {n} times again."
                page.goto(f"{url}/explore?{urlencode({'text': text, 'view': view})}")
            for page in pages:
                page.wait_for_selector(
                    ".js-plotly-plot, [data-testid='stDataFrame']", timeout=180_000
                )
        browser.close()


def main() -> None:
    """Print a line a moment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--wait", type=float, default=60.0, help="seconds after they left")
    args = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="advlab-memory-"))
    for method in ("plain", "fgm"):
        words = (
            "train",
            "--data",
            "reviews",
            "--limit",
            "200",
            "--epochs",
            "1",
            "--method",
            method,
        )
        subprocess.run(
            [sys.executable, "-m", "advlab", *words],
            cwd=ROOT,
            env=os.environ | {"ADVLAB_HOME": str(home)},
            check=True,
            capture_output=True,
        )
    server, url = started(home)
    try:
        visit(url, 1, 0)
        print(f"one visitor has been there   {resident(server.pid):6.0f} MiB", flush=True)
        for number in range(1, args.rounds + 1):
            visit(url, args.visitors, number)
            print(
                f"{args.visitors} visitors, just closed     {resident(server.pid):6.0f} MiB",
                flush=True,
            )
            time.sleep(args.wait)
            print(
                f"{args.wait:.0f} s later                   {resident(server.pid):6.0f} MiB",
                flush=True,
            )
    finally:
        server.terminate()
        server.wait(timeout=20)


if __name__ == "__main__":
    main()
