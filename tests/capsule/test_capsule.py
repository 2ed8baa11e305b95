from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import sample_record
from task_cases import KINDS, case
from victims import LABELS, TEXTS, chances, label_of, make_victim, shared_victim

from advlab.attacks import FGM, PGD, RandomNoise
from advlab.capsule.forecast import Forecast, compared
from advlab.capsule.format import (
    COLUMNS,
    MAX_BYTES,
    SECTIONS,
    Capsule,
    load,
    numbers_of,
    readings_of,
    save,
)
from advlab.capsule.page import page
from advlab.capsule.verify import verify, versions_differ
from advlab.capsule.worth import Passport, columns, passports
from advlab.cli.main import main
from advlab.errors import DataError
from advlab.explain.explore import analyse, explore
from advlab.pictures import attack as capsule_figures
from advlab.pictures.page import versions
from advlab.pictures.sentences import headline, number, percent
from advlab.records import AttackRecord, Reading
from advlab.ui.explore.capsule import link

TEXT = TEXTS[1]


@lru_cache
def record_of(kind: str = "bert", seed: int = 4) -> AttackRecord:
    attack = PGD(1.0, steps=3, start="random")
    return explore(shared_victim(kind), TEXT, attack=attack, seed=seed)


@lru_cache
def saved(kind: str = "bert") -> str:
    return save(record_of(kind), shared_victim(kind).tokenizer_hash, made="2026-01-01 00:00:00 UTC")


def changed(**values: Any) -> bytes:
    """The capsule with some of its top-level values replaced."""
    return json.dumps(json.loads(saved()) | values).encode()


def same(found: Reading, made: Reading, name: str) -> None:
    """Every answer, number and part, to the last bit."""
    assert found.answers == made.answers, name
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(found, column), getattr(made, column), err_msg=name)
    assert list(found.parts) == list(made.parts)
    for part, values in made.parts.items():
        np.testing.assert_array_equal(found.parts[part], values, err_msg=f"{name}, {part}")
        assert found.parts[part].dtype == values.dtype


def test_a_capsule_holds_every_number_exactly() -> None:
    found = load(saved().encode())
    for name, values in numbers_of(record_of()).items():
        np.testing.assert_array_equal(found.numbers[name], values, err_msg=name)
        assert found.numbers[name].dtype == values.dtype
    assert set(found.readings) == set(readings_of(record_of()))
    for name, reading in readings_of(record_of()).items():
        same(found.readings[name], reading, name)
    assert found.classes == LABELS
    assert (found.reference, found.label) == (record_of().reference, None)
    assert (found.text, found.seed, found.changed) == (TEXT, 4, ())
    assert found.tokens == record_of().tokens
    assert saved() == save(
        record_of(), shared_victim("bert").tokenizer_hash, made="2026-01-01 00:00:00 UTC"
    )


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "deberta"])
def test_a_capsule_verifies_on_the_model_that_made_it(kind: str) -> None:
    verdict = verify(load(saved(kind).encode()), shared_victim(kind))
    assert verdict.verified, verdict.sentence
    assert "Verified" in verdict.sentence
    assert versions_differ(load(saved(kind).encode())) == {}


def test_a_capsule_made_here_verifies_in_another_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = make_victim("bert")
    victim.save(tmp_path / "model")
    from advlab.model.victim import Victim

    victim = Victim.load(tmp_path / "model")
    record = explore(victim, TEXT, attack=PGD(0.5, steps=3), seed=1)
    (tmp_path / "one.json").write_text(save(record, victim.tokenizer_hash), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "advlab",
        "capsule",
        "verify",
        str(tmp_path / "one.json"),
        "--model",
        str(tmp_path / "model"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verified" in done.stdout
    other = make_victim("bert", seed=9)
    other.save(tmp_path / "other")
    assert main([*command[3:-1], str(tmp_path / "other")]) == 1
    assert "weights" in capsys.readouterr().out


def failed(capsule: Capsule, kind: str = "bert") -> set[str]:
    return {c.what for c in verify(capsule, shared_victim(kind)).checks if not c.ok}


def test_another_model_is_named() -> None:
    verdict = verify(load(saved().encode()), make_victim("bert", seed=9))
    bad = {c.what for c in verdict.checks if not c.ok}
    assert "weights" in bad
    assert "attacked probabilities" in bad
    assert not bad & {"the file", "tokens", "tokenizer", "classes"}


def test_another_tokenizer_is_named() -> None:
    assert "tokenizer" in failed(load(saved("bert").encode()), "gpt2")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"text": "a dull film"}, "the file's text"),
        ({"seed": 5}, "the file's seed"),
        ({"label": "maybe"}, "the file's label"),
        ({"shield": [[0, 3]]}, "the file's shield"),
    ],
)
def test_what_was_changed_by_hand_is_named(values: dict[str, Any], what: str) -> None:
    found = load(changed(**values))
    assert found.changed == (what.removeprefix("the file's "),)
    assert what in failed(found)
    # and the figures do not follow from the changed file, even with the digest set right
    assert failed(replace(found, changed=()))


