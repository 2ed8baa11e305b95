"""The main job, for real: the starter pair is trained, compared and explored in one command."""

from __future__ import annotations

import json

import pytest
from victims import examples_for, make_victim

from advlab.attacks import FGM
from advlab.cli.demo import telling
from advlab.cli.main import main
from advlab.explain import saliency


@pytest.mark.slow
def test_the_demo_keeps_its_promise(capsys):
    assert main(["demo", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    plain, robust = found["models"]
    assert found["robust_gain"] >= 0.25
    assert found["clean_loss"] <= 0.02
    for model in (plain, robust):
        low, high = model["clean_accuracy"]["interval"]
        assert low < model["clean_accuracy"]["value"] < high
        values = [row["value"] for row in model["robust_accuracy"]]
        assert values == sorted(values, reverse=True)
        noise = [row["value"] for row in model["noise_accuracy"]]
        assert all(n >= r for n, r in zip(noise, values, strict=True))
        assert model["seconds_trained"] > 0
    assert robust["cost_ratio"] > 1.2
    assert set(found["sentence"]["found"]) == {plain["name"], robust["name"]}


def test_the_demo_tells_of_the_first_sentence_that_flips_one_model_alone(monkeypatch):
    monkeypatch.setattr(
        saliency, "explain", lambda *_: pytest.fail("nobody sees attributions here")
    )
    victims = [make_victim("bert", seed=seed) for seed in (1, 0)]
    texts = [example.text for example in examples_for(victims[1], 8)][3:]
    first = len(texts) - 1
    for given, told in ((texts, texts[first]), (texts[:first], texts[first - 1])):
        records = telling(victims, given, FGM(0.3), seed=0)
        assert [r.text for r in records] == [told, told]
        assert [r.model_hash for r in records] == [v.hash for v in victims]
        assert [r.flipped for r in records] == [given is texts, False]
