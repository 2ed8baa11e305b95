"""What people read, in their language: English stands in the code, others in gettext catalogs.

A sentence that people read is written `_("expected {limit} at most", limit=…)`: a literal, which Babel
extracts, with named places that are filled after translation. The catalogs below `locale/` are read as
they stand, so that none is ever older than its text.

Who is speaking knows the language: `speak` sets it for a block of code, and the pages register `asked`,
which tells the language of the visitor whose page is being drawn. Everything else speaks English.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = {"en": "English", "zh": "中文"}
LOCALE = Path(__file__).parent / "locale"

LITERAL = 12  # letters without which a sentence is not told from others
_PLACE = re.compile(r"\{(\w+)(?:![rsa])?(?::[^{}]*)?\}")

_spoken: ContextVar[str | None] = ContextVar("language", default=None)
_asked: list[Callable[[], str | None]] = []


def language() -> str:
    """The language in which sentences are made here and now: a key of `LANGUAGES`."""
    for told in (_spoken.get(), *(ask() for ask in _asked)):
        if told in LANGUAGES:
            return told
    return "en"


@contextmanager
def speak(name: str) -> Iterator[None]:
    """Makes sentences in one of `LANGUAGES` within the block."""
    if name not in LANGUAGES:
        raise ValueError(f"expected one of {', '.join(LANGUAGES)}, but {name!r} came")
    before = _spoken.set(name)
    try:
        yield
    finally:
        _spoken.reset(before)


def asked(ask: Callable[[], str | None]) -> None:
    """Registers who knows the language of the visitor; what is said there may be None."""
    _asked[:] = [ask]


def fitting(locale: str | None) -> str | None:
    """The language of a browser's locale such as `zh-CN`, if advlab speaks it."""
    base = (locale or "").replace("_", "-").split("-")[0].lower()
    return base if base in LANGUAGES else None


def _(message: str, /, **values: Any) -> str:
    """A sentence in the language of the moment, its named places filled."""
    said = catalog(language()).gettext(message) if message else ""  # "" is the catalog's own header
    return said.format(**values) if values else said


def n_(one: str, many: str, n: int, /, **values: Any) -> str:
    """As `_`, for a count: `n_("{n} text", "{n} texts", len(texts))`; `{n}` is filled."""
    return catalog(language()).ngettext(one, many, n).format(n=n, **values)


def N_(message: str) -> str:  # noqa: N802  gettext's name for a sentence that is translated later
    """Marks a sentence that is made before its reader is known; `_(title)` translates it when shown."""
    return message


def listing(names: Iterable[str]) -> str:
    """‘a, b, c’."""
    return ("、" if language() == "zh" else ", ").join(names)


def in_a_row(*sentences: str) -> str:
    """Sentences one behind the other, those that are empty left out; Chinese parts them by no blank."""
    return ("" if language() == "zh" else " ").join(filter(None, sentences))


def retold(sentence: str) -> str:
    """A sentence that was made in English and kept, as in a run's diary, in the language of the moment.

    It is the most literal of the catalog's sentences that fits, with what stood in its places; one that
    fits none stays as it is.
    """
    if language() == "en" or (said := _(sentence)) != sentence:
        return sentence if language() == "en" else said
    for message, pattern in _patterns(language()):
        if found := pattern.fullmatch(sentence):
            return _PLACE.sub(lambda m: retold(found[m[1]]), catalog(language()).gettext(message))
    return sentence


@cache
def _patterns(name: str) -> list[tuple[str, re.Pattern[str]]]:
    """Each sentence with places, and what it looks like with them filled; the most literal first."""
    made = []
    for message in getattr(catalog(name), "_catalog", {}):
        if not isinstance(message, str) or len(_PLACE.sub("", message)) <= LITERAL:
            continue
        names = _PLACE.findall(message)
        if names and len(set(names)) == len(names):
            parts = _PLACE.split(message)  # text, name, text, …
            pattern = "".join(
                f"(?P<{part}>.*?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)
            )
            made.append((message, re.compile(pattern, re.DOTALL)))
    return sorted(made, key=lambda one: -len(_PLACE.sub("", one[0])))


@cache
def catalog(name: str) -> gettext.NullTranslations:
    """The sentences of a language; English has no file, since it stands in the code."""
    path = LOCALE / name / "LC_MESSAGES" / "advlab.po"
    if not path.exists():
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=name))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


__all__ = [
    "LANGUAGES",
    "N_",
    "_",
    "asked",
    "catalog",
    "fitting",
    "in_a_row",
    "language",
    "listing",
    "n_",
    "retold",
    "speak",
]