def test_a_figure_that_was_made_up_is_found() -> None:
    whole = json.loads(saved())
    reading = whole["results"]["readings"]["attacked"]
    parts = reading["parts"]
    parts["no"], parts["yes"] = parts["yes"], parts["no"]
    found = load(json.dumps(whole).encode())
    assert found.changed == ("results",)
    assert failed(replace(found, changed=())) == {"attacked probabilities"}
    # nor can only the answer, or only a number beside the parts, be made up
    for column, values in (
        ("answers", [next(n for n in LABELS if n not in reading["answers"])]),
        ("score", {"shape": [1], "type": "<f8", "data": coded([0.123])}),
        ("sure", {"shape": [1], "type": "<f8", "data": coded([0.999])}),
    ):
        found = load(with_reading("attacked", **{column: values}))
        assert found.changed == ("results",)
        assert failed(replace(found, changed=())) == {"attacked probabilities"}, column


def test_an_unknown_attack_in_a_capsule_is_a_failed_check_not_a_crash() -> None:
    assert "the attack" in failed(load(changed(attack={"name": "os.system", "eps": 1})))


def deep() -> bytes:
    return b'{"advlab-capsule": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def with_number(name: str, **values: Any) -> bytes:
    whole = json.loads(saved())
    whole["results"]["numbers"][name] |= values
    return json.dumps(whole).encode()


def with_reading(name: str, **values: Any) -> bytes:
    whole = json.loads(saved())
    whole["results"]["readings"][name] |= values
    return json.dumps(whole).encode()


def with_part(name: str, part: str, **values: Any) -> bytes:
    parts = json.loads(saved())["results"]["readings"][name]["parts"]
    return with_reading(name, parts=parts | {part: parts.get(part, {}) | values})


def coded(values: list[float]) -> str:
    return base64.b64encode(np.array(values, "<f8").tobytes()).decode()


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not text": b"\xff\xfe\x00\x01",
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94",
    "not JSON": b"import os",
    "cut off": b'{"advlab-capsule": 1, "text": "a',
    "nested too deeply": deep(),
    "a list": b"[1, 2]",
    "another format": b'{"advlab-capsule": 99}',
    "format is true": b'{"advlab-capsule": true}',
    "a huge integer": b'{"advlab-capsule": ' + b"9" * 5000 + b"}",
    "not a number": b'{"advlab-capsule": NaN}',
    "infinite": b'{"advlab-capsule": Infinity}',
    "a name twice": b'{"advlab-capsule": 1, "advlab-capsule": 1}',
    "a page without one": b"<!doctype html><script>alert(1)</script>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_capsule_is_refused_in_words(name: str) -> None:
    with pytest.raises(DataError, match=r"expected .* got "):
        load(HOSTILE[name])


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(DataError, match="16 MiB"):
        load(b" " * (MAX_BYTES + 1))


def test_a_page_of_many_openings_is_refused_at_once() -> None:
    opening = b'<script type="application/json" id="advlab-capsule">'
    began = time.perf_counter()
    with pytest.raises(DataError, match="a page without one"):
        load(opening * 100_000)
    assert time.perf_counter() - began < 2


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(DataError, match="surrogate"):
        load(changed(text="a \ud800 film"))


