from __future__ import annotations

import threading
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from speakers import EXAMPLES as TALKS
from speakers import shared_speaker
from victims import KINDS, TEXTS, chances, label_of, make_victim, shared_victim, taught

from advlab.attacks import FGM, FGSM, PGD, Attack, AutoPGD, DeepFool, RandomNoise
from advlab.attacks.norms import norm
from advlab.data import CORPORA
from advlab.errors import DataError, SettingError
from advlab.explain import curve as radii
from advlab.explain.explore import MAX_CHARACTERS, SALIENCY_METHODS, analyse, explore
from advlab.explain.subject import Subject
from advlab.model.victim import Victim
from advlab.pictures.findings import finding, sentence
from advlab.pictures.sentences import headline
from advlab.records import AttackRecord, Dataset, Example

ATTACK = PGD(0.8, steps=6)
TEXT = TEXTS[1]


@lru_cache
def record_of(kind: str, attack: Attack = ATTACK, text: str = TEXT) -> AttackRecord:
    return explore(shared_victim(kind), text, attack=attack, seed=4, draws=6)


@lru_cache
def reader() -> Victim:
    """A random tiny model with a real sub-word tokenizer, float32."""
    from advlab.model.tiny import tiny_victim

    texts = tuple(
        Example(str(i), text, (("negative", "positive")[i % 2],))
        for i, text in enumerate(CORPORA["reviews"].showcase)
    )
    data = Dataset("tests", ("negative", "positive"), texts, texts, texts)
    return tiny_victim("tiny", data, max_length=48)


def same(a: Any, b: Any, skip: tuple[str, ...] = ("seconds",)) -> bool:
    """Bit for bit, field by field."""
    if is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a) if f.name not in skip
        )
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


def probs(victim: Victim, text: str, delta: np.ndarray | None = None) -> np.ndarray:
    """By ids and the model's own head when δ is None, else from embeddings."""
    batch = victim.encode([text])
    embeds = victim.embed(batch)
    moved = embeds if delta is None else embeds + torch.from_numpy(delta)
    with torch.no_grad():
        return victim.output(moved, batch).softmax(-1)[0].numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_record_says_of_probabilities_can_be_had_by_hand(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind)
    np.testing.assert_allclose(chances(record.clean)[0], probs(victim, TEXT), atol=1e-12)
    np.testing.assert_allclose(
        chances(record.attacked)[0], probs(victim, TEXT, record.delta), atol=1e-12
    )
    assert label_of(record) == chances(record.clean)[0].argmax()
    assert (
        chances(record.attacked)[0][label_of(record)] < chances(record.clean)[0][label_of(record)]
    )
    assert len(record.tokens) == len(record.word_of) == len(record.perturbable)
    assert [record.words[w] for w in record.word_of[record.perturbable]] == TEXT.split()


@pytest.mark.parametrize("kind", KINDS)
def test_delta_is_zero_on_special_tokens_and_stays_in_its_ball(kind: str) -> None:
    record = record_of(kind)
    assert (record.delta[~record.perturbable] == 0).all()
    assert np.linalg.norm(record.delta) <= record.eps * (1 + 1e-9)
    assert record.eps == pytest.approx(0.8 * record.scale.mean_norm)
    np.testing.assert_allclose(record.delta_norm, np.linalg.norm(record.delta, axis=1))
    assert (np.linalg.norm(record.curve.delta_norm, axis=1) <= record.curve.eps + 1e-9).all()


