"""Two hundred broken folders: each gives one model, the same at each call, or a ModelError."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from victims import TEXTS, make_victim

from advlab.errors import ModelError
from advlab.model.victim import Victim

SEEDS, PARTS = 200, 8
KINDS = ("bert", "roberta", "gpt2")
NUMBERS = (-1, 0, 1, 2, 3, 7, 10**7, 10**12, 0.5, float("nan"), float("inf"))
OTHERS = (None, True, "", "12", "bert", "gelu", "../a", [], [1], {}, {"0": "a"}, {"a": 0}, [[[]]])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with saved folders of three kinds, under `whole`."""
    home = tmp_path_factory.mktemp("folders")
    for kind in KINDS:
        make_victim(kind, dtype=torch.float32).save(home / "whole" / kind)
    return home


def with_a_wrong_value(folder: Path, dice: random.Random) -> None:
    """Another value at some depth of one of the JSON files."""
    file = dice.choice(sorted(folder.glob("*.json")))
    whole = json.loads(file.read_text())
    at = whole
    while True:
        key = dice.choice(sorted(at) if isinstance(at, dict) else range(len(at)))
        inner = at[key]
        if not (isinstance(inner, dict | list) and inner and dice.random() < 0.7):
            break
        at = inner
    at[key] = dice.choice((*NUMBERS, *OTHERS))
    file.write_text(json.dumps(whole))


def with_a_field_too_few(folder: Path, dice: random.Random) -> None:
    file = dice.choice(sorted(folder.glob("*.json")))
    whole = json.loads(file.read_text())
    del whole[dice.choice(sorted(whole))]
    file.write_text(json.dumps(whole))


def with_another_size(folder: Path, dice: random.Random) -> None:
    """A number of config.json that is another one."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    name = dice.choice(sorted(n for n, v in config.items() if isinstance(v, int | float)))
    file.write_text(json.dumps(config | {name: dice.choice(NUMBERS)}))


def cut(folder: Path, dice: random.Random) -> None:
    file = dice.choice(sorted(f for f in folder.iterdir() if f.is_file()))
    content = file.read_bytes()
    file.write_bytes(content[: dice.randrange(len(content))])


def exchanged(folder: Path, dice: random.Random) -> None:
    """A file of another model, or another file of this one, under the name of a file."""
    files = sorted(f for f in folder.iterdir() if f.is_file())
    file = dice.choice(files)
    theirs = folder.parents[1] / "whole" / dice.choice(KINDS) / file.name
    source = theirs if dice.random() < 0.6 and theirs.is_file() else dice.choice(files)
    file.write_bytes(source.read_bytes())


def without_a_file(folder: Path, dice: random.Random) -> None:
    dice.choice(sorted(f for f in folder.iterdir() if f.is_file())).unlink()


def with_a_changed_byte(folder: Path, dice: random.Random) -> None:
    file = dice.choice(sorted(f for f in folder.iterdir() if f.is_file()))
    content = bytearray(file.read_bytes())
    content[dice.randrange(min(len(content), 4096))] = dice.randrange(256)
    file.write_bytes(content)


def with_other_tensors(folder: Path, dice: random.Random) -> None:
    """One tensor gone, renamed, cut, or not finite."""
    file = folder / "model.safetensors"
    state = load_file(file)
    name = dice.choice(sorted(state))
    tensor = state.pop(name)
    if (what := dice.randrange(4)) == 1:
        state[f"module.{name}"] = tensor
    elif what == 2:
        state[name] = tensor[..., : tensor.shape[-1] - 1].contiguous()
    elif what == 3:
        state[name] = torch.full_like(tensor, float("inf"))
    save_file(state, file, metadata={"format": "pt"})


WAYS: tuple[Callable[[Path, random.Random], None], ...] = (
    with_a_wrong_value,
    with_a_wrong_value,
    with_a_field_too_few,
    with_another_size,
    cut,
    exchanged,
    without_a_file,
    with_a_changed_byte,
    with_other_tensors,
)


def answered(folder: Path, head: tuple[str, ...] | None) -> tuple[str, Any]:
    """What the folder gives: logits, or the words of the error."""
    try:
        victim = Victim.load(folder, head=head)
    except ModelError as error:
        return str(error), None
    batch = victim.encode(TEXTS)
    with torch.no_grad():
        return f"{victim.hash} {victim.head}", victim.output(victim.embed(batch), batch)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_broken_folder_is_refused_or_gives_the_same_model_twice(part: int, home: Path) -> None:
    for seed in range(part, SEEDS, PARTS):
        dice = random.Random(seed)
        folder = home / "broken" / str(seed)
        shutil.copytree(home / "whole" / dice.choice(KINDS), folder)
        WAYS[seed % len(WAYS)](folder, dice)
        head = ("no", "yes", "perhaps") if dice.random() < 0.3 else None
        torch.manual_seed(0)
        said, logits = answered(folder, head)
        torch.manual_seed(1)
        again, same = answered(folder, head)
        assert said == again, seed
        assert said.strip()
        if logits is not None:
            torch.testing.assert_close(logits, same, rtol=0, atol=0, msg=f"seed {seed}")
        shutil.rmtree(folder)