def test_arrays_that_lie_about_their_size_are_refused_before_they_are_made() -> None:
    T = len(record_of().tokens)
    lies = [
        with_number("delta", shape=[T, 16_384]),  # more than there is
        with_number("delta", shape=[10**9, 10**9]),
        with_number("delta", shape=[-1, -1]),
        with_number("delta", shape=[T, 10**30]),
        with_number("delta", shape=[T, "64"]),
        with_number("delta", shape=[T]),
        with_number("delta", shape=[T, True]),
        with_number("delta", type="O"),
        with_number("delta", type="|O8"),
        with_number("delta", data="AAAA"),
        with_number("delta", data="!!!!"),
        with_number("delta", data=1),
        with_part("clean", "no", type="<f8", data=coded([float("nan")])),
        with_part("clean", "no", type="<f8", data=coded([2.0])),
        with_part("clean", "no", type="<f8", data=coded([-1.0])),
        with_part("clean", "no", type="<f8", data=coded([float("inf")])),
        with_part("steps", "no", shape=[10**9]),
        with_part("steps", "no", shape=[1]),  # not as many as there are steps
        with_part("noise", "no", type="O"),
        with_number("losses", shape=[0], data=""),
        with_number("delta_norm", data=coded([float("inf")] * T)),
    ]
    for lie in lies:
        with pytest.raises(DataError, match=r"expected .* got "):
            load(lie)


@pytest.mark.parametrize(
    "values",
    [
        {"text": 7},
        {"text": "x" * 30_000},
        {"label": "<script>"},
        {"label": 3},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 2**40},
        {"shield": [[5, 2]]},
        {"shield": [[0, 10**6]]},
        {"shield": "all"},
        {"attack": "pgd"},
        {"attack": {"name": "pgd", "steps": [1] * 9}},
        {"attack": {"name": "pgd", "start": "x" * 999}},
        {"tokens": []},
        {"tokens": [1, 2]},
        {"tokens": ["a"] * 5000},
        {"model": None},
        {"model": {"name": "../../etc/passwd"}},
        {"results": {}},
        {"digests": []},
        {"versions": {str(k): "1" for k in range(99)}},
    ],
    ids=lambda v: str(v)[:40],
)
def test_values_out_of_bounds_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"expected .* got "):
        load(changed(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"answers": []},
        {"answers": ["no", "no"]},
        {"answers": [3]},
        {"answers": ["<script>"]},
        {"answers": "no"},
        {"score": {"shape": [1], "type": "<f8", "data": coded([2.0])}},
        {"sure": {"shape": [1], "type": "<f8", "data": coded([-0.1])}},
        {"margin": {"shape": [1], "type": "<f8", "data": coded([float("nan")])}},
        {"hold": {"shape": [1], "type": "<f8", "data": coded([float("nan")])}},
        {"loss": {"shape": [1], "type": "<f8", "data": coded([-float("inf")])}},
        {"broken": {"shape": [1], "type": "<f8", "data": coded([7.0])}},
        {"loss": None},
        {"parts": {}},
        {"parts": []},
        {"parts": {"no": 1}},
        {"parts": {str(k): {} for k in range(2000)}},
    ],
    ids=lambda v: str(v)[:40],
)
@pytest.mark.parametrize("name", ["clean", "attacked"])
def test_readings_out_of_bounds_are_refused(name: str, values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"expected .* got "):
        load(with_reading(name, **values))


def with_figures(**columns: float) -> AttackRecord:
    """The record whose attacked text has these figures."""
    record = record_of()
    given = {name: np.array([value]) for name, value in columns.items()}
    readings = dict(record.readings) | {"attacked": replace(record.attacked, **given)}
    return replace(record, readings=readings)


@pytest.mark.parametrize(
    "columns",
    [{"margin": -np.inf, "hold": -np.inf}, {"margin": np.inf, "loss": np.inf}, {"margin": -3e9}],
    ids=str,
)
def test_what_is_saved_can_be_opened_with_endless_figures_too(columns: dict[str, float]) -> None:
    record = with_figures(**columns)
    source = save(record, "0" * 12)
    found = load(source.encode())
    same(found.readings["attacked"], record.attacked, "attacked")
    assert page(found, source)


@pytest.mark.parametrize("column", [*COLUMNS])
def test_a_figure_that_is_no_number_is_refused_before_it_is_saved(column: str) -> None:
    with pytest.raises(DataError, match=rf"makes no capsule: expected numbers .* '{column}', got"):
        save(with_figures(**{column: np.nan}), "0" * 12)
    for strange in (np.nan, np.inf):
        with pytest.raises(DataError, match=r"makes no capsule: expected .* got "):
            save(replace(record_of(), eps=strange), "0" * 12)


