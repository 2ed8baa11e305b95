from __future__ import annotations

import base64
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
from victims import TEXTS, make_victim, shared_victim

from advlab.attacks import FGM, PGD, RandomNoise
from advlab.capsule.forecast import Forecast, compared
from advlab.capsule.format import MAX_BYTES, Capsule, load, numbers_of, save
from advlab.capsule.page import page
from advlab.capsule.verify import verify, versions_differ
from advlab.capsule.worth import Passport, columns, passports
from advlab.cli.main import main
from advlab.errors import DataError
from advlab.explain.explore import analyse, explore
from advlab.pictures import attack as capsule_figures
from advlab.records import AttackRecord

TEXT = TEXTS[1]


@lru_cache
def record_of(kind: str = "bert", seed: int = 4) -> AttackRecord:
    attack = PGD(1.0, steps=3, start="random")
    return explore(shared_victim(kind), TEXT, attack=attack, seed=seed, planes=0, saliency=())


@lru_cache
def saved(kind: str = "bert") -> str:
    return save(record_of(kind), shared_victim(kind).tokenizer_hash, made="2026-01-01 00:00:00 UTC")


def changed(**values: Any) -> bytes:
    """The capsule with some of its top-level values replaced."""
    return json.dumps(json.loads(saved()) | values).encode()


def test_a_capsule_holds_every_number_exactly() -> None:
    found = load(saved().encode())
    for name, values in numbers_of(record_of()).items():
        np.testing.assert_array_equal(found.numbers[name], values, err_msg=name)
        assert found.numbers[name].dtype == values.dtype
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
    record = explore(victim, TEXT, attack=PGD(0.5, steps=3), seed=1, planes=0, saliency=())
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
    part = whole["results"]["numbers"]["adversarial"]
    values = np.frombuffer(base64.b64decode(part["data"]), part["type"])[::-1]
    part["data"] = base64.b64encode(values.tobytes()).decode()
    found = load(json.dumps(whole).encode())
    assert found.changed == ("results",)
    assert failed(replace(found, changed=())) == {"attacked probabilities"}


def test_an_unknown_attack_in_a_capsule_is_a_failed_check_not_a_crash() -> None:
    assert "the attack" in failed(load(changed(attack={"name": "os.system", "eps": 1})))


def deep() -> bytes:
    return b'{"advlab-capsule": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def with_number(name: str, **values: Any) -> bytes:
    whole = json.loads(saved())
    whole["results"]["numbers"][name] |= values
    return json.dumps(whole).encode()


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
        with_number("clean", data=coded([float("nan"), 0.5, 0.5])),
        with_number("clean", data=coded([2.0, -1.0, 0.0])),
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
    record = explore(victim, TEXT, attack=attack, label="maybe", planes=0, saliency=())
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
    clean = explore(victim, TEXT, attack=FGM(0.3), planes=0, saliency=())
    other = next(n for n in clean.label_names if n != clean.label_names[clean.label])
    record = explore(victim, TEXT, label=other, attack=FGM(0.3), planes=0, saliency=())
    source = save(record, victim.tokenizer_hash)
    found = load(source.encode())
    assert found.attacked == record.label
    assert f"P({other}) against" in page(found, source)
    figure: Any = capsule_figures.curve(found)
    np.testing.assert_allclose(figure.data[1].y, record.curve.adversarial[:, record.label])
    again: Any = capsule_figures.curve(record)
    np.testing.assert_array_equal(again.data[1].y, figure.data[1].y)


def test_the_bars_are_the_words_that_may_be_attacked() -> None:
    record = sample_record()
    sizes = record.delta_norm / record.scale.mean_norm
    figure: Any = capsule_figures.bars(record.tokens, sizes, record.perturbable)
    np.testing.assert_allclose(figure.data[0].y, sizes[record.perturbable])
    many = capsule_figures.bars(("a",) * 200, np.arange(200.0), np.ones(200))
    data: Any = many.data[0]
    assert list(data.y) == list(range(140, 200))
