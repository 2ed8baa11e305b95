"""How fast the Robustness page answers once its numbers exist: medians of 20. A Markdown table.

    python tests/benchmarks/compare_speed.py RUN RUN [RUN …]     up to six runs of $ADVLAB_HOME

All models of the first run's data, PGD at five ε, all of its test texts (872 of SST-2). The measurement
itself comes first and is not timed.
"""

from __future__ import annotations

import argparse
import time

from playwright.sync_api import Page
from responses import COUNT, heads, opened, row, wait

from advlab.cli.models import find_run

VIEWS = {
    "Curves": "How much is left",
    "Differences": "Is the difference real?",
    "Parts": "Where is it weak?",
    "Cost": "What does robustness cost?",
    "Texts": "Every text",
}
ALLOWED = 1000  # ms


def measured(page: Page, url: str, names: list[str], texts: int) -> None:
    """Choose the models and the texts, and measure."""
    page.goto(f"{url}/robustness")
    models = page.locator(".st-key-robustness-models")
    models.wait_for(timeout=60_000)
    wait(page, "true")
    models.get_by_role("button", name="Clear all").click()
    for name in names:
        models.locator("input").first.fill(name)
        page.get_by_role("option", name=name, exact=True).click()
        wait(page, f"document.body.innerText.includes({name!r})")
    page.keyboard.press("Escape")
    count = page.locator(".st-key-robustness-count input")
    count.fill(str(texts))
    count.press("Enter")
    wait(page, "true")
    page.get_by_role("button", name="Measure").click()
    wait(page, f"document.body.innerText.includes({VIEWS['Curves']!r})", 600_000)


# begun before the act: resolves when the script has run and ended, and the next frame stands
RERUN = """
() => { window.rerun = new Promise((done, fail) => {
  setTimeout(() => fail("nothing was run again"), 30000);
  const app = document.querySelector("[data-testid=stApp]");
  let ran = false;
  const watch = new MutationObserver(() => {
    const idle = app.dataset.testScriptState === "notRunning";
    if (!idle) ran = true;
    else if (ran) { watch.disconnect(); requestAnimationFrame(() => requestAnimationFrame(done)); }
  });
  watch.observe(app, { attributes: true });
}); }
"""


def timed(page: Page, act: object, sign: str) -> float:
    """Milliseconds from the act to the end of the rerun that it causes, with `sign` on the page."""
    page.evaluate(RERUN)
    began = time.perf_counter()
    act()  # type: ignore[operator]
    page.evaluate("() => window.rerun")
    spent = 1000 * (time.perf_counter() - began)
    wait(page, f"document.body.innerText.includes({sign!r})")
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="ids or names of runs")
    parser.add_argument("--texts", type=int, default=872)
    args = parser.parse_args()
    names = [find_run(which).name for which in args.runs]
    with opened() as (url, browser):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        measured(page, url, names, args.texts)
        view = page.locator(".st-key-robustness-view")
        times: dict[str, list[float]] = {name: [] for name in VIEWS}
        for k in range(COUNT + 1):
            for name, sign in (
                *list(VIEWS.items())[1:],
                *list(VIEWS.items())[:1],
            ):  # it opens there
                button = view.get_by_text(name, exact=True)
                spent = timed(page, button.click, sign)
                if k:  # the first round warms up
                    times[name].append(spent)
        heads()
        for name, spent in times.items():
            row(f"view {name}", spent, ALLOWED)
        view.get_by_text("Parts", exact=True).click()
        wait(page, f"document.body.innerText.includes({VIEWS['Parts']!r})")
        spent = []
        for k in range(COUNT):
            page.locator(".st-key-robustness-at input").first.click()
            wanted = page.get_by_role("option").nth(k % 5)
            spent.append(timed(page, wanted.click, VIEWS["Parts"]))
        row("another ε", spent, ALLOWED)
        view.get_by_text("Texts", exact=True).click()
        wait(page, f"document.body.innerText.includes({VIEWS['Texts']!r})")
        spent = []
        for k in range(COUNT):
            search = page.locator(".st-key-robustness-search input")
            search.fill(("film", "not", "a", "of", "")[k % 5])
            spent.append(timed(page, lambda s=search: s.press("Enter"), VIEWS["Texts"]))
        row("search the texts", spent, ALLOWED)


if __name__ == "__main__":
    main()