def test_readings_of_other_parts_or_missing_ones_are_refused() -> None:
    part = json.loads(saved())["results"]["readings"]["clean"]["parts"]["no"]
    for name in ("x" * 300, "another"):  # too long, and in one reading alone
        with pytest.raises(DataError, match=r"expected .* got "):
            load(with_part("clean", name, **part))
    whole = json.loads(saved())
    del whole["results"]["readings"]["curve"]
    with pytest.raises(DataError, match="'curve'"):
        load(json.dumps(whole).encode())


@pytest.mark.parametrize("task", [None, "classification", {}, {"name": 1}, {"name": "x", "y": []}])
def test_a_task_that_is_no_settings_is_refused(task: Any) -> None:
    whole = json.loads(saved())
    whole["model"]["task"] = task
    with pytest.raises(DataError, match=r"expected .* got "):
        load(json.dumps(whole).encode())


def test_another_tasks_answers_and_label_are_any_text() -> None:
    record = sample_record()
    record = replace(
        record,
        task={"name": "another task"},
        reference="in <b>1889</b>",
        given=True,
        readings={
            name: replace(r, answers=("in Paris",) * len(r), parts={"start": -2 * r.margin})
            for name, r in record.readings.items()
        },
        curve=replace(
            record.curve, attacked=replace(record.curve.attacked, parts={"start": record.curve.low})
        ),
    )
    source = save(record, "0" * 12)
    found = load(source.encode())
    assert (found.reference, found.classes) == ("in <b>1889</b>", ())
    for name, reading in readings_of(record).items():
        same(found.readings[name], reading, name)
    made = page(found, source).partition("<script")[0]
    assert "in Paris" in made
    assert "<b>1889" not in made
    assert f">{percent(float(record.noise.score.mean()))}<" in made
    assert "task" in failed(found)


def test_the_page_says_what_the_model_said() -> None:
    record = record_of()
    made = page(load(saved().encode()), saved()).partition("<script")[0]
    table = made.partition("What the model says")[2].partition("</table>")[0]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in table.split("<tr>")[2:]]
    rows = [[html.unescape(cell) for cell in row] for row in rows]
    shown = ("clean", "attacked", "noise", "nearest tokens", "as text again")
    assert len(rows) == len(shown)
    for row, name in zip(rows, shown, strict=True):
        probs = chances(record.readings[name]).mean(0)
        assert row[1:] == [LABELS[int(probs.argmax())], *map(percent, map(float, probs))]
    assert [html.unescape(c) for c in re.findall(r"<th[^>]*>([^<]*)</th>", table)][2:] == [*LABELS]


def test_a_path_or_script_in_a_name_stays_a_name() -> None:
    whole = json.loads(saved())
    whole["model"]["name"] = "../../<script>alert(1)</script>"
    whole["text"] = "</script><script>alert(2)</script><img src=x onerror=alert(3)>"
    source = json.dumps(whole)
    found = load(source.encode())
    made = page(found, source)
    body, _, block = made.partition('<script type="application/json"')
    assert "<script" not in body
    assert "<img" not in body
    assert block.count("</script>") == 1
    assert "default-src 'none'" in body


def test_the_page_can_be_opened_again_as_the_same_capsule() -> None:
    for kind in ("bert", "gpt2"):
        source = saved(kind)
        found = load(source.encode())
        again = load(page(found, source).encode())
        assert again.headline == found.headline
        assert again.changed == ()
        np.testing.assert_array_equal(again.numbers["delta"], found.numbers["delta"])


def test_the_page_shows_shielded_words_in_the_sentence_and_names_them() -> None:
    victim = shared_victim("bert")
    record = explore(victim, TEXT, attack=PGD(0.3, steps=2), shield=[(0, 5)])
    source = save(record, victim.tokenizer_hash)
    made = page(load(source.encode()), source)
    assert f'<span class="held">{TEXT[:5]}</span>' in made
    assert f"Shielded from the attack (dashed): ‘{TEXT[:5]}’." in made
    assert "not attacked" in made
    assert "Shielded" not in page(load(saved().encode()), saved())


