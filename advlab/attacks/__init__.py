"""Attacks by name. Each is a frozen dataclass of settings that one calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advlab.attacks.autopgd import AutoPGD
from advlab.attacks.base import Attack, Perturbation
from advlab.attacks.ensemble import Ensemble, only_tokens, weighted
from advlab.attacks.gradient import FGM, FGSM, PGD, RandomNoise
from advlab.attacks.minimal import FMN, CarliniWagner, DeepFool, Minimal
from advlab.attacks.spsa import SPSA
from advlab.errors import SettingError, unknown
from advlab.settings import build, plain

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
    rest = dict(values)
    name = rest.pop("name", "pgd")
    if name not in ATTACKS:
        raise SettingError(unknown("attack", name, ATTACKS))
    return build(ATTACKS[name], rest)


def attack_settings(attack: Attack) -> dict[str, Any]:
    """The mapping that `build_attack` takes back."""
    name = next(n for n, cls in ATTACKS.items() if type(attack) is cls)
    return {"name": name} | plain(attack)


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
    "RandomNoise",
    "attack_settings",
    "build_attack",
    "only_tokens",
    "weighted",
]
