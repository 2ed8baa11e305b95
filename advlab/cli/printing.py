"""What commands print: progress on standard error, tables and one JSON object on standard output."""

from __future__ import annotations

import codecs
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advlab.records import Evaluation, Event
    from advlab.records.measured import Alarm


# what a terminal without these signs shows in their place
_PLAIN = {
    **{"ε": "eps", "δ": "delta", "×": "x", "½": "1/2", "‖": "||", "λ": "lambda", "β": "beta"},
    **{"–": "-", "−": "-", "…": "...", "“": '"', "”": '"', "→": "->", "✓": "ok", "✗": "no"},
    **{"█": "#", "·": ".", "∞": "inf"},
}


def any_terminal() -> None:
    """Let standard output and error take any text, whatever their encoding: ε becomes eps."""
    codecs.register_error("advlab", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and "utf" not in stream.encoding.lower():
            stream.reconfigure(errors="advlab")


def _plainly(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    escaped = (_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in signs)
    return "".join(escaped), error.end


class Progress:
    """A bar on a terminal, a line an epoch elsewhere; always on standard error."""

    def __init__(self, name: str) -> None:
        self.name, self.steps, self.live = name, 1, sys.stderr.isatty()

    def show(self, event: Event) -> None:
        values = event.values
        if event.kind == "start":
            self.steps = values["steps"]
        elif event.kind == "step" and self.live:
            share = event.step / self.steps
            bar = "█" * int(24 * share) + "·" * (24 - int(24 * share))
            adversarial = values.get("adv_loss", values["clean_loss"])
            print(
                f"\r{self.name[:28]:28} {bar} {share:4.0%}  loss {values['clean_loss']:.3f} / "
                f"{adversarial:.3f}  {values['eta']:4.0f} s left ",
                end="",
                file=sys.stderr,
                flush=True,
            )
        elif event.kind == "epoch":
            self.close()
            print(
                f"{self.name[:28]:28} epoch {values['epoch']}: clean "
                f"{values['clean_accuracy']['value']:.1%}, under attack "
                f"{values['robust_accuracy']['value']:.1%}",
                file=sys.stderr,
                flush=True,
            )
        elif event.kind in ("alarm", "note"):
            self.close()
            print(f"{event.kind}: {values.get('message', '')}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.live:
            print("\r" + " " * 100 + "\r", end="", file=sys.stderr, flush=True)


def evaluation_json(found: Evaluation) -> dict[str, Any]:
    """An evaluation as plain values, for `--json`."""

    def row(rate: Any) -> dict[str, Any]:
        return {"value": rate.value, "interval": [rate.low, rate.high], "n": rate.n}

    def rows(listed: Any) -> list[dict[str, Any]]:
        return [{"eps": e, "unit": unit, "raw_eps": raw} | row(r) for e, unit, raw, r in listed]

    return {
        "model_hash": found.model_hash,
        "majority": found.majority,
        "clean_accuracy": row(found.clean),
        "robust_accuracy": rows(found.robust),
        "noise_accuracy": rows(found.noise),
        "seconds_evaluated": round(found.seconds, 2),
    }


def print_table(found: Sequence[Evaluation], names: Sequence[str]) -> None:
    """Accuracy of each model, clean, under attack and under noise, a column for each ε."""
    radii = [f"{f'ε = {eps:g}':>22}" for eps, *_ in found[0].robust]
    print(f"{'':30}{'clean':>22}{''.join(radii)}")
    for name, evaluation in zip(names, found, strict=True):
        cells = [evaluation.clean, *(r for *_, r in evaluation.robust)]
        print(f"{name[:29]:30}" + "".join(f"{rate_text(vars(c)):>22}" for c in cells))
        cells = [r for *_, r in evaluation.noise]
        print(
            f"{'  random noise of that length':52}"
            + "".join(f"{rate_text(vars(c)):>22}" for c in cells)
        )
    print(f"majority class {found[0].majority:.1%}; intervals: Wilson, 95 %; n = {found[0].n}")


def print_alarms(alarms: Sequence[Alarm]) -> None:
    """What speaks against believing the figures, a line each."""
    for alarm in alarms:
        print(f"alarm: {alarm.model}: {alarm.name}. {alarm.evidence}. {alarm.advice}")


def rate_text(rate: Mapping[str, Any]) -> str:
    """A share and its interval: 81.2% [78–84]."""
    return f"{rate['value']:.1%} [{100 * rate['low']:.0f}–{100 * rate['high']:.0f}]"


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output; numbers that JSON lacks become null."""
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    print(json.dumps(_finite(value), ensure_ascii=plain, allow_nan=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