def test_the_page_counts_epsilon_in_one_unit_and_all_three_in_the_settings() -> None:
    found = load(saved().encode())
    made = page(found, saved()).partition("<script")[0]
    assert "ε, × mean norm" in made
    assert "ε, raw" not in made
    assert f"{number(found.eps)} raw = {number(found.eps / found.mean_norm)} × mean norm" in made


def test_the_page_draws_within_its_frame_and_asks_for_nothing() -> None:
    made = page(load(saved().encode()), saved())
    assert not re.search(r"(?:src|href)=|url\(|@import", made.partition("<script")[0])
    drawn = " ".join(re.findall(r'points="([^"]+)"', made)).split()
    assert len(drawn) > 50
    for x, y in (point.split(",") for point in drawn):
        assert -1 <= float(x) <= 641
        assert -1 <= float(y) <= 241


@pytest.mark.parametrize("attack", [FGM(0.3), RandomNoise(0.5), PGD(0.0), PGD(0.2, p="linf")])
def test_other_attacks_make_capsules_too(attack: Any) -> None:
    victim = shared_victim("bert")
    record = explore(victim, TEXT, attack=attack, label="maybe")
    source = save(record, victim.tokenizer_hash)
    found = load(source.encode())
    assert verify(found, victim).verified
    page(found, source)


@lru_cache
def worth() -> tuple[Passport, ...]:
    victim, record = shared_victim("bert"), record_of()
    methods = ("saliency", "integrated_gradients", "smooth_grad", "leave_one_out")
    maps = [analyse(victim, record, "saliency", method=m) for m in methods]
    return tuple(passports(maps, maps[-1]))


@lru_cache
def full() -> str:
    """A capsule with everything that one may hold."""
    return save(
        record_of(),
        shared_victim("bert").tokenizer_hash,
        "2026-01-01",
        worth(),
        Forecast(True, 0.4),
    )


def test_explanations_travel_with_what_they_are_worth() -> None:
    size, sums, drawn, truth = worth()
    assert size.missing is None  # a norm explains no change
    assert sums.missing is not None
    assert sums.missing < 0.05
    assert "at every word" in sums.baseline
    assert "steps" in sums.settings
    assert (sums.spread, drawn.spread is None) == (None, False)
    assert truth.agreement is None  # with itself
    assert sums.agreement is not None
    assert -1 <= sums.agreement <= 1
    found = load(full().encode())
    assert found.explanations == worth()
    assert found.forecast == Forecast(True, 0.4)
    assert found.changed == ()
    made = page(found, full())
    assert "What the explanations are worth" in made
    for name in columns(worth()):
        assert name in made
    assert "Foretold: it flips at ε = 0.40 × mean norm." in made
    assert load(made.encode()).explanations == worth()


def test_a_capsule_without_them_opens_as_before() -> None:
    found = load(saved().encode())
    assert (found.explanations, found.forecast) == ((), None)
    made = page(found, saved())
    assert "What the explanations are worth" not in made
    assert "foretold" not in made


@pytest.mark.parametrize("section", ["explanations", "forecast"])
def test_a_forecast_or_passport_that_was_changed_put_in_or_taken_out_is_named(section: str) -> None:
    whole = json.loads(full())
    other = {"explanations": [], "forecast": {"flips": False, "eps": None}}[section]
    assert load(json.dumps(whole | {section: other}).encode()).changed == (section,)
    gone = {k: v for k, v in whole.items() if k != section}
    assert load(json.dumps(gone).encode()).changed == (section,)
    assert load(changed(**{section: whole[section]})).changed == (section,)


@pytest.mark.parametrize(
    "values",
    [
        {"forecast": []},
        {"forecast": {"flips": "yes", "eps": None}},
        {"forecast": {"flips": True}},
        {"forecast": {"flips": True, "eps": -1}},
        {"forecast": {"flips": True, "eps": "0.1"}},
        {"explanations": {}},
        {"explanations": [{}] * 99},
        {"explanations": [{"method": 1}]},
        {"explanations": [{"method": "x" * 9999}]},
    ],
    ids=str,
)
def test_forecasts_and_passports_out_of_bounds_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"expected .* got "):
        load(changed(**values))


