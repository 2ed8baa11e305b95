from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest
from samples import Sample, renamed, sample, sample_maps, sample_planes, sample_record

from advlab.pictures import answers, base, dimensions
from advlab.pictures import attributions as heatmaps
from advlab.pictures import plane as planes
from advlab.pictures.sentences import number
from advlab.records import AttackRecord, Layers

SCRIPT, IMAGE = "<script>alert(1)</script>", "<img src=x onerror=alert(1)>"
HOSTILE = ("[CLS]", SCRIPT, IMAGE, "שלום", "🎬", "a&b", "%{x}", "[SEP]")


def every_figure(found: Sample) -> dict[str, go.Figure]:
    record = found.record
    asked = renamed(record, task={"name": "another task"})  # drawn as any task can be
    return {
        "predictions": answers.predictions(record),
        "scores": answers.predictions(asked),
        "saliency": attributions(found),
        "saliency change": attributions(found, shown="difference", rows="tokens"),
        "layers": heatmaps.layers(sample_layers(record), record.words, "special tokens"),
        "delta": dimensions.delta(record),
        "plane": planes.plane_figure(record, found.planes[0]),
        "lens": planes.plane_figure(record, found.planes[0], lens=True),
    }


def test_no_figure_carries_markup_of_tokens_or_classes():
    names = ("<b>bad</b>", "<script>good</script>")
    found = sample(tokens=HOSTILE, classes=names, model="<script>m")
    for name, figure in every_figure(found).items():
        text = json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
        assert "<script" not in text, name
        assert "<img" not in text, name
        assert "<b>bad" not in text, name


def test_all_figures_are_transparent_and_leave_fonts_to_the_theme():
    for name, figure in every_figure(sample()).items():
        assert figure.layout.paper_bgcolor == base.CLEAR, name
        assert figure.layout.plot_bgcolor == base.CLEAR, name
        assert figure.layout.font.color is None, name


def attributions(found: Sample, rows: str = "words", shown: str = "both") -> go.Figure:
    maps = list(found.saliency.values())
    names = found.record.words if rows == "words" else found.record.tokens
    scale = heatmaps.limits([maps], rows, shown)
    return heatmaps.attributions(maps, names, scale, rows=rows, shown=shown)


def sample_layers(record: AttackRecord) -> Layers:
    values = np.random.default_rng(0).random((3, len(record.words) + 1))
    shares = values[1:] / values[1:].sum(1, keepdims=True)
    return Layers("logit", values, 2 * values, shares, shares, (0,))


def test_signed_colours_are_symmetric_around_zero_and_shared_between_models():
    sets = [list(sample_maps().values()), list(sample_maps(model="freelb", seed=22).values())]
    for shown in ("both", "difference"):
        scale = heatmaps.limits(sets, "words", shown)
        for maps in sets:
            figure = heatmaps.attributions(maps, sample_record().words, scale, shown=shown)
            assert len(figure.data) == len(maps)
            for heat, s, limit in zip(figure.data, maps, scale, strict=True):
                two_sided = s.signed or shown == "difference"
                assert heat.zmax == pytest.approx(limit)
                assert heat.zmin == pytest.approx(-limit if two_sided else 0.0)
                assert np.abs(np.asarray(heat.z)).max() <= limit + 1e-9


def test_the_change_of_an_attribution_is_perturbed_minus_clean():
    for s in sample_maps().values():
        both = heatmaps.cells(s)
        np.testing.assert_allclose(
            heatmaps.cells(s, shown="difference")[:, 0], both[:, 1] - both[:, 0]
        )
        assert len(heatmaps.cells(s, "tokens")) == len(sample_record().tokens)


def test_gradients_through_layers_are_shares_of_their_layer():
    record = sample_record()
    figure = heatmaps.layers(sample_layers(record), record.words, "special tokens")
    for heat in figure.data:
        np.testing.assert_allclose(np.asarray(heat.z).sum(0), 1.0)


