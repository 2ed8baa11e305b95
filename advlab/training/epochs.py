"""The weights of past epochs, so that one sentence can be looked at as training went on.

    <run>/history/epoch-003.safetensors    the whole state, as it was; epoch 0 is before training

At most so many epochs as the settings say are kept, spread evenly with the first and the last, and no
more than fit into `ROOM`; a model too large for three has no history. An encoder of 22M parameters
takes 88 MB an epoch, so eleven fit. One of 110M takes 440 MB and has none: three of them would outweigh
everything else on a small disk.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file

from advlab.errors import ModelError
from advlab.language import _
from advlab.model.victim import Victim
from advlab.runs.disk import sync

ROOM = 2**30  # bytes of one run's history
_NAME = re.compile(r"epoch-(\d{3,})\.safetensors")


def wanted(epochs: int, most: int, size: int) -> list[int]:
    """Which epochs of 0 … `epochs` are kept for a model of `size` bytes."""
    count = min(most, ROOM // max(size, 1), epochs + 1)
    if count < 3:
        return []
    return sorted({round(e) for e in np.linspace(0, epochs, count)})


def keep_epoch(folder: Path, victim: Victim, epoch: int, epochs: int, most: int) -> None:
    """Save the weights after this epoch, if it is one that is kept. Whole or not at all."""
    state = {name: t.detach().cpu().contiguous() for name, t in victim.model.state_dict().items()}
    size = sum(t.numel() * t.element_size() for t in state.values())
    if epoch not in wanted(epochs, most, size):
        return
    place = folder / "history"
    place.mkdir(exist_ok=True)
    aside = place / f".epoch-{epoch:03d}.part"
    # tied weights share memory, which the format refuses; a copy of each does not
    save_file({name: t.clone() for name, t in state.items()}, str(aside))
    sync(aside)
    aside.replace(place / f"epoch-{epoch:03d}.safetensors")


def kept(folder: Path) -> list[int]:
    """The epochs whose weights are there, in order."""
    found = (_NAME.fullmatch(file.name) for file in (folder / "history").glob("epoch-*"))
    return sorted(int(match[1]) for match in found if match)


def load_epoch(folder: Path, victim: Victim, epoch: int) -> Victim:
    """A victim of its own with the weights of a kept epoch; `victim` gives tokenizer and scale.

    ε stays in the units of the victim that is given: a length means the same in every epoch.
    """
    file = folder / "history" / f"epoch-{epoch:03d}.safetensors"
    if not file.is_file():
        raise ModelError(
            _(
                "expected the weights of epoch {epoch} at {name}, found none",
                epoch=epoch,
                name=file.name,
            )
        )
    then = victim.apart()
    then.model.load_state_dict(load_file(str(file)))
    then.model.eval()
    return then
