"""A link's language stays in the link: it is led to the words that Streamlit reads and keeps."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from advlab.language import LANGUAGES
from advlab.ui.language import told

ZH = quote(LANGUAGES["zh"])


@pytest.mark.parametrize(
    ("path", "query", "place"),
    [
        ("/lab/explore", "lang=zh", f"/lab/explore?lang={ZH}"),
        ("/", "a=1&lang=en&b=%26+%E4%B8%AD&c=", "/?a=1&lang=English&b=%26+%E4%B8%AD&c="),
        ("//evil.test/x", "lang=zh", f"/evil.test/x?lang={ZH}"),  # below this server
        ("/a b\r\nx: y", "lang=zh", f"/a%20b%0D%0Ax%3A%20y?lang={ZH}"),
        ("/explore", f"lang={ZH}", None),
        ("/explore", "lang=xx", None),
        ("/explore", "", None),
    ],
)
def test_a_link_that_names_its_language_is_led_to_the_switchs_words(
    path: str, query: str, place: str | None
) -> None:
    assert told({"path": path, "query_string": query.encode()}) == place