def test_the_plane_has_equal_axes_and_the_exact_arrow():
    record = sample_record()
    plane = sample_planes()[0]
    for lens in (False, True):
        figure = planes.plane_figure(record, plane, lens=lens)
        x, y = figure.layout.xaxis.range, figure.layout.yaxis.range
        assert figure.layout.yaxis.scaleanchor == "x"
        assert x[1] - x[0] == pytest.approx(y[1] - y[0])
        (arrow,) = figure.select_traces({"mode": "lines+markers"})
        assert list(arrow.x) == pytest.approx([0, record.delta_norm[plane.token]])
    shown = number(planes.magnification(plane))
    assert f"magnified {shown} ×" in planes.plane_figure(record, plane, lens=True).layout.title.text


def test_a_token_that_did_not_move_draws_without_a_division_by_zero():
    record = sample_record()
    still = renamed(sample_planes()[0], delta=0.0)
    figure = planes.plane_figure(record, still, lens=True)
    assert np.isfinite(figure.layout.xaxis.range).all()


def test_many_tokens_and_many_classes_still_draw():
    found = sample(
        tokens=("[CLS]", *(f"word{k}" for k in range(90)), "[SEP]"),
        classes=tuple(f"class {k}" for k in range(9)),
        width=24,
    )
    assert every_figure(found)["delta"].layout.height > 1000


def test_the_heat_map_of_delta_keeps_its_largest_dimensions_and_owns_up_to_the_rest():
    record = sample_record(width=48)
    shown = dimensions.delta_order(record)
    sizes = np.linalg.norm(record.delta, axis=0)
    assert sizes[shown].min() >= np.delete(sizes, shown).max()
    total = (record.delta[:, shown] ** 2).sum(1) + dimensions.residual(
        record
    ) * record.delta_norm**2
    moved = record.delta_norm > 0
    np.testing.assert_allclose(total[moved], record.delta_norm[moved] ** 2)
    still = renamed(record, delta=np.zeros_like(record.delta))
    assert dimensions.delta_sentence(still) == "δ is zero."
    dimensions.delta(still)


def test_lens_and_true_scale_share_the_range_of_all_models_and_say_how_much_it_magnifies():
    record = sample_record()
    plane = sample_planes()[0]
    wide, near = 2 * planes.width_of(plane), 4 * planes.width_of(plane, lens=True)
    for lens, width in ((True, near), (False, wide)):
        figure = planes.plane_figure(record, plane, lens=lens, width=width, whole=wide)
        x = figure.layout.xaxis.range
        assert x[1] - x[0] == pytest.approx(width)
        assert len(figure.layout.shapes) == (0 if lens else 1)
    shown = number(wide / near)
    assert planes.magnification(plane, wide, near) == pytest.approx(wide / near)
    text = planes.plane_figure(record, plane, lens=True, width=near, whole=wide).layout.title.text
    assert f"magnified {shown} ×" in text


def test_the_table_of_the_plane_gives_true_distances_nearest_first():
    columns = planes.plane_columns(sample_planes()[0])
    assert columns["distance, raw"] == sorted(columns["distance, raw"])
    for far, x, y, off in zip(
        *(columns[f"{k}, raw"] for k in ("distance", "along δ", "across", "out of the plane")),
        strict=True,
    ):
        assert far**2 == pytest.approx(x**2 + y**2 + off**2)


def test_clean_perturbed_and_their_difference_stand_together_in_one_range():
    record = sample_record()
    maps = list(sample_maps().values())
    scale = heatmaps.limits([maps], "words", "all")
    figure = heatmaps.attributions(maps, record.words, scale, shown="all")
    last = [heat for heat in figure.data if 2 in heat.x]
    assert len(last) == len(maps)
    for s, heat, limit in zip(maps, last, scale, strict=True):
        z = np.asarray(heat.z)[:, -1]
        np.testing.assert_allclose(z, s.perturbed.words - s.clean.words)
        assert (heat.zmin, heat.zmax) == (-limit, limit)  # a difference has a sign
        np.testing.assert_allclose(heatmaps.cells(s, shown="all")[:, 2], z)
    unsigned = [heat for heat in figure.data if heat.zmin == 0.0]
    assert len(unsigned) == sum(not s.signed for s in maps)
