"""Attacks by name. Each is a frozen dataclass of settings that one calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advlab.attacks.autopgd import AutoPGD
from advlab.attacks.base import Attack, Problem
from advlab.attacks.ensemble import Ensemble
from advlab.attacks.gradient import FGM, FGSM, PGD, RandomNoise
from advlab.attacks.minimal import FMN, CarliniWagner, DeepFool, Minimal
from advlab.attacks.spsa import SPSA
from advlab.attacks.tracker import Perturbation
from advlab.settings import build_named, name_of, plain

ATTACKS: dict[str, type[Attack]] = {
    "pgd": PGD,
    "fgm": FGM,
    "fgsm": FGSM,
    "noise": RandomNoise,
    "autopgd": AutoPGD,
    "deepfool": DeepFool,
    "fmn": FMN,
    "cw": CarliniWagner,
    "spsa": SPSA,
    "ensemble": Ensemble,
}


def build_attack(values: Mapping[str, Any]) -> Attack:
    """The attack of `{"name": "pgd", "eps": 0.5, …}`; SettingError names what does not fit."""
    return build_named("attack", ATTACKS, values)


def attack_settings(attack: Attack) -> dict[str, Any]:
    """The mapping that `build_attack` takes back."""
    return {"name": name_of(attack, ATTACKS)} | plain(attack)


__all__ = [
    "ATTACKS",
    "FGM",
    "FGSM",
    "FMN",
    "PGD",
    "SPSA",
    "Attack",
    "AutoPGD",
    "CarliniWagner",
    "DeepFool",
    "Ensemble",
    "Minimal",
    "Perturbation",
    "Problem",
    "RandomNoise",
    "attack_settings",
    "build_attack",
]
