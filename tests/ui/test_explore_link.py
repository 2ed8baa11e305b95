"""What an address keeps, what it brings back, and what it must leave behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from explore_pages import page, widget
from streamlit.testing.v1 import AppTest

from advlab.model.card import files_digest
from advlab.ui.models import weights_of

TEXT = "a slow film, but never dull"


@pytest.fixture
def three_models(two_models: Path, random_model: Callable[[int], Path]) -> Path:
    """A third one, with weights of its own."""
    shutil.copytree(random_model(7), two_models / "models" / "third")
    return two_models


def address(app: AppTest) -> dict[str, str]:
    return {k: v[0] if isinstance(v, list) else v for k, v in app.query_params.items()}


def follow(app: AppTest, **given: str) -> AppTest:
    """A link from elsewhere in the app: the same session, an address of its own."""
    for name in list(app.query_params):
        del app.query_params[name]
    for name, value in given.items():
        app.query_params[name] = value
    return app.run()


def whole_link(**more: str) -> dict[str, str]:
    return {
        "a": "local:first",
        "b": "local:second",
        "c": "local:third",
        "text": TEXT,
        "label": "negative",
        "shield": "2-6",
        "pin": "a dull plot",
        "attack": "fgm",
        "eps": "0.25",
    } | more


def test_a_third_model_is_attacked_and_stays_in_the_link(three_models: Path):
    app = page(**whole_link())
    assert not app.exception
    assert not app.warning
    assert address(app)["c"] == "local:third"
    assert len(app.get("plotly_chart")) == 3
    widget(app, "selectbox", "c").select_index(0).run()
    assert "c" not in address(app)
    assert len(app.get("plotly_chart")) == 2


def test_another_sentence_does_not_take_over_the_class_and_shield_of_the_last(three_models: Path):
    app = page(**whole_link())
    assert address(app)["shield"] == "2-6"
    follow(app, a="local:first", b="local:second", text="never a better play, slow as it was")
    assert not app.exception
    now = address(app)
    assert "shield" not in now
    assert now["label"] == ""
    assert now["pin"] == "a dull plot"  # the reference is of neither sentence


def test_other_models_do_not_take_over_the_third_one_and_the_hashes_of_the_last(three_models: Path):
    app = page(**whole_link())
    follow(app, a="local:second")
    assert not app.exception
    assert not app.warning
    now = address(app)
    assert (now["a"], now["b"]) == ("local:second", "")
    assert "c" not in now
    assert now["text"] == TEXT
    assert (now["shield"], now["label"]) == ("2-6", "negative")  # the sentence is the same
    assert now["weights"] == weights_of("local:second")


def test_a_link_that_names_only_an_attack_keeps_the_rest(three_models: Path):
    app = page(**whole_link())
    before = address(app)
    follow(app, attack="pgd", eps="0.5")
    now = address(app)
    kept = ("a", "b", "c", "text", "label", "shield", "pin", "weights")
    assert {k: now[k] for k in kept} == {k: before[k] for k in kept}
    assert (now["attack"], now["eps"]) == ("pgd", "0.5")


def test_a_link_finds_its_models_by_their_weights_on_another_machine(three_models: Path):
    hashes = ".".join(weights_of(f"local:{name}") for name in ("first", "second", "third"))
    for name in ("first", "second", "third"):
        folder = three_models / "models" / name
        shutil.move(folder, folder.with_name(f"{name}-elsewhere"))
    app = page(**whole_link(weights=hashes))
    assert not app.exception
    assert not app.warning
    now = address(app)
    assert [now[k] for k in "abc"] == [
        f"local:{name}-elsewhere" for name in ("first", "second", "third")
    ]
    assert now["weights"] == hashes


def test_a_link_from_before_cards_told_the_hash_still_finds_its_models(three_models: Path):
    folders = [three_models / "models" / name for name in ("first", "second", "third")]
    digests = ".".join(files_digest(folder) for folder in folders)
    assert not page(**whole_link(weights=digests)).warning  # the models are where they were
    for folder in folders:
        shutil.move(folder, folder.with_name(f"{folder.name}-elsewhere"))
    app = page(**whole_link(weights=digests))
    assert not app.exception
    assert not app.warning
    assert [address(app)[k] for k in "abc"] == [f"local:{f.name}-elsewhere" for f in folders]


def test_other_weights_under_the_same_name_are_told(three_models: Path):
    other = f"{weights_of('local:second')}.{weights_of('local:first')}"
    app = page(**whole_link(c="", weights=other))
    assert len(app.warning) == 2
    assert "weights of first" in app.warning[0].value


def test_a_model_whose_weights_are_nowhere_is_told(three_models: Path):
    app = page(**whole_link(b="local:gone", c="", weights="0123.4567"))
    assert any("gone" in w.value and "not here" in w.value for w in app.warning)


def test_a_link_whose_first_model_is_not_here_keeps_its_others(three_models: Path):
    app = page(**whole_link(a="gone"))
    assert any("not here" in warning.value for warning in app.warning)
    chosen = [widget(app, "selectbox", letter).value for letter in "abc"]
    assert chosen[1:] == ["local:second", "local:third"]
    assert chosen[0].startswith("local:")
