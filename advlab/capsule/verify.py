"""Open a capsule on this machine: attack the same sentence again and say what drifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from advlab.attacks import build_attack
from advlab.capsule.format import Capsule, numbers_of, readings_of
from advlab.errors import AdvlabError
from advlab.explain.explore import explore
from advlab.language import N_, _, listing, n_
from advlab.model.victim import Victim
from advlab.pictures.page import versions
from advlab.records import Reading

ABSOLUTE = 1e-4  # of shares; other processors round otherwise
RELATIVE = 1e-3  # of losses and lengths
SHARES = ("curve_low", "curve_high")
NAMES = {
    "losses": N_("loss per step"),
    "step_norms": N_("‖δ‖ per step"),
    "delta": "δ",
    "delta_norm": N_("‖δ‖ per token"),
    "exit_radius": N_("exit radius"),
    "certificate": N_("certificate"),
    "perturbable": N_("tokens that may be attacked"),
    "curve_eps": N_("ε of the curve"),
    "curve_low": N_("noise band, low"),
    "curve_high": N_("noise band, high"),
}
READ = {
    "clean": N_("clean probabilities"),
    "attacked": N_("attacked probabilities"),
    "noise": N_("probabilities under noise"),
    "nearest tokens": N_("probabilities of the nearest tokens"),
    "as text again": N_("probabilities of the text again"),
    "steps": N_("probabilities per step"),
    "curve": N_("probabilities against ε"),
}


@dataclass(frozen=True)
class Check:
    """One thing that was compared."""

    what: str
    ok: bool
    note: str  # what was saved and what was found, or the largest drift


@dataclass(frozen=True)
class Verdict:
    """Whether a capsule's figures can be had again."""

    checks: tuple[Check, ...]

    @property
    def verified(self) -> bool:
        """Everything is as it was saved."""
        return all(check.ok for check in self.checks)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        bad = [_(check.what) for check in self.checks if not check.ok]
        listed = listing(bad)
        if not bad:
            return _("Verified: all {n_checks} checks agree.", n_checks=len(self.checks))
        return n_(
            "Not verified: {bad} differs.", "Not verified: {bad} differ.", len(bad), bad=listed
        )


def verify(capsule: Capsule, victim: Victim) -> Verdict:
    """Compare a capsule with what this model does now. Its own errors become a failed check."""
    checks = [
        Check(
            _("the file's {name}", name=name),
            False,
            _("not what it was when the capsule was saved"),
        )
        for name in capsule.changed
    ] or [Check(_("the file"), True, _("unchanged since it was saved"))]
    checks.append(_same(N_("weights"), capsule.model_hash, victim.hash))
    checks.append(_same(N_("tokenizer"), capsule.tokenizer_hash, victim.tokenizer_hash))
    parts = tuple(capsule.readings["clean"].parts)
    checks.append(_same(N_("task"), capsule.task["name"], victim.task.name))
    if victim.head:
        checks.append(_same(N_("classes"), parts, victim.head))
    try:
        record = explore(
            victim,
            capsule.text,
            label=capsule.label,
            attack=build_attack(capsule.attack),
            seed=capsule.seed,
            shield=capsule.shield,
            points=len(capsule.numbers["curve_eps"]),
            draws=len(capsule.readings["noise"]),
            beside=capsule.beside,
            goal=capsule.goal,
        )
    except AdvlabError as error:
        return Verdict((*checks, Check(_("the attack"), False, str(error))))
    checks.append(_same(N_("tokens"), capsule.tokens, record.tokens))
    checks.append(_same(_("text again"), capsule.round_trip_text, record.round_trip_text))
    checks += [
        _drift(NAMES[name], capsule.numbers[name], found, share=name in SHARES)
        for name, found in numbers_of(record).items()
    ]
    checks += [_reread(name, capsule.readings[name], r) for name, r in readings_of(record).items()]
    return Verdict(tuple(checks))


def versions_differ(capsule: Capsule) -> Mapping[str, tuple[str, str]]:
    """Library -> (saved, here), where they differ: a reason for small drift."""
    here = versions()
    return {
        name: (saved, here.get(name, _("not here")))
        for name, saved in capsule.versions.items()
        if here.get(name) != saved
    }


def _same(what: str, saved: object, found: object) -> Check:
    if saved == found:
        return Check(what, True, _("the same"))
    return Check(
        what, False, _("saved: {saved}; here: {found}", saved=_short(saved), found=_short(found))
    )


def _short(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"


def _reread(name: str, saved: Reading, found: Reading) -> Check:
    """Shares of every part, and of the reference; answers where these agree."""
    what = READ[name]
    if set(saved.parts) != set(found.parts):
        return Check(what, False, _("saved and found are of different parts"))
    pairs = [(saved.score, found.score), (saved.sure, found.sure)]
    pairs += [(saved.parts[k], found.parts[k]) for k in saved.parts]
    drifts = [_drift(what, a, b, share=True) for a, b in pairs]
    worst = next((check for check in drifts if not check.ok), drifts[0])
    if worst.ok and saved.answers != found.answers:
        return Check(
            what,
            False,
            _(
                "saved: {saved}; here: {found}",
                saved=_short(saved.answers),
                found=_short(found.answers),
            ),
        )
    return worst


def _drift(what: str, saved: np.ndarray, found: np.ndarray, *, share: bool = False) -> Check:
    if saved.shape != found.shape:
        return Check(
            what,
            False,
            _("saved: shape {saved}; here: {found}", saved=saved.shape, found=found.shape),
        )
    a, b = saved.astype(float), found.astype(float)
    endless = np.isinf(a) | np.isinf(b)
    if (np.isinf(a) != np.isinf(b)).any():
        return Check(what, False, _("some are infinite on one side only"))
    gap = np.abs(a[~endless] - b[~endless])
    drift = float(gap.max(initial=0.0))
    size = float(np.abs(a[~endless]).max(initial=0.0))
    limit = ABSOLUTE if share else RELATIVE * max(size, 1e-12)
    exact = _("identical") if drift == 0 else _("largest difference {drift:.2g}", drift=drift)
    return Check(what, drift <= limit, _("{exact} (allowed {limit:.2g})", exact=exact, limit=limit))
