"""Every study runs for every task, on tiny random models, and says nothing of classes."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from task_cases import KINDS, case

from advlab.attacks import PGD
from advlab.model.victim import Victim
from advlab.pictures import quoted, robustness
from advlab.records import Example
from advlab.studies.alarms import alarms_of, of_transfer
from advlab.studies.carryover import carry_over, transfer
from advlab.studies.grid import grid
from advlab.studies.report import report

CLASSES = re.compile(r"\b(class|classes|label|labels)\b")


def own(kind: str) -> tuple[Victim, list[Example]]:
    """Texts whose known answers are the model's own, so that there is something to break."""
    victim, examples = case(kind)
    batch = victim.encode(examples)
    said = victim.answers(victim.embed(batch), batch)
    return victim, [
        replace(e, answers=(a,), place=None) for e, a in zip(examples, said, strict=True)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_its_alarms_and_its_report_are_made(kind: str) -> None:
    victim, examples = own(kind)
    twin = victim.view()
    twin.name = "twin"
    attack = PGD(2.0, steps=3)
    found = grid([victim, twin], examples, [attack], [0.5, 2.0], data="d")
    alarms = alarms_of(found, [victim], examples, [attack])
    files = report(found, examples, alarms, made="2026-01-01")
    names = quoted.names(found)
    assert names
    for name in names:
        assert name in files["report.html"]
        assert name in files["report.md"]
        assert name in files["quoted.csv"]
        figure = quoted.curve(found, name)
        assert sum(getattr(t, "mode", "") == "lines+markers" for t in figure.data) == 2
    saved = json.loads(files["report.json"])["rows"][0]["quoted"]
    assert [one["name"] for one in saved] == [one.name for one in found.rows[0].quoted]
    table = quoted.paired(found, 1)  # of one and the same model nothing differs
    assert set(table["differ"]) == {"not shown"}
    assert len(table["figure"]) == len(names)
    for text in (files["report.md"], *robustness.outcomes(found, examples)):
        assert not CLASSES.search(text), CLASSES.search(text)


@pytest.mark.parametrize("kind", KINDS)
def test_robustness_is_carried_over_and_attacks_are_tried_on_others(kind: str) -> None:
    victim, examples = own(kind)
    twin = victim.view()
    twin.name = "twin"
    kinds = carry_over([victim], examples, 0.5, fitting=examples)
    assert kinds.right.shape == (1, 10, len(examples))
    for what in ("delta", "words"):
        moved = transfer([victim, twin], examples, 1.0, what)
        assert moved.possible.all()
        # one and the same model breaks under what was made on the other as under its own
        assert (moved.right[0, 0] == moved.right[0, 1]).all()
        assert of_transfer(moved) == []
