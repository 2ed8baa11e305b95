"""The two runs of a first minute, for each task: plain and adversarial, alike in everything else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from advlab.errors import SettingError, unknown
from advlab.runs.config import SCRATCH, DataConfig, Regularisation, RunConfig, TrainConfig

# what a task from scratch learns by; the rest of a starter is for speed
LEARNT = (
    "epochs",
    "batch_size",
    "lr",
    "weight_decay",
    "clean_start",
    "clean_until",
    "eps_warmup",
    "choose",
)
STARTER_GROUP = "starter"  # begins the group that ties the two runs together in the queue


@dataclass(frozen=True)
class Starter:
    """What a task begins with. Neither model has dropout: it costs time and gains nothing here."""

    title: str  # of the task
    corpus: str
    method: dict[str, Any]  # of the adversarial run
    train: TrainConfig
    texts: str  # what it reads, for people
    time: str  # how long both take where two cores are free
    robust: dict[str, Any] = field(default_factory=dict)  # what its training has otherwise
    settings: dict[str, Any] = field(default_factory=dict)  # the task's own


STARTERS: dict[str, Starter] = {
    # many texts and few passes; plain, seed 0: 92.8 % of the test texts with dropout 0.1, 94.5 without
    "classification": Starter(
        "Text classification",
        "reviews",
        {"name": "fgm", "eps": 0.3},
        TrainConfig(epochs=3, batch_size=64, lr=2e-3, eval_limit=128, eval_eps=0.25),
        "invented reviews of films, food, places and things",
        "a minute or two",
    ),
    "qa": Starter(
        "Question answering",
        "stories",
        {"name": "pgd", "eps": 0.25, "steps": 2, "step_size": 0.75},
        TrainConfig(
            epochs=4, lr=2e-3, weight_decay=0.01, clean_start=0.6, eval_limit=64, eval_eps=0.25
        ),
        "invented stories, a question to each",
        "two to three minutes",
        settings={"where": "both"},
    ),
    # the last epoch: exact matches of 64 texts would choose among the late ones by chance
    "translation": Starter(
        "Translation",
        "normal-forms",
        {"name": "freelb", "eps": 0.5, "steps": 2},
        TrainConfig(
            epochs=10,
            batch_size=64,
            lr=3e-3,
            weight_decay=0.01,
            eval_limit=64,
            eval_eps=0.25,
            choose="last",
        ),
        "dates, times and numbers in words, to be written in digits",
        "two to three minutes",
    ),
    # ε waits for the look-ups: risen from the first steps on it left one seed of three without a fifth
    # of the directions
    "dialogue": Starter(
        "Dialogue",
        "assistant",
        {"name": "pgd", "eps": 0.3, "steps": 2},
        TrainConfig(
            epochs=4,
            lr=3e-3,
            weight_decay=0.01,
            clean_start=0.4,
            clean_until=0.005,
            eps_warmup=0.4,
            eval_limit=64,
            eval_eps=0.25,
            choose="last",
        ),
        "talks with an assistant: bookings, directions, support",
        "three to four minutes",
    ),
}


def starter_pair(seed: int = 0, task: str = "classification") -> tuple[RunConfig, RunConfig]:
    """The plain and the adversarial run of a task; SettingError lists the tasks."""
    if task not in STARTERS:
        raise SettingError(unknown("task", task, STARTERS))
    start = STARTERS[task]
    plain = RunConfig(
        "Starter: plain" if task == "classification" else f"Starter {task}: plain",
        data=DataConfig(start.corpus, task=task),
        regularise=Regularisation(dropout=0.0),
        train=replace(start.train, seed=seed),
        task_settings=dict(start.settings),
    )
    name = plain.name.replace("plain", f"adversarial ({start.method['name'].upper()})")
    robust = replace(
        plain, name=name, method=dict(start.method), train=replace(plain.train, **start.robust)
    )
    return plain, robust


def train_for(model: str, method: str, task: str, **changes: Any) -> TrainConfig:
    """Training settings that suit a model, a method and a task: from scratch, those of its starter."""
    base: dict[str, Any] = {}
    if model in SCRATCH and task in STARTERS and task != "classification":
        start = STARTERS[task].train
        base = {name: getattr(start, name) for name in LEARNT}
    return TrainConfig.for_model(model, method, **(base | changes))


def starter_group(task: str) -> str:
    """What ties the two runs of a task together in the queue."""
    return STARTER_GROUP if task == "classification" else f"{STARTER_GROUP} {task}"
