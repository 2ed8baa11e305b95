"""What each view opens with, and the one thing that it says to look at next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from samples import renamed, robust_record, sample_maps, sample_record

from advlab.pictures import next_look, openings
from advlab.pictures.sentences import alike, norm_share, number
from advlab.records import AttackRecord, Moment, Saliency, Surface


def still(record: AttackRecord) -> AttackRecord:
    """The same without a δ."""
    return renamed(
        record, delta=np.zeros_like(record.delta), delta_norm=np.zeros_like(record.delta_norm)
    )


def on(record: AttackRecord, *shares: float) -> AttackRecord:
    """The same with δ on its first words alone, with these shares of ‖δ‖²."""
    sizes = np.zeros_like(record.delta_norm)
    sizes[np.flatnonzero(record.perturbable)[: len(shares)]] = np.sqrt(shares)
    return renamed(record, delta_norm=sizes)


def around(margin: np.ndarray) -> Surface:
    """A surface whose margin depends on the way along δ alone: five points from −1 to 2."""
    axis = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    across = np.tile(margin, (5, 1))
    share = np.abs(axis)[None] * np.ones((5, 1))
    return Surface(0, axis, np.arange(5), np.ones((5, 5)), across, share)


def values_of(found: Saliency, *words: float) -> Saliency:
    whole = np.zeros_like(found.clean.words)
    whole[: len(words)] = words
    return replace(found, clean=replace(found.clean, words=whole))


def test_perturbation_opens_with_the_words_that_hold_half_of_delta():
    record = sample_record()
    names = [record.tokens[t] for t in np.flatnonzero(record.perturbable)]
    assert openings.perturbation(on(record, 0.7, 0.3)) == (
        f"One word holds 70 % of ‖δ‖²: ‘{names[0]}’."
    )
    two = openings.perturbation(on(record, 0.4, 0.3, 0.3))
    assert two == f"2 of {len(names)} tokens hold 70 % of ‖δ‖²: ‘{names[0]}’ and ‘{names[1]}’."
    many = openings.perturbation(on(record, *[0.125] * 8))
    assert "spread:" not in many  # a few of many tokens are not spread
    assert many.startswith(f"4 of {len(names)} tokens together hold half of ‖δ‖²")
    assert many.endswith(f"it would take {-(-len(names) // 2)}.")
    assert "zero" in openings.perturbation(still(record)) or "gradient" in openings.perturbation(
        still(record)
    )
    assert norm_share(on(record, 0.7, 0.3)).sum() == pytest.approx(1)


def test_geometry_opens_with_where_along_delta_the_answer_changes():
    record = sample_record()
    name = record.clean.answers[0]
    crossed = openings.geometry(record, around(np.array([1.0, 1.0, 1.0, -1.0, -1.0])))
    assert "changes at about 1.00 × its length" in crossed
    assert crossed.endswith(f"25 % of the ε ball in this picture is not {name}.")
    held = openings.geometry(record, around(np.ones(5)))
    assert f"up to 2.00 × its length, it stays {name}; 0 % of" in held
    assert "already" in openings.geometry(record, around(-np.ones(5)))


def test_saliency_opens_with_the_words_for_and_against():
    record, found = sample_record(), sample_maps()["integrated_gradients"]
    first, second = record.words[:2]
    both = openings.saliency(record, values_of(found, 2.0, -1.0))
    assert f"‘{first}’ speaks most for it (+2.00 " in both
    assert f"‘{second}’ most against it (−1.00)." in both
    assert "no word speaks against" in openings.saliency(record, values_of(found, 2.0))
    low = openings.saliency(record, values_of(found, *([-1.0] * len(record.words))))
    assert low.startswith("No word speaks for it")
    assert "every value is 0" in openings.saliency(record, values_of(found))
    plain = openings.saliency(record, values_of(sample_maps()["saliency"], 0.0, 3.0))
    assert plain.startswith(f"Most sensitive at ‘{second}’ (3.00 ")


def test_projection_opens_with_whether_it_is_another_sentence():
    record = sample_record()
    same = renamed(record, round_trip_text=record.text.upper())
    assert openings.projection(same).startswith("Read as text it is still the same sentence: the")
    assert openings.projection(same).endswith(", not what the attack made of the vectors.")
    other = sample_record(eps=6.0)
    count = int(other.moved.sum())
    said = openings.projection(other)
    assert said.startswith(f"Read as text it is another sentence, {count} words are replaced: the")
    assert ("not flipped" in said) == (not other.round_trip.broken[0])


def test_training_and_data_open_with_what_flips():
    before, after = sample_record(), robust_record()
    said = openings.training([moment(0, before), moment(3, after)])
    assert said.startswith("Training made it harder to flip. Before, ε = ")
    assert said.endswith("after, it does not flip up to 0.50.")
    back = openings.training([moment(0, after), moment(3, before)])
    assert back.startswith("Training made it easier to flip. Before, it does not flip up to ε = ")
    same = openings.training([moment(0, before), moment(3, before)])
    assert same.startswith("The smallest ε that flips it goes from ")
    assert openings.data(before, "PGD").startswith("PGD at ε = 0.50 × mean norm, seed ")
    assert "does not flip it" in openings.data(after, "PGD")


def moment(epoch: int, record: AttackRecord) -> Moment:
    return Moment(epoch, record, np.zeros(len(record.words)))


def test_what_to_look_at_next_is_a_word_of_the_record():
    record = on(sample_record(), 0.2, 0.5, 0.3)
    word = record.tokens[np.flatnonzero(record.perturbable)[1]]
    size = number(np.sqrt(0.5) / record.scale.mean_norm)
    look = next_look.after_overview([record])
    assert look.text == (
        f"Look at ‘{word}’ in Geometry: its vector moved furthest, {size} × mean norm."
    )
    assert look.view == "Geometry"
    assert f"‘{word}’ in Saliency" in next_look.after_geometry([record]).text
    assert next_look.after_geometry([record]).view == "Saliency"
    found = sample_maps()["integrated_gradients"]
    agree = values_of(found, 0.0, -3.0)
    assert (
        "counts most and the attack moves it furthest"
        in next_look.after_saliency([record], [agree]).text
    )
    apart = next_look.after_saliency([record], [values_of(found, 3.0)]).text
    assert f"‘{record.words[0]}’ counts most" in apart
    assert f"‘{word}’ in Perturbation" in apart


def test_next_names_the_model_where_there_are_several():
    hard, soft = robust_record(), sample_record()
    assert " in B" in next_look.after_overview([hard, soft]).text
    assert " in " not in next_look.after_data([soft]).text
    assert "claim that another machine" in next_look.after_data([soft]).text


def test_next_of_the_words_follows_how_far_they_are():
    near, far = sample_record(), sample_record(eps=6.0)
    assert "closest to becoming another word" in next_look.after_perturbation([near]).text
    assert "reads as ‘" in next_look.after_perturbation([far]).text
    assert "first to become another word" in next_look.after_projection([near]).text
    assert "in Saliency" in next_look.after_projection([far]).text


@pytest.mark.parametrize("name", ["overview", "perturbation", "geometry", "projection", "data"])
def test_without_a_delta_there_is_still_something_to_do(name: str):
    said = getattr(next_look, f"after_{name}")([still(sample_record())])
    assert said.text


def test_next_in_training_is_the_epoch_of_the_largest_change():
    weak, strong = sample_record(), robust_record()
    lapse = [moment(0, weak), moment(1, weak), moment(2, strong), moment(3, strong)]
    assert next_look.after_training(["A"], [lapse]).text.startswith("Look at epoch 2: there ")
    assert "epoch 2 of B" in next_look.after_training(["A", "B"], [lapse[:2], lapse]).text
    assert next_look.after_training([], []).text == ""


def test_numbers_of_a_strip_have_one_format():
    assert alike([0.0034, 0.20, 0.1]) == ["0.003", "0.200", "0.100"]
    assert alike([12.0, -3.456]) == ["12.0", "−3.5"]
    assert alike([0.0, 0.0]) == ["0", "0"]
    assert alike([np.inf, 1.0]) == ["∞", "1.00"]
    assert alike([]) == []
