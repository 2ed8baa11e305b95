"""A real server in a folder of its own, and a real Chromium, for the tests marked `browser`.

Under xdist each process has a server, a port and a data folder of its own; a file stays in one process.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# the starter pair that `advlab demo` trains to its end in another test is here for the pages alone
ONE_EPOCH = (
    "from dataclasses import replace; from advlab.runs.starters import STARTERS as known; "
    "known['classification'] = replace(kind := known['classification'], "
    "train=replace(kind.train, epochs=1))"
)
START_LIMIT = 60.0  # seconds until the server answers
# Streamlit's own index page has one inline script, which the security policy keeps from running,
# and asks for its health below the page's path on a deep link
KNOWN = ("Executing inline script violates", "404 (Not Found)")


@dataclass
class Server:
    """A running app: where it answers, where its data is, and the process, to be ended by tests."""

    url: str
    home: Path
    log: Path
    start: Callable[[], None]
    stop: Callable[[], None]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app as `advlab app` starts it, on a free port, with an empty data folder."""
    folder = tmp_path_factory.mktemp("server")
    home, log = folder / "home", folder / "server.log"
    home.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {"ADVLAB_HOME": str(home), "PYTHONPATH": str(ROOT)}
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        command = (
            f"{ONE_EPOCH}; from advlab.ui.launch import serve; serve(port={port}, browser=False)"
        )
        with log.open("ab") as stream:  # a pipe that nobody reads would fill and block the server
            process = subprocess.Popen(
                [sys.executable, "-c", command],
                cwd=folder,
                env=environment,
                stdout=stream,
                stderr=stream,
            )
        running.append(process)
        deadline = time.monotonic() + START_LIMIT
        while not _healthy(url):
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, "the server did not answer in time"
            time.sleep(0.1)

    def stop() -> None:
        while running:
            process = running.pop()
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    start()
    yield Server(url, home, log, start, stop)
    stop()
    _end_workers(home)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _end_workers(home: Path) -> None:
    """Training that outlives its server by design must not outlive the tests."""
    from advlab.runs.jobs import Store
    from advlab.runs.processes import send

    for run in Store(home).listing(status="running"):
        if run.pid is not None:
            send(run.pid, run.pid_start, 9)


@pytest.fixture(scope="session")
def pair(server: Server) -> tuple[str, str]:
    """The ids of two small models in the server's data folder, trained by the command line."""
    from advlab.cli.main import main
    from advlab.runs.jobs import Store

    names = {f"Browser {method}": method for method in ("plain", "fgm")}
    small = ("--data", "reviews", "--limit", "800", "--epochs", "3", "--eval-limit", "32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVLAB_HOME", str(server.home))
        for name, method in names.items():
            assert main(["train", *small, "--method", method, "--name", name]) == 0
    found = {run.name: run.id for run in Store(server.home).listing()}
    plain, robust = (found[name] for name in names)
    return plain, robust


@pytest.fixture(scope="session")
def task_runs(server: Server) -> dict[str, str]:
    """A finished run of each task, with a tiny random model instead of a trained one."""
    from task_cases import KINDS, case

    from advlab.runs.config import DataConfig, RunConfig
    from advlab.runs.jobs import Store

    store, found = Store(server.home), {}
    for kind in KINDS:
        victim, _ = case(kind)
        corpus = {"qa": "stories", "translation": "normal-forms", "dialogue": "assistant"}[kind]
        config = RunConfig(data=DataConfig(corpus), name=f"A run of {kind}")
        run = store.open_here(config)
        victim.save(run.folder.model)
        store.finish(run.id, run.attempt, "done")
        found[kind] = run.id
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; the tests are skipped only where there is none."""
    if not Path(CHROMIUM).is_file():
        pytest.skip("no Chromium found; install it to run the browser tests")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def windows(browser: Browser) -> Iterator[BrowserContext]:
    """Where windows are opened: with its cache, a page takes a third of the time from the second on."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    yield context
    context.close()


@pytest.fixture
def page(windows: BrowserContext) -> Iterator[Page]:
    """A fresh window. A test fails when a page logs an error or shows an exception."""
    window = windows.new_page()
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(known in message.text for known in KNOWN):
            errors.append(message.text)

    window.on("console", note)
    window.on("pageerror", lambda error: errors.append(str(error)))
    yield window
    shown = window.get_by_test_id("stException").all_inner_texts()
    window.evaluate("() => { try { localStorage.clear() } catch {} }")  # a file's may not be asked
    for opened in windows.pages:
        opened.close()
    windows.clear_cookies()
    assert not errors
    assert not shown


def settled(page: Page) -> None:
    """Wait until the script has run to its end."""
    idle = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(idle).to_be_visible(timeout=120_000)  # some pages attack many sentences at first


# begun before the act: resolves when the script has run and ended
RERUN = """
() => { window.rerun = new Promise((done, fail) => {
  setTimeout(() => fail("nothing was run again"), 30000);
  const app = document.querySelector("[data-testid=stApp]");
  let ran = false;
  const watch = new MutationObserver(() => {
    const idle = app.dataset.testScriptState === "notRunning";
    if (!idle) ran = true;
    else if (ran) { watch.disconnect(); done(); }
  });
  watch.observe(app, { attributes: true });
}); }
"""


def rerun(page: Page, act: Callable[[], None]) -> None:
    """Do something that makes the script run again, and wait for the end of that run."""
    page.evaluate(RERUN)
    act()
    page.evaluate("() => window.rerun")
