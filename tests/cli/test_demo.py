"""The main job, for real: the starter pair is trained, compared and explored in one command."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from places import ROOT
from victims import examples_for, make_victim

from advlab.attacks import FGM
from advlab.cli.demo import telling
from advlab.cli.main import main
from advlab.data import CORPORA, grammar
from advlab.explain import saliency
from advlab.model.victim import Victim
from advlab.records import Example

TYPED = ROOT / "tests" / "data" / "typed_sentences.tsv"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `advlab demo --json` printed; its models stay for the tests of this file."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setenv("ADVLAB_HOME", str(tmp_path_factory.mktemp("demo")))
        assert main(["demo", "--json"]) == 0
    (line,) = printed.getvalue().splitlines()
    return json.loads(line)


@pytest.mark.slow
def test_the_demo_keeps_its_promise(demo: Any) -> None:
    plain, robust = demo["models"]
    assert demo["robust_gain"] >= 0.25
    assert demo["clean_loss"] <= 0.02
    for model in (plain, robust):
        low, high = model["clean_accuracy"]["interval"]
        assert low < model["clean_accuracy"]["value"] < high
        values = [row["value"] for row in model["robust_accuracy"]]
        assert values == sorted(values, reverse=True)
        noise = [row["value"] for row in model["noise_accuracy"]]
        assert all(n >= r for n, r in zip(noise, values, strict=True))
        assert model["seconds_trained"] > 0
    assert robust["cost_ratio"] > 1.2
    assert set(demo["sentence"]["found"]) == {plain["name"], robust["name"]}


@pytest.mark.slow
def test_the_plain_starter_reads_what_people_type(demo: Any) -> None:
    # 200 sentences written before the word lists and never fitted to them, nor the other way round
    with TYPED.open(encoding="utf-8", newline="") as file:
        rows = [
            Example(row["text"], row["text"], (row["label"],))
            for row in csv.DictReader(file, delimiter="\t")
        ]
    assert [sum(r.answer == name for r in rows) for name in ("negative", "positive")] == [100, 100]
    trained = {grammar.normal_form(e.text) for e in CORPORA["reviews"].build().train}
    victim = Victim.load(Path(demo["models"][0]["model"]))
    batch = victim.encode(rows)
    right = [
        a == e.answer for a, e in zip(victim.answers(victim.embed(batch), batch), rows, strict=True)
    ]
    new = [
        ok for ok, e in zip(right, rows, strict=True) if grammar.normal_form(e.text) not in trained
    ]
    assert len(new) >= 190
    assert sum(right) / len(right) >= 0.85
    assert sum(new) / len(new) >= 0.85


def test_the_demo_tells_of_the_first_sentence_that_flips_one_model_alone(monkeypatch):
    monkeypatch.setattr(
        saliency, "explain", lambda *_: pytest.fail("nobody sees attributions here")
    )
    victims = [make_victim("bert", seed=seed) for seed in (1, 0)]
    examples = examples_for(victims[1], 8)[3:]
    first = len(examples) - 1
    for given, told in ((examples, examples[first]), (examples[:first], examples[first - 1])):
        records = telling(victims, given, FGM(0.3), seed=0)
        assert [r.text for r in records] == [told.text, told.text]
        assert [r.model_hash for r in records] == [v.hash for v in victims]
        assert [r.flipped for r in records] == [given is examples, False]
