"""Every page with a line on what it is for: the menu and the first page are drawn from this list."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.language import N_


@dataclass(frozen=True)
class PageLine:
    """A page of the menu."""

    script: str
    title: str
    icon: str  # a name of Material Symbols
    address: str  # "" for the first page
    about: str


START = PageLine(
    "pages/learn/start.py",
    N_("Start"),
    "home",
    "",
    N_("What advlab is, and the two models to begin with."),
)
# heading of the menu -> its pages
PAGES: dict[str, tuple[PageLine, ...]] = {
    "": (START,),
    N_("Learn"): (
        PageLine(
            "pages/learn/course.py",
            N_("Course"),
            "school",
            "course",
            N_("Short labs in order: say what you expect, try it, see what is measured."),
        ),
        PageLine(
            "pages/learn/lesson.py",
            N_("Lesson"),
            "co_present",
            "lesson",
            N_("The lab that you are at, at its step."),
        ),
        PageLine(
            "pages/learn/glossary.py",
            N_("Glossary"),
            "dictionary",
            "glossary",
            N_("Every term in a line, and where it is seen."),
        ),
    ),
    N_("Train"): (
        PageLine(
            "pages/train/new.py",
            N_("New run"),
            "add_circle",
            "new",
            N_("Choose data, model and method, and start a training run."),
        ),
        PageLine(
            "pages/train/runs.py",
            N_("Runs"),
            "monitoring",
            "runs",
            N_("All runs, live: losses, accuracy, cost; pause, resume, compare, download."),
        ),
        PageLine(
            "pages/train/microscope.py",
            N_("Microscope"),
            "biotech",
            "microscope",
            N_(
                "One training batch in slow motion: both players, step by step, method "
                "beside method."
            ),
        ),
    ),
    N_("Explore"): (
        PageLine(
            "pages/explore/explore.py",
            N_("Sentence"),
            "search_insights",
            "explore",
            N_("Attack one sentence and see what the perturbation is."),
        ),
        PageLine(
            "pages/explore/many.py",
            N_("Many sentences"),
            "table_rows",
            "many",
            N_("The same attack on a selection of sentences, as a table to sort and open."),
        ),
        PageLine(
            "pages/explore/capsule.py",
            N_("Open a capsule"),
            "inventory_2",
            "capsule",
            N_("A saved sentence: read it, and check its figures on this machine."),
        ),
    ),
    N_("Compare"): (
        PageLine(
            "pages/compare/robustness.py",
            N_("Robustness"),
            "shield",
            "robustness",
            N_("Models under attack on the same texts: curves, differences, parts, alarms."),
        ),
        PageLine(
            "pages/compare/questions.py",
            N_("Questions"),
            "help",
            "questions",
            N_("Convergence, local optima, cost, carry-over, settings: measured, not guessed."),
        ),
    ),
}
# of a class's teacher alone
CLASS_PAGES: dict[str, tuple[PageLine, ...]] = {
    N_("The class"): (
        PageLine(
            "pages/class/room.py",
            N_("The class"),  # “Class” alone is what a text is sorted into
            "groups",
            "class",
            N_("Who is where, questions to the room, challenges, what the class did."),
        ),
    )
}
