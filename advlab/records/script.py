"""Which signs are written without blanks between them, and what is a word among these?

A Chinese character is a word by itself, as it is a token of BERT's kinds; so is a sign of full width.
"""

from __future__ import annotations

import re

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WIDE = f"{HAN}\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"  # and punctuation
SIGNS = "，。！？；：、“”‘’（）《》【】…—～"  # that Chinese texts are pointed with

_WORD = re.compile(rf"[{WIDE}]|[^\s{WIDE}]+")
_SPOKEN = re.compile(rf"[{HAN}]|[^\W{HAN}]+")
_BETWEEN = re.compile(rf"(?<=[{WIDE}“”‘’…—]) +| +(?=[{WIDE}“”‘’…—])")


def pieces(text: str) -> list[str]:
    """Words by the blanks between them, Chinese characters and signs each by itself."""
    return _WORD.findall(text)


def spoken(text: str) -> list[str]:
    """As `pieces`, of letters, digits and characters alone: no punctuation."""
    return _SPOKEN.findall(text)


def has_han(text: str) -> bool:
    """Whether any of it is written in Chinese characters."""
    return re.search(f"[{HAN}]", text) is not None


def joined(text: str) -> str:
    """A text without the blanks beside Chinese characters and signs of full width."""
    return _BETWEEN.sub("", text) if has_han(text) else text
