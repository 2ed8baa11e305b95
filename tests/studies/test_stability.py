"""Over-stability and over-sensitivity are counted right, from answers that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from commands import json_of, said
from speakers import shared_speaker
from victims import shared_victim

from advlab.errors import DataError
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.records.contrasts import Contrast
from advlab.studies.stability import stability

TEXTS = ("the film was good", "a slow dull movie", "poor plot", "we saw it", "the acting was great")


def answers(victim: Victim, texts: tuple[str, ...]) -> list[str]:
    batch = victim.encode(texts)
    return victim.answers(victim.embed(batch), batch)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_each_share_counts_what_it_says(kind: str) -> None:
    victim = shared_victim("bert") if kind == "bert" else shared_speaker("gpt2")
    other = victim.head[-1] if victim.head else "something else"
    own = dict(zip(TEXTS, answers(victim, TEXTS), strict=True))

    def example(text: str, answer: str) -> Example:
        return Example(text, text, (answer,))

    one, two, three, four, five = TEXTS
    elsewhere = "never said"  # no model answers so
    wrong = other if other != own[one] else next(n for n in (*victim.head, "x") if n != own[one])
    contrasts = [
        # the right answer changed: the model says the old one, word for word
        Contrast(example(one, own[one]), example(one, wrong), "stale"),
        # it changed to what the model says then; where both texts are answered alike, none is tried
        *(
            [Contrast(example(a, own[a]), example(b, own[b]), "followed")]
            if own[a := two] != own[b := three]
            else []
        ),
        # nothing changed, and the same is said
        Contrast(example(four, own[four]), example(four, own[four]), "kept"),
        # what was wrong before the edit is left out of every share
        Contrast(example(five, elsewhere), example(one, own[one]), "wrong"),
    ]
    found = stability(victim, contrasts)
    changing = sum(c.changes for c in contrasts) - 1
    assert found.right.value == pytest.approx((len(contrasts) - 1) / len(contrasts))
    assert found.over_stable.value == pytest.approx(1 / changing)
    assert found.followed.value == pytest.approx((changing - 1) / changing)
    assert found.over_sensitive.value == 0
    assert dict(found.by_edit)["stale"].value == 1
    assert dict(found.by_edit)["kept"].value == 0
    # the same answer expected of a text that is answered otherwise
    pair = [(a, b) for a in TEXTS for b in TEXTS if own[a] != own[b]]
    if pair:
        a, b = pair[0]
        moved = Contrast(example(a, own[a]), replace(example(b, own[a]), id="moved"), "moved")
        assert stability(victim, [moved]).over_sensitive.value == 1


def test_no_edits_are_refused_in_words() -> None:
    with pytest.raises(DataError, match="expected some edited examples, got none"):
        stability(shared_speaker("gpt2"), [])


def test_the_command_compares_models_and_refuses_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shared_speaker("gpt2").save(tmp_path / "talks")
    shared_victim("bert").save(tmp_path / "classes")
    asked = ["stability", str(tmp_path / "talks"), "--max-texts", "4"]
    out, _ = said(capsys, *asked)
    assert "over-stable: says what was right before" in out
    told = json_of(capsys, *asked)
    assert told["edits"] == len(_edits(4))
    assert told["models"][0]["right"]["n"] == told["edits"]
    _, err = said(capsys, "stability", str(tmp_path / "classes"), status=2)
    assert "expected models of the task dialogue" in err
    _, err = said(capsys, *asked[:2], "--max-texts", "0", status=2)
    assert "expected --max-texts of at least 1" in err


def _edits(n: int) -> list[Contrast]:
    from advlab.data.corpora import CORPORA

    corpus = CORPORA["assistant"]
    assert corpus.contrasts is not None
    return corpus.contrasts(corpus.build().test[:n])