@pytest.mark.parametrize(
    ("forecast", "flip", "verdict"),
    [
        (
            Forecast(True, 0.2),
            0.1,
            "Right that it flips, and off by 0.10 × mean norm (100 % of it)",
        ),
        (Forecast(True), 0.1, "The forecast was right"),
        (Forecast(True, 0.2), 0.4, "flips only at 0.40. The forecast was wrong"),
        (Forecast(False), 0.4, "The forecast was right"),
        (
            Forecast(False),
            None,
            "holds up to the attack's ε = 0.25 × mean norm. The forecast was right",
        ),
        (Forecast(False), 0.1, "The forecast was wrong"),
    ],
)
def test_a_forecast_is_compared_with_what_came_out(
    forecast: Forecast, flip: float | None, verdict: str
) -> None:
    assert verdict in compared(forecast, flip, 0.25)


def test_the_page_plots_the_class_that_was_attacked() -> None:
    victim = shared_victim("bert")
    clean = explore(victim, TEXT, attack=FGM(0.3))
    other = next(n for n in clean.clean.parts if n != clean.reference)
    record = explore(victim, TEXT, label=other, attack=FGM(0.3))
    source = save(record, victim.tokenizer_hash)
    found = load(source.encode())
    assert found.reference == record.reference == other
    probs = chances(record.curve.attacked)[:, label_of(record)]
    made = page(found, source)
    assert f"P({other}) against" in made
    curve = [
        float(p.split(",")[1]) for p in re.findall(r'<polyline points="([^"]+)"', made)[0].split()
    ]
    np.testing.assert_allclose(curve, 10 + (240 - 44 - 10) * (1 - probs), atol=0.06)
    n, c = found.numbers, record.curve
    drawn: list[Any] = [
        capsule_figures.curve(
            n["curve_eps"],
            found.readings["curve"].score,
            n["curve_low"],
            n["curve_high"],
            own=found.eps,
            norm=found.mean_norm,
            reference=found.reference,
        ),
        capsule_figures.curve(
            c.eps,
            c.attacked.score,
            c.low,
            c.high,
            own=record.eps,
            norm=record.scale.mean_norm,
            reference=record.reference,
        ),
    ]
    for figure in drawn:
        np.testing.assert_allclose(figure.data[1].y, probs)
        np.testing.assert_allclose(figure.data[1].x, c.eps / record.scale.mean_norm)
        np.testing.assert_array_equal(figure.data[0].y, [*c.high, *c.low[::-1]])
        assert figure.layout.shapes[0].x0 == pytest.approx(record.eps / record.scale.mean_norm)
        assert f"P({other})" in figure.layout.yaxis.title.text
    assert drawn[0].to_json() == drawn[1].to_json()


def test_the_bars_are_the_words_that_may_be_attacked() -> None:
    record = sample_record()
    sizes = record.delta_norm / record.scale.mean_norm
    figure: Any = capsule_figures.bars(record.tokens, sizes, record.perturbable)
    np.testing.assert_allclose(figure.data[0].y, sizes[record.perturbable])
    many = capsule_figures.bars(("a",) * 200, np.arange(200.0), np.ones(200))
    data: Any = many.data[0]
    assert list(data.y) == list(range(140, 200))


def packed(values: np.ndarray) -> dict[str, Any]:
    kind = "<f4" if values.dtype == np.float32 else "<f8"
    raw = np.ascontiguousarray(values, dtype=kind).tobytes()
    return {"shape": list(values.shape), "type": kind, "data": base64.b64encode(raw).decode()}


def band(record: AttackRecord, values: np.ndarray) -> np.ndarray:
    """(N,) of the reference -> (N,C); the first format had all classes, of which one is looked at."""
    found = np.full((len(values), len(record.clean.parts)), 0.5, values.dtype)
    found[:, label_of(record)] = values
    return found