@pytest.mark.parametrize("p", ["l2", "linf", "l1"])
@pytest.mark.parametrize("ball", ["example", "token"])
def test_every_norm_and_ball_is_respected_by_delta_and_matched_by_noise(p: Any, ball: Any) -> None:
    victim = shared_victim("bert")
    record = record_of("bert", PGD(0.3, "raw", p, ball, steps=3))
    batch = victim.encode([TEXT])
    delta = torch.from_numpy(record.delta).unsqueeze(0)
    size = norm(delta, p, ball).amax()
    assert size <= 0.3 * (1 + 1e-9)
    subject = Subject.of(victim, record)
    draws = len(record.noise)
    noise = subject.noise_as_long(delta, draws, record.seed + 1)
    told = victim.output(subject.embeds + noise, batch.repeat(draws)).softmax(-1).detach()
    np.testing.assert_allclose(told, chances(record.noise), rtol=1e-9)  # what stands in the record
    exact = norm(noise, p, ball)
    if ball == "token":
        exact = exact[batch.perturbable.expand(draws, -1)]
    torch.testing.assert_close(exact, size.expand_as(exact))
    assert (noise[~batch.perturbable.expand(draws, -1)] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_curve_starts_clean_and_never_gets_easier(kind: str) -> None:
    record = record_of(kind)
    curve = record.curve
    assert len(curve.eps) == 25
    assert curve.eps[0] == 0
    assert curve.eps[-1] == pytest.approx(2 * record.eps)
    assert curve.draws > 0
    for row in (curve.attacked.score, curve.low, curve.mean, curve.high):
        assert row[0] == pytest.approx(record.clean.score[0], abs=1e-12)
    assert (np.diff(chances(curve.attacked)[:, label_of(record)]) <= 1e-12).all()
    assert (curve.low <= curve.mean + 1e-12).all()
    assert (curve.mean <= curve.high + 1e-12).all()
    assert (
        chances(curve.attacked)[12, label_of(record)]
        <= chances(record.attacked)[0][label_of(record)] + 1e-12
    )
    assert (curve.delta_norm[:, ~record.perturbable] == 0).all()


@pytest.mark.parametrize(
    "attack",
    [
        FGM(0.6),
        FGSM(0.05),
        RandomNoise(0.8, draws=5),
        PGD(0.5, restarts=2, start="random"),
        PGD(0.5, momentum=0.9, ball="token"),
        PGD(0.5, "half-nn", "linf"),
        PGD(0.0),
    ],
    ids=lambda a: type(a).__name__,
)
def test_curve_keeps_its_promises_for_every_attack(attack: Attack) -> None:
    record = record_of("bert", attack)
    along = chances(record.curve.attacked)[:, label_of(record)]
    np.testing.assert_allclose(
        chances(record.curve.attacked)[0], chances(record.clean)[0], atol=1e-12
    )
    assert (np.diff(along) <= 1e-12).all()
    assert along[12] <= chances(record.attacked)[0][label_of(record)] + 1e-12


def test_curve_at_the_attacks_own_radius_shows_the_records_delta() -> None:
    record = record_of("bert")
    np.testing.assert_allclose(
        chances(record.curve.attacked)[12], chances(record.attacked)[0], atol=1e-12
    )
    np.testing.assert_allclose(record.curve.delta_norm[12], record.delta_norm, atol=1e-12)


def test_radii_in_between_are_as_good_as_attacks_of_their_own() -> None:
    """Filling in from neighbours costs little of the loss that a full attack finds."""
    victim, record = shared_victim("bert"), record_of("bert")
    for i in range(1, 25):
        alone = replace(ATTACK, eps=float(record.curve.eps[i]), unit="raw")
        found = explore(victim, TEXT, attack=alone, seed=4, draws=1, points=3)
        assert chances(record.curve.attacked)[i, label_of(record)] <= found.attacked.score[0] + 0.03


def flipping(kind: str) -> AttackRecord:
    record = record_of(kind, PGD(3.0, steps=6))
    assert record.curve.flip_eps is not None
    return record


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
def test_flip_point_lies_between_the_last_radius_that_holds_and_the_first_that_flips(
    kind: str,
) -> None:
    record = flipping(kind)
    curve = record.curve
    flips = chances(curve.attacked).argmax(1) != chances(record.clean)[0].argmax()
    first = int(np.flatnonzero(flips)[0])
    assert curve.eps[first - 1] < curve.flip_eps <= curve.eps[first]
    assert not flips[:first].any()


def test_flip_point_flips_and_a_slightly_smaller_radius_of_its_grid_does_not() -> None:
    """The curve's δ made again, so that the flips can be looked at one by one."""
    victim = shared_victim("bert")
    places = set()
    for size in (1.5, 2.0, 3.0, 4.0, 5.0):
        record = record_of("bert", PGD(size, steps=6))
        attack = PGD(record.eps, "raw", steps=6)
        subject = Subject.set(victim, Example("text", TEXT), attack)
        eps = torch.from_numpy(record.curve.eps)
        deltas, logits = radii._attacked(
            subject, eps, torch.from_numpy(record.delta), 4, radii.THOROUGH
        )
        np.testing.assert_allclose(
            logits.softmax(-1).numpy(), chances(record.curve.attacked), atol=1e-12
        )
        first = int((logits.argmax(-1) != label_of(record)).nonzero()[0, 0])
        radius = record.curve.flip_eps
        assert radius is not None

        def flips(at: float) -> bool:
            tries = [deltas[i] * (at / eps[i]) for i in (first - 1, first) if i > 0]  # noqa: B023
            assert all(float(d.norm()) <= at * (1 + 1e-9) for d in tries)
            found = subject.output(torch.stack(tries)).argmax(-1)  # noqa: B023
            return bool((found != label_of(record)).any())  # noqa: B023

        step = float(eps[first] - eps[first - 1]) / (radii.FINER + 1)
        places.add(round((radius - float(eps[first - 1])) / step))
        assert flips(radius)
        assert not flips(radius - step)
    assert len(places) > 2


def test_targeted_attack_never_gets_farther_from_its_target_as_the_ball_grows() -> None:
    victim = shared_victim("bert")
    aim = int(chances(record_of("bert").clean)[0].argmin())
    record = explore(
        victim, TEXT, label=aim, attack=replace(ATTACK, targeted=True, eps=2.0), draws=2
    )
    along = chances(record.curve.attacked)[:, aim]
    assert (np.diff(along) >= -1e-12).all()
    assert chances(record.attacked)[0][aim] > chances(record.clean)[0][aim]
    assert along[12] >= chances(record.attacked)[0][aim] - 1e-12
    assert record.given


def test_a_large_model_gets_fewer_draws_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advlab.explain.subject.LARGE", 100)
    quick = explore(shared_victim("bert"), TEXT, attack=ATTACK, draws=2)
    assert quick.curve.draws == radii.QUICK.draws < record_of("bert").curve.draws
    assert (np.diff(chances(quick.curve.attacked)[:, label_of(quick)]) <= 1e-12).all()
    np.testing.assert_allclose(
        chances(quick.curve.attacked)[12], chances(quick.attacked)[0], atol=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_when_no_token_moves_the_projected_sentence_is_the_clean_one(kind: str) -> None:
    record = record_of(kind, PGD(0.02, steps=3))
    assert not record.moved.any()
    np.testing.assert_allclose(chances(record.projected)[0], chances(record.clean)[0], atol=1e-12)
    np.testing.assert_allclose(chances(record.round_trip)[0], chances(record.clean)[0], atol=1e-12)
    assert record.round_trip_text == TEXT


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "llama"])
def test_round_trip_is_the_prediction_on_the_text_made_of_the_nearest_tokens(kind: str) -> None:
    victim, record = shared_victim(kind), record_of(kind, PGD(40.0, steps=4))
    assert record.moved.any()
    near = record.neighbours
    words = [near.tokens[t][0] for t in np.flatnonzero(record.perturbable)]
    assert record.round_trip_text.split() == words
    np.testing.assert_allclose(
        chances(record.round_trip)[0], probs(victim, " ".join(words)), atol=1e-12
    )
    ids = victim.encode([TEXT]).input_ids
    ids[0, record.perturbable] = torch.from_numpy(near.ids[record.perturbable, 0])
    with torch.no_grad():
        swapped = victim.output(victim.embed(ids), victim.encode([TEXT])).softmax(-1)[0]
    np.testing.assert_allclose(chances(record.projected)[0], swapped, atol=1e-12)
    outside = record.delta_norm > record.exit_radius
    assert (outside == record.moved)[record.perturbable].all()


