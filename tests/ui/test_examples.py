"""Going through examples, and what the data of a model know of one."""

from __future__ import annotations

from pathlib import Path

from task_cases import case

from advlab.attacks import PGD
from advlab.data.corpora import CORPORA
from advlab.explain.alignments import alignment_error, true_alignment
from advlab.explain.explore import analyse, explore
from advlab.records import Example
from advlab.runs.config import DataConfig, RunConfig
from advlab.runs.jobs import Store
from advlab.ui.explore.examples import alignment_told, neighbour
from advlab.ui.explore.results import Result

TEXTS = (Example("0", "one", (), "who"), Example("1", "one", (), "where"), Example("2", "two "))


def test_the_next_example_is_the_next_question_and_the_last_leads_to_the_first() -> None:
    assert neighbour(TEXTS, TEXTS[0], 1) is TEXTS[1]
    assert neighbour(TEXTS, TEXTS[1], -1) is TEXTS[0]
    assert neighbour(TEXTS, Example("", "two"), 1) is TEXTS[0]
    own = Example("", "a text of one's own")
    assert (neighbour(TEXTS, own, 1), neighbour(TEXTS, own, -1)) == (TEXTS[0], TEXTS[2])


def test_the_true_alignment_of_a_known_source_is_measured_and_of_another_it_is_not(
    advlab_home: Path,
) -> None:
    victim, _ = case("translation")
    run = Store(advlab_home).open_here(RunConfig(data=DataConfig("normal-forms")))
    one = CORPORA["normal-forms"].build().test[0]
    record = explore(
        victim, one.text, label=one.answer, attack=PGD(0.1, steps=1), draws=1, points=2
    )
    told = alignment_told(Result(record, run.id, ""))
    assert told == dict(one.more)["alignment"]
    found = analyse(victim, record, "alignment", told=told)
    truth = true_alignment(one)
    assert truth is not None
    if len(truth) == len(found.written) - 1:  # its tokenizer cuts the answer as the corpus does
        assert found.attention_error == alignment_error(found.attention, truth)
    own = explore(victim, "a dog", attack=PGD(0.1, steps=1), draws=1, points=2)
    assert alignment_told(Result(own, run.id, "")) == ""
    wrong = explore(victim, one.text, attack=PGD(0.1, steps=1), draws=1, points=2)
    assert alignment_told(Result(wrong, run.id, "")) == ""  # it wrote something else
