"""What does a word of the interface mean? One line a term, in English and 中文, and where it is seen.

The lines stand in `glossary.toml`. A term is called by its table and key, `attack.pgd`; those of the
first table by their key alone, `delta`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from advlab.errors import SettingError, unknown
from advlab.language import language

TERM = "term"  # the table whose entries are called by their key alone


@dataclass(frozen=True)
class Term:
    """An entry. `said` is by language: what it is called there, and its line."""

    name: str  # as `term` takes it
    said: dict[str, tuple[str, str]]
    page: str  # the address of the page where it is seen, "explore"
    view: str  # the view there, or empty

    @property
    def title(self) -> str:
        """What it is called in the language of the moment."""
        return self.said[language()][0]

    @property
    def line(self) -> str:
        """What it means, in the language of the moment."""
        return self.said[language()][1]


@cache
def glossary() -> dict[str, Term]:
    """All terms by name, in the order of the file."""
    source = files("advlab.lessons") / "glossary.toml"
    found = {}
    for table, entries in tomllib.loads(source.read_text(encoding="utf-8")).items():
        for key, values in entries.items():
            name = key if table == TERM else f"{table}.{key}"
            page, _, view = values.pop("seen").partition("?view=")
            said = {spoken: (title, line) for spoken, (title, line) in values.items()}
            found[name] = Term(name, said, page, view)
    return found


def term(name: str) -> str:
    """The line of a term in the language of the moment; SettingError names near ones."""
    if name not in glossary():
        raise SettingError(unknown("term", name, glossary()))
    return glossary()[name].line


def searched(words: str) -> list[Term]:
    """Terms that have all of `words` in their name or line, in any language; all for none."""
    wanted = words.casefold().split()
    return [one for one in glossary().values() if all(w in _whole(one) for w in wanted)]


def _whole(one: Term) -> str:
    return " ".join((one.name, *(part for pair in one.said.values() for part in pair))).casefold()
