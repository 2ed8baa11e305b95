"""Which numbers of a span an attribution may explain: its margin, its two logits, its probability."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from advlab.errors import SettingError, unknown
from advlab.language import N_, _
from advlab.records.examples import NO_ANSWER
from advlab.tasks.base import Batch, Explained
from advlab.tasks.spans import bare, ends_of, same_as

EXPLAINED = {
    "margin": (
        N_("span margin"),
        N_("the score of the answer minus that of the best other answer, what a flip changes"),
    ),
    "start": (N_("start logit"), N_("that the answer begins where it does")),
    "end": (N_("end logit"), N_("that the answer ends where it does")),
    "probability": (
        N_("log-probability"),
        N_("of the answer's start and end, among all places where they may be"),
    ),
}


def explained(
    kind: str,
    scores: Callable[[Tensor, Batch], Tensor],
    out: Tensor,
    batch: Batch,
    longest: int,
    of: str | int | None = None,
    against: str | int | None = None,
) -> Explained:
    """A number of one span of the only text, fixed by its output (1,T,2).

    `scores` are those of all spans, (N,T,2) -> (N,1+T·L). SettingError for an answer that the text does
    not have, or for twice the same one.
    """
    if kind not in EXPLAINED:
        raise SettingError(unknown("target", kind, EXPLAINED))
    spans = scores(out.detach(), batch)
    first, text = _chosen(of, spans, batch, longest)
    start, end = _places(first, batch, longest)
    if kind == "start":
        return Explained(
            _("start logit of “{short}”", short=_short(text)), lambda o: o[:, start, 0], text
        )
    if kind == "end":
        return Explained(
            _("end logit of “{short}”", short=_short(text)), lambda o: o[:, end, 1], text
        )
    if kind == "probability":

        def log(o: Tensor) -> Tensor:
            each = o.log_softmax(1)
            return each[:, start, 0] + each[:, end, 1]

        return Explained(_("log p(start) + log p(end) of “{short}”", short=_short(text)), log, text)
    alike = [*same_as(batch.tokens[0], bare(text), longest), first]
    rest = spans.clone()
    rest[0, alike] = -torch.inf
    other, rival = _chosen(against, rest, batch, longest)
    if other in alike:
        raise SettingError(
            _(
                "expected two different answers for a margin, got “{text}” twice; choose another",
                text=text,
            )
        )

    def lead(o: Tensor) -> Tensor:
        each = scores(o, batch.repeat(len(o)))
        return each[:, first] - each[:, other]

    return Explained(
        _("score of “{answer}” − score of “{rival}”", answer=_short(text), rival=_short(rival)),
        lead,
        text,
    )


def _places(number: int, batch: Batch, longest: int) -> tuple[int, int]:
    """The first and the last token of a span."""
    null = batch.target["null"]
    start, end = ends_of(torch.tensor([number], device=null.device), null, longest)
    return int(start), int(end)


def _chosen(answer: str | int | None, spans: Tensor, batch: Batch, longest: int) -> tuple[int, str]:
    """The best span that says an answer, or the best of all, and what it says."""
    tokens = batch.tokens[0]
    if answer is None:
        best = int(spans.argmax(1))
        start, end = _places(best, batch, longest)
        return best, tokens.text[
            tokens.spans[start][0] : tokens.spans[end][1]
        ] if best else NO_ANSWER
    numbers = [*same_as(tokens, bare(str(answer)), longest)]
    if not numbers:
        raise SettingError(
            _(
                "expected an answer that stands in the text, got “{answer}”; copy it from "
                "there, or write {no_answer}",
                answer=answer,
                no_answer=NO_ANSWER,
            )
        )
    return max(numbers, key=lambda n: float(spans[0, n])), str(answer)


def _short(text: str, limit: int = 48) -> str:
    """An answer for people: a span that runs over sentences is told by the words at its two ends."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit // 2].rsplit(" ", 1)[0], text[-limit // 3 :].split(" ", 1)[-1]
    return f"{head.rstrip()} … {tail.lstrip()}"
