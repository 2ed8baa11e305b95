"""advlab: the laboratory for adversarial training of language models.

Importing this package imports neither torch nor transformers; its names are fetched when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "AdvlabError": "advlab.errors",
    "DataConfig": "advlab.config",
    "ModelConfig": "advlab.config",
    "TrainConfig": "advlab.config",
    "RunConfig": "advlab.config",
    "load_data": "advlab.data",
    "Victim": "advlab.victim",
    "ATTACKS": "advlab.attacks",
    "METHODS": "advlab.methods",
    "starter_pair": "advlab.config",
    "explore": "advlab.lab",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'advlab' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
