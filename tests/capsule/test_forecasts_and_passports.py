from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pytest
from capsules import changed, record_of, saved
from victims import shared_victim

from advlab.capsule.forecast import Forecast, compared
from advlab.capsule.format import load, save
from advlab.capsule.page import page
from advlab.capsule.worth import Passport, columns, passports
from advlab.errors import DataError
from advlab.explain.explore import analyse


@lru_cache
def worth() -> tuple[Passport, ...]:
    victim, record = shared_victim("bert"), record_of()
    methods = ("saliency", "integrated_gradients", "smooth_grad", "leave_one_out")
    maps = [analyse(victim, record, "saliency", method=m) for m in methods]
    return tuple(passports(maps, maps[-1]))


@lru_cache
def full() -> str:
    """A capsule with everything that one may hold."""
    return save(
        record_of(),
        shared_victim("bert").tokenizer_hash,
        "2026-01-01",
        worth(),
        Forecast(True, 0.4),
    )


def test_explanations_travel_with_what_they_are_worth() -> None:
    size, sums, drawn, truth = worth()
    assert size.missing is None  # a norm explains no change
    assert sums.missing is not None
    assert sums.missing < 0.05
    assert "at every word" in sums.baseline
    assert "steps" in sums.settings
    assert (sums.spread, drawn.spread is None) == (None, False)
    assert truth.agreement is None  # with itself
    assert sums.agreement is not None
    assert -1 <= sums.agreement <= 1
    found = load(full().encode())
    assert found.explanations == worth()
    assert found.forecast == Forecast(True, 0.4)
    assert found.changed == ()
    made = page(found, full())
    assert "What the explanations are worth" in made
    for name in columns(worth()):
        assert name in made
    assert "Foretold: it flips at ε = 0.40 × mean norm." in made
    assert load(made.encode()).explanations == worth()


def test_a_capsule_without_them_opens_as_before() -> None:
    found = load(saved().encode())
    assert (found.explanations, found.forecast) == ((), None)
    made = page(found, saved())
    assert "What the explanations are worth" not in made
    assert "foretold" not in made


@pytest.mark.parametrize("section", ["explanations", "forecast"])
def test_a_forecast_or_passport_that_was_changed_put_in_or_taken_out_is_named(section: str) -> None:
    whole = json.loads(full())
    other = {"explanations": [], "forecast": {"flips": False, "eps": None}}[section]
    assert load(json.dumps(whole | {section: other}).encode()).changed == (section,)
    gone = {k: v for k, v in whole.items() if k != section}
    assert load(json.dumps(gone).encode()).changed == (section,)
    assert load(changed(**{section: whole[section]})).changed == (section,)


@pytest.mark.parametrize(
    "values",
    [
        {"forecast": []},
        {"forecast": {"flips": "yes", "eps": None}},
        {"forecast": {"flips": True}},
        {"forecast": {"flips": True, "eps": -1}},
        {"forecast": {"flips": True, "eps": "0.1"}},
        {"explanations": {}},
        {"explanations": [{}] * 99},
        {"explanations": [{"method": 1}]},
        {"explanations": [{"method": "x" * 9999}]},
    ],
    ids=str,
)
def test_forecasts_and_passports_out_of_bounds_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"expected .* got "):
        load(changed(**values))


@pytest.mark.parametrize(
    ("forecast", "flip", "verdict"),
    [
        (
            Forecast(True, 0.2),
            0.1,
            "Right that it flips, and off by 0.10 × mean norm (100 % of it)",
        ),
        (Forecast(True), 0.1, "The forecast was right"),
        (Forecast(True, 0.2), 0.4, "flips only at 0.40. The forecast was wrong"),
        (Forecast(False), 0.4, "The forecast was right"),
        (
            Forecast(False),
            None,
            "holds up to the attack's ε = 0.25 × mean norm. The forecast was right",
        ),
        (Forecast(False), 0.1, "The forecast was wrong"),
    ],
)
def test_a_forecast_is_compared_with_what_came_out(
    forecast: Forecast, flip: float | None, verdict: str
) -> None:
    assert verdict in compared(forecast, flip, 0.25)
