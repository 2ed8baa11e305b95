"""A teacher and two students in three windows: a question, links, the export, a killed server."""

from __future__ import annotations

import csv
import io
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import KNOWN, ROOT, START_LIMIT, settled
from playwright.sync_api import Browser, Page, expect
from victims import shared_victim

from advlab.classroom import Classroom, polls
from advlab.runs.config import RunConfig
from advlab.runs.queue import Store

pytestmark = pytest.mark.browser
NAME = "Anna <img src=x onerror=window.__xss=1>"


@dataclass
class Server:
    """A class that is served: where, its state on disk, and how it is started and ended."""

    url: str
    room: Classroom
    log: Path
    start: Callable[[], None]
    kill: Callable[[], None]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`advlab class` on a free port, with an empty home."""
    folder = tmp_path_factory.mktemp("class")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}/lab", folder / "log"
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        words = ("class", "--port", str(port), "--host", "127.0.0.1", "--base-path", "/lab/")
        with log.open("ab") as stream:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "advlab", *words],
                    cwd=folder,
                    env=os.environ | {"ADVLAB_HOME": str(folder), "PYTHONPATH": str(ROOT)},
                    stdout=stream,
                    stderr=stream,
                )
            )
        deadline = time.monotonic() + START_LIMIT
        while True:
            assert running[-1].poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, "the server did not answer in time"
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)

    def kill() -> None:
        process = running.pop()
        process.kill()
        process.wait()

    start()
    yield Server(url, Classroom(folder / "class"), log, start, kill)
    kill()


# what a page says while the server is gone, and when it comes back to a page that is not yet served
WHILE_KILLED = (
    *("403", "WebSocket", "CONNECTION_REFUSED"),
    *("disconnected from server", "does not seem to exist"),
    *("in reaching server endpoint", "server is not responding"),  # where a restart takes long
)


def window(browser: Browser, stack: ExitStack, errors: list[str]) -> Page:
    """A browser of its own, whose errors are kept."""
    context = stack.enter_context(browser.new_context(viewport={"width": 1280, "height": 800}))
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda m: (
            errors.append(m.text)
            if m.type == "error" and not any(k in m.text for k in (*KNOWN, *WHILE_KILLED))
            else None
        ),
    )
    return page


def join(page: Page, served: Server, name: str) -> None:
    """Type code and name at the door."""
    page.goto(f"{served.url}/")
    page.get_by_label("Code").fill(served.room.code)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join the class").click()
    expect(page.get_by_text(re.compile("^You are "))).to_be_visible(timeout=60_000)


def test_a_class_from_the_door_to_the_export(browser: Browser, served: Server) -> None:
    errors: list[str] = []
    with ExitStack() as stack:
        teacher, anna, ben = (window(browser, stack, errors) for _i in range(3))
        teacher.goto(f"{served.url}/teach/{served.room.secret}")
        expect(teacher.get_by_text(served.room.code)).to_be_visible(timeout=60_000)
        join(anna, served, NAME)
        join(ben, served, "李雷")
        ids = {s.name: s.id for s in served.room.students()}

        # a question, answered, revealed
        teacher.get_by_text("Question", exact=True).click()
        teacher.get_by_role("textbox", name="Question").fill("Which word carries it?")
        teacher.get_by_role("textbox", name="Choices").fill("never\n=hot")
        teacher.get_by_role("button", name="Put it to the room").click()
        for page, choice in ((anna, "never"), (ben, "=hot")):
            page.get_by_text(choice, exact=True).click()
            settled(page)
            page.get_by_role("button", name="Keep my prediction").click()
            expect(page.get_by_text(f"Your prediction is kept: {choice}")).to_be_visible()
        teacher.get_by_role("combobox", name="Measured").click()
        teacher.get_by_role("option", name="never").click()
        teacher.get_by_role("button", name="Reveal").click()
        for page in (anna, ben):
            expect(page.get_by_text("Measured: never")).to_be_visible(timeout=60_000)

        # another's run by its link, and a killed server: the same space, nothing lost
        secret = Store(served.room.space_of(ids[NAME]).root).enqueue(RunConfig("Secret run"))
        Store(served.room.space_of(ids[NAME]).root).request(secret, "cancel")
        served.kill()
        served.start()
        anna.goto(f"{served.url}/runs?run={secret}")
        expect(anna.get_by_role("button", name="Secret run")).to_be_visible(timeout=60_000)
        ben.goto(f"{served.url}/runs?run={secret}")
        expect(ben.get_by_text("No run yet")).to_be_visible(timeout=60_000)
        ben.goto(f"{served.url}/class")
        expect(ben.get_by_text(re.compile("^You are "))).to_be_visible(timeout=60_000)
        expect(ben.get_by_text(served.room.code)).to_have_count(0)

        # what the class did
        teacher.goto(f"{served.url}/class")
        teacher.get_by_text("What the class did", exact=True).click()
        with teacher.expect_download() as loaded:
            teacher.get_by_role("button", name="Download what the class did").click()
        archive = zipfile.ZipFile(loaded.value.path())
        rows = csv.DictReader(io.StringIO(archive.read("answers.csv").decode("utf-8-sig")))
        assert {(r["student"], r["answer"]) for r in rows} == {(NAME, "never"), ("李雷", "'=hot")}
        for page in (teacher, anna, ben):
            assert page.evaluate("window.__xss") is None
            assert not page.get_by_test_id("stException").count()
    assert not errors
    log = served.log.read_text(errors="replace")
    assert "Traceback" not in log
    told = re.findall(r"/teach/\S+", log)
    assert len(told) == 2  # at each start, to whoever started it, and never again


def test_the_teachers_question_does_not_wait_for_a_page_that_computes(
    browser: Browser, served: Server
) -> None:
    store = Store(served.room.root)
    run = store.open_here(RunConfig("A model of the class"))
    shared_victim("bert").save(run.folder.model)
    store.finish(run.id, run.attempt, "done")
    errors: list[str] = []
    with ExitStack() as stack:
        cleo = window(browser, stack, errors)
        join(cleo, served, "Cleo")
        cleo.get_by_role("link", name="Many sentences").first.click()
        count = cleo.get_by_role("spinbutton", name="How many")
        count.fill("500")  # minutes of work
        count.press("Enter")
        working = cleo.get_by_text(re.compile(r"Attacking \d+ of 500"))
        expect(working).to_be_visible(timeout=60_000)
        asked = polls.ask(served.room, "Will it flip?", ["soon", "late"])
        expect(cleo.get_by_text("Will it flip?")).to_be_visible(timeout=20_000)
        cleo.get_by_text("soon", exact=True).click()
        cleo.get_by_role("button", name="Keep my prediction").click()
        expect(cleo.get_by_text("Your prediction is kept: soon")).to_be_visible(timeout=20_000)
        assert list(polls.answers(served.room, asked.id).values()) == ["soon"]
        expect(working).to_be_visible(timeout=20_000)  # and the work goes on
    assert not errors
