"""Which settings should I choose? A small sweep over method, ε and steps, ranked, with advice.

A sweep is a group of runs in the queue, so it is watched, paused, cancelled and gone on with like any
run; asked for again, it queues only what is missing. Ranked by validation accuracy: the test texts
judge the setting that is chosen, they do not choose it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import hypot
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.errors import AdvlabError, SettingError, unknown
from advlab.language import _, listing
from advlab.pictures.base import finish
from advlab.pictures.style import SIDES, label
from advlab.pictures.tables import Columns
from advlab.records import Estimate
from advlab.records.estimates import Z, over_seeds, wilson
from advlab.runs import jobs
from advlab.runs.config import RunConfig
from advlab.runs.jobs import RunInfo
from advlab.runs.standing import standing
from advlab.settings import plain, settings_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

PREFIX = "sweep-"  # of the groups in the queue
MOST = 60  # runs
USUAL = 0.5  # the default ε of most methods: those with another default keep its proportion


@dataclass(frozen=True)
class Sweep:
    """What is tried. Plain training is always among it, once a seed, as the baseline."""

    methods: tuple[str, ...]
    eps: tuple[float, ...]
    steps: tuple[int, ...]  # K; for methods that have it
    seeds: tuple[int, ...]
    base: RunConfig  # data, model and training of all runs

    @property
    def group(self) -> str:
        """The name in the queue: the same for the same data, model and training."""
        about = {k: v for k, v in plain(self.base).items() if k not in ("name", "method")}
        about["train"] = {k: v for k, v in about["train"].items() if k != "seed"}
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        return PREFIX + digest[:8]

    def configs(self) -> list[RunConfig]:
        """One run each, plain first. SettingError for nothing to try, or too much of it."""
        from advlab.training.methods import METHODS, build_method, method_settings

        if not self.methods or not self.eps or not self.steps or not self.seeds:
            raise SettingError(
                _("expected a method, an ε, a K and a seed at least; add what is missing")
            )
        made: dict[str, RunConfig] = {}
        stem = Path(self.base.data.source).stem
        for seed in self.seeds:
            train = replace(self.base.train, seed=seed)
            for name in dict.fromkeys(("plain", *self.methods)):
                if name not in METHODS:
                    raise SettingError(unknown(_("training method"), name, METHODS))
                usual = {s.name: s.default for s in settings_of(METHODS[name])}
                radii = (
                    [eps * usual["eps"] / USUAL for eps in self.eps] if "eps" in usual else [None]
                )
                for eps in radii:
                    for K in self.steps if "steps" in usual else [None]:
                        values = {"name": name, "eps": eps and round(eps, 10), "steps": K}
                        method = method_settings(
                            build_method({k: v for k, v in values.items() if v is not None})
                        )
                        title = _(
                            "{stem}: {title_of}, seed {seed}",
                            stem=stem,
                            title_of=title_of(method),
                            seed=seed,
                        )
                        config = replace(self.base, name=title, method=method, train=train)
                        made.setdefault(config.fingerprint, config)
        if len(made) > MOST:
            raise SettingError(
                _(
                    "expected at most {most} runs, got {n_made}; try fewer methods, ε, K or seeds",
                    most=MOST,
                    n_made=len(made),
                )
            )
        return list(made.values())


def title_of(method: dict[str, Any]) -> str:
    """‘pgd, ε 0.5, K 3’."""
    parts = [str(method["name"])]
    if "eps" in method:
        parts.append(f"ε {method['eps']:g}")
    if "steps" in method:
        parts.append(f"K {method['steps']}")
    return listing(parts)


def members(sweep: Sweep) -> list[RunInfo]:
    """The runs of this very sweep; its group may hold those of others on the same data and model."""
    wanted = {jobs.absolute_paths(config).fingerprint for config in sweep.configs()}
    runs = jobs.runs(group=sweep.group)
    return [info for info in reversed(runs) if _fingerprint(info) in wanted]


def _fingerprint(info: RunInfo) -> str | None:
    try:
        return info.config.fingerprint
    except AdvlabError:  # settings of another version, or a damaged entry
        return None


def unfinished(sweep: Sweep) -> list[tuple[RunConfig, RunInfo | None]]:
    """What is not done, each with the run that waits, runs or was stopped."""
    there = {_fingerprint(info): info for info in jobs.runs(group=sweep.group)}
    found = [(c, there.get(jobs.absolute_paths(c).fingerprint)) for c in sweep.configs()]
    return [(config, info) for config, info in found if info is None or info.status != "done"]


def missing(sweep: Sweep) -> list[tuple[RunConfig, RunInfo | None]]:
    """What is neither done nor under way, each with the stopped run that can go on."""
    return [(c, info) for c, info in unfinished(sweep) if info is None or info.resumable]


def submit(sweep: Sweep) -> str:
    """Queue what the group lacks, resume what was stopped; the group's name."""
    lacking = missing(sweep)
    jobs.make_room(len(lacking))  # all of them or none
    for config, info in lacking:
        if info is None:
            jobs.submit(config, group=sweep.group)
        else:
            jobs.resume(info.id)
    return sweep.group


