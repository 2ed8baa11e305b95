"""Checkpoints of a run: written aside, renamed into place, and never a pickle.

`checkpoints/step-000120/` holds a Hugging Face folder, the optimiser and both random states as
safetensors, and `state.json`. `model/` holds the weights that the run keeps.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from advlab.errors import RunError
from advlab.records import Scale

if TYPE_CHECKING:
    from advlab.model.victim import Victim

STATE, OPTIMISER = "state.json", "optimiser.safetensors"


def save_checkpoint(
    folder: Path,
    victim: Victim,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    state: dict[str, Any],
) -> Path:
    """Write what `load_checkpoint` needs; the previous checkpoint goes once this one stands."""
    from safetensors.torch import save_file

    parent = folder / "checkpoints"
    target = parent / f"step-{state['step']:07d}"
    aside = parent / f".writing-{target.name}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    victim.save(aside)
    tensors = {"dice": torch.get_rng_state(), "generator": generator.get_state()}
    for number, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"{number}.{name}"] = torch.as_tensor(value).contiguous()
    save_file(tensors, aside / OPTIMISER)
    (aside / STATE).write_text(json.dumps(state))
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
    for old in _complete(folder)[:-1]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_checkpoint(
    folder: Path, model: Any, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> dict[str, Any] | None:
    """Restore the newest complete checkpoint in place and return its state; None without one."""
    from safetensors.torch import load_file

    found = _complete(folder)
    if not found:
        return None
    newest = found[-1]
    weights = load_file(newest / "model.safetensors")
    missing = set(model.state_dict()) - set(weights)
    # tied weights are stored once; anything else that is missing means another architecture
    report = model.load_state_dict(weights, strict=False)
    if report.unexpected_keys or (missing and len(missing) == len(model.state_dict())):
        raise RunError(
            f"expected the weights of this run in {newest.name}, got other names; "
            "start the run anew"
        )
    tensors = load_file(newest / OPTIMISER)
    torch.set_rng_state(tensors.pop("dice"))
    generator.set_state(tensors.pop("generator"))
    memory: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        memory.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict(
        {"state": memory, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    return json.loads((newest / STATE).read_text())


def keep_model(folder: Path, victim: Victim, name: str) -> None:
    """Put the weights as they are now into `model/`, in place of what was there."""
    target, aside, old = folder / "model", folder / ".writing-model", folder / ".old-model"
    shutil.rmtree(aside, ignore_errors=True)
    measured = victim.measure_scale()
    shown, victim.name = victim.name, name
    fixed = victim.scale
    try:
        # ε counts in word-vector lengths as they were when training began (no escape by growing),
        # but in distances between words as they are now
        victim._scale = Scale(fixed.mean_norm, measured.half_nn)
        victim.save(aside)
    finally:
        victim.name, victim._scale = shown, fixed
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    aside.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _complete(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(p for p in (folder / "checkpoints").glob("step-*") if (p / STATE).is_file())
