"""Views of models that point at an answer or write it: nothing in English for a Chinese reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from leftovers import english, said
from streamlit.testing.v1 import AppTest
from test_chinese_pages import COLOURS, KNOWN

from advlab.language import speak
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.tasks import build_task
from advlab.ui.explore.view import VIEWS

EXAMPLES = {
    "qa": (
        Example("1", "小李在旧厨房里。老王在花园里。", ("旧厨房",), "小李在哪里"),
        Example("2", "红盒子里有钥匙。蓝盒子是空的。", ("红盒子",), "什么里有钥匙"),
        Example("3", "老王去了花园。", ("(no answer)",), "小李在哪里"),
    ),
    "translation": (
        Example("1", "三月五日下午三点", ("三 五 十五",)),
        Example("2", "五月三日上午五点", ("五 三 五",)),
        Example("3", "十月一日下午五点", ("十 一 十七",)),
    ),
    "dialogue": (
        Example("1", "User: 我要一张去北京的票", ("去北京的票订好了",)),
        Example("2", "User: 我要两张去上海的票\nBot: 哪一天\nUser: 三月五日", ("订好了",)),
        Example("3", "User: 谢谢", ("不客气",)),
    ),
}
OWN = re.compile(
    rf"\b(User|Bot|user|bot|{'|'.join(EXAMPLES)})\b"
)  # turns are typed so; models' names

NOTHING = re.compile(
    r"p\((?:start|end)\)|<pad>|&lt;pad&gt;|\b[0-9a-f]{12,16}\b"
)  # notation, hashes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a model of each task that knows Chinese signs alone."""
    home = tmp_path_factory.mktemp("chinese-tasks")
    for kind, examples in EXAMPLES.items():
        task = build_task(kind)
        data = Dataset(kind, (), examples, examples, examples)
        model, tokenizer = task.scratch("tiny", data, seed=1, max_length=64)
        victim = Victim(model.eval(), tokenizer, task=task, name=kind, max_length=64)
        victim.save(home / "models" / kind)
    return home


@pytest.fixture(autouse=True)
def chinese(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ADVLAB_HOME", str(home))
    with speak("zh"):
        yield


def one_view() -> None:
    """A page that draws one view of a text of a task, attacked, beside another model's."""
    import streamlit as st
    from test_chinese_tasks import EXAMPLES

    from advlab.attacks import build_attack
    from advlab.language import speak
    from advlab.ui.explore.request import Request
    from advlab.ui.explore.results import Problem, attacked
    from advlab.ui.explore.view import VIEWS

    kind, number = st.session_state["kind"], st.session_state["number"]
    example = EXAMPLES[kind][number]
    with speak("zh"):
        attack = build_attack({"name": "pgd", "steps": 2, "eps": 1.0})
        request = Request(
            example.text, example.answer, (f"local:{kind}",), attack, 0, beside=example.beside
        )
        found = attacked(f"local:{kind}", request)
        assert not isinstance(found, Problem), found
        VIEWS[st.session_state["view"]]([found])


@pytest.mark.parametrize("kind", EXAMPLES)
def test_no_view_of_any_task_says_anything_in_english(kind: str) -> None:
    found: dict[str, str] = {}
    for view in VIEWS:
        app = AppTest.from_function(one_view, default_timeout=60)
        app.session_state["kind"], app.session_state["view"] = kind, view
        app.session_state["number"] = 0
        app.query_params["lang"] = "zh"
        app.run()
        assert not app.exception
        for __, text in said(app):
            bare = NOTHING.sub("", text)
            bare = OWN.sub("", re.sub(r"\\(?=[-.+_])", "", bare).replace("-badge[", "["))
            for run in english(bare.replace("<br>", " "), KNOWN):
                if run not in COLOURS:
                    found[f"{view}: {run}"] = bare[:200]
    assert not found
