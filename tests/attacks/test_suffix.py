"""GCG: a suffix of real tokens that makes a model give an answer of one's choice."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import json_of, said
from speakers import KINDS as SPEAKERS
from speakers import shared_speaker
from translators import shared_translator
from victims import make_victim, shared_victim

from advlab.attacks.text.judge import Judge
from advlab.attacks.text.suffix import GCG, Suffixes, promising
from advlab.errors import SettingError
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.records.rewriting import Rewriting

HISTORY = "User: i saw a film\nBot: was it slow?\nUser: not the second scene"
SMALL = GCG(length=3, steps=6, tries=12, top=8)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def example_of(text: str = HISTORY, answer: str = "a great plot") -> Example:
    return Example("text", text, (answer,))


@lru_cache
def found_on(kind: str, seed: int = 0) -> Rewriting:
    return SMALL(Judge(shared_speaker(kind)), example_of(), dice(seed))


@pytest.mark.parametrize("kind", SPEAKERS)
def test_the_loss_never_rises_and_is_that_of_the_text(kind: str) -> None:
    found = found_on(kind)
    assert list(found.losses) == sorted(found.losses, reverse=True)
    assert found.losses[-1] < found.losses[0]
    verdict = Judge(shared_speaker(kind)).ask([replace(example_of(), text=found.text)])
    assert float(verdict.loss[0]) == pytest.approx(found.losses[-1], rel=1e-6)
    assert bool(verdict.met[0]) == found.met == (found.answer == found.target)
    assert found.text.startswith(HISTORY + " ")
    assert found.text == f"{HISTORY} {found.added}"


@pytest.mark.parametrize("kind", SPEAKERS)
def test_what_is_asked_is_read_as_it_was_chosen(kind: str, monkeypatch: Any) -> None:
    victim = shared_speaker(kind)
    plain = [i for i, w in zip(*_row(victim, HISTORY), strict=True) if w]
    asked: list[Example] = []
    real = Judge.ask

    def watching(judge: Judge, examples: list[Example]) -> Any:
        asked.extend(examples)
        return real(judge, examples)

    monkeypatch.setattr(Judge, "ask", watching)
    SMALL(Judge(victim), example_of(), dice(3))
    assert len(asked) > 6
    for one in asked:
        row = [i for i, w in zip(*_row(victim, one.text), strict=True) if w]
        assert row[: len(plain)] == plain
        assert len(row) == len(plain) + 3
        assert victim.ordinary[row[len(plain) :]].all()


def _row(victim: Victim, text: str) -> tuple[list[int], list[bool]]:
    tokens = victim.reader.tokens(Example("x", text))
    return tokens.ids, tokens.written


def test_promising_tokens_are_those_of_an_exhaustive_search_by_one_hot_gradients() -> None:
    victim = shared_victim("bert")
    example = Example("x", "the film was good", (victim.head[1],))
    judge = Judge(victim)
    own = Suffixes(
        judge, example, [i for i, w in zip(*_row(victim, example.text), strict=True) if w]
    )
    ids = own.first(2, dice())
    places = own.read(ids)
    assert places is not None
    batch = victim.encode([own.text(ids)])
    V = len(victim.table)
    hot = torch.nn.functional.one_hot(batch.input_ids, V).to(victim.table).requires_grad_()
    with victim.analysing():
        loss = victim.objective(batch)(hot @ victim.table)
        (grad,) = torch.autograd.grad(loss.sum(), hot)
        found = promising(own.gradient(ids), own.table, own.allowed, torch.tensor(ids), 5)
    for place, token, row in zip(places, ids, found.tolist(), strict=True):
        fit = [i for i in range(V) if victim.ordinary[i] and i != token]
        assert row == sorted(fit, key=lambda i: float(grad[0, place, i]))[:5]


def test_a_vocabulary_of_few_words_offers_no_more_than_it_has() -> None:
    allowed = torch.tensor([False, True, True, False])
    found = promising(torch.ones(1, 2), torch.eye(4)[:, :2], allowed, torch.tensor([1]), 9)
    assert found.tolist() == [[2, -1, -1, -1]]


def test_more_steps_extend_a_search_and_one_seed_gives_one_suffix() -> None:
    judge = Judge(shared_speaker("gpt2"))
    short = replace(SMALL, steps=2)(judge, example_of(), dice())
    whole = found_on("gpt2")
    assert whole.losses[: len(short.losses)] == short.losses
    assert SMALL(Judge(shared_speaker("gpt2")), example_of(), dice()) == whole
    assert found_on("gpt2", 1).added != whole.added


def test_without_steps_the_text_with_its_first_suffix_is_judged() -> None:
    found = replace(SMALL, steps=0)(Judge(shared_speaker("gpt2")), example_of(), dice())
    assert len(found.losses) == found.queries == 1


def test_a_class_and_a_translation_are_led_as_a_reply_is() -> None:
    victim = make_victim("bert")
    text = "the film was good"
    batch = victim.encode([text])
    before = victim.answers(victim.embed(batch), batch)[0]
    other = next(name for name in victim.head if name != before)
    found = replace(SMALL, steps=12)(Judge(victim), Example("x", text, (other,)), dice())
    assert found.before == before
    assert found.losses[-1] < found.losses[0]
    assert found.met == (found.answer == other)
    bart = shared_translator("bart")
    source = Example("x", "the old man sees a dog", ("ein hund",))
    led = SMALL(Judge(bart), source, dice())
    assert led.losses[-1] < led.losses[0]


def test_it_ends_once_the_answer_is_given() -> None:
    judge = Judge(shared_victim("bert"))
    text, name = "the film was good", shared_victim("bert").head[0]
    first = replace(SMALL, steps=0)(judge, Example("x", text, (name,)), dice())
    found = SMALL(judge, Example("x", text, (first.answer,)), dice())
    assert found.met
    assert found.answer == first.answer
    assert found.text == first.text
    assert len(found.losses) == 1


def test_the_model_is_left_as_it_was() -> None:
    victim = make_victim("bert")
    before, mode = victim.hash, victim.model.training
    SMALL(Judge(victim), Example("x", "the film was good", (victim.head[0],)), dice())
    victim.forget()
    assert (victim.hash, victim.model.training) == (before, mode)
    assert all(p.grad is None and p.requires_grad for p in victim.model.parameters())


def test_what_cannot_be_is_refused_in_words() -> None:
    judge = Judge(shared_speaker("gpt2"))
    with pytest.raises(SettingError, match="an answer that is wanted, got none"):
        SMALL(judge, Example("x", HISTORY), dice())
    with pytest.raises(SettingError, match="room for 3 tokens behind it"):
        SMALL(judge, example_of("the film was slow and dull " * 40), dice())


def test_the_command_prints_what_it_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shared_speaker("gpt2").save(tmp_path / "model")
    asked = ["suffix", str(tmp_path / "model"), HISTORY, "--answer", "a great plot"]
    asked += ["--length", "2", "--steps", "2", "--tries", "6"]
    out, _ = said(capsys, *asked)
    assert "wanted: a great plot" in out
    assert "nats." in out
    told = json_of(capsys, *asked)
    assert told["added"] in out
    assert told["target"] == "a great plot"
    _, err = said(capsys, *asked, "--length", "0", status=2)
    assert "GCG.length: expected a whole number from 1 to 100" in err
