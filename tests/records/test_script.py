"""Words of texts with and without blanks, and blanks that do not belong among Chinese characters."""

from __future__ import annotations

from advlab.records.script import has_han, joined, pieces, spoken

MIXED = "用iPhone 15拍，WiFi很快！don't"


def test_a_chinese_character_or_sign_is_a_word_and_other_words_end_at_blanks() -> None:
    assert pieces(MIXED) == ["用", "iPhone", "15", "拍", "，", "WiFi", "很", "快", "！", "don't"]
    assert pieces("It wasn't good, was it?") == ["It", "wasn't", "good,", "was", "it?"]
    assert spoken(MIXED) == ["用", "iPhone", "15", "拍", "WiFi", "很", "快", "don", "t"]


def test_blanks_go_where_a_character_or_a_wide_sign_stands_beside_them() -> None:
    assert joined("“ 很 好 ” ， iphone 15 的 wifi") == "“很好”，iphone 15的wifi"
    assert joined("a “ good ” film … and no more") == "a “ good ” film … and no more"


def test_chinese_is_told_by_its_characters_alone() -> None:
    assert has_han("味")
    assert not has_han("café, “naïve”, ひ, 한, ，")
