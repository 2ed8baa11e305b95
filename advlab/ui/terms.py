"""Terms that explain themselves: the help beside a heading or a widget, by pointer and by keyboard."""

from __future__ import annotations

from advlab.language import in_a_row
from advlab.lessons.glossary import glossary, term
from advlab.ui import plain_text

# settings of attacks and methods whose help is followed by the line of a term
SETTINGS = {
    "unit": "units",
    "p": "norm",
    "ball": "ball",
    "steps": "steps",
    "restarts": "restarts",
    "targeted": "targeted",
    "eps_warmup": "warm_up",
}


def explained(*names: str) -> str | None:
    """The terms with their lines, as Markdown for `help=`; None for no terms. Raises as `term`."""
    lines = [
        f"**{plain_text(glossary()[name].title)}**: {plain_text(term(name))}" for name in names
    ]
    return "\n\n".join(lines) or None


def with_term(text: str, setting: str) -> str:
    """A setting's help as Markdown, and the line of the term that it is about where there is one."""
    name = SETTINGS.get(setting)
    return in_a_row(plain_text(text), plain_text(term(name)) if name else "")
