"""Sentences come in the language of whoever reads them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from advlab import language as languages
from advlab.language import _, asked, catalog, fitting, language, n_, speak

CATALOG = """
msgid "Language"
msgstr "语言"

msgid "{n} text"
msgid_plural "{n} texts"
msgstr[0] "{n} 条文本"
"""


@pytest.fixture(autouse=True)
def small_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "zh" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "advlab.po").write_text(CATALOG, encoding="utf-8")
    monkeypatch.setattr(languages, "LOCALE", tmp_path)
    catalog.cache_clear()
    yield
    catalog.cache_clear()


def test_english_is_spoken_unless_somebody_asks() -> None:
    assert language() == "en"
    assert _("Language") == "Language"
    with speak("zh"):
        assert _("Language") == "语言"
    assert _("Language") == "Language"


def test_places_are_filled_after_translation_and_counts_have_their_form() -> None:
    assert [n_("{n} text", "{n} texts", n) for n in (1, 2)] == ["1 text", "2 texts"]
    with speak("zh"):
        assert n_("{n} text", "{n} texts", 1) == "1 条文本"
    assert _("a {kind} with {{braces}}", kind="text") == "a text with {braces}"


def test_a_sentence_without_translation_is_said_in_english() -> None:
    with speak("zh"):
        assert _("never translated: {n}", n=3) == "never translated: 3"


def test_the_language_of_one_visitor_is_not_that_of_another() -> None:
    def said(name: str) -> str:
        with speak(name):
            return _("Language")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(said, ["zh", "en"] * 50)) == ["语言", "Language"] * 50


def test_a_page_knows_its_visitor_and_a_block_goes_before() -> None:
    try:
        asked(lambda: "zh")
        assert language() == "zh"
        with speak("en"):
            assert language() == "en"
        asked(lambda: "klingon")
        assert language() == "en"
    finally:
        asked(lambda: None)


@pytest.mark.parametrize(
    ("locale", "name"),
    [("zh-CN", "zh"), ("zh_TW", "zh"), ("EN-gb", "en"), ("fr", None), ("", None), (None, None)],
)
def test_a_browser_is_answered_in_its_language_where_there_is_one(
    locale: str | None, name: str | None
) -> None:
    assert fitting(locale) == name


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of en, zh"), speak("xx"):
        pass
