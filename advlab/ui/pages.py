"""Every page with a line on what it is for: the menu and the first page are drawn from this list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PageLine:
    """A page of the menu."""

    script: str
    title: str
    icon: str  # a name of Material Symbols
    address: str  # "" for the first page
    about: str


START = PageLine(
    "pages/learn/start.py", "Start", "home", "", "What advlab is, and the two models to begin with."
)
# heading of the menu -> its pages
PAGES: dict[str, tuple[PageLine, ...]] = {
    "": (START,),
    "Learn": (
        PageLine(
            "pages/learn/course.py",
            "Course",
            "school",
            "course",
            "Short labs in order: say what you expect, try it, see what is measured.",
        ),
        PageLine(
            "pages/learn/lesson.py",
            "Lesson",
            "co_present",
            "lesson",
            "The lab that you are at, at its step.",
        ),
        PageLine(
            "pages/learn/glossary.py",
            "Glossary",
            "dictionary",
            "glossary",
            "Every term in a line, and where it is seen.",
        ),
    ),
    "Train": (
        PageLine(
            "pages/train/new.py",
            "New run",
            "add_circle",
            "new",
            "Choose data, model and method, and start a training run.",
        ),
        PageLine(
            "pages/train/runs.py",
            "Runs",
            "monitoring",
            "runs",
            "All runs, live: losses, accuracy, cost; pause, resume, compare, download.",
        ),
        PageLine(
            "pages/train/microscope.py",
            "Microscope",
            "biotech",
            "microscope",
            "One training batch in slow motion: both players, step by step, method beside method.",
        ),
    ),
    "Explore": (
        PageLine(
            "pages/explore/explore.py",
            "Sentence",
            "search_insights",
            "explore",
            "Attack one sentence and see what the perturbation is.",
        ),
        PageLine(
            "pages/explore/many.py",
            "Many sentences",
            "table_rows",
            "many",
            "The same attack on a selection of sentences, as a table to sort and open.",
        ),
        PageLine(
            "pages/explore/capsule.py",
            "Open a capsule",
            "inventory_2",
            "capsule",
            "A saved sentence: read it, and check its figures on this machine.",
        ),
    ),
    "Compare": (
        PageLine(
            "pages/compare/robustness.py",
            "Robustness",
            "shield",
            "robustness",
            "Models under attack on the same texts: curves, differences, parts, alarms.",
        ),
        PageLine(
            "pages/compare/questions.py",
            "Questions",
            "help",
            "questions",
            "Convergence, local optima, cost, carry-over, settings: measured, not guessed.",
        ),
    ),
}
# of a class's teacher alone
CLASS_PAGES: dict[str, tuple[PageLine, ...]] = {
    "Class": (
        PageLine(
            "pages/class/room.py",
            "Class",
            "groups",
            "class",
            "Who is where, questions to the room, challenges, what the class did.",
        ),
    )
}
