from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from samples import other_class, referring, renamed, robust_record, sample_maps, sample_record
from victims import chances, label_of

from advlab.pictures import answers, sentences, tables
from advlab.records import Frames


def test_headline_names_the_flip_in_the_unit_that_was_asked_for():
    record = sample_record()
    text = sentences.headline(record)
    assert record.curve.flip_eps is not None
    share = record.curve.flip_eps / record.scale.mean_norm
    assert f"Flips at ε = {sentences.number(share)} × mean norm." in text
    assert "No vector went far enough to become another word: read as text, the sentence is" in text
    assert text.endswith("the prediction reverts.")
    raw = renamed(record, attack={**record.attack, "unit": "raw"})
    assert f"Flips at ε = {sentences.number(record.curve.flip_eps)} raw." in sentences.headline(raw)


def test_headline_says_that_a_model_holds_and_where_it_would_flip():
    record = robust_record()
    assert "Holds at ε = 0.50" in sentences.headline(record)
    assert "Flips" not in sentences.headline(record)
    far = sample_record(seed=2)
    short = {**far.readings, "attacked": far.curve.attacked.take([14])}
    beyond = renamed(far, eps=0.3, readings=short)
    assert not beyond.flipped
    assert "It flips only at ε = 0.46" in sentences.headline(beyond)


def test_headline_of_a_wrong_prediction_claims_no_flip():
    record = sample_record()
    wrong = referring(record, other_class(record), given=True)
    assert sentences.headline(wrong).startswith("Wrong before any attack: the label is positive")


def test_headline_of_a_targeted_attack_speaks_of_the_target():
    record = sample_record()
    aimed = referring(record, other_class(record), attack={**record.attack, "targeted": True})
    assert sentences.headline(aimed).startswith("Reaches the target positive")


def test_moved_tokens_are_named_and_counted():
    record = sample_record(eps=6.0)
    count = int(record.moved.sum())
    assert count > 3
    assert f"{count} vectors came nearest to another word" in sentences.headline(record)
    assert f"and {count - 3} more" in sentences.headline(record)


def test_a_sentence_without_words_gets_a_sentence_not_an_error():
    record = sample_record()
    nothing = renamed(
        record, perturbable=np.zeros_like(record.perturbable), delta_norm=record.delta_norm * 0
    )
    assert "no word here" in sentences.headline(nothing)
    assert sentences.distance_sentence(nothing) == "δ is zero on every token."


def test_shares_agree_with_the_radii_and_sum_to_one():
    record = sample_record(eps=6.0)
    assert sentences.norm_share(record).sum() == pytest.approx(1.0)
    crossed = sentences.exit_share(record) > 1
    assert (crossed == record.moved).all()  # cells are convex: crossing is passing the exit radius


def test_certified_is_said_only_when_every_token_is_below_its_certificate():
    assert "certificate" in sentences.distance_sentence(sample_record(eps=0.3))
    assert "certificate" not in sentences.distance_sentence(sample_record(eps=6.0))


def test_lost_stage_names_the_stage():
    assert "lost as nearest tokens" in sentences.lost_stage(sample_record())
    record = sample_record()
    half = renamed(record, readings={**record.readings, "nearest tokens": record.attacked})
    assert "lost as text" in sentences.lost_stage(half)
    whole = renamed(half, readings={**half.readings, "as text again": record.attacked})
    assert "survives" in sentences.lost_stage(whole)
    assert "nothing to lose" in sentences.lost_stage(robust_record())


def test_incomplete_attributions_are_called_so():
    found = sample_maps()["integrated_gradients"]
    assert "adds up" in sentences.completeness_sentence(found)
    broken = renamed(found, clean=renamed(found.clean, completeness=0.4))
    assert "does not add up" in sentences.completeness_sentence(broken)
    still = renamed(
        found,
        clean=renamed(found.clean, completeness=None, gap=0.002),
        perturbed=renamed(found.perturbed, gap=0.001),
    )
    assert "0.0020 logits on the clean sentence" in sentences.completeness_sentence(still)
    assert sentences.completeness_sentence(sample_maps()["saliency"]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0873, "0.087"), (-0.5, "−0.50"), (12.34, "12.3"), (np.inf, "∞")],
)
def test_numbers_are_short_and_keep_their_sign(value: float, text: str):
    assert sentences.number(value) == text