def first_format(record: AttackRecord, tokenizer_hash: str) -> str:
    """A record as the first format had it: a probability of each class."""
    curve = record.curve
    numbers = {
        "clean": chances(record.clean)[0],
        "adversarial": chances(record.attacked)[0],
        "noise": chances(record.noise),
        "projected": chances(record.projected)[0],
        "round_trip": chances(record.round_trip)[0],
        "losses": record.losses,
        "step_probs": chances(record.steps),
        "step_norms": record.step_norms,
        "delta": record.delta,
        "delta_norm": record.delta_norm,
        "exit_radius": record.exit_radius,
        "certificate": record.certificate,
        "perturbable": record.perturbable.astype(float),
        "curve_eps": curve.eps,
        "curve_adversarial": chances(curve.attacked),
        "curve_low": band(record, curve.low),
        "curve_high": band(record, curve.high),
    }
    body: dict[str, Any] = {
        "text": record.text,
        "label": record.reference if record.given else None,
        "shield": [list(span) for span in record.shield],
        "attack": dict(record.attack),
        "seed": record.seed,
        "model": {
            "name": record.model,
            "weights": record.model_hash,
            "tokenizer": tokenizer_hash,
            "classes": list(record.clean.parts),
            "mean_norm": record.scale.mean_norm,
            "half_nn": record.scale.half_nn,
        },
        "tokens": list(record.tokens),
        "results": {
            "headline": headline(record),
            "eps": record.eps,
            "nearest": [row[0] for row in record.neighbours.tokens],
            "round_trip_text": record.round_trip_text,
            "best_step": record.best_step,
            "flip_eps": curve.flip_eps,
            "numbers": {name: packed(values) for name, values in numbers.items()},
        },
    }
    body = json.loads(json.dumps(body, allow_nan=False))
    whole = {
        "advlab-capsule": 1,
        "made": "2025-01-01 00:00:00 UTC",
        "versions": versions(),
        **body,
        "digests": {name: digest(body[name]) for name in SECTIONS},
    }
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)


def digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def attacked_as(kind: str, label: str | None, eps: float, text: str = TEXT) -> AttackRecord:
    attack = PGD(eps, steps=3)
    return explore(shared_victim(kind), text, attack=attack, label=label, seed=2, shield=((0, 1),))


@lru_cache
def old() -> str:
    return first_format(record_of(), shared_victim("bert").tokenizer_hash)


@pytest.mark.parametrize("label", [None, *LABELS])
@pytest.mark.parametrize(("kind", "eps"), [("bert", 1.0), ("bert", 0.001), ("gpt2", 0.5)])
def test_a_file_of_the_first_format_opens_and_verifies(
    kind: str, eps: float, label: str | None
) -> None:
    victim, record = shared_victim(kind), attacked_as(kind, label, eps)
    source = first_format(record, victim.tokenizer_hash)
    found, new = load(source.encode()), load(save(record, victim.tokenizer_hash).encode())
    assert (found.label, found.reference, found.changed) == (label, record.reference, ())
    assert found.flips_at == new.flips_at
    assert found.classes == new.classes == LABELS
    assert found.headline == headline(record)
    for name, values in numbers_of(record).items():
        np.testing.assert_array_equal(found.numbers[name], values, err_msg=name)
    assert set(found.numbers) == set(new.numbers)
    assert set(found.readings) == set(readings_of(record))
    for name, reading in readings_of(record).items():
        opened = found.readings[name]
        assert opened.answers == reading.answers
        np.testing.assert_array_equal(opened.broken, reading.broken)
        np.testing.assert_array_equal(chances(opened), chances(reading))
        for column in ("score", "sure"):
            np.testing.assert_array_equal(getattr(opened, column), getattr(reading, column))
        for column in ("margin", "loss", "hold"):  # by way of probabilities
            np.testing.assert_allclose(
                getattr(opened, column), getattr(reading, column), rtol=1e-4, atol=1e-5
            )
    verdict = verify(found, victim)
    assert verdict.verified, verdict.sentence
    assert len(verdict.checks) == len(verify(new, victim).checks)
    body = page(found, source)
    assert load(body.encode()).changed == ()
    assert (
        body.partition("<script")[0].replace(found.made, new.made)
        == page(new, source).partition("<script")[0]
    )


