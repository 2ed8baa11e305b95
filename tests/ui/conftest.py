"""Models under `models`, and caches that no test inherits."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from explore_pages import TEXTS


@pytest.fixture
def two_models(advlab_home: Path) -> Path:
    """Two random tiny models as folders under `models`."""
    from advlab.model.tiny import tiny_victim
    from advlab.records import Dataset, Example

    texts = tuple(
        Example(str(i), text, (("negative", "positive")[label],))
        for i, (text, label) in enumerate(TEXTS * 3)
    )
    data = Dataset("tests", ("negative", "positive"), texts, texts, texts)
    for seed, name in enumerate(("first", "second")):
        tiny_victim("tiny", data, seed=seed, max_length=32).save(advlab_home / "models" / name)
    return advlab_home


@pytest.fixture(autouse=True)
def empty_caches():
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()
