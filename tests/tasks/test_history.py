"""How histories are laid out: marks are never of the text, what is said keeps its places."""

from __future__ import annotations

import pytest
from speakers import EXAMPLES, KINDS, TEMPLATE, shared_speaker, tokenizer_of, with_tokens
from victims import subword_tokenizer

from advlab.errors import DataError, ModelError
from advlab.records import Example
from advlab.records.turns import Turn, turns_of, written
from advlab.tasks import history
from advlab.tasks.history import HistoryReader

TEXT = "User: i saw a film\nBot: was it slow?\nUser: not the second scene"
SAID = ("i", "saw", "a", "film", "was", "it", "slow?", "not", "the", "second", "scene")


def test_a_history_is_read_turn_by_turn_with_its_places() -> None:
    assert turns_of("bot:  hello \n\nthere\nuser: a\nUSER: \n Bot: b") == [
        Turn("Bot", "hello \n\nthere", 6),
        Turn("User", "a", 26),
        Turn("Bot", "b", 41),
    ]
    assert turns_of("dear user: hello") == [Turn("User", "dear user: hello", 0)]
    assert turns_of(" \n") == []
    for turn in turns_of(TEXT):
        assert TEXT[turn.start :].startswith(turn.text)
    assert written([turn.text for turn in turns_of(TEXT)]) == TEXT


@pytest.mark.parametrize("kind", KINDS)
def test_the_layout_is_the_one_of_the_tokenizer(kind: str) -> None:
    reader = shared_speaker(kind).reader
    tokens = reader.tokens(Example("", TEXT))
    string = reader.tokenizer.decode(tokens.ids)
    wanted = {
        "gemma": "<user> i saw a film<bot> was it slow?<user> not the second scene<bot>",
        "qwen2": "<|im_start|>user\ni saw a film<|im_end|>\n<|im_start|>assistant\nwas it slow?"
        "<|im_end|>\n<|im_start|>user\nnot the second scene<|im_end|>\n<|im_start|>assistant\n",
    }.get(kind, f"{TEXT}\nBot:")
    assert string.replace("<s>", "").replace(" ", "") == wanted.replace(" ", "")
    assert "".join(tokens.words) == "".join(SAID)


@pytest.mark.parametrize("kind", KINDS)
def test_a_history_is_told_again_turn_by_turn(kind: str) -> None:
    reader = shared_speaker(kind).reader
    for example in EXAMPLES:
        tokens = reader.tokens(example)
        again = reader.retold(tokens, [*tokens.ids, 5, 5])
        assert [t.speaker for t in turns_of(again)] == [t.speaker for t in turns_of(example.text)]
        assert reader.tokens(Example("", again)).ids == tokens.ids


@pytest.mark.parametrize("kind", KINDS)
def test_the_oldest_turns_are_left_out_and_then_the_oldest_words(kind: str) -> None:
    tokenizer = tokenizer_of(kind)
    whole = HistoryReader(tokenizer, 500).tokens(Example("", TEXT))
    assert whole.whole == len(whole)
    cut = HistoryReader(tokenizer, len(whole) - 1).tokens(Example("", TEXT))
    assert "".join(cut.words) == "".join(SAID[4:])
    assert cut.whole == len(whole)
    assert cut.ids[-3:] == whole.ids[-3:]
    last = HistoryReader(tokenizer, 500).tokens(Example("", "not the second scene"))
    short = HistoryReader(tokenizer, len(last) - 2).tokens(Example("", TEXT))
    assert len(short) == len(last) - 2
    assert "".join(last.words).endswith("".join(short.words))
    assert [i for i, s in zip(short.ids, short.segment, strict=True) if s] == [
        i for i, s in zip(last.ids, last.segment, strict=True) if s
    ]


def test_a_history_ends_with_the_user() -> None:
    with pytest.raises(
        DataError, match="ends with what the user says, got one that ends with “Bot: so"
    ):
        shared_speaker("gpt2").encode(["User: a\nBot: so?"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_is_written_as_it_would_follow_the_history(kind: str) -> None:
    reader = shared_speaker(kind).reader
    tokens = reader.tokens(Example("", TEXT))
    string = (
        reader._lines(turns_of(TEXT)) if not reader.templated else reader._templated(turns_of(TEXT))
    )
    blank = {"gemma": "", "qwen2": ""}.get(kind, " ")
    whole = reader.tokenizer(
        string.string + blank + "a great plot", add_special_tokens=not reader.templated
    )["input_ids"]
    assert [*tokens.ids, *reader.reply("a great plot")] == whole


def test_a_template_says_what_ends_a_turn() -> None:
    reader = shared_speaker("qwen2").reader
    assert reader.tokenizer.convert_ids_to_tokens(reader.ending) == "<|im_end|>"
    assert shared_speaker("gpt2").reader.ending == subword_tokenizer("bytes").eos_token_id


def test_a_template_that_changes_or_refuses_what_is_said_is_told() -> None:
    made = with_tokens(subword_tokenizer("bytes"), "<|im_start|>", "<|im_end|>")
    made.chat_template = TEMPLATE.replace("m.content", "m.content | upper")
    with pytest.raises(ModelError, match="writes what is said as it is, got one that changes it"):
        HistoryReader(made, 99).tokens(Example("", TEXT))
    made.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(ModelError, match="in alternation, got: roles must alternate; give such"):
        HistoryReader(made, 99)


def test_the_bots_turns_are_foretold_from_the_place_before_them() -> None:
    reader = shared_speaker("llama").reader
    tokens = reader.tokens(Example("", TEXT))
    ids = [i for _, i in tokens.said if i is not None]
    assert reader.spell(ids).strip() == "was it slow?"
    for place, i in tokens.said[:-1]:
        assert tokens.ids[place + 1] == i
    assert tokens.said[-1] == (tokens.said[-2][0] + 1, None)


@pytest.mark.parametrize("kind", KINDS)
def test_silence_is_a_turn_of_the_user_in_which_nothing_is_said(kind: str) -> None:
    reader = shared_speaker(kind).reader
    tokens = reader.tokens(Example("", " \n"))
    assert tokens.words == ()
    assert set(tokens.segment) == {-1}
    assert len(tokens) >= 2


def test_no_more_histories_and_replies_are_kept_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KNOWN", 2)
    reader = HistoryReader(tokenizer_of("gpt2"), 50)
    texts = ("a", "the film", "poor plot", "we saw it")
    found = reader.tokens_of([Example("", text) for text in texts])
    assert [t.text for t in found] == list(texts)
    assert [reader.reply(text) for text in texts] == [reader.reply(text) for text in texts]
    assert len(reader._known) == len(reader._replies) == 2
