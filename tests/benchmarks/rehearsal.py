"""A class rehearsed: a teacher and N students, each in a browser of their own, on a server of its own.

    python tests/benchmarks/rehearsal.py --students 12 --minutes 10 --models PREPARED_HOME

Every student goes in turns through lessons and pages, answers the teacher's questions, takes part in a
challenge, has trainings queued; in the middle the server is killed and started again. Told at the end,
as JSON: seconds from a click to the page's answer (median, 95 %, the ten slowest), errors, whether the
queue was fair, what is exported.
`--models`: a data folder whose runs are the class's models, as `advlab prepare-class` leaves them.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from advlab.classroom import Classroom, challenges, polls
from advlab.classroom.export import zipped
from advlab.runs.config import DataConfig, RunConfig, TrainConfig
from advlab.runs.processes import send
from advlab.runs.queue import Store

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
PAGES = (
    "course",
    "lesson",
    "glossary",
    "new",
    "runs",
    "microscope",
    "explore",
    "many",
    "robustness",
)
SENTENCE = "The soup was hot, but I would never eat there again."
HEADING = "document.querySelector('[data-testid=stMain] :is(h1, h2, h3)')?.textContent ?? ''"


class Server:
    """`advlab class` on a free port; may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ("class", "--port", str(self.port), "--host", "127.0.0.1")
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "advlab", *words],
                cwd=self.folder,
                env=os.environ | {"ADVLAB_HOME": str(self.folder), "PYTHONPATH": str(ROOT)},
                stdout=stream,
                stderr=stream,
            )
        for _i in range(600):
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(self.log.read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """As a crash does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def join(browser: Browser, server: Server, code: str, name: str, errors: list[str]) -> Page:
    """A student's window, past the door."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(f"{name}: {error}"))
    page.goto(f"{server.url}/")
    page.get_by_label("Code").fill(code)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join the class").click()
    page.get_by_text(f"You are {name}").wait_for()
    return page


def act(page: Page, room: Classroom, student: str, turn: random.Random) -> tuple[float, str] | None:
    """One click of a student: seconds until the page has answered, and on what; None without one."""
    button = page.get_by_role("button", name="Keep my prediction")
    choice = page.get_by_text("never", exact=True)
    if button.count() and choice.count() and turn.random() < 0.7:
        choice.first.click()
        began = time.perf_counter()
        button.first.click()
        # the first click may have brought the next question, for which nothing is chosen yet
        told = page.get_by_text("Say what you expect first")
        page.get_by_text("Your prediction is kept").or_(told).first.wait_for()
        return time.perf_counter() - began, "prediction"
    hand_in = page.get_by_role("button", name="Hand in this sentence")
    if page.get_by_text("Take part").count() and turn.random() < 0.2:
        if not hand_in.is_visible():
            page.get_by_text("Take part").click()
        changed = page.get_by_role("textbox", name="The sentence, changed")
        changed.fill(SENTENCE.replace("never", turn.choice(("often", "always", "gladly"))))
        page.keyboard.press("Tab")
        began = time.perf_counter()
        hand_in.click()
        page.get_by_text("You are on place").or_(page.get_by_role("alert")).first.wait_for()
        return time.perf_counter() - began, "hand in"
    before = page.evaluate(HEADING)
    others = [name for name in PAGES if not urlsplit(page.url).path.endswith(f"/{name}")]
    wanted = turn.choice(others)
    link = page.locator(f'a[href$="/{wanted}"]').first
    if not link.count():
        return None
    began = time.perf_counter()
    link.click()
    page.wait_for_function(f"before => ![before, ''].includes({HEADING})", arg=before)
    return time.perf_counter() - began, wanted


def queue(room: Classroom, ids: list[str], each: int) -> None:
    """Short trainings of every student, as the page submits them."""
    from advlab.runs import jobs
    from advlab.runs.spaces import inside

    config = RunConfig(data=DataConfig("reviews", limit=400), train=TrainConfig(epochs=1))
    for id_ in ids:
        with inside(room.space_of(id_)):
            for _i in range(each):
                jobs.submit(config)


def fairness(room: Classroom, ids: list[str]) -> bool:
    """Whether nobody had a second run started while another still waited for a first one."""
    started: list[tuple[float, str]] = []
    for id_ in ids:
        runs = Store(room.space_of(id_).root).listing()
        started += [(run.started, id_) for run in runs if run.started]
    order = [id_ for _time, id_ in sorted(started)]
    first = order[: len(ids)]
    return len(set(first)) == len(first)


def rehearse(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole class; what is told of it."""
    home = folder / "class"
    if args.models:
        shutil.copytree(args.models, home)
    home.mkdir(exist_ok=True)
    server, errors, clicks = Server(folder), list[str](), list[tuple[float, str]]()
    server.start()
    room, turn = Classroom(home), random.Random(0)
    names = [f"Student {i + 1:02d}" for i in range(args.students)]
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        pages = [join(browser, server, room.code, name, errors) for name in names]
        ids = {s.name: s.id for s in room.students()}
        queue(room, list(ids.values()), 2)
        known = Store(home).listing(status="done")
        if model := next((run for run in known if run.config.data.source == "reviews"), None):
            challenges.start(room, "words", SENTENCE, model.id)
        end, killed, asked = time.monotonic() + 60 * args.minutes, False, 0
        while time.monotonic() < end:
            if not killed and time.monotonic() > end - 30 * args.minutes:
                server.kill()
                server.start()
                killed = True
                for page in pages:
                    page.reload()
            if asked % 4 == 0:
                polls.ask(room, f"Question {asked // 4 + 1}?", ["never", "always"])
            asked += 1
            for name, page in zip(names, pages, strict=True):
                try:
                    click = act(page, room, ids[name], turn)
                except Exception as error:
                    errors.append(f"{name}: {page.url}: {' '.join(str(error).split())}")
                    continue
                if click is not None:
                    clicks.append(click)
                if not page.get_by_text(f"You are {name}").count():
                    errors.append(f"{name} is somebody else")
        for name, page in zip(names, pages, strict=True):
            page.goto(f"{server.url}/runs")
            page.get_by_text(f"You are {name}").wait_for()
        browser.close()
    archive = zipfile.ZipFile(io.BytesIO(zipped(room)))
    server.kill()
    for id_ in ids.values():
        for run in Store(room.space_of(id_).root).listing(status="running"):
            if run.pid:
                send(run.pid, run.pid_start, signal.SIGTERM)
    clicks.sort()
    times = [seconds for seconds, _what in clicks]
    return {
        "students": args.students,
        "minutes": args.minutes,
        "clicks": len(times),
        "median": round(times[len(times) // 2], 2) if times else None,
        "p95": round(times[int(len(times) * 0.95)], 2) if times else None,
        "slowest": [f"{what}: {seconds:.1f}" for seconds, what in clicks[-10:]],
        "within_3_s": round(sum(t <= 3 for t in times) / max(len(times), 1), 3),
        "fair": fairness(room, list(ids.values())),
        "on_the_board": len(challenges.board(room, challenges.challenges(room)[0])) if model else 0,
        "answers": sum(len(polls.answers(room, p.id)) for p in polls.polls(room)),
        "exported": archive.namelist(),
        "errors": errors,
        "traceback": "Traceback" in server.log.read_text(errors="replace"),
    }


def main() -> None:
    """Rehearse, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--models", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(rehearse(args, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