def test_steps_are_all_there_and_the_best_one_is_kept() -> None:
    record = record_of("bert")
    assert len(record.losses) == len(chances(record.steps)) == len(record.step_norms) == 7
    assert record.best_step == record.losses.argmax()
    np.testing.assert_allclose(
        record.losses, -np.log(chances(record.steps)[:, label_of(record)]), atol=1e-10
    )
    np.testing.assert_allclose(record.step_norms[record.best_step], record.delta_norm, atol=1e-12)
    flips = np.flatnonzero(chances(record.steps).argmax(1) != chances(record.clean)[0].argmax())
    assert record.flip_step == (int(flips[0]) if len(flips) else None)


def test_planes_are_of_their_token_and_names_are_the_vocabularys() -> None:
    record = record_of("bert")
    for token in sorted(np.argsort(-record.delta_norm)[:2].tolist()):
        plane = analyse(shared_victim("bert"), record, "plane", token=token)
        assert plane.token == token
        assert plane.delta == pytest.approx(record.delta_norm[plane.token])
        assert plane.exit_radius == pytest.approx(record.exit_radius[plane.token])
        assert not {"[PAD]", "[CLS]"} & set(plane.labels)


@pytest.mark.parametrize("kind", ["bert", "electra", "gpt2"])
def test_the_same_seed_gives_the_same_record(kind: str) -> None:
    attack = PGD(0.8, steps=3, start="random", restarts=2)
    victim = shared_victim(kind)
    first, again = (explore(victim, TEXT, attack=attack, seed=7) for _ in range(2))
    assert same(first, again)
    other = explore(victim, TEXT, attack=attack, seed=8)
    assert not np.array_equal(chances(first.noise), chances(other.noise))