def test_the_file_of_the_first_format_names_another_model_and_what_was_changed() -> None:
    bad = {
        c.what for c in verify(load(old().encode()), make_victim("bert", seed=9)).checks if not c.ok
    }
    assert {"weights", "attacked probabilities"} <= bad
    assert not bad & {"the file", "tokens", "tokenizer", "classes"}
    for values, what in ((({"text": "a dull film"}), "text"), ({"label": "maybe"}, "label")):
        found = load(json.dumps(json.loads(old()) | values).encode())
        assert found.changed == (what,)
        assert failed(replace(found, changed=()))
    for name, what in (
        ("adversarial", "attacked probabilities"),
        ("projected", "probabilities of the nearest tokens"),
        ("curve_adversarial", "probabilities against ε"),
        ("losses", "loss per step"),
    ):
        whole = json.loads(old())
        part = whole["results"]["numbers"][name]
        values = np.frombuffer(base64.b64decode(part["data"]), part["type"])[::-1]
        part["data"] = base64.b64encode(values.tobytes()).decode()
        found = load(json.dumps(whole).encode())
        assert found.changed == ("results",)
        assert what in failed(replace(found, changed=())), name


def test_hostile_files_of_the_first_format_are_refused() -> None:
    T = len(record_of().tokens)

    def number(name: str, **values: Any) -> dict[str, Any]:
        whole = json.loads(old())
        whole["results"]["numbers"][name] |= values
        return whole

    def model(**values: Any) -> dict[str, Any]:
        whole = json.loads(old())
        whole["model"] |= values
        return whole

    def without(section: str, *path: str) -> dict[str, Any]:
        whole = json.loads(old())
        place = whole
        for step in path:
            place = place[step]
        del place[section]
        return whole

    lies = [
        number("delta", shape=[T, 16_384]),
        number("delta", shape=[10**9, 10**9]),
        number("step_probs", shape=[10**9, 3]),
        number("step_probs", type="|O8"),
        number("clean", shape=[2], data=coded([0.5, 0.5])),  # of three classes
        number("clean", data=coded([float("nan"), 0.5, 0.5])),
        number("clean", data=coded([2.0, -1.0, 0.0])),
        number("noise", data="!!!!"),
        number("losses", shape=[0], data=""),
        number("delta_norm", data=coded([float("inf")] * T)),
        number("curve_eps", shape=[0], data=""),
        model(classes=[]),
        model(classes="no"),
        model(classes=["no", "yes"]),
        model(classes=["no", "yes", 3]),
        model(classes=["no", "yes", "x" * 300]),
        model(classes=["no", "no", "yes"]),
        model(classes=["a"] * 5000),
        model(classes=None),
        without("classes", "model"),
        without("clean", "results", "numbers"),
        without("curve_low", "results", "numbers"),
        without("numbers", "results"),
        without("results"),
        json.loads(old()) | {"label": "<script>"},
        json.loads(old()) | {"label": 3},
        json.loads(old()) | {"label": "x" * 30_000},
        json.loads(old()) | {"shield": [[5, 2]]},
        json.loads(old()) | {"advlab-capsule": 2},  # it has no readings
        json.loads(saved()) | {"advlab-capsule": 1},  # and these no classes
        json.loads(old()) | {"advlab-capsule": 3},
    ]
    for lie in lies:
        with pytest.raises(DataError, match=r"expected .* got "):
            load(json.dumps(lie).encode())


def test_probabilities_of_nothing_in_the_first_format_open_without_a_number_that_is_none() -> None:
    whole = json.loads(old())
    for name in ("clean", "adversarial", "step_probs"):
        part = whole["results"]["numbers"][name]
        part["data"] = base64.b64encode(bytes(len(base64.b64decode(part["data"])))).decode()
    source = json.dumps(whole)
    found = load(source.encode())
    for reading in found.readings.values():
        for column in COLUMNS:
            assert not np.isnan(getattr(reading, column)).any()
    assert "nan" not in page(found, source).partition("<script")[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_capsule_says_what_its_figures_are_of_and_what_was_read_beside(kind: str) -> None:
    victim, examples = case(kind)
    one = examples[2]
    record = explore(victim, one.text, beside=one.beside, attack=FGM(1.0), draws=2, points=3)
    source = save(record, victim.tokenizer_hash)
    found = load(source.encode())
    per = "" if kind == "qa" else "per token "
    assert found.chance.startswith(f"Probability {per}of ")
    made = page(found, source)
    assert html.escape(found.chance, quote=False) in html.unescape(made)
    assert "score of" not in made
    assert (one.beside in html.unescape(made)) or not one.beside
    assert link(found, "local:x").get("beside", "") == one.beside
