"""A model as a row of blocks: run it with a change at one block's input, or from there upwards only.

A hidden-layer perturbation needs both: training passes go through the whole model, the ascent only
through the blocks above the perturbation. Hooks and a shortened row of blocks stand for one call and
are removed after errors too; so a model that others share must not be given, but a `view()` of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from advlab.errors import AdvlabError, ModelError, SettingError
from advlab.language import _

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.tasks import Batch

Change = Callable[[Tensor], Tensor]  # hidden states (B,T,H) -> the same shape


class _Reached(Exception):  # noqa: N818  a signal, not an error
    """The forward pass has come to the block whose input was wanted."""


def blocks_of(victim: Victim) -> tuple[nn.Module, str, nn.ModuleList]:
    """The module that holds the transformer's blocks, its attribute's name, and the blocks.

    SettingError where there are two rows of them, one of which sees a part of the positions only.
    """
    if getattr(victim.model.config, "is_encoder_decoder", False):
        raise SettingError(
            _(
                "expected a model with one row of blocks, but {name} has an encoder and a "
                "decoder; perturb the word embeddings instead",
                name=victim.name,
            )
        )
    depth = getattr(victim.model.config, "num_hidden_layers", None)
    for owner in victim.model.modules():
        for name, child in owner.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == depth:
                return owner, name, child
    raise ModelError(
        _(
            "{name}: expected a transformer with a list of {depth} blocks, found none; "
            "perturb the word embeddings instead",
            name=victim.name,
            depth=depth,
        )
    )


def check_blocks(victim: Victim, batch: Batch) -> None:
    """SettingError unless δ on the input of a block means what it says; tried once for a model.

    Every block must be given hidden states (B,T,H), and the blocks above one must make of them what
    the whole model makes. So it is not where axes are exchanged (XLNet, SqueezeBERT) or where a
    block is spread over several lists (XLM, Flaubert).
    """
    if victim.model not in _FAULTS:
        modes = [(module, module.training) for module in victim.model.modules()]
        victim.model.eval()
        try:
            with torch.no_grad():
                _FAULTS[victim.model] = _fault(victim, batch)
        finally:
            for module, training in modes:
                module.training = training
    if fault := _FAULTS[victim.model]:
        raise SettingError(
            _(
                "expected a model whose blocks can be fed with hidden states, but {name} "
                "{fault}; perturb the word embeddings instead",
                name=victim.name,
                fault=fault,
            )
        )


# what keeps δ from a model's blocks, in words; empty where nothing does
_FAULTS: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()


def _fault(victim: Victim, batch: Batch) -> str:
    batch = batch.take(torch.arange(min(len(batch), 4), device=batch.input_ids.device))
    if len(batch) == batch.input_ids.shape[1]:
        batch = batch.repeat(2)  # so that exchanged axes show
    embeds = victim.embed(batch)
    whole = victim.output(embeds, batch)
    for layer in range(depth(victim)):
        try:
            hidden = hidden_at(victim, embeds, batch, layer)
            if hidden.shape[:2] != embeds.shape[:2]:
                return _(
                    "gives block {layer} a tensor of shape {shape} for {n} texts of "
                    "{length} tokens",
                    layer=layer,
                    shape=tuple(hidden.shape),
                    n=embeds.shape[0],
                    length=embeds.shape[1],
                )
            again = logits_above(victim, hidden, embeds, batch, layer, lambda h: h)
        except AdvlabError:
            raise
        except Exception as error:  # a model's own code, with a part of its blocks
            return _(
                "fails from block {layer} on ({name}: {error})",
                layer=layer,
                name=type(error).__name__,
                error=error,
            )
        finite = whole.isfinite()
        if not torch.allclose(again[finite], whole[finite], rtol=1e-3, atol=1e-4):
            return _("answers otherwise from block {layer} on", layer=layer)
    return ""


def logits_with(victim: Victim, embeds: Tensor, batch: Batch, layer: int, change: Change) -> Tensor:
    """(B,T,D) -> (B,C) of the whole model, the input of block `layer` put through `change`."""
    blocks = blocks_of(victim)[2]
    if not 0 <= layer < len(blocks):
        raise SettingError(
            _(
                "expected a hidden layer below {n_blocks}, as {name} has, got {layer}; lower it",
                n_blocks=len(blocks),
                name=victim.name,
                layer=layer,
            )
        )
    with _changed(blocks[layer], change):
        return victim.output(embeds, batch)


def hidden_at(victim: Victim, embeds: Tensor, batch: Batch, layer: int) -> Tensor:
    """(B,T,D) -> (B,T,H): the input of block `layer`; nothing above it is computed."""
    found: list[Tensor] = []

    def stop(hidden: Tensor) -> Tensor:
        found.append(hidden)
        raise _Reached

    with contextlib.suppress(_Reached):
        logits_with(victim, embeds, batch, layer, stop)
    if not found:
        raise SettingError(
            _(
                "expected {name} to run its block {layer}, but it did not; perturb the "
                "word embeddings instead",
                name=victim.name,
                layer=layer,
            )
        )
    return found[0]


def logits_above(
    victim: Victim, hidden: Tensor, embeds: Tensor, batch: Batch, layer: int, change: Change
) -> Tensor:
    """(B,T,H) -> (B,C): only the blocks from `layer` on, fed with `change(hidden)`.

    `embeds` (B,T,D) stand at the foot of the model, for masks and positions; they change nothing.
    """
    owner, name, blocks = blocks_of(victim)
    setattr(owner, name, nn.ModuleList(list(blocks)[layer:]))
    try:
        with _changed(blocks[layer], lambda _: change(hidden)):
            return victim.output(embeds, batch)
    finally:
        setattr(owner, name, blocks)


@contextlib.contextmanager
def _changed(block: nn.Module, change: Change) -> Iterator[None]:
    """While it stands, a block's hidden states (its first argument) go through `change`."""

    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        if "hidden_states" not in kwargs:
            raise SettingError(
                _("expected a block that is given hidden states; perturb the embeddings")
            )
        return args, kwargs | {"hidden_states": change(kwargs["hidden_states"])}

    handle = block.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def depth(victim: Victim) -> int:
    """How many blocks the model has."""
    return len(blocks_of(victim)[2])


__all__ = ["blocks_of", "check_blocks", "depth", "hidden_at", "logits_above", "logits_with"]