def stop(group: str) -> None:
    """Take what waits out of the queue and pause what runs; `submit` goes on."""
    for info in jobs.runs(group=group):
        if info.active:
            jobs.pause(info.id)


def groups() -> dict[str, list[RunInfo]]:
    """Sweeps in the queue, the newest first, each with its runs in the order of submission."""
    found: dict[str, list[RunInfo]] = {}
    for info in jobs.runs():
        if (info.group or "").startswith(PREFIX):
            found.setdefault(str(info.group), []).insert(0, info)
    return found


@dataclass(frozen=True)
class Setting:
    """One setting over its seeds: the kept epochs on validation texts, and on test texts."""

    method: dict[str, Any]
    ids: tuple[str, ...]  # the runs
    clean: Estimate  # pooled over the seeds
    robust: Estimate
    test_clean: float
    test_robust: float
    cost: float | None  # a step, in plain steps
    seconds: float  # of training, mean
    alarms: int
    # what people quote of answers to test texts, means over the seeds: clean, under attack
    quoted: Mapping[str, tuple[Estimate, Estimate]] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """What settings are ranked by: the mean of clean and robust accuracy."""
        return (self.clean.value + self.robust.value) / 2

    @property
    def error(self) -> float:
        """Standard error of the score, were other validation texts drawn."""
        halves = [(r.high - r.low) / 2 for r in (self.clean, self.robust)]
        return hypot(*halves) / 2 / Z

    @property
    def title(self) -> str:
        """‘pgd, ε 0.5, K 3’."""
        return title_of(self.method)


@dataclass(frozen=True)
class Ranking:
    """Settings, the best first; `advice` says which to take and why."""

    settings: tuple[Setting, ...]
    waiting: int  # runs that are not done
    eps: float  # the ε of validation, × mean norm
    advice: str


def ranking(infos: Sequence[RunInfo]) -> Ranking:
    """Rank the finished runs of a sweep."""
    together: dict[str, list[tuple[RunInfo, Any]]] = {}
    for info in infos:
        if info.status == "done" and _fingerprint(info):
            now = standing(jobs.events(info.id).events)
            if now.clean is not None and now.robust is not None:
                together.setdefault(json.dumps(info.config.method, sort_keys=True), []).append(
                    (info, now)
                )
    found = []
    for method, pairs in together.items():
        ends = [now for __, now in pairs]
        costs = [now.cost for now in ends if now.cost]
        found.append(
            Setting(
                json.loads(method),
                tuple(info.id for info, __ in pairs),
                _pooled([now.clean for now in ends]),
                _pooled([now.robust for now in ends]),
                over_seeds([now.test.value if now.test else float("nan") for now in ends]).mean,
                over_seeds(
                    [now.test_robust.value if now.test_robust else float("nan") for now in ends]
                ).mean,
                sum(costs) / len(costs) if costs else None,
                over_seeds([now.seconds or 0.0 for now in ends]).mean,
                sum(len(now.alarms) for now in ends),
                _quoted([now.quoted for now in ends]),
            )
        )
    found.sort(key=lambda s: -s.score)
    sound = [info for info in infos if _fingerprint(info)]
    eps = sound[0].config.train.eval_eps if sound else float("nan")
    waiting = sum(info.status != "done" for info in infos)
    return Ranking(tuple(found), waiting, eps, _advice(found, waiting, eps))


def _pooled(rates: Sequence[Estimate]) -> Estimate:
    return wilson(round(sum(r.value * r.n for r in rates)), sum(r.n for r in rates))


def _quoted(
    told: Sequence[Mapping[str, tuple[Estimate, Estimate]]],
) -> dict[str, tuple[Estimate, Estimate]]:
    """Each figure that all seeds have: the one seed's, or the mean with the lowest and the highest."""

    def over(found: Sequence[Estimate]) -> Estimate:
        if len(found) == 1:
            return found[0]
        spread = over_seeds([one.value for one in found])
        return replace(found[0], value=spread.mean, low=spread.low, high=spread.high)

    names = [name for name in told[0] if all(name in one for one in told)]
    return {
        name: (over([one[name][0] for one in told]), over([one[name][1] for one in told]))
        for name in names
    }


