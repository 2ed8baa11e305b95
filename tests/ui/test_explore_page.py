from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from explore_pages import page, shown, widget
from safetensors.torch import load_file, save_file
from samples import robust_record

from advlab.model.victim import Victim


def test_a_cold_visit_attacks_a_sentence_under_two_models(two_models: Path):
    app = page()
    assert not app.exception
    assert not app.error
    assert "first" in shown(app)
    assert "second" in shown(app)
    assert "Random noise of the same length flips" in shown(app)
    assert len(app.get("plotly_chart")) == 2  # predictions of two models


def test_a_link_restores_everything_and_is_written_again(two_models: Path):
    given = {
        "a": "local:first",
        "b": "",
        "text": "a boring film",
        "label": "negative",
        "attack": "fgm",
        "eps": "0.25",
        "unit": "half-nn",
        "seed": "7",
        "p": "linf",
    }
    app = page(**given)
    assert not app.exception
    assert widget(app, "text_area", "text").value == "a boring film"
    assert widget(app, "selectbox", "attack").value == "fgm"
    assert widget(app, "selectbox", "unit").value == "half-nn"
    assert widget(app, "number_input", "eps").value == 0.25
    assert widget(app, "selectbox", "label").value == "negative"
    kept = {k: v[0] if isinstance(v, list) else v for k, v in app.query_params.items()}
    assert {k: kept.get(k) for k in given} == given


def test_a_folder_that_is_not_the_model_it_describes_is_told_and_the_other_is_shown(
    two_models: Path,
):
    file = two_models / "models" / "first" / "model.safetensors"
    state = {k: t for k, t in load_file(file).items() if not k.startswith("classifier.")}
    save_file(state, file, metadata={"format": "pt"})
    app = page(a="local:first", b="local:second", text="a boring film", label="negative")
    assert not app.exception
    told = " ".join(e.value for e in app.error)
    assert "train a head first" in told
    assert len(app.get("plotly_chart")) == 1


def test_a_true_class_is_found_under_the_name_that_each_model_has_for_it(two_models: Path):
    folder = two_models / "models" / "second"
    victim = Victim.load(folder)
    victim.head = ("NEGATIVE", "POSITIVE")
    victim.save(folder)
    given = {"a": "local:first", "b": "local:second", "text": "a boring film"}
    app = page(**given, label="negative")
    assert not app.exception
    assert "has no class" not in told_in(app)
    victim.head = ("sad", "glad")
    victim.save(folder)
    app = page(**given, label="negative")
    assert "(B) has no class negative" in told_in(app)


def told_in(app: Any) -> str:
    return " ".join(c.value for c in app.caption)


def test_the_bands_say_how_many_draws_they_show(two_models: Path):
    from advlab.attacks import build_attack
    from advlab.explain.explore import explore
    from advlab.ui.models import borrow

    with borrow("local:first") as victim:
        attack = build_attack({"name": "pgd", "eps": 0.25})
        record = explore(victim, "a boring film", attack=attack)
    captions = " ".join(c.value for c in page(a="local:first", b="", text="a boring film").caption)
    assert f"range of {len(record.noise)} random" in captions
    assert f"range of {record.curve.draws} random" in captions


def test_without_a_class_the_prediction_stands_in(two_models: Path):
    app = page(text="a boring film")
    assert widget(app, "selectbox", "label").value == ""
    assert "Wrong before any attack" not in shown(app)


def test_what_is_typed_goes_to_the_address(two_models: Path):
    app = page()
    widget(app, "text_area", "text").set_value("never a dull film").run()
    widget(app, "number_input", "eps").set_value(0.1).run()
    kept = {k: v[0] if isinstance(v, list) else v for k, v in app.query_params.items()}
    assert kept["text"] == "never a dull film"
    assert kept["eps"] == "0.1"
    assert not app.exception


def test_folded_controls_are_not_drawn_and_what_they_hold_counts(two_models: Path):
    app = page(a="local:first", b="local:second", text="a dull plot", attack="fgm", eps="0.3")
    widget(app, "number_input", "eps").set_value(0.125).run()
    widget(app, "selectbox", "label").set_value("negative").run()
    widget(app, "selectbox", "a").set_value("local:second").run()
    before = {k: v[0] if isinstance(v, list) else v for k, v in app.query_params.items()}
    app.session_state["controls"] = False
    widget(app, "text_area", "text").set_value("a boring film").run()
    assert not app.exception
    assert not app.selectbox
    kept = {k: v[0] if isinstance(v, list) else v for k, v in app.query_params.items()}
    assert kept == before | {"text": "a boring film"}
    assert (kept["attack"], kept["eps"], kept["label"]) == ("fgm", "0.125", "negative")
    app.session_state["controls"] = True
    app.run()
    assert widget(app, "number_input", "eps").value == 0.125
    assert widget(app, "selectbox", "a").value == "local:second"


