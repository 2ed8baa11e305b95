from __future__ import annotations

import html
import json
import re
from typing import Any

import numpy as np
import pytest
from capsules import TEXT, record_of, saved
from samples import sample_record
from task_cases import KINDS, case
from victims import LABELS, chances, label_of, shared_victim

from advlab.attacks import FGM, PGD
from advlab.capsule.format import load, save
from advlab.capsule.page import page
from advlab.explain.explore import explore
from advlab.pictures import attack as capsule_figures
from advlab.pictures.sentences import number, percent
from advlab.ui.explore.capsule import link


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
