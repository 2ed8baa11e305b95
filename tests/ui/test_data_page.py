"""Choosing a file on the New run page: other forms than text, pairs, little data, a stopped reading."""

from __future__ import annotations

from pathlib import Path

import places
import pyarrow
import pyarrow.parquet
from streamlit.testing.v1 import AppTest

from advlab.ui.train.data import STOPPED, stamp_of

NEW = str(places.ROOT / "pages" / "train" / "new.py")


def opened(path: Path) -> AppTest:
    """The page with that file chosen."""
    app = AppTest.from_file(NEW, default_timeout=120).run()
    app.segmented_control(key="data.kind").set_value("file").run()
    app.text_input(key="data.path").set_value(str(path)).run()
    assert not app.exception
    return app


def captions(app: AppTest) -> str:
    return " ".join(c.value for c in app.caption).replace("\\", "")


def rows(count: int) -> dict[str, list[str]]:
    numbers = range(count)
    return {"text": [f"text {i}" for i in numbers], "label": ["ab"[i % 2] for i in numbers]}


def test_a_parquet_file_is_previewed_and_can_be_trained_on(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table(rows(1000)), tmp_path / "f.parquet")
    app = opened(tmp_path / "f.parquet")
    assert "f.parquet read as Parquet, text in column text" in captions(app)
    assert list(app.dataframe[0].value["text (text)"])[:2] == ["text 0", "text 1"]
    assert not app.button(key="start").disabled
    assert not app.warning


def test_a_small_file_is_warned_of_before_it_is_trained_on(tmp_path: Path) -> None:
    found = rows(40)
    lines = [f"{a},{b}" for a, b in zip(found["text"], found["label"], strict=True)]
    (tmp_path / "f.csv").write_text("text,label\n" + "\n".join(lines))
    app = opened(tmp_path / "f.csv")
    warned = " ".join(w.value for w in app.warning).replace("\\", "")
    assert "28 texts to train on, 4 to choose the epoch by, 8 to test" in warned
    assert not app.button(key="start").disabled


def test_one_text_of_a_pair_has_to_be_chosen(tmp_path: Path) -> None:
    lines = [f"a man sleeps {i},a person rests {i},{i % 2}" for i in range(400)]
    (tmp_path / "f.csv").write_text("premise,hypothesis,label\n" + "\n".join(lines))
    app = opened(tmp_path / "f.csv")
    assert any("holds pairs of texts" in w.value for w in app.warning)
    assert app.button(key="start").disabled
    box = next(b for b in app.selectbox if b.label == "Column with the text")
    box.set_value("premise").run()
    assert not app.exception
    assert "'premise' is read, as it was chosen, and 'hypothesis' is not" in captions(app)
    assert not app.button(key="start").disabled


def test_a_reading_that_was_stopped_is_not_begun_again_until_it_is_asked_for(
    tmp_path: Path,
) -> None:
    lines = [f"some text number {i},{'ab'[i % 2]}" for i in range(60_000)]
    path = tmp_path / "large.csv"
    path.write_text("text,label\n" + "\n".join(lines))
    app = opened(path)
    assert "texts to train on" in captions(app)
    assert "data.cancel" not in [b.key for b in app.button]  # it went with the bar
    path.touch()  # changed: to be read again
    app.session_state[STOPPED] = _key(app, path)  # as the Cancel button leaves it
    app.run()
    assert any("Reading was stopped" in i.value for i in app.info)
    assert app.button(key="start").disabled
    app.button(key="data.again").click().run()
    assert not app.exception
    assert "texts to train on" in captions(app)


def _key(app: AppTest, path: Path) -> object:
    from advlab.runs.config import DataConfig

    config = DataConfig(str(path), text_column="text", label_column="label")
    return (config, stamp_of(config))