def test_nonsense_in_a_link_leaves_defaults(two_models: Path):
    app = page(
        a="../../etc", eps="nan", steps="-4", seed="1e9", attack="none", unit="miles", p="l7"
    )
    assert not app.exception
    assert not app.error
    assert "is not here" in app.warning[0].value
    assert widget(app, "number_input", "eps").value == 0.5


@pytest.mark.parametrize(
    ("view", "heading"),
    [
        ("Overview", "Five versions of the sentence"),
        ("Perturbation", "Where the perturbation sits"),
        ("Saliency", "Where the model looks"),
        ("Projection", "Is it text?"),
        ("Geometry", "The loss around the sentence"),
        ("Data", "Settings and downloads"),
    ],
)
def test_every_tab_draws_itself_and_no_other(two_models: Path, view: str, heading: str):
    app = page(text="a slow film, but never dull", view=view)
    assert not app.exception
    assert not app.error
    assert app.subheader[0].value == heading
    assert ("Five versions of the sentence" in [h.value for h in app.subheader]) == (
        view == "Overview"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>window.__xss=1</script><b>bad</b>",
        "סרט איטי אבל טוב",
        "🎬🍿 :red[x] $x$",
        "a " * 10000,
    ],
)
def test_strange_texts_are_shown_and_never_become_markup(two_models: Path, text: str):
    for view in ("Overview", "Perturbation", "Saliency", "Projection"):
        app = page(text=text, view=view)
        assert not app.exception
        assert not app.error
        body = shown(app)
        assert "<script" not in body
        assert "<b>" not in body
    if len(text) > 2000:
        assert any("left out" in c.value for c in app.caption)
        assert len(str(app.query_params["text"])) < 2100


def test_an_empty_text_gets_a_hint(two_models: Path):
    app = page()
    widget(app, "text_area", "text").set_value("   ").run()
    assert not app.exception
    assert "Type a sentence" in app.info[0].value
    assert not app.get("plotly_chart")


def test_choosing_a_token_moves_the_picture(two_models: Path):
    app = page(text="a slow film, but never dull", view="Geometry")
    chooser = next(s for s in app.selectbox if s.key == "token")
    other = next(o for o in chooser.options if not o.startswith(f"{chooser.value}:"))
    before = [c.proto.spec for c in app.get("plotly_chart")]
    chooser.select(other).run()
    assert not app.exception
    after = [c.proto.spec for c in app.get("plotly_chart")]
    assert after[:4] == before[:4]  # two models' loss around the sentence, of no single token
    assert all(a != b for a, b in zip(after[4:8], before[4:8], strict=True))


def test_a_failure_is_told_without_a_traceback(two_models: Path, monkeypatch: pytest.MonkeyPatch):
    import advlab.explain.explore

    def broken(*_: object, **__: object):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(advlab.explain.explore, "explore", broken)
    app = page()
    assert not app.exception
    assert "Something went wrong" in app.error[0].value
    assert "out of luck" in app.code[0].value


def test_a_model_that_fails_is_named_and_the_letters_below_are_explained(
    two_models: Path, monkeypatch: pytest.MonkeyPatch
):
    import advlab.explain.explore

    real = advlab.explain.explore.explore

    def broken(victim: Any, *rest: Any, **more: Any):
        if victim.name.startswith("first"):
            raise RuntimeError("out of luck")
        return real(victim, *rest, **more)

    monkeypatch.setattr(advlab.explain.explore, "explore", broken)
    app = page(a="local:first", b="local:second", text="a dull plot")
    assert not app.exception
    assert app.error[0].value.startswith("Model A: ")
    assert any("A is second" in c.value for c in app.caption)


def test_the_round_trip_strip_escapes_its_text():
    from advlab.ui.explore.views.round_trip import round_trip_html

    record = robust_record(tokens=("[CLS]", "<img src=x>", "שלום", "[SEP]"))
    text = round_trip_html(record)
    assert "<img" not in text
    assert "&lt;img src=x&gt;" in text
