"""Every sentence that people read has its translation, with the same places to fill."""

from __future__ import annotations

from string import Formatter

import pytest
from catalogs import OTHERS, catalog_of, sentences, translated


def places(text: str) -> set[str]:
    """The names that are filled in a sentence, with their formats."""
    parts = Formatter().parse(text)
    return {
        f"{name}!{conversion}:{form}"
        for _text, name, form, conversion in parts
        if name and name.isidentifier()
    }


@pytest.mark.parametrize("name", OTHERS)
def test_every_sentence_is_translated_with_its_places_and_none_is_left_over(name: str) -> None:
    told = {m.id: m for m in catalog_of(name) if m.id}
    wanted = sentences()
    first = {m if isinstance(m, str) else m[0] for m in wanted}
    here = {m if isinstance(m, str) else m[0] for m in told}
    assert not first - here, "run tests/catalogs.py and translate"
    assert not here - first, "run tests/catalogs.py"
    wrong = []
    for one, message in told.items():
        said = (message.string,) if isinstance(one, str) else message.string
        many = one if isinstance(one, str) else one[-1]
        if not translated(message) or message.fuzzy:
            wrong.append(f"not translated: {one}")
        elif any(places(s) != places(many) for s in said):
            wrong.append(f"other places: {one} -> {said}")
    assert not wrong