def test_all_three_units_stand_together():
    record = sample_record()
    text = sentences.units(record.eps, record.scale)
    assert "raw" in text
    assert "× mean norm" in text
    assert "× half nearest-neighbour distance" in text


def test_words_and_remainder_add_up_to_the_tokens_in_the_table():
    record = sample_record()
    maps = list(sample_maps().values())
    columns = tables.saliency_columns(record, maps)
    for method in ("input_x_gradient", "integrated_gradients"):
        total = float(sample_maps()[method].clean.tokens.sum())
        assert sum(columns[f"{method}, clean"]) == pytest.approx(total)
    by_token = tables.saliency_columns(record, maps, rows="tokens")
    assert sum(by_token["input_x_gradient, clean"]) == pytest.approx(
        float(sample_maps()["input_x_gradient"].clean.tokens.sum())
    )


def test_json_is_valid_and_has_no_infinity():
    record = sample_record()
    assert not np.isfinite(record.exit_radius).all()
    found = json.loads(tables.to_json(record))
    assert found["exit_radius"][0] is None
    assert found["tokens"] == list(record.tokens)


def test_csv_cells_cannot_become_formulas():
    text = tables.to_csv({"token": ["=1+1", "@x", "a,b"], "value": [-1.0, 2.0, 3.0]})
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[1:] == [["'=1+1", "-1.0"], ["'@x", "2.0"], ["a,b", "3.0"]]


def test_class_names_that_would_hide_a_column_are_told_apart():
    record = sample_record(classes=("prediction", "input"))
    columns = answers.prediction_columns(record)
    assert len(columns) == 4
    assert len({len(v) for v in columns.values()}) == 1


def test_shielded_words_are_called_so_and_not_special():
    record = sample_record()
    start, end = (int(v) for v in record.spans[2])
    held = record.perturbable.copy()
    held[2] = False
    shielded = renamed(record, perturbable=held, shield=((start, end),))
    kinds = tables.token_columns(shielded)["kind"]
    assert kinds == sentences.token_kinds(shielded)
    assert kinds[2] == "shielded"
    assert kinds[0] == "special"
    assert kinds[3] == "word"


def test_the_spread_of_draws_stands_beside_the_mean_that_it_belongs_to():
    record = sample_record()
    W = len(record.words)
    plain = sample_maps()["input_x_gradient"]
    found = renamed(
        plain,
        title="GradientShap",
        settings={"samples": 64},
        clean=renamed(plain.clean, spread=np.linspace(0.1, 0.5, W)),
        perturbed=renamed(plain.perturbed, spread=np.linspace(0.2, 0.6, W)),
    )
    columns = tables.saliency_columns(record, [found])
    assert columns["GradientShap, clean, SD of a draw"][:-1] == pytest.approx(found.clean.spread)
    assert columns["GradientShap, perturbed, SD of a draw"][-1] is None
    said = sentences.spread_sentence(found, record.words)
    assert f"0.50 logits at most, on ‘{record.words[-1]}’" in said
    assert "8.00 times less" in said
    assert sentences.spread_sentence(sample_maps()["input_x_gradient"], record.words) == ""


def test_the_table_of_the_film_has_margin_longest_token_and_what_it_is_nearest_to():
    record = sample_record()
    frames = Frames(
        record.path_steps,
        record.step_norms,
        record.step_norms,
        record.step_norms,
        record.step_norms,
        tuple(tuple(f"{t}′" for t in record.tokens) for _ in record.path_steps),
    )
    columns = tables.step_columns(record, frames)
    assert len(set(map(len, columns.values()))) == 1
    last = record.step_norms[-1]
    assert columns["longest on"][-1] == record.tokens[int(last.argmax())]
    assert columns["its ‖δ‖, raw"][-1] == pytest.approx(last.max())
    assert columns["nearest to"][-1] == f"{record.tokens[int(last.argmax())]}′"
    below = np.array(columns["margin, logits"]) < 0
    np.testing.assert_array_equal(below, chances(record.steps).argmax(1) != label_of(record))
