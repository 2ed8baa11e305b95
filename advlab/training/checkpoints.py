"""Checkpoints of a run: written beside the last, on the disk before it goes, and never a pickle.

`checkpoints/step-000120/` holds a Hugging Face folder, the optimiser and both random states as
safetensors, and `state.json`. `model/` holds the weights that the run keeps.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from advlab.errors import RunError
from advlab.language import _
from advlab.records import Scale
from advlab.runs.disk import checkpoints, put_folder, sync, sync_folder
from advlab.training.judging import Ranked

if TYPE_CHECKING:
    from advlab.model.victim import Victim

STATE, OPTIMISER = "state.json", "optimiser.safetensors"


@dataclass
class State:
    """What a run remembers beside weights, optimiser and random states."""

    step: int = 0  # batches that were trained on
    validated: int = 0  # epochs that were judged
    seconds: float = 0.0  # of training, earlier stretches of the run included

    rise: int | None = None  # the step at which ε begins to rise; later each time an earned ε waits
    level: float = 1.0  # running mean of the clean loss until then, ÷ the loss of guessing
    hard: float = 0.0  # running mean of the perturbed loss while ε must be earned, likewise

    best: Ranked | None = None  # of the epochs so far
    best_epoch: int = 0  # counted from 1
    idle: int = 0  # epochs since then
    best_watched: float = 0.0  # best accuracy under many steps, where a one-step method is watched

    told: tuple[str, ...] = ()  # alarms, each of which is told once

    seen_tokens: int = 0  # padding included
    padding: int = 0  # tokens
    step_seconds: float = 0.0  # of the passes of those steps that a plain one was timed beside
    plain_seconds: float = 0.0  # of these plain ones

    @staticmethod
    def from_json(text: str) -> State:
        """The state that a checkpoint of this or an earlier release holds."""
        found = json.loads(text)
        known: dict[str, Any] = {f.name: found[f.name] for f in fields(State) if f.name in found}
        known["best"] = _ranked(found.get("best"))
        known["told"] = tuple(found.get("told", ()))
        return State(**known)

    def improves(self, rank: Ranked, epoch: int) -> bool:
        """Whether this epoch is the best so far, which is then remembered."""
        better = self.best is None or rank > self.best
        self.idle = 0 if better else self.idle + 1
        if better:
            self.best, self.best_epoch = rank, epoch
        return better

    def tell(self, alarm: str) -> bool:
        """Whether an alarm is still to be told, which is then remembered."""
        if alarm in self.told:
            return False
        self.told = (*self.told, alarm)
        return True


def _ranked(best: Any) -> Ranked | None:
    """How the best epoch ranks. It was one number before: less by 1 without variety, −9 for none."""
    if isinstance(best, list):
        return Ranked(*best)
    if best is None or best < -1:
        return None
    return Ranked(best >= 0, best if best >= 0 else best + 1)


def save_checkpoint(
    folder: Path,
    victim: Victim,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    state: State,
) -> Path:
    """Write what `load_checkpoint` needs; the previous checkpoint goes once this one stands."""
    from safetensors.torch import save_file

    parent = folder / "checkpoints"
    target = _free(parent / f"step-{state.step:07d}")
    aside = parent / f".writing-{target.name}"
    shutil.rmtree(aside, ignore_errors=True)
    parent.mkdir(exist_ok=True)
    aside.mkdir()
    victim.save(aside)
    # "dice" is torch's own random state, under the name that it has had from the beginning
    tensors = {"dice": torch.get_rng_state(), "generator": generator.get_state()}
    if victim.device.type == "cuda":  # dropout there draws from the device's own state
        tensors["cuda"] = torch.cuda.get_rng_state(victim.device)
    for number, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"{number}.{name}"] = torch.as_tensor(value).contiguous()
    save_file(tensors, aside / OPTIMISER)
    (aside / STATE).write_text(json.dumps(asdict(state)))
    sync_folder(aside)
    aside.rename(target)
    sync(parent)
    for old in parent.glob("step-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return target


def _free(target: Path) -> Path:
    """`target`, or the next name after it: a step saved again stands beside what it replaces."""
    taken = [p.name for p in target.parent.glob(f"{target.name}*")]
    numbers = [int(name.removeprefix(target.name)[1:] or 0) for name in taken]
    return target.with_name(f"{target.name}-{max(numbers) + 1:03d}") if taken else target


def load_checkpoint(
    folder: Path, model: Any, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> State | None:
    """Restore the newest whole checkpoint in place and return its state; None without one."""
    from safetensors.torch import load_file

    whole, __ = checkpoints(folder)
    if not whole:
        return None
    newest = whole[-1]
    weights = load_file(newest / "model.safetensors")
    missing = set(model.state_dict()) - set(weights)
    # tied weights are stored once; anything else that is missing means another architecture
    report = model.load_state_dict(weights, strict=False)
    if report.unexpected_keys or (missing and len(missing) == len(model.state_dict())):
        raise RunError(
            _(
                "expected the weights of this run in {name}, got other names; start the run anew",
                name=newest.name,
            )
        )
    tensors = load_file(newest / OPTIMISER)
    torch.set_rng_state(tensors.pop("dice"))
    generator.set_state(tensors.pop("generator"))
    dice, device = tensors.pop("cuda", None), next(model.parameters()).device
    if dice is not None and device.type == "cuda":
        torch.cuda.set_rng_state(dice, device)
    memory: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        memory.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict(
        {"state": memory, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    return State.from_json((newest / STATE).read_text())


def keep_model(folder: Path, victim: Victim, name: str) -> None:
    """Put the weights as they are now into `model/`, in place of what was there."""
    aside = folder / ".writing-model"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    # ε counts in word-vector lengths as they were when training began (no escape by growing),
    # but in distances between words as they are now
    scale = Scale(victim.scale.mean_norm, victim.measure_scale().half_nn)
    victim.save(aside, name=name, scale=scale)
    put_folder(aside, folder / "model")
