"""advlab: the laboratory for adversarial training of language models.

Importing this package imports neither torch nor transformers; its names are fetched when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "AdvlabError": "advlab.errors",
    "DataConfig": "advlab.runs.config",
    "ModelConfig": "advlab.runs.config",
    "TrainConfig": "advlab.runs.config",
    "RunConfig": "advlab.runs.config",
    "Augmentation": "advlab.runs.config",
    "Regularisation": "advlab.runs.config",
    "starter_pair": "advlab.runs.starters",
    "Example": "advlab.records",
    "Dataset": "advlab.records",
    "load_data": "advlab.data",
    "Victim": "advlab.model.victim",
    "ATTACKS": "advlab.attacks",
    "build_attack": "advlab.attacks",
    "METHODS": "advlab.training.methods",
    "build_method": "advlab.training.methods",
    "train": "advlab.training.loop",
    "explore": "advlab.explain.explore",
    "evaluate": "advlab.attacks.evaluate",
    "PGD": "advlab.attacks",
    "FGM": "advlab.attacks",
    "FGSM": "advlab.attacks",
    "RandomNoise": "advlab.attacks",
    "AutoPGD": "advlab.attacks",
    "DeepFool": "advlab.attacks",
    "FMN": "advlab.attacks",
    "CarliniWagner": "advlab.attacks",
    "SPSA": "advlab.attacks",
    "Ensemble": "advlab.attacks",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'advlab' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
