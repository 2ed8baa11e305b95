from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from victims import examples_for, make_victim

from advlab.attacks import PGD
from advlab.records.measured import Alarm, Grid
from advlab.studies.grid import grid
from advlab.studies.report import LIMITS, report

HOSTILE = "<script>alert(1)</script> | =1+1"


@pytest.fixture(scope="module")
def made() -> tuple[Grid, dict[str, str]]:
    victims = [make_victim("bert", seed=s) for s in (0, 1)]
    victims[1].name = HOSTILE
    examples = examples_for(victims[0])
    found = grid(victims, examples, [PGD(steps=3)], [0.1, 0.5], data=HOSTILE)
    texts = [replace(examples[0], text=HOSTILE), *examples[1:]]
    alarm = Alarm("weaker than noise", HOSTILE, "evidence", "advice")
    return found, report(found, texts, [alarm], made="2026-01-01")


def test_every_form_of_the_report_holds_the_same_figures(made) -> None:
    found, files = made
    whole = json.loads(files["report.json"])
    for row, saved in zip(found.rows, whole["rows"], strict=True):
        assert saved["clean"]["value"] == row.clean.value
        assert [r["low"] for r in saved["robust"]] == [r.low for r in row.robust]
        for share in (row.clean, *row.robust):
            text = str(share)
            for name in ("report.html", "report.md", "accuracy.csv"):
                assert text in files[name], name
    for limit in LIMITS:
        assert limit in files["report.md"]
    rows = list(csv.reader(io.StringIO(files["texts.csv"])))
    assert len(rows) == 1 + len(found.ids)
    assert len({len(row) for row in rows}) == 1


def test_hashes_settings_and_alarms_are_in_it(made) -> None:
    found, files = made
    for name in ("report.html", "report.md"):
        for row in found.rows:
            assert row.model_hash in files[name]
        assert found.data_hash in files[name]
        assert "weaker than noise" in files[name]
        assert "steps 3" in files[name]


def test_a_hostile_name_stays_a_name(made) -> None:
    _, files = made
    assert "<script" not in files["report.html"]
    assert "<script" not in files["report.md"]
    assert "default-src 'none'" in files["report.html"]
    assert not re.search(r"(?:src|href)=|url\(", files["report.html"])
    assert "'<script" not in files["texts.csv"]
    for line in files["accuracy.csv"].splitlines()[1:]:
        assert not line.startswith(("=", "+", "@"))


def test_the_curves_stay_within_their_frame(made) -> None:
    _, files = made
    drawn = " ".join(re.findall(r'points="([^"]+)"', files["report.html"])).split()
    assert len(drawn) > 20
    for x, y in (point.split(",") for point in drawn):
        assert -1 <= float(x) <= 721
        assert -1 <= float(y) <= 301
