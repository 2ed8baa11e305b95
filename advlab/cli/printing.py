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
    from advlab.records import Estimate, Event, Row
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
            for note in values.get("notes", ()):
                print(f"note: {note}", file=sys.stderr)
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


def row_json(row: Row, majority: float, seconds: float) -> dict[str, Any]:
    """What was measured of one model as plain values, for `--json`."""

    def shown(found: Estimate) -> dict[str, Any]:
        return {"value": found.value, "interval": [found.low, found.high], "n": found.n}

    def listed(rates: Sequence[Estimate]) -> list[dict[str, Any]]:
        return [
            {"eps": eps, "unit": row.attack["unit"], "raw_eps": raw} | shown(found)
            for eps, raw, found in zip(row.eps, row.raw_eps, rates, strict=True)
        ]

    quoted = {
        one.name: {
            "clean": shown(one.clean.estimate) | {"unit": one.clean.unit},
            "robust": listed([r.estimate for r in one.robust]),
            "noise": listed([r.estimate for r in one.noisy]),
            "how": one.note,
            "better": "lower" if one.lower else "higher",
        }
        for one in row.quoted
    }
    return {
        "model_hash": row.model_hash,
        "majority": majority,
        "clean_accuracy": shown(row.clean),
        "robust_accuracy": listed(row.robust),
        "noise_accuracy": listed(row.noisy),
        "quoted": quoted,
        "seconds_evaluated": round(seconds, 2),
    }


def print_table(rows: Sequence[Row], names: Sequence[str], majority: float) -> None:
    """Accuracy of each model, clean, under attack and under noise, a column for each ε.

    Below it what people quote of the answers, where that was measured, and how it is counted.
    """
    heads = ["clean", *(f"ε = {eps:g}" for eps in rows[0].eps)]
    lines: list[tuple[str, Sequence[object]]] = [("", heads)]
    for name, row in zip(names, rows, strict=True):
        lines.append((name, [row.clean, *row.robust]))
        lines.append(("  random noise of that length", ["", *row.noisy]))
    _print_lines(lines)
    print(
        f"always the most frequent answer {majority:.1%}; intervals: Wilson, 95 %; "
        f"n = {len(rows[0].right)}"
    )
    if not rows[0].quoted:
        return
    print("\nOf the answers, under the strongest δ found for each text:")
    lines = [("", heads)]
    for name, row in zip(names, rows, strict=True):
        lines.append((name, []))
        for one in row.quoted:
            lines.append((f"  {one.name}", [r.estimate for r in (one.clean, *one.robust)]))
            lines.append(("    random noise", ["", *(r.estimate for r in one.noisy)]))
    _print_lines(lines)
    print("intervals: bootstrap over texts, 95 %; of exact match and of changed answers Wilson's")
    for name, note in {
        one.name: one.note for row in rows for one in row.quoted if one.note
    }.items():
        print(f"{name}: {note}")


def _print_lines(lines: Sequence[tuple[str, Sequence[object]]]) -> None:
    """A name and cells a line, all columns as wide as the widest cell."""
    width = max([22, *(len(str(cell)) + 2 for _, cells in lines for cell in cells)])
    for name, cells in lines:
        print((f"{name[:29]:30}" + "".join(f"{cell!s:>{width}}" for cell in cells)).rstrip())


def print_alarms(alarms: Sequence[Alarm]) -> None:
    """What speaks against believing the figures, a line each."""
    for alarm in alarms:
        print(f"alarm: {alarm.model}: {alarm.name}. {alarm.evidence}. {alarm.advice}")


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
