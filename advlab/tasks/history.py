"""How a history is laid out for a causal model: its turns between marks, and the mark of the reply.

Three layouts, by what the tokenizer knows: special tokens `<user>` and `<bot>` (models from scratch);
its own chat template; else plain lines, “User: …” and “Bot: …”. What is said keeps its places in the
text that a person wrote; marks have none, so nothing is added to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from advlab.errors import DataError, ModelError
from advlab.language import N_, _
from advlab.records import Example
from advlab.records.turns import BOT, USER, Turn, turns_of
from advlab.tasks.tokens import Reader, Tokens

MARKS = {USER: "<user>", BOT: "<bot>"}
ROLES = {USER: "user", BOT: "assistant"}
KNOWN = 10_000  # histories whose tokens are kept: training meets them again
PROBE = "0v0"  # stands for a reply where a template is asked what it writes around one


@dataclass(frozen=True)
class Encoding:
    """T tokens of a layout, as the tokenizers library tells them; places are those of the text."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    word_ids: list[int | None]
    special_tokens_mask: list[int]
    sequence_ids: list[int | None]

    @property
    def type_ids(self) -> list[int]:
        """T: all of one kind."""
        return [0] * len(self.ids)


@dataclass(frozen=True)
class Laid:
    """A history as one string, and for each turn where it begins there."""

    string: str
    starts: tuple[int, ...]
    turns: tuple[Turn, ...]


class History(Tokens):
    """The tokens of a history."""

    @property
    def cut(self) -> bool:
        """Whether the oldest turns, or words, were left out."""
        return self.whole > len(self)

    @cached_property
    def said(self) -> list[tuple[int, int | None]]:
        """What the bot says in it: for each such token the place before it, where the model foretells
        it, and its id; None for the end of a turn."""
        found: list[tuple[int, int | None]] = []
        for turn in turns_of(self.text):
            if turn.speaker != BOT:
                continue
            end = turn.start + len(turn.text)
            here = [
                i
                for i, (own, (start, __)) in enumerate(zip(self.written, self.spans, strict=True))
                if own and turn.start <= start < end
            ]
            found += [(i - 1, self.ids[i]) for i in here if i]
            found += [(here[-1], None)] if here else []
        return found


