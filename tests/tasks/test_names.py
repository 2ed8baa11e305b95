"""Two sides' names of the same answers are matched by what they say, never by their place alone."""

from __future__ import annotations

import pytest

from advlab.tasks.names import named_alike, told


@pytest.mark.parametrize(
    ("head", "names", "wanted"),
    [
        (("pos", "neg"), ("neg", "pos"), ("pos", "neg")),
        (("POSITIVE", "NEGATIVE"), ("negative", "positive"), ("positive", "negative")),
        ((" Ham", "spam"), ("Spam", "ham"), ("ham", "Spam")),
        (("LABEL_0", "LABEL_1"), ("0", "1"), ("0", "1")),
        (("LABEL_1", "LABEL_0"), ("0", "1"), ("1", "0")),
        (("1", "0"), ("LABEL_0", "LABEL_1"), ("LABEL_1", "LABEL_0")),
        (("positive", "negative"), ("0", "1"), ("1", "0")),
        (("0", "1"), ("pos", "neg"), ("neg", "pos")),
        (("LABEL_0", "LABEL_1"), ("positive", "negative"), ("negative", "positive")),
        (("neg", "pos"), ("Positive", "Negative"), ("Negative", "Positive")),
        (("好评", "差评"), ("0", "1"), ("1", "0")),
        (("差评", "好评"), ("positive", "negative"), ("negative", "positive")),
        (("World", "Sports", "Business"), ("2", "0", "1"), ("0", "1", "2")),
        (("LABEL_2", "LABEL_0", "LABEL_1"), ("a", "b", "c"), ("c", "a", "b")),
        (("LABEL_0", "LABEL_1"), ("1", "2"), ("1", "2")),
        ((), (), ()),
    ],
)
def test_names_of_the_same_answers_are_matched_in_the_heads_order(
    head: tuple[str, ...], names: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    assert named_alike(head, names) == wanted
    assert set(wanted) == set(names)


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (("negative", "positive"), ("ham", "spam")),
        (("negative", "positive"), ("negative", "neutral")),
        (("a", "b", "c"), ("a", "b")),
        (("LABEL_0", "LABEL_1"), ("a", "b", "c")),
        (("Pos", "pos"), ("POS", "neg")),
        (("a", "b"), ("a", "a")),
    ],
)
def test_other_answers_are_never_matched_by_place(
    head: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert named_alike(head, names) is None


def test_texts_that_are_measured_may_have_some_of_the_answers_only() -> None:
    three = ("NEGATIVE", "neutral", "POSITIVE")
    assert named_alike(three, ("positive",), part=True) == ("NEGATIVE", "neutral", "positive")
    assert named_alike(three, ("positive", "mixed"), part=True) is None
    assert named_alike(("LABEL_0", "LABEL_1"), ("1",), part=True) == ("LABEL_0", "1")


def test_what_is_called_otherwise_is_told_and_nothing_else_is() -> None:
    assert told(("NEG", "POS"), ("neg", "pos")) == "classes by name: NEG is neg, POS is pos"
    assert told(("pos", "neg"), ("pos", "neg")) == ""
