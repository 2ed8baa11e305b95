"""A request and its address: what goes there comes back, and nothing else gets in."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import pytest
from places import ROOT

from advlab.attacks import ATTACKS, FGM, PGD
from advlab.settings import settings_of
from advlab.ui.explore.request import FIRST_EPS, LIMIT, Request, joined, link, models_here

TEXT = "a slow film, but never dull"


def asked(name: str = "pgd", **more: object) -> Request:
    made = Request(TEXT, "negative", ("one", "two", "three"), ATTACKS[name](), 7, shield=((2, 6),))
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(ATTACKS))
def test_a_request_comes_back_from_its_address(name: str):
    attack = ATTACKS[name]()
    for item in settings_of(type(attack)):
        if item.kind is bool:
            attack = replace(attack, **{item.name: not getattr(attack, item.name)})
        elif item.choices:
            attack = replace(attack, **{item.name: item.choices[-1]})
        elif item.meta.low is not None:
            attack = replace(attack, **{item.name: item.kind(item.meta.low)})
    for one in (ATTACKS[name](), attack, ATTACKS[name](eps=0.1234567891)):
        for request in (asked(attack=one), asked(attack=one, label=None, shield=(), models=("x",))):
            assert Request.of(request.query()) == request


def test_every_field_of_a_request_but_the_cut_is_in_its_address():
    changed = asked(
        text="dull",
        label=None,
        models=("one",),
        attack=FGM(),
        seed=0,
        shield=(),
        beside="why?",
        goal="keyword:dull",
    )
    for field in fields(Request):
        value = getattr(changed, field.name)
        if field.name != "cut":
            assert asked(**{field.name: value}).query() != asked().query(), field.name


def test_what_does_not_fit_stays_at_its_default():
    wrong = {"eps": "-1", "steps": "many", "p": "l7", "unit": "norm", "seed": "-3", "shield": "9-2"}
    found = Request.of({"text": TEXT, "attack": "pgd"} | wrong)
    assert (found.attack, found.seed, found.shield) == (PGD(), 0, ())
    assert type(Request.of({"attack": "nonsense", "eps": "0.1"}).attack) is next(
        iter(ATTACKS.values())
    )
    assert Request.of({"eps": "inf", "attack": "fgm"}).attack == FGM()


def test_a_first_visit_attacks_gently():
    assert Request.of({}).attack.eps == FIRST_EPS
    assert Request.of({"attack": "pgd"}).attack == PGD()


def test_a_text_too_long_says_how_much_was_cut():
    found = Request.of({"text": "a" * (LIMIT + 5)})
    assert (len(found.text), found.cut) == (LIMIT, 5)


def test_the_settings_of_an_attack_say_nothing_else():
    foreign = {"name": "pgd", "eps": 0.5, "text": "another", "a": "b", "pin": "x", "weights": "y"}
    assert link(["one"], foreign) == {"attack": "pgd", "eps": "0.5", "a": "one", "b": ""}


def test_a_link_replaces_what_it_names_and_what_belonged_to_it():
    before = asked().query() | {"weights": "1.2.3", "pin": "a dull plot"}
    text = joined(before, {"text": "another"})
    assert set(before) - set(text) == {"label", "shield"}
    models = joined(before, {"a": "four"})
    assert set(before) - set(models) == {"b", "c", "weights"}
    attack = joined(before | {"steps": "9"}, {"attack": "fgm"})
    assert "steps" not in attack
    assert attack["pin"] == "a dull plot"


def test_models_are_found_by_their_weights_and_what_differs_is_told():
    here = {"new": "New", "two": "Two"}
    weights = {"new": "w1", "two": "w2"}

    def has(model: str, wanted: str) -> bool:
        return weights[model] == wanted

    query = {"a": "old", "b": "two", "weights": "w1.other"}
    found, warnings = models_here(query, here, has)
    assert found["a"] == "new"
    assert len(warnings) == 1
    assert "weights of Two" in warnings[0]
    assert query["a"] == "old"
    assert "not here" in models_here({"a": "gone"}, here, has)[1][0]


def test_an_address_is_read_without_a_page_and_without_torch():
    code = (
        "import sys, advlab.ui.explore.request as r; r.link(['a'], {'name': 'pgd'});"
        "print({'streamlit', 'torch'} & set(sys.modules) or 'none')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "none"
