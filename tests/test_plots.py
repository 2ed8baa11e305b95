from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest
from samples import renamed, robust_record, sample_record

from advlab import heatmaps, planes, plots, scrubber
from advlab.records import AttackRecord, Layers
from advlab.story import number

SCRIPT, IMAGE = "<script>alert(1)</script>", "<img src=x onerror=alert(1)>"
HOSTILE = ("[CLS]", SCRIPT, IMAGE, "שלום", "🎬", "a&b", "%{x}", "[SEP]")


def every_figure(record: AttackRecord) -> dict[str, go.Figure]:
    other = robust_record(tokens=record.tokens, classes=record.label_names)
    return {
        "predictions": plots.predictions(record),
        "scrubber": scrubber.scrubber([record, other]),
        "scrubber of one": scrubber.scrubber([record]),
        "norms": plots.token_norms(record),
        "saliency": attributions(record),
        "saliency change": attributions(record, shown="difference", rows="tokens"),
        "layers": heatmaps.layers(sample_layers(record), record.words),
        "losses": plots.losses([record, other]),
        "plane": planes.plane_figure(record, record.planes[0]),
        "lens": planes.plane_figure(record, record.planes[0], lens=True),
    }


def test_no_figure_carries_markup_of_tokens_or_classes():
    record = sample_record(tokens=HOSTILE, classes=("<b>bad</b>", "<script>good</script>"))
    for name, figure in every_figure(renamed(record, model="<script>m")).items():
        text = json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
        assert "<script" not in text, name
        assert "<img" not in text, name
        assert "<b>bad" not in text, name


def test_all_figures_are_transparent_and_leave_fonts_to_the_theme():
    for name, figure in every_figure(sample_record()).items():
        assert figure.layout.paper_bgcolor == plots.CLEAR, name
        assert figure.layout.plot_bgcolor == plots.CLEAR, name
        assert figure.layout.font.color is None, name


def test_the_scrubber_moves_without_the_server():
    figure = scrubber.scrubber([sample_record(), robust_record()])
    (slider,) = figure.layout.sliders
    assert len(slider.steps) == len(figure.frames) == 25
    for step, frame in zip(slider.steps, figure.frames, strict=True):
        assert step.method == "animate"
        assert list(step.args[0]) == [frame.name]
        assert step.args[1]["frame"]["redraw"] is False
        assert len(frame.data) == len(frame.traces)


def test_cursor_and_bars_of_a_frame_belong_to_its_epsilon():
    record = sample_record()
    figure = scrubber.scrubber([record])
    for frame, eps, row in zip(
        figure.frames, record.curve.eps, record.curve.delta_norm, strict=True
    ):
        cursor, points, bars = frame.data
        assert cursor.x[0] == pytest.approx(eps / record.scale.mean_norm)
        assert np.asarray(bars.y) == pytest.approx(row / record.scale.mean_norm)
        k = int(np.abs(record.curve.eps - eps).argmin())
        assert points.y[0] == pytest.approx(record.curve.adversarial[k, record.label])


def test_the_slider_starts_at_the_attacks_own_epsilon():
    record = renamed(sample_record(), eps=0.25)
    figure = scrubber.scrubber([record])
    active = figure.layout.sliders[0].active
    assert record.curve.eps[active] == pytest.approx(0.25)
    assert "0.25 raw" in figure.layout.sliders[0].steps[active].label


def test_models_with_other_scales_share_the_axis_in_units_of_the_mean_norm():
    record = sample_record()
    big = renamed(
        record,
        scale=renamed(record.scale, mean_norm=2.0),
        curve=renamed(record.curve, eps=2 * record.curve.eps),
    )
    figure = scrubber.scrubber([record, big])
    ends = {t.name: np.asarray(t.x)[-1] for t in figure.data if t.name and "attacked" in t.name}
    assert ends["A attacked"] == pytest.approx(ends["B attacked"])


def attributions(record: AttackRecord, rows: str = "words", shown: str = "both") -> go.Figure:
    maps = list(record.saliency.values())
    names = record.words if rows == "words" else record.tokens
    scale = heatmaps.limits([maps], rows, shown)
    return heatmaps.attributions(maps, names, scale, rows=rows, shown=shown)


def sample_layers(record: AttackRecord) -> Layers:
    values = np.random.default_rng(0).random((3, len(record.words) + 1))
    shares = values[1:] / values[1:].sum(1, keepdims=True)
    return Layers("logit", values, 2 * values, shares, shares, (0,))


def test_signed_colours_are_symmetric_around_zero_and_shared_between_models():
    sets = [list(r.saliency.values()) for r in (sample_record(), robust_record())]
    for shown in ("both", "difference"):
        scale = heatmaps.limits(sets, "words", shown)
        for maps in sets:
            figure = heatmaps.attributions(maps, sample_record().words, scale, shown=shown)
            for heat, s, limit in zip(figure.data, maps, scale, strict=True):
                two_sided = s.signed or shown == "difference"
                assert heat.zmax == pytest.approx(limit)
                assert heat.zmin == pytest.approx(-limit if two_sided else 0.0)
                assert np.abs(np.asarray(heat.z)).max() <= limit + 1e-9


def test_the_change_of_an_attribution_is_perturbed_minus_clean():
    for s in sample_record().saliency.values():
        both = heatmaps.cells(s)
        np.testing.assert_allclose(
            heatmaps.cells(s, shown="difference")[:, 0], both[:, 1] - both[:, 0]
        )
        assert len(heatmaps.cells(s, "tokens")) == len(sample_record().tokens)


def test_gradients_through_layers_are_shares_of_their_layer():
    record = sample_record()
    figure = heatmaps.layers(sample_layers(record), record.words)
    for heat in figure.data:
        np.testing.assert_allclose(np.asarray(heat.z).sum(0), 1.0)


def test_the_plane_has_equal_axes_and_the_exact_arrow():
    record = sample_record()
    plane = record.planes[0]
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
    still = renamed(record.planes[0], delta=0.0)
    figure = planes.plane_figure(record, still, lens=True)
    assert np.isfinite(figure.layout.xaxis.range).all()


def test_many_tokens_and_many_classes_still_draw():
    record = sample_record(
        tokens=("[CLS]", *(f"word{k}" for k in range(90)), "[SEP]"),
        classes=tuple(f"class {k}" for k in range(9)), width=24,
    )  # fmt: skip
    figures = every_figure(record)
    assert len(figures["scrubber"].layout.xaxis2.tickvals) <= 46
    assert figures["norms"].layout.height > 1000


def test_numbers_at_the_cursor_never_share_a_place():
    for at in (0.0, 0.5, 1.0):
        first, second = scrubber._beside([0.08, 0.01], at)
        assert first != second
    assert all(place.endswith("right") for place in scrubber._beside([0.9, 0.8], 0.0))


def test_the_readout_names_models_only_where_their_units_differ():
    record = sample_record()
    big = renamed(record, scale=renamed(record.scale, mean_norm=2.0))
    same = scrubber.scrubber([record, record]).layout.sliders[0].steps[3].label
    differ = scrubber.scrubber([record, big]).layout.sliders[0].steps[3].label
    assert "A: " not in same
    assert "A: " in differ
    assert "B: " in differ
