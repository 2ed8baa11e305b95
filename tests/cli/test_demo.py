"""The main job, for real: the starter pair is trained, compared and explored in one command."""

from __future__ import annotations

import json

import pytest

from advlab.cli.main import main


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