class HistoryReader(Reader):
    """Reads histories: the oldest turns are left out where a text is longer than the limit.

    `ending` ends a reply: the end of a turn in a chat template, else the end of a text.
    """

    left_out: ClassVar[str] = N_("their oldest turns are not read")

    def __init__(self, tokenizer: Any, max_length: int, **known: Any) -> None:
        super().__init__(tokenizer, max_length, **known)
        self._known: dict[str, History] = {}
        self._replies: dict[str, list[int]] = {}
        # whether the tokenizer has marks of its own for the two speakers, or a chat template
        self.marked = set(MARKS.values()) <= set(tokenizer.all_special_tokens)
        self.templated = not self.marked and bool(getattr(tokenizer, "chat_template", None))
        self._before = MARKS[BOT] if self.marked else f"{BOT}:"  # stands before a reply,
        self._blank = "" if self.marked else " "  # and this between them
        if self.templated:
            self._ask_template()

    def _ask_template(self) -> None:
        asked = [{"role": "user", "content": "a"}]
        self._before = self._rendered(asked, prompt=True)
        answered = [*asked, {"role": "assistant", "content": PROBE}]
        rest = self._rendered(answered, prompt=False).removeprefix(self._before)
        self._blank, probe, after = rest.partition(PROBE)
        if self._blank.strip() or not probe:  # whole turns look otherwise than those to be written
            self._blank = ""
        self.ending = next((i for i in self._ids(after) if i in self.marks), self.ending)

    def reply(self, answer: str) -> list[int]:
        """The ids of a reply as they follow a history, without the end."""
        if answer in self._replies:
            return self._replies[answer]
        before = self._ids(self._before)
        behind = self._ids(self._before + self._blank + answer)
        own = behind[len(before) :]
        if behind[: len(before)] != before:
            own = self._ids(self._blank + answer)
        if len(self._replies) < KNOWN:
            self._replies[answer] = own
        return own

    def _ids(self, text: str) -> list[int]:
        # without its warning of long texts: `shortened` says which replies are cut
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def tokens_of(self, examples: Sequence[Example]) -> list[Tokens]:
        """The tokens of many histories, each with the mark of the reply; oldest turns are cut."""
        found: list[Tokens] = []
        for example in examples:
            known = self._known.get(example.text) or self.tokens(example)
            if len(self._known) < KNOWN:
                self._known[example.text] = known
            found.append(known)
        return found

    def tokens(self, example: Example) -> History:
        """The tokens of one history. DataError where there is none, or it does not end with a user."""
        turns = turns_of(example.text) or [Turn(USER, "", 0)]
        if turns[-1].speaker != USER:
            raise DataError(
                _(
                    "expected a history that ends with what the user says, got one that ends "
                    "with “{bot}: {text}”; add a line that begins with “{user}:”",
                    bot=BOT,
                    text=turns[-1].text[:40],
                    user=USER,
                )
            )
        found = self._encoded(turns)
        whole = len(found.ids)
        while len(found.ids) > self.max_length and len(turns) > 1:
            turns = turns[1:]
            found = self._encoded(turns)
        found = self._cut(found)
        return History(example.text, found, self.marks, self.mark, whole=whole)

    def retold(self, tokens: Tokens, ids: Sequence[int]) -> str:
        """The history that other `ids` (T) spell in the places of its tokens, turn by turn."""
        lines = []
        for turn in turns_of(tokens.text):
            end = turn.start + len(turn.text)
            here = [
                i
                for i, (start, __), own in zip(ids, tokens.spans, tokens.written, strict=False)
                if own and turn.start <= start < end
            ]
            if here:
                lines.append(f"{turn.speaker}: {self.spell(here).strip()}")
        return "\n".join(lines)

    # ---- layouts --------------------------------------------------------------------------------

    def _encoded(self, turns: Sequence[Turn]) -> Encoding:
        laid = self._templated(turns) if self.templated else self._lines(turns)
        found = self.tokenizer(laid.string, add_special_tokens=not self.templated).encodings[0]
        offsets, mask, sequence = [], [], []
        for (start, end), special in zip(found.offsets, found.special_tokens_mask, strict=True):
            place = None if special else _place(laid, start, end)
            offsets.append(place or (0, 0))
            mask.append(int(place is None))
            sequence.append(None if place is None else 0)
        last = len(
            found.ids
        )  # a tokenizer that ends texts with a special token: the reply comes first
        while last and found.special_tokens_mask[last - 1] and found.ids[last - 1] == self.ending:
            last -= 1
        return Encoding(
            found.ids[:last], offsets[:last], found.word_ids[:last], mask[:last], sequence[:last]
        )

    def _cut(self, found: Encoding) -> Encoding:
        """Without the oldest words, where even the last turn is too long; marks stay."""
        spare = len(found.ids) - self.max_length
        said = [i for i, special in enumerate(found.special_tokens_mask) if not special]
        gone = set(said[: max(spare, 0)])
        if not gone:
            return found
        keep = [i for i in range(len(found.ids)) if i not in gone]
        return replace(found, **{k: [v[i] for i in keep] for k, v in vars(found).items()})

    def _lines(self, turns: Sequence[Turn]) -> Laid:
        """Each turn behind its speaker, and the speaker of the reply."""
        marks = MARKS if self.marked else {USER: f"{USER}:", BOT: f"{BOT}:"}
        joint = " " if self.marked else "\n"
        string, starts = "", []
        for turn in turns:
            string += f"{marks[turn.speaker]} "
            starts.append(len(string))
            string += turn.text + joint
        return Laid(string + marks[BOT], tuple(starts), tuple(turns))

    def _templated(self, turns: Sequence[Turn]) -> Laid:
        """As the chat template has it; ModelError where it changes what is said.

        Where things stand is asked with probes: what is said may stand in a mark too.
        """
        roles = [ROLES[t.speaker] for t in turns]
        probes = [f"{PROBE}{i}{PROBE}" for i in range(len(turns))]
        rest = self._rendered(_messages(roles, probes), prompt=True)
        string, starts = "", []
        for turn, probe in zip(turns, probes, strict=True):
            before, __, rest = rest.partition(probe)
            starts.append(len(string + before))
            string += before + turn.text
        string += rest
        texts = [t.text for t in turns]
        if string != self._rendered(_messages(roles, texts), prompt=True):
            raise ModelError(
                _(
                    "expected a chat template that writes what is said as it is, got one that "
                    "changes it (“{texts}”); remove chat_template from the tokenizer to have "
                    "lines that begin with “{user}:” and “{bot}:”",
                    texts=texts[0][:40],
                    user=USER,
                    bot=BOT,
                )
            )
        return Laid(string, tuple(starts), tuple(turns))

    def _rendered(self, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        try:
            return self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=prompt
            )
        except Exception as error:  # a template is a program of the model's makers
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(
                _(
                    "expected a chat template for turns of a user and an assistant in "
                    "alternation, got: {reason}; give such a history, or remove chat_template "
                    "from the tokenizer",
                    reason=reason,
                )
            ) from error


def _messages(roles: Sequence[str], texts: Sequence[str]) -> list[dict[str, Any]]:
    return [{"role": r, "content": t} for r, t in zip(roles, texts, strict=True)]


def _place(laid: Laid, start: int, end: int) -> tuple[int, int] | None:
    """Where a token of the layout stands in the text that was written; None for marks."""
    for at, turn in zip(laid.starts, laid.turns, strict=True):
        low, high = max(start, at), min(end, at + len(turn.text))
        if low < high:
            return low - at + turn.start, high - at + turn.start
    return None
