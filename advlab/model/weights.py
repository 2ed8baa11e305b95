"""Weights as they were loaded: is every parameter from the folder, which are new, are all finite.

Parameters that a folder lacks are drawn at random by transformers, which only warns. Here its loading
report decides: a new head may be trained, and nothing else may be new.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from advlab.errors import ModelError
from advlab.language import _, n_

SHOWN = 6  # names of tensors in a message
# what a pretrained encoder may lack besides its head: what stands between its last layer and the head
_POOLING = re.compile(r"(^|\.)(pooler|sequence_summary)\.")
_BLOCK = re.compile(r"^(.*?\.\d+)\.")


def new_parameters(model: Any, report: dict[str, Any], name: str, *, training: bool) -> list[str]:
    """The parameters that are not from the folder, all of its head; ModelError for any others.

    Without `training` there may be none. `report` is transformers' loading report.
    """
    missing = sorted(report["missing_keys"])
    other = {key: (there, here) for key, there, here in report["mismatched_keys"]}
    new = sorted({*missing, *other})
    body = [key for key in new if not of_head(model, key)]
    strange = _lost_blocks(model, report["unexpected_keys"])
    if body or strange:
        raise ModelError(_unlike(name, [k for k in body if k not in other], other, strange))
    if new and not training:
        raise ModelError(
            n_(
                "{name}: expected a trained head, but {listed} is not among its "
                "weights, or of another size, and would answer at random; train a head "
                "first: advlab train --data reviews --model {name}",
                "{name}: expected a trained head, but {listed} are not among its "
                "weights, or of another size, and would answer at random; train a head "
                "first: advlab train --data reviews --model {name}",
                len(new),
                name=name,
                listed=_listed(new),
            )
        )
    return new


def above_body(model: Any, key: str) -> bool:
    """Whether a parameter stands outside the pretrained body: the head's own."""
    prefix = model.base_model_prefix
    return model.base_model is not model and not key.startswith(f"{prefix}.")


def of_head(model: Any, key: str) -> bool:
    """Whether a pretrained encoder may lack it: the head's own, or what pools for a head."""
    return above_body(model, key) or bool(_POOLING.search(key))


def draw_head(model: Any, seed: int) -> list[str]:
    """Draw the head anew, as transformers initialises it; the names of its parameters."""
    keys = [key for key, __ in model.named_parameters() if above_body(model, key)]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for owner in sorted({key.rpartition(".")[0] for key in keys}):
            module = model.get_submodule(owner)
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = False  # transformers leaves alone what has the mark
            model._init_weights(module)
    return keys


def check_finite(model: Any, name: str) -> None:
    """ModelError where a weight is infinite or not a number."""
    bad = [key for key, p in model.named_parameters() if not bool(p.isfinite().all())]
    if bad:
        raise ModelError(
            _(
                "{name}: expected finite weights, got infinite ones or none at all (nan) "
                "in {listed}; train it again at a lower learning rate, or take an earlier "
                "checkpoint",
                name=name,
                listed=_listed(bad),
            )
        )


def _lost_blocks(model: Any, unexpected: Iterable[str]) -> list[str]:
    """Weights of whole blocks that the model has no place for: it is cut short."""
    prefix = f"{model.base_model_prefix}."
    own = {_BLOCK.match(key.removeprefix(prefix)) for key in model.state_dict()}
    blocks = {match[1] for match in own if match}
    rows = {block.rpartition(".")[0] for block in blocks}
    found = []
    for key in sorted(unexpected):
        match = _BLOCK.match(key.removeprefix(prefix))
        if match and match[1] not in blocks and match[1].rpartition(".")[0] in rows:
            found.append(key)
    return found


def _unlike(
    name: str,
    missing: Sequence[str],
    other: dict[str, tuple[Sequence[int], Sequence[int]]],
    strange: Sequence[str],
) -> str:
    """What differs between weights and configuration, in words."""
    parts = []
    if missing:
        parts.append(
            _("{n_missing} missing ({listed})", n_missing=len(missing), listed=_listed(missing))
        )
    if other:
        sizes = [
            _("{key}: {size} for {size2}", key=key, size=_size(there), size2=_size(here))
            for key, (there, here) in other.items()
        ]
        parts.append(
            _(
                "{n_other} of another size ({listed})",
                n_other=len(other),
                listed=_listed(sorted(sizes)),
            )
        )
    if strange:
        parts.append(
            _(
                "{n_strange} of layers that config.json does not name ({listed})",
                n_strange=len(strange),
                listed=_listed(strange),
            )
        )
    return _(
        "{name}: expected the weights that config.json describes, found {parts}; "
        "drawn at random they would make another model, so it is refused: give the "
        "folder that save_pretrained wrote",
        name=name,
        parts="; ".join(parts),
    )


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (_(" and {more} more", more=more) if more > 0 else "")