@pytest.mark.parametrize("training", [False, True])
def test_the_victim_is_left_as_it_was_found_after_errors_too(training: bool) -> None:
    victim = make_victim("bert", dropout=0.1)
    victim.model.train(training)
    first = next(iter(victim.model.parameters()))
    first.requires_grad_(False)
    last = list(victim.model.parameters())[-1]
    last.grad = torch.full_like(last, 3.0)
    weights = {k: v.clone() for k, v in victim.model.state_dict().items()}

    def unchanged() -> None:
        assert all(module.training is training for module in victim.model.modules())
        assert [p.requires_grad for p in victim.model.parameters()][:2] == [False, True]
        assert torch.equal(last.grad, torch.full_like(last, 3.0))  # type: ignore[arg-type]
        assert all(p.grad is None for p in list(victim.model.parameters())[:-1])
        for name, value in victim.model.state_dict().items():
            assert torch.equal(value, weights[name])

    explore(victim, TEXT, attack=ATTACK)
    unchanged()
    with pytest.raises(SettingError):
        explore(victim, TEXT, label="nonsense", attack=ATTACK)
    unchanged()


def test_a_victim_in_training_gets_the_record_of_one_at_rest() -> None:
    victim = make_victim("bert", dropout=0.3)
    at_rest = explore(victim, TEXT, attack=ATTACK)
    victim.model.train()
    assert same(explore(victim, TEXT, attack=ATTACK), at_rest)


def test_two_threads_on_views_of_one_victim_get_what_one_alone_gets() -> None:
    victim = reader()
    cases = [("slow, but good", PGD(0.5, steps=3)), ("never again, however fine", FGM(0.3))]
    options: dict[str, Any] = {"points": 5, "draws": 2}
    alone = [explore(victim, text, attack=a, **options) for text, a in cases]
    wrong: list[str] = []

    def work(i: int) -> None:
        try:
            text, attack = cases[i]
            view = victim.view()
            for _ in range(50):
                if not same(explore(view, text, attack=attack, **options), alone[i]):
                    wrong.append(f"{i} differs")
        except BaseException as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("text", ["", "   ", "\n\t ", "\x00", "[CLS] [SEP]", "\u200b"])
def test_a_text_with_nothing_to_read_is_refused_in_words(text: str) -> None:
    with pytest.raises(DataError, match=r"expected .* got .*; type"):
        explore(reader(), text, attack=ATTACK)


def test_a_text_of_marks_only_is_refused_by_a_decoder_too() -> None:
    with pytest.raises(DataError, match="type a sentence"):
        explore(shared_victim("llama"), "</s> <s>", attack=ATTACK)


@pytest.mark.parametrize("label", ["wonderful", 2, -1, 99, "1"])
def test_a_label_that_the_model_lacks_is_refused_with_those_it_has(label: int | str) -> None:
    with pytest.raises(SettingError, match="negative, positive"):
        explore(reader(), "good", label=label, attack=ATTACK)


