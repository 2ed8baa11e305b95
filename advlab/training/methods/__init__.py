"""Training methods: each fills `.grad` for one batch and returns numbers; the loop owns the optimiser.

Named in the literature and not built, since they would add little to these: YOPO (many cheap steps
through the first layer only; arXiv:1905.00877), MART (weights the divergence by how wrong the model is;
ICLR 2020), ALUM (the SMART penalty in pre-training too; arXiv:2004.08994), CreAT (δ also pushes the
representation away from the clean one; arXiv:2305.04557), InfoBERT (FreeLB with information
bottlenecks; arXiv:2010.02329), token-aware VAT (δ accumulated for each vocabulary entry;
arXiv:2004.14543).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from advlab.language import _
from advlab.settings import build_named, name_of, plain
from advlab.tasks import Task
from advlab.training.methods.base import Adversarial, Method, Plain, Step
from advlab.training.methods.engine import Inner, Outer, Place, Threat, play
from advlab.training.methods.inputs import (
    FGM,
    FGSM,
    PGD,
    SMART,
    TRADES,
    VAT,
    FastAT,
    FreeAT,
    FreeLB,
    FreeLBPlus,
    Hidden,
    Noise,
)
from advlab.training.methods.lures import Unlikelihood
from advlab.training.methods.weights import AWP, SAM, TableAttack
from advlab.training.methods.words import Replace

METHODS: dict[str, type[Method]] = {
    "plain": Plain,
    "noise": Noise,
    "fgm": FGM,
    "fgsm": FGSM,
    "pgd": PGD,
    "fast": FastAT,
    "free": FreeAT,
    "freelb": FreeLB,
    "freelb++": FreeLBPlus,
    "vat": VAT,
    "trades": TRADES,
    "smart": SMART,
    "hidden": Hidden,
    "c-advul": Unlikelihood,
    "words": Replace,
    "sam": SAM,
    "awp": AWP,
    "table": TableAttack,
}


def build_method(values: Mapping[str, Any]) -> Method:
    """The method of `{"name": "freelb", "eps": 0.5, …}`; SettingError names what does not fit."""
    return build_named(_("training method"), METHODS, values)


def formulas_of(method: type[Method]) -> str:
    """What a method computes, in formulas with its source, as its docstring says it."""
    return (inspect.getdoc(method) or "").replace("`", "")


def methods_for(task: type[Task]) -> list[str]:
    """Names of the methods that can train a task, in the order of `METHODS`."""
    return [n for n, m in METHODS.items() if m.needs is None or issubclass(task, m.needs)]


def method_settings(method: Method) -> dict[str, Any]:
    """The mapping that `build_method` takes back."""
    return {"name": name_of(method, METHODS)} | plain(method)


__all__ = [
    "METHODS",
    "Adversarial",
    "Inner",
    "Method",
    "Outer",
    "Place",
    "Plain",
    "Step",
    "Threat",
    "build_method",
    "formulas_of",
    "method_settings",
    "methods_for",
    "play",
]
