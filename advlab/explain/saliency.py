"""Where does the model look? Methods of attribution, in words and numbers, summed to words.

Each method is one function and one line in `METHODS`, with what it means, what to beware of and
where it comes from. `saliency` is the analysis that the Explore page and `lab` call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from advlab.errors import SettingError, unknown
from advlab.explain import ablations, attributions
from advlab.explain import layers as through
from advlab.explain.attributions import Scores
from advlab.explain.targets import Case, Target, baseline_words, baselines_of, make_target
from advlab.language import N_, _
from advlab.records import AttackRecord, Attribution, Layers, Saliency, SaliencyChoices

if TYPE_CHECKING:
    from advlab.explain.subject import Subject

Margin = Target  # the kind of target that is explained unless another is asked for
DEFAULTS = ("saliency", "input_x_gradient", "integrated_gradients")
TINY = 0.01  # a change of the target below this share of Σ|scores| makes no denominator
ROUNDING = 1e-6  # nor does one below this share of the target itself
LIMITS = {"steps": (1, 1024), "samples": (2, 8192), "noise": (0.0, 10.0), "window": (1, 64)}


@dataclass(frozen=True)
class Method:
    """One way of attributing. `settings`: names and defaults that its function takes."""

    title: str
    meaning: str  # one sentence
    guard: str  # one sentence: what it does not say
    source: str
    run: Callable[..., Scores]
    signed: bool = True  # signed scores add up; unsigned ones are norms
    baseline: bool = False  # starts from the chosen baseline
    sums: bool = False  # the scores should add up to F(x) − F(baseline)
    costly: bool = False
    settings: Mapping[str, float] = field(default_factory=dict)
    fits: Callable[..., str] | None = None  # target -> why not; empty when it does


def explain(
    method: str, case: Case, *, tolerance: float | None = None, **settings: float
) -> Saliency:
    """One method on the clean and the perturbed version of one text (`case.views`, in that order).

    Settings that the method does not take are refused. `tolerance` is the largest relative
    completeness error at which scores are given at all (default: DeepLift's own).
    """
    known = _known(method)
    _check(method, known, settings)
    unfit = known.fits is not None and bool(known.fits(case.target))
    found = _blank(case) if unfit or case.W == 0 else known.run(case, **settings)
    start = _start(case, known, found)
    with torch.no_grad():
        values = case.target(case.views).double().tolist()
    clean, perturbed = (_attribution(case, known, found, i, values[i], start) for i in (0, 1))
    made = Saliency(
        method,
        case.target.words,
        clean,
        perturbed,
        known.signed,
        baseline=_baseline(case, method, known),
        title=known.title,
        value_baseline=start,
        p_baseline=float(case.target.probability(case.start)[0]) if known.baseline else None,
        settings={**known.settings, **settings},
        note=found.note,
    )
    if known.fits is None:
        return made
    reason = known.fits(case.target) or _gap_problem(
        made, attributions.DEEP_LIFT_GAP if tolerance is None else tolerance
    )
    return _withheld(made, reason) if reason else made


def saliency(
    subject: Subject,
    record: AttackRecord,
    method: str = "integrated_gradients",
    target: str = "margin",
    of: int | str | None = None,
    against: int | str | None = None,
    baseline: str = "pad",
    **settings: float,
) -> Saliency:
    """One method on a record's clean and perturbed sentence.

    `target`: margin, logit or loss; `of` and `against` are classes, by default the prediction on
    the clean text and its runner-up. Settings (steps, samples, noise, window, seed) as the method's.
    """
    return explain(method, case_of(subject, record, target, of, against, baseline), **settings)


def layers(
    subject: Subject,
    record: AttackRecord,
    target: str = "margin",
    of: int | str | None = None,
    against: int | str | None = None,
) -> Layers:
    """Attention rollout and gradient norms through the layers, on a record's sentence."""
    return through.layers(case_of(subject, record, target, of, against, "zero"))


def choices(subject: Subject, record: AttackRecord) -> SaliencyChoices:
    """Which baselines a model has, and which methods do not fit it, with the reason."""
    case = case_of(subject, record)
    have = baselines_of(subject.victim)
    fits = {name: m.fits(case.target) for name, m in METHODS.items() if m.fits}
    return SaliencyChoices(
        baselines={b: baseline_words(subject.victim, b) for b in have},
        unfit={name: reason for name, reason in fits.items() if reason},
        methods=tuple(METHODS),
    )


def case_of(
    subject: Subject,
    record: AttackRecord,
    target: str = "margin",
    of: int | str | None = None,
    against: int | str | None = None,
    baseline: str = "pad",
) -> Case:
    """A record's sentence, clean and perturbed, ready to be explained. Shielded words count too."""
    victim = subject.victim
    clean = subject.output(torch.zeros_like(subject.embeds))
    asked = make_target(victim, subject.batch, clean, target, of, against)
    moved = subject.embeds + torch.as_tensor(record.delta).to(subject.embeds)
    words = tuple(int(w) for w in record.word_of)
    return Case(asked, torch.cat([subject.embeds, moved]), words, subject.ordinary, baseline)


def to_words(scores: Tensor, word_of: Sequence[int], signed: bool) -> tuple[Tensor, float]:
    """Token scores (T,) -> word scores (W,) and the special tokens' remainder.

    Signed scores add up. Norms of gradients combine as the norm of the joined gradient.
    """
    W = max(word_of, default=-1) + 1
    places = torch.tensor([w if w >= 0 else W for w in word_of])
    values = scores.double().cpu()
    sums = torch.zeros(W + 1, dtype=torch.float64)
    sums.index_add_(0, places, values if signed else values.pow(2))
    sums = sums if signed else sums.sqrt()
    return sums[:W], float(sums[W])


def _known(method: str) -> Method:
    if method not in METHODS:
        raise SettingError(unknown(_("saliency method"), method, METHODS))
    return METHODS[method]


def _check(method: str, known: Method, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if name not in known.settings:
            raise SettingError(
                unknown(_("setting of {method}", method=method), name, known.settings)
            )
        low, high = LIMITS.get(name, (0, 2**31))
        whole = isinstance(known.settings[name], int)
        right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not right or not low <= value <= high:
            kind = _("a whole number") if whole else _("a number")
            raise SettingError(
                _(
                    "expected {kind} from {low} to {high} for {name} of {method}, got "
                    "{value!r}; change it",
                    kind=kind,
                    low=low,
                    high=high,
                    name=name,
                    method=method,
                    value=value,
                )
            )


def _attribution(
    case: Case, known: Method, found: Scores, i: int, value: float, start: float | None
) -> Attribution:
    """One version's scores, and what they miss of the change to `value` that they should add up to."""
    scores = found.tokens[i]
    words, remainder = to_words(scores, case.word_of, known.signed)
    gap, error = None, None
    if known.sums and start is not None and found.tokens.isfinite().all():
        rise = value - start
        gap = abs(float(scores.sum()) - rise)
        if abs(rise) > TINY * float(scores.abs().sum()) + ROUNDING * abs(value):
            error = abs(gap / rise)
    return Attribution(
        tokens=scores.cpu().numpy(),
        words=words.numpy(),
        remainder=remainder,
        value=value,
        gap=gap,
        completeness=error,
        spread=_spread(case, known, found, i),
    )


def _start(case: Case, known: Method, found: Scores) -> float | None:
    if found.start is not None:
        return float(found.start)
    if not known.baseline:
        return None
    with torch.no_grad():
        return float(case.target(case.start)[0])


def _baseline(case: Case, method: str, known: Method) -> str:
    if method == "gradient_shap":
        return _("ordinary words drawn at random from the vocabulary, at every word")
    if method == "leave_one_out":
        name = ablations.stand_in(case.target.victim)
        return baseline_words(case.target.victim, name).replace(
            _("every word"), _("one word at a time")
        )
    return baseline_words(case.target.victim, case.baseline) if known.baseline else ""


def _spread(case: Case, known: Method, found: Scores, i: int) -> np.ndarray | None:
    """(W,) standard deviation of one draw's word scores."""
    if found.draws is not None:
        rows = torch.stack([to_words(d, case.word_of, known.signed)[0] for d in found.draws[i]])
        return rows.numpy().std(0)
    if found.spread is not None:
        return to_words(found.spread[i], case.word_of, signed=False)[0].numpy()
    return None


def _blank(case: Case) -> Scores:
    return Scores(torch.full_like(case.views[:, :, 0], torch.nan))


def _gap_problem(made: Saliency, tolerance: float) -> str:
    errors = [one.completeness for __, one in made.versions if one.completeness is not None]
    worst = max(errors, default=np.inf)
    if worst <= tolerance:
        return ""
    size = (
        _("by {percent:.0f} %", percent=100 * worst) if np.isfinite(worst) else _("beyond measure")
    )
    return _(
        "on this sentence its scores miss the change that they should add up to "
        "{size} (at most {most:.0f} % is shown): attention and LayerNorm are not "
        "what its rule covers",
        size=size,
        most=100 * tolerance,
    )


def _withheld(made: Saliency, reason: str) -> Saliency:
    return replace(
        made, clean=_emptied(made.clean), perturbed=_emptied(made.perturbed), withheld=reason
    )


def _emptied(one: Attribution) -> Attribution:
    return replace(
        one,
        tokens=np.full_like(one.tokens, np.nan),
        words=np.full_like(one.words, np.nan),
        remainder=float("nan"),
    )


METHODS: dict[str, Method] = {
    "saliency": Method(
        N_("Saliency"),
        N_(
            "How much a small change of a word's vector can change the target: the "
            "gradient's length."
        ),
        N_("Sensitivity, not contribution: it has no sign."),
        N_("Simonyan et al. 2013, arXiv:1312.6034"),
        attributions.gradient_norm,
        signed=False,
    ),
    "input_x_gradient": Method(
        "Input × gradient",
        N_("What a word's vector would contribute if the model were linear around this sentence."),
        N_("Local, and it need not add up to anything."),
        N_("Shrikumar et al. 2016, arXiv:1605.01713"),
        attributions.input_x_gradient,
    ),
    "integrated_gradients": Method(
        N_("Integrated gradients"),
        N_("What each word adds on the straight way from the baseline to the sentence."),
        N_("Another baseline gives another answer; adding up does not make it right."),
        N_("Sundararajan et al. 2017, arXiv:1703.01365"),
        attributions.integrated_gradients,
        baseline=True,
        sums=True,
        settings={"steps": 32},
    ),
    "leave_one_out": Method(
        N_("Leave one out"),
        N_(
            "How much the target falls when one word is replaced by MASK (PAD where there is none)."
        ),
        N_(
            "A sentence with a hole is unusual input too, and words that stand in for "
            "each other hide."
        ),
        N_("Li et al. 2016, arXiv:1612.08220"),
        ablations.leave_one_out,
    ),
    "smooth_grad": Method(
        "SmoothGrad",
        N_("Saliency of the mean gradient over copies with noise on every word."),
        N_("Sensitivity again; the noise's size is a choice."),
        N_("Smilkov et al. 2017, arXiv:1706.03825"),
        attributions.smooth_grad,
        signed=False,
        settings={"samples": 32, "noise": 0.25, "seed": 0},
    ),
    "feature_ablation": Method(
        N_("Feature ablation"),
        N_("How much the target falls when one word is replaced by the baseline."),
        N_("One word at a time: words that act together are missed."),
        N_("Captum; Zeiler and Fergus 2014, arXiv:1311.2901"),
        ablations.feature_ablation,
        baseline=True,
    ),
    "occlusion": Method(
        N_("Occlusion"),
        N_("How much the target falls when neighbouring words are replaced together, on average."),
        N_("Blurs over the window, so that a word shares in its neighbours' effect."),
        N_("Zeiler and Fergus 2014, arXiv:1311.2901"),
        ablations.occlusion,
        baseline=True,
        settings={"window": 2},
    ),
    "gradient_shap": Method(
        "GradientShap",
        N_(
            "Integrated gradients averaged over random baselines, with one random "
            "point on each way."
        ),
        N_("A mean of few draws: the SD beside it belongs to it."),
        "Lundberg and Lee 2017, arXiv:1705.07874; Erion et al. 2019, arXiv:1906.10670",
        attributions.gradient_shap,
        sums=True,
        costly=True,
        settings={"samples": 64, "seed": 0},
    ),
    "kernel_shap": Method(
        N_("Kernel SHAP"),
        N_("A word's Shapley value: what it adds on average over all orders of putting words in."),
        N_("Long sentences are sampled; sentences with many holes are unlike any text."),
        N_("Lundberg and Lee 2017, arXiv:1705.07874"),
        ablations.kernel_shap,
        baseline=True,
        sums=True,
        costly=True,
        settings={"samples": 256, "seed": 0},
    ),
    "lime": Method(
        "LIME",
        N_("A word's slope in a straight-line model of the target around this sentence."),
        N_("Depends on kernel width and samples; it need not add up."),
        N_("Ribeiro et al. 2016, arXiv:1602.04938"),
        ablations.lime,
        baseline=True,
        costly=True,
        settings={"samples": 256, "seed": 0, "width": 0.25},
    ),
    "deep_lift": Method(
        "DeepLift",
        N_("The difference from the baseline, passed back through the activations."),
        N_("Made for plain networks: shown only where it adds up."),
        N_("Shrikumar et al. 2017, arXiv:1704.02685"),
        attributions.deep_lift,
        baseline=True,
        sums=True,
        costly=True,
        fits=attributions.deep_lift_problem,
    ),
}