def _advice(found: Sequence[Setting], waiting: int, eps: float) -> str:
    adversarial = [s for s in found if s.method["name"] != "plain"]
    plain_one = next((s for s in found if s.method["name"] == "plain"), None)
    if not adversarial:
        return _("No adversarial setting has finished yet.")
    best = found[0]
    told = _("Runs still to come: {waiting}; this may change. ", waiting=waiting) if waiting else ""
    if best is plain_one:
        return told + (
            _(
                "Plain training is the best on this scale: no setting gains more under "
                "attack than it loses clean. Try a smaller ε, or a longer warm-up."
            )
        )
    near = [
        s for s in adversarial if best.score - s.score <= Z * (best.error**2 + s.error**2) ** 0.5
    ]
    healthy = [s for s in near if not s.alarms] or near
    choice = min(healthy, key=lambda s: (s.cost or float("inf"), -s.score))
    told += _(
        "Take {title}: {shares} on validation texts", title=choice.title, shares=_shares(choice)
    )
    if plain_one is not None:
        gain = 100 * (choice.robust.value - plain_one.robust.value)
        cost = 100 * (plain_one.clean.value - choice.clean.value)
        told += _(
            ", where plain training has {shares}. Under attack at ε = {eps:g} × mean "
            "norm that is {gain}, clean {cost}",
            shares=_shares(plain_one),
            eps=eps,
            gain=_points(gain),
            cost=_points(-cost),
        )
    told += (
        _(", at {cost:.1f} × the time of a plain step.", cost=choice.cost) if choice.cost else "."
    )
    others = [s.title for s in near if s is not choice]
    if others:
        told += _(
            " The validation texts do not tell it apart from {others}{rest}; it is the cheapest of "
            "these.",
            others=listing(others[:4]),
            rest=_(" and others") if len(others) > 4 else "",
        )
    if choice.alarms:
        told += _(" Its training raised an alarm: look at the run before you trust it.")
    ill = [s.title for s in adversarial if s.alarms and s is not choice]
    if ill:
        told += _(
            " Training raised an alarm in {ill}: what these show is no robustness.",
            ill=listing(ill),
        )
    edge = max((s.method.get("eps", 0.0) for s in adversarial), default=0.0)
    if choice.method.get("eps") == edge and len({s.method.get("eps") for s in adversarial}) > 1:
        told += _(" Its ε is the largest tried: a larger one may be better still.")
    return told


def _points(difference: float) -> str:
    return _("{points:+.1f} points", points=difference).replace("-", "−")


def _shares(found: Setting) -> str:
    return _(
        "{clean:.1f} % clean and {robust:.1f} % under attack",
        clean=100 * found.clean.value,
        robust=100 * found.robust.value,
    )


def as_json(found: Ranking) -> list[dict[str, Any]]:
    """The settings, the best first, as plain values."""
    return [
        {
            "method": s.method,
            "runs": list(s.ids),
            "clean": vars(s.clean),
            "robust": vars(s.robust),
            "test_clean": s.test_clean,
            "test_robust": s.test_robust,
            "cost": s.cost,
            "seconds": s.seconds,
            "alarms": s.alarms,
            "quoted": {
                name: {"clean": vars(clean), "robust": vars(robust)}
                for name, (clean, robust) in s.quoted.items()
            },
        }
        for s in found.settings
    ]


def columns(found: Ranking) -> Columns:
    """One row a setting, the best first."""
    quoted = dict.fromkeys(name for s in found.settings for name in s.quoted)
    return {
        "setting": [s.title for s in found.settings],
        "clean (validation)": [str(s.clean) for s in found.settings],
        "under attack (validation)": [str(s.robust) for s in found.settings],
        "mean": [f"{100 * s.score:.1f} %" for s in found.settings],
        "clean (test)": [f"{100 * s.test_clean:.1f} %" for s in found.settings],
        "under attack (test)": [f"{100 * s.test_robust:.1f} %" for s in found.settings],
        **{
            _("{name} (test)", name=name): [
                " → ".join(map(str, s.quoted[name])) if name in s.quoted else ""
                for s in found.settings
            ]
            for name in quoted
        },
        "a step, × plain": [s.cost and round(s.cost, 2) for s in found.settings],
        "seconds trained": [round(s.seconds, 1) for s in found.settings],
        "seeds": [len(s.ids) for s in found.settings],
        "alarms": [s.alarms for s in found.settings],
    }


def picture(found: Ranking) -> go.Figure:
    """A row a setting, the best on top: clean (hollow) and robust accuracy with their intervals."""
    import plotly.graph_objects as go

    y = list(range(len(found.settings)))
    figure = go.Figure()
    for name, colour, symbol, rates in (
        (_("clean"), SIDES[0][0], "circle-open", [s.clean for s in found.settings]),
        (_("under attack"), SIDES[1][0], "diamond", [s.robust for s in found.settings]),
    ):
        figure.add_scatter(
            x=[r.value for r in rates],
            y=y,
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 10, "line": {"width": 2}},
            error_x={
                "array": [r.high - r.value for r in rates],
                "arrayminus": [r.value - r.low for r in rates],
                "thickness": 1.5,
            },
            customdata=[str(r) for r in rates],
            hovertemplate=f"{name}: %{{customdata}}<extra></extra>",
        )
    figure.update_yaxes(
        tickvals=y, ticktext=[label(s.title, 28) for s in found.settings], autorange="reversed"
    )
    figure.update_xaxes(title={"text": _("validation accuracy")}, tickformat=".0%", nticks=6)
    return finish(figure, 30 * len(y) + 80, legend_rows=1)
