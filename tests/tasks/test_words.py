"""Only a task knows what an answer is: the packages above it have no word for classes."""

from __future__ import annotations

import re

import pytest
from places import ROOT

PACKAGES = ("attacks", "training", "explain", "studies", "capsule", "pictures", "ui")
# old capsules held classes, and each task has its picture
TASKS_OWN = {"advlab/capsule/legacy.py", "advlab/pictures/answers.py"}
FILES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / "advlab" / package).rglob("*.py"))
    if str(path.relative_to(ROOT)) not in TASKS_OWN
]
# a class by its number, the likeliest class of an output, targets by the name that one task gives
CLASSES = re.compile(
    r"label_names|\[\.\.\., ?label\]|\[:, ?label\]|target\[\"labels\"\]|with_labels"
    r"|(?:logits|probs|out|output)(?:\([^)]*\))?\.(?:argmax|softmax|log_softmax)"
)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_packages_above_the_tasks_know_no_classes(path) -> None:
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if CLASSES.search(line)
    ]
    assert not found


def test_the_words_are_found_where_they_belong() -> None:
    task = (ROOT / "advlab" / "tasks" / "classification.py").read_text(encoding="utf-8")
    assert CLASSES.search(task)
