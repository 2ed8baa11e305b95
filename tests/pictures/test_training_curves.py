from __future__ import annotations

import math

import plotly.graph_objects as go
import pytest

from advlab.pictures import convergence, style, training
from advlab.records import Estimate, Event
from advlab.runs.standing import Standing, standing

RATE = {"value": 0.8, "low": 0.7, "high": 0.88, "n": 120}


def diary(steps: int = 20, epochs: int = 2) -> list[Event]:
    events = [
        Event(
            "start",
            0,
            0.0,
            {
                "epochs": epochs,
                "steps": steps * epochs,
                "label_names": ["bad", "good"],
                "majority": 0.52,
                "eval_eps": 0.5,
                "parameters": 500,
                "train_texts": 64,
            },
        )
    ]
    step = 0
    for epoch in range(1, epochs + 1):
        for _ in range(steps):
            step += 1
            events.append(
                Event(
                    "step",
                    step,
                    float(step),
                    {
                        "epoch": step / steps,
                        "clean_loss": 1 / step,
                        "adv_loss": 2 / step,
                        "delta_norm": 0.5,
                        "embed_norm": 1.0,
                        "texts_per_second": 300.0,
                        "eta": 3.0,
                        "cost": 3.1,
                    },
                )
            )
        robust = RATE | {"value": 0.3 * epoch, "low": 0.3 * epoch - 0.1, "high": 0.3 * epoch + 0.1}
        events.append(
            Event(
                "epoch",
                step,
                float(step),
                {
                    "epoch": epoch,
                    "clean_accuracy": RATE,
                    "robust_accuracy": robust,
                    "majority": 0.52,
                    "best": epoch == 1,
                },
            )
        )
    return events


def named(figure: training.Figure) -> dict[str, dict]:
    return {trace["name"]: trace for trace in figure["data"] if trace.get("name")}


@pytest.mark.parametrize(
    "figure", [training.losses, training.accuracy, training.lengths, training.throughput]
)
@pytest.mark.parametrize("events", [[], diary()[:1], diary()[:3], diary()], ids=len)
def test_every_figure_is_valid_plotly_at_every_moment_of_a_run(figure, events):
    made = figure(events)
    drawn = go.Figure(made)  # raises where a property is unknown
    assert len(drawn.data) == len(made["data"])


def test_losses_show_the_values_and_the_level_of_chance():
    figure = training.losses(diary())
    assert {"clean", "adversarial"} <= set(named(figure))
    assert figure["layout"]["shapes"][0]["y0"] == pytest.approx(math.log(2))
    assert named(figure)["clean"]["y"][0] == 1.0


def test_accuracy_shows_majority_interval_and_the_kept_epoch():
    figure = training.accuracy(diary())
    assert figure["layout"]["shapes"][0]["y0"] == 0.52
    band = next(t for t in figure["data"] if t.get("fill") == "toself")
    assert band["y"] == [0.88, 0.88, 0.7, 0.7]
    stars = [t for t in figure["data"] if t["mode"] == "markers"]
    assert [t["x"] for t in stars] == [[1], [1]]
    assert "ε = 0.5" in list(named(figure))[1]


def test_accuracy_reads_bare_numbers_too_and_draws_no_interval_then():
    events = [Event("epoch", 1, 0.0, {"epoch": 1, "clean_accuracy": 0.9})]
    figure = training.accuracy(events)
    assert [t["y"] for t in figure["data"]] == [[0.9]]


def test_long_runs_are_thinned_and_keep_their_last_point():
    x = named(training.lengths(diary(steps=3000, epochs=1)))["a word vector"]["x"]
    assert len(x) <= training.POINTS + 1
    assert x[-1] == 3000


def test_values_that_are_not_finite_are_left_out():
    events = [
        Event("step", 1, 0.0, {"clean_loss": math.nan}),
        Event("step", 2, 0.0, {"clean_loss": 0.5}),
    ]
    assert named(training.losses(events))["clean"]["x"] == [2]


def test_a_resumed_run_is_drawn_once():
    first = diary(steps=10, epochs=1)[:9]  # killed after step 8
    note = Event("note", 4, 0.0, {"message": "resumed from step 4", "resumed_from": 4})
    again = [Event("step", s, 0.0, {"clean_loss": 0.1}) for s in range(5, 11)]
    x = named(training.losses([*first, note, *again]))["clean"]["x"]
    assert x == list(range(1, 11))


def test_smooth_keeps_a_constant_and_stays_within_the_values():
    assert training.smooth([2.0] * 5) == pytest.approx([2.0] * 5)
    values = [1.0, 5.0, 2.0, 4.0]
    assert all(min(values) <= y <= max(values) for y in training.smooth(values))


def test_names_of_runs_cannot_carry_html_into_a_figure():
    hostile = "<img src=x onerror=alert(1)>"
    for figure in (training.compare_accuracy, training.compare_losses):
        assert "<img" not in str(figure([(hostile, diary()), ("other", diary())]))


def test_standing_is_of_the_kept_epoch_until_the_test_result_comes():
    now = standing(diary())
    assert now.robust == Estimate(0.3, pytest.approx(0.2), pytest.approx(0.4), 120)
    assert (now.best_epoch, now.epoch, now.step, now.eta) == (1, 2.0, 40, 3.0)
    end = Event(
        "end",
        40,
        99.0,
        {
            "reason": "done",
            "test_accuracy": RATE,
            "seconds": 12.0,
            "test_robust_accuracy": RATE,
            "cost": 2.5,
        },
    )
    now = standing([*diary(), end])
    assert now.test is not None
    assert (now.test.value, now.cost, now.seconds, now.eta) == (0.8, 2.5, 12.0, None)


def test_standing_collects_alarms_and_notes():
    events = [
        Event("alarm", 3, 0.0, {"name": "collapse", "message": "at chance"}),
        Event("note", 3, 0.0, {"message": "resumed"}),
    ]
    now = standing(events)
    assert (now.alarms, now.notes) == (("at chance",), ("resumed",))
    assert standing([]) == Standing()


def test_no_curve_of_one_run_has_the_colour_of_a_model():
    models = {colour for colour, _, _ in style.SIDES} | set(style.RUNS)
    shown = set()
    for draw in (
        training.losses,
        training.accuracy,
        training.lengths,
        training.throughput,
        convergence.players,
        convergence.gradients,
    ):
        lines = [trace.get("line", {}) for trace in draw(diary())["data"]]
        shown |= {one["color"] for one in lines if "color" in one}
    assert shown
    assert not shown & models
    by_name = {
        t["name"]: t["line"]["color"] for t in training.losses(diary())["data"] if "name" in t
    }
    again = {
        t["name"]: t["line"]["color"] for t in training.accuracy(diary())["data"] if "name" in t
    }
    assert by_name["clean"] == again["clean"] == style.CLEAN
    assert by_name["adversarial"] == style.PERTURBED
