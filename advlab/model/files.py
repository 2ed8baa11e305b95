"""The files of a model folder, checked before any library makes anything of them.

What is asked: is each where it should be, is it what its name says, and do sizes fit each other.
Everything here is plain JSON and the headers of safetensors files; no tensor is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advlab.errors import ModelError
from advlab.language import _

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# any of these holds a vocabulary
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken", "tekken.json")
MOST_CLASSES = 10_000
MOST_LAYERS = 1_000
MOST_HEADER = 2**26  # bytes of the JSON at the head of a weights file


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object of a model folder; ModelError for what is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            _(
                "expected JSON in {file}, got {name}: {error}; copy the file again",
                file=file,
                name=type(error).__name__,
                error=str(error)[:100],
            )
        ) from error
    if not isinstance(found, dict):
        raise ModelError(
            _(
                "expected a JSON object in {file}, got {name}; copy the file again",
                file=file,
                name=type(found).__name__,
            )
        )
    return found


def check_files(folder: Path) -> None:
    """ModelError unless weights and vocabulary are there and a configuration that fits them."""
    config = read_json(folder / "config.json")
    if other := config.get("transformers_weights"):
        raise ModelError(
            _(
                "expected the weights in {weights}, got transformers_weights {other!r} in "
                "config.json; give the folder that save_pretrained wrote",
                weights=WEIGHTS,
                other=other,
            )
        )
    if (folder / "adapter_config.json").is_file():
        raise ModelError(
            _(
                "expected a whole model, found an adapter (adapter_config.json) in "
                "{folder}; merge it into its model (merge_and_unload) and save that",
                folder=folder,
            )
        )
    check_sizes(folder, config, len(weight_shapes(folder)))
    if not any(file for name in VOCABULARIES for file in folder.glob(name)):
        raise ModelError(
            _(
                "expected the tokenizer's files beside the weights, found no "
                "tokenizer.json in {folder}; save the tokenizer there too "
                "(tokenizer.save_pretrained)",
                folder=folder,
            )
        )


def check_sizes(folder: Path, config: dict[str, Any], tensors: int) -> None:
    """ModelError for numbers of classes or layers that no model in `tensors` tensors can have."""
    names = config.get("id2label")
    counts = {
        "num_labels": config.get("num_labels", 2),
        "id2label": len(names) if isinstance(names, dict | list) else 2,
    }
    for name, count in counts.items():
        if isinstance(count, int) and count > MOST_CLASSES:
            raise ModelError(
                _(
                    "expected at most {most_classes:,} classes, got {count:,} in {name} of "
                    "{folder}; correct the number",
                    most_classes=MOST_CLASSES,
                    count=count,
                    name=name,
                    folder=folder / "config.json",
                )
            )
    for name, value in config.items():
        many = name.endswith(("layers", "n_layer")) and isinstance(value, int)
        if many and value > max(MOST_LAYERS, tensors):
            raise ModelError(
                _(
                    "expected at most as many layers as the weights have tensors "
                    "({tensors:,}), got {came:,} in {name} of {folder}; correct the number",
                    tensors=tensors,
                    came=value,
                    name=name,
                    folder=folder / "config.json",
                )
            )


def weight_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Every tensor that the folder's safetensors files say they hold, and its shape.

    ModelError for a file that is none, and for an index that names anything but safetensors files
    beside it.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for file in _weight_files(folder):
        shapes |= dict(_header(file))
    if not shapes:
        raise ModelError(
            _("expected weights in {folder}, found no tensor; copy the files again", folder=folder)
        )
    return shapes


def _weight_files(folder: Path) -> list[Path]:
    whole, index = folder / WEIGHTS, folder / INDEX
    if index.is_file():
        names = read_json(index).get("weight_map")
        if not isinstance(names, dict) or not names:
            raise ModelError(
                _("expected a weight_map in {index}, found none; copy the file again", index=index)
            )
        for name in names.values():
            plain = isinstance(name, str) and Path(name).name == name and "\\" not in name
            if not plain or not name.endswith(".safetensors"):
                raise ModelError(
                    _(
                        "expected safetensors files of the same folder in {index}, got {name!r}; "
                        "nothing else is read",
                        index=index,
                        name=name,
                    )
                )
            if not (folder / name).is_file():
                raise ModelError(
                    _(
                        "expected {name} in {folder}, as its index says, found none",
                        name=name,
                        folder=folder,
                    )
                )
        if not whole.is_file():
            return [folder / name for name in sorted(set(names.values()))]
    if whole.is_file():
        return [whole]
    raise ModelError(
        _(
            "expected a text model with safetensors weights at {folder}, found no "
            "{weights}; give the folder that save_pretrained wrote",
            folder=folder,
            weights=WEIGHTS,
        )
    )


def _header(file: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a safetensors file: 8 bytes of length, then JSON, then the numbers."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 2 <= length <= min(size - 8, MOST_HEADER):
            raise ModelError(
                _("expected a safetensors file, got another or a part in {file}", file=file)
            )
        text = opened.read(length)
    try:
        tensors = json.loads(text)
        end = max(t["data_offsets"][1] for n, t in tensors.items() if n != "__metadata__")
        shapes = [(n, tuple(t["shape"])) for n, t in tensors.items() if n != "__metadata__"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            _("expected a safetensors file, got another in {file}", file=file)
        ) from error
    if 8 + length + end != size:
        raise ModelError(
            _(
                "expected {wanted:,} bytes in {file}, got {size:,}; copy the file again",
                wanted=8 + length + end,
                file=file,
                size=size,
            )
        )
    yield from shapes