def test_a_label_may_be_a_name_or_a_number() -> None:
    quick: dict[str, Any] = {"attack": FGM(0.3), "points": 3}
    named = explore(reader(), "good", label="positive", **quick)
    assert named.reference == "positive"
    assert named.given
    assert same(named, explore(reader(), "good", label=1, **quick))


def test_a_long_text_is_cut_and_says_so() -> None:
    quick: dict[str, Any] = {"attack": FGM(0.3), "points": 3}
    long = explore(reader(), "good film " * 50, **quick)
    assert len(long.tokens) == 48
    assert len(long.notes) == 1
    assert "first 48 of" in long.notes[0]
    huge = explore(reader(), "good film " * 2001, **quick)
    assert len(huge.text) == MAX_CHARACTERS
    assert "Only the first 20,000 of 20,010 characters were read." in huge.notes
    assert explore(reader(), "good film", **quick).notes == ()


STRANGE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)>",
    "مرحبا بالعالم good שלום",
    "\u202egood film\u202c",
    "great 👩‍👩‍👧‍👦 film 🎬",
    "half \ud83d a pair",
    "a\x00b\x07c\ufffd",
    "good [SEP] bad [MASK] [PAD] fine",
    "＂full width＂ ﷺ Ａ é é",
    "a" * 3000,
    "'; DROP TABLE runs; --",
)


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_strange_texts_do_not_crash_and_words_cover_all_ordinary_tokens(text: str) -> None:
    from advlab.pictures.tables import to_json

    record = explore(reader(), text, attack=PGD(0.5, steps=2), points=5, draws=2)
    assert (record.delta[~record.perturbable] == 0).all()
    assert (record.word_of[record.perturbable] >= 0).all()
    assert record.word_of.max() + 1 == len(record.words)
    for word in record.words:
        assert word in record.text
    for method in SALIENCY_METHODS:
        found = analyse(reader(), record, "saliency", method=method)
        assert len(found.clean.words) == len(record.words)
    to_json(record).encode()  # no lone surrogate is left


def test_random_text_never_crashes() -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.text(min_size=1, max_size=60))
    def check(text: str) -> None:
        try:
            record = explore(reader(), text, attack=FGM(0.3), points=3, draws=1)
        except DataError:
            return
        assert np.isfinite(chances(record.attacked)[0]).all()

    check()


def saturated() -> tuple[Victim, str]:
    """A model whose scores are so far apart that its loss rounds to 0, and a text it reads right."""
    victim, examples = taught(0)
    with torch.no_grad():
        victim.model.classifier.weight *= 1e5
        victim.model.classifier.bias *= 1e5
    return victim, examples[0].text


@pytest.mark.parametrize("attack", [PGD(), FGM(), PGD(start="random"), PGD(targeted=True)])
def test_an_attack_without_a_gradient_is_not_told_as_robustness(attack: Attack):
    victim, text = saturated()
    record = explore(victim, text, attack=attack)
    assert record.stuck
    assert not record.flipped
    told = headline(record)
    assert "no gradient came" in told
    assert "Holds" not in told
    assert "No token moved" not in told
    assert finding(record).outcome == "no gradient"
    assert "On 1 the attack could not begin" in sentence("M", [finding(record)])


@pytest.mark.parametrize("attack", [AutoPGD(loss="dlr"), DeepFool()])
def test_attacks_that_compare_scores_move_where_the_loss_is_flat(attack: Attack):
    victim, text = saturated()
    assert not explore(victim, text, attack=attack).stuck


def test_an_attack_without_room_is_not_called_stuck():
    record = explore(shared_victim("bert"), TEXT, attack=PGD(0.0))
    assert not record.stuck
    assert "no gradient" not in headline(record)


def test_an_answer_that_falls_into_other_tokens_than_were_written_is_told_as_such() -> None:
    victim = shared_speaker("gpt2")  # writes bytes that spell no sign
    found = [explore(victim, e.text, attack=FGM(0.1), draws=1, points=2) for e in TALKS]
    assert any(record.clean.broken[0] for record in found)
    for record in found:
        assert any("other tokens" in note for note in record.notes) == record.clean.broken[0]
