from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from samples import rectangular, sample_record
from translators import EXAMPLES as PAIRS
from translators import shared_translator
from victims import TEXTS, chances, label_of, shared_victim

from advlab.attacks import PGD
from advlab.errors import ModelError
from advlab.explain.explore import explore
from advlab.explain.through_training import look_at_epoch
from advlab.model.victim import Victim
from advlab.pictures import openings, through_training
from advlab.records import Moment
from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from advlab.training.epochs import ROOM, keep_epoch, kept, load_epoch, wanted
from advlab.training.loop import train

TEXT = "The staff were kind, but the soup was cold."


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short real training with a history."""
    folder = tmp_path_factory.mktemp("run")
    config = RunConfig(
        data=DataConfig("reviews", limit=160),
        model=ModelConfig("tiny"),
        method={"name": "plain"},
        train=TrainConfig(epochs=3, eval_limit=16, choose="last"),
    )
    for _ in train(config, folder):
        pass
    return folder


def test_training_keeps_the_weights_before_it_and_after_each_epoch(run: Path) -> None:
    assert kept(run) == [0, 1, 2, 3]
    victim = Victim.load(run / "model")
    hashes = [load_epoch(run, victim, epoch).hash for epoch in kept(run)]
    assert len(set(hashes)) == 4
    assert victim.hash in hashes[1:]  # the chosen model is one of them
    assert not list((run / "history").glob(".*"))
    with pytest.raises(ModelError, match="epoch 9"):
        load_epoch(run, victim, 9)


def test_a_past_epoch_has_weights_of_its_own_and_the_same_unit_of_eps(run: Path) -> None:
    victim = Victim.load(run / "model")
    before = {k: v.clone() for k, v in victim.model.state_dict().items()}
    then = load_epoch(run, victim, 0)
    assert then.scale == victim.scale
    assert not torch.equal(then.table, victim.table)
    for name, tensor in victim.model.state_dict().items():
        torch.testing.assert_close(tensor, before[name])


def test_epochs_are_kept_evenly_within_the_room() -> None:
    assert wanted(8, 12, 1000) == list(range(9))
    assert wanted(100, 5, 1000) == [0, 25, 50, 75, 100]
    assert wanted(8, 0, 1000) == []
    assert wanted(8, 12, ROOM // 2) == []  # two are no film
    assert wanted(8, 12, ROOM // 3) == [0, 4, 8]
    minilm = 4 * 22_700_000  # bytes of all-MiniLM-L6-v2: three epochs of it can be looked back at
    assert wanted(3, 12, minilm) == [0, 1, 2, 3]


def test_a_history_that_is_off_writes_nothing(run: Path, tmp_path: Path) -> None:
    keep_epoch(tmp_path, Victim.load(run / "model"), 0, 8, 0)
    assert kept(tmp_path) == []
    assert not (tmp_path / "history").exists()


def test_a_sentence_is_looked_at_as_explore_would_on_each_epoch(run: Path) -> None:
    victim = Victim.load(run / "model")
    attack = PGD(0.5, steps=3)
    lapse = [
        look_at_epoch(run, victim, epoch, TEXT, label=1, attack=attack, seed=2)
        for epoch in kept(run)
    ]
    assert [m.epoch for m in lapse] == [0, 1, 2, 3]
    for moment in lapse:
        then = load_epoch(run, victim, moment.epoch)
        record = explore(then, TEXT, label=1, attack=attack, seed=2)
        np.testing.assert_array_equal(moment.record.delta, record.delta)
        assert moment.record.curve.flip_eps == record.curve.flip_eps
        assert label_of(moment.record) == 1
        # the unit of ε is that of the chosen model, so a length means the same in every epoch
        assert moment.record.eps == pytest.approx(0.5 * victim.scale.mean_norm)
    reel = through_training.reel(["one", "again"], [lapse, lapse[1:]])
    rectangular(reel)
    assert reel.x == [0, 1, 2, 3]
    clean = reel.charts[0].series[0].y
    np.testing.assert_allclose(
        np.array(clean, dtype=float), [chances(m.record.clean)[0][1] for m in lapse], rtol=1e-3
    )
    said = through_training.changed_sentence(lapse)
    assert "before training" in said
    assert "epoch 3" in said
    table = through_training.columns(lapse)
    assert {len(v) for v in table.values()} == {4}


def test_the_epoch_that_the_run_keeps_is_opened_and_marked(run: Path) -> None:
    victim = load_epoch(run, Victim.load(run / "model"), 2)  # as if the second had been the best
    attack = PGD(0.5, steps=3)
    lapse = [
        look_at_epoch(run, victim, epoch, TEXT, label=1, attack=attack, chosen=2)
        for epoch in kept(run)
    ]
    assert [m.chosen for m in lapse] == [False, False, True, False]
    shown = explore(victim, TEXT, label=1, attack=attack)
    np.testing.assert_array_equal(lapse[2].record.clean.score, shown.clean.score)
    reel = through_training.reel(["one"], [lapse])
    assert reel.labels[reel.start] == "after epoch 2 (kept: A)"
    assert [label for label in reel.labels if "kept" in label] == [reel.labels[reel.start]]
    assert "The run keeps epoch 2" in through_training.changed_sentence(lapse)


def test_an_epoch_that_is_kept_needs_no_place_in_the_history(run: Path, tmp_path: Path) -> None:
    victim = Victim.load(run / "model")
    found = look_at_epoch(tmp_path, victim, 7, TEXT, label=1, attack=PGD(0.5, steps=3), chosen=7)
    assert found.chosen
    assert found.record.model_hash == victim.hash


def moment(epoch: int, flip: float | None, words: np.ndarray) -> Moment:
    record = sample_record()
    right = replace(record, reference=record.clean.answers[0])
    return Moment(epoch, replace(right, curve=replace(record.curve, flip_eps=flip)), words)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (None, None, "Neither before nor after does it flip, up to ε ="),
        (0.1, None, "after, it does not flip up to"),
        (None, 0.1, "Before, it does not flip up to ε ="),
        (0.1, 0.2, "The smallest ε that flips it goes from"),
    ],
)
def test_where_nothing_flips_it_no_smallest_eps_is_claimed(
    before: float | None, after: float | None, said: str
) -> None:
    words = np.zeros(len(sample_record().words))
    lapse = [moment(0, before, words), moment(3, after, words)]
    text = openings.training(lapse)
    assert said in text
    assert ("The smallest ε" in text) == (before is not None and after is not None)


def test_attributions_keep_their_sign_and_runs_their_letters() -> None:
    words = np.linspace(-1, 1, len(sample_record().words))
    lapse = [moment(0, 0.1, words), moment(3, 0.2, words)]
    reel = through_training.reel(["second", "third"], [lapse, lapse], [1, 2])
    assert [p.name for p in reel.panels] == ["B: second", "C: third"]
    assert [s.name for s in reel.charts[0].series] == ["B: second", "C: third"]
    shown = reel.panels[0].bars["look"][0]
    assert min(shown) < 0 < max(shown)
    assert next(m for m in reel.modes if m.key == "look").full == 1


def test_resumed_training_has_the_same_history(run: Path, tmp_path: Path) -> None:
    config = RunConfig(
        data=DataConfig("reviews", limit=160),
        model=ModelConfig("tiny"),
        method={"name": "plain"},
        train=TrainConfig(epochs=3, eval_limit=16, choose="last"),
    )
    asked = iter([None] * 7 + ["pause"] * 99)
    for _ in train(config, tmp_path, stop=lambda: next(asked)):
        pass
    assert kept(tmp_path) == [0, 1]
    for _ in train(config, tmp_path, resume=True):
        pass
    victim = Victim.load(run / "model")
    for epoch in kept(run):
        assert load_epoch(tmp_path, victim, epoch).hash == load_epoch(run, victim, epoch).hash


def test_a_written_answer_is_looked_at_too_and_what_is_beside_a_text_goes_along() -> None:
    writer = shared_translator("t5")
    said = writer.answers(*_embedded(writer))[0]
    text = PAIRS[0].text
    attack = PGD(1.0, steps=2)
    moment = look_at_epoch(Path(), writer, 1, text, label=said, attack=attack, chosen=1)
    assert moment.record.clean.answers[0] == said
    assert len(moment.words) == len(moment.record.words)
    reel = through_training.reel(["one"], [[moment]])
    rectangular(reel)
    assert reel.panels[0].chips is not None
    stands = [now for _, now, *_ in reel.panels[0].chips[0] if now]
    assert "".join(stands) == moment.record.attacked.answers[0].replace(" ", "")
    beside = look_at_epoch(
        Path(),
        shared_victim("bert"),
        1,
        TEXTS[0],
        label=0,
        beside=TEXTS[1],
        attack=attack,
        chosen=1,
    )
    assert beside.record.beside == TEXTS[1]
    assert beside.written is None


def _embedded(victim):
    batch = victim.encode([PAIRS[0].text])
    return victim.embed(batch), batch
