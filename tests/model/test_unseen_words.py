"""Words that a model never saw in training: found, told, kept beside the weights."""

from __future__ import annotations

from pathlib import Path

from victims import make_victim, subword_tokenizer

from advlab.model.tiny import tiny_victim
from advlab.model.unseen import FILE, Unseen, read_words, told, unseen, words_of
from advlab.model.victim import Victim
from advlab.records import Dataset, Example

TEXTS = ("The film wasn't good.", "a good Café, a bad film", "The film was bad!")
HEAD = ("negative", "positive")


def trained() -> Victim:
    train = tuple(Example(str(i), text, (HEAD[i % 2],)) for i, text in enumerate(TEXTS))
    return tiny_victim("tiny", Dataset("texts", HEAD, train, train, train), max_length=24)


def test_every_word_of_the_training_texts_was_seen_whatever_its_case_and_accents() -> None:
    assert unseen(trained(), TEXTS) == ()
    assert unseen(trained(), ["GOOD cafe, THE FILM!!! wasn't…", ""]) == ()


def test_a_word_that_occurred_once_was_seen_though_it_is_read_in_pieces() -> None:
    victim = trained()
    assert len(victim.tokenizer.tokenize("cafe")) > 1
    assert unseen(victim, ["a cafe"]) == ()


def test_new_words_are_told_once_with_the_tokens_that_are_read() -> None:
    victim = trained()
    found = unseen(victim, ["The zorg was bad", "zorg or 映画 or gob?"])
    assert [one.word for one in found] == ["zorg", "or", "映", "画", "gob"]
    for one in found:
        assert list(one.tokens) == victim.tokenizer.tokenize(one.word)
    assert found[2].tokens == found[3].tokens == ("[UNK]",)


def test_the_words_stay_with_the_model(tmp_path: Path) -> None:
    victim = trained()
    victim.save(tmp_path / "model")
    again = Victim.load(tmp_path / "model")
    assert again.known == victim.known == read_words(tmp_path / "model")
    assert again.view().known == victim.known
    assert unseen(again, ["zorg"]) == unseen(victim, ["zorg"])


def test_of_a_model_from_elsewhere_only_unknown_tokens_are_told(tmp_path: Path) -> None:
    victim = trained()
    victim.save(tmp_path / "model")
    (tmp_path / "model" / FILE).unlink()
    other = Victim.load(tmp_path / "model")
    assert other.known is None
    assert unseen(other, ["the odd 映"]) == (Unseen("映", ("[UNK]",)),)


def test_other_tokenizers_are_asked_for_whole_words() -> None:
    for kind in ("bytes", "unigram"):
        tokenizer = subword_tokenizer(kind)
        assert words_of(tokenizer, ["the film, again"]) == {"the", "film", "again"}
    assert unseen(make_victim("bert"), [""]) == ()


def test_what_is_told_names_tokens_and_says_how_many_more() -> None:
    unk = [Unseen(word, ("[UNK]",)) for word in ("flibber", "zorg")]
    assert told([]) == ""
    assert told(unk) == "flibber, zorg — read as [UNK]"
    assert told([*unk, Unseen("gob", ("go", "##b"))]) == (
        "flibber, zorg — read as [UNK]; gob — read as go ##b"
    )
    many = [Unseen(f"w{i}", ("[UNK]",)) for i in range(15)]
    assert told(many).startswith("w0, w1, ")
    assert told(many).endswith("w11 — read as [UNK]; and 3 more")
