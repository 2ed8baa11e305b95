"""Everything that a run depends on: data, model, method, training. Plain frozen dataclasses, no torch.

A `RunConfig` goes to JSON and back without loss; the same config and seed give the same run on the
same machine. The method and its settings are a mapping `{"name": "freelb", "eps": 0.5, …}`, because
methods live above this module: `advlab.training.methods.build_method` checks it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from advlab.errors import SettingError
from advlab.language import _
from advlab.runs.disk import telling
from advlab.runs.spaces import current
from advlab.settings import build, plain, setting


@dataclass(frozen=True)
class DataConfig:
    """Where the examples come from, and how the file or data set is read."""

    source: str = setting(
        "reviews",
        "A built-in corpus, a file (CSV, TSV, JSONL, Excel, Parquet), or hub:NAME: a public data set",
    )
    text_column: str | None = setting(
        None, "Column with the text: its name, or its number from 0; guessed when empty"
    )
    label_column: str | None = setting(
        None, "Column with the label: its name, or its number from 0; guessed when empty"
    )
    eval_source: str | None = setting(
        None, "A second file to test on; without it a fixed part of the first is held out"
    )
    encoding: str | None = setting(None, "Character encoding; guessed when empty", advanced=True)
    delimiter: str | None = setting(
        None, "Character between columns; guessed when empty", advanced=True
    )
    quoting: bool | None = setting(
        None, "Whether double quotes enclose cells; guessed when empty", advanced=True
    )
    header: bool | None = setting(
        None, "Whether the first row names the columns; guessed when empty", advanced=True
    )
    hub_config: str | None = setting(
        None, "Configuration of a public data set, where it has several", advanced=True
    )
    limit: int | None = setting(
        None, "Use at most this many training texts, drawn at random", unit="texts", low=10
    )
    seed: int = setting(
        0, "Seed of the train/validation/test split and of the limit", low=0, advanced=True
    )
    task: str = setting(
        "classification",
        "What the rows of a file are for: classification, qa, translation or dialogue; a built-in "
        "corpus has its own",
        advanced=True,
    )


@dataclass(frozen=True)
class ModelConfig:
    """Which network is trained, and from where its weights start."""

    source: str = setting(
        "tiny",
        "tiny (0.5 M parameters, from scratch), small (1.3 M), minilm (22 M, pretrained), "
        "or a Hugging Face name or local folder",
    )
    max_length: int = setting(
        128, "Longer texts are cut", unit="tokens", low=8, high=1024, label="maximum length"
    )
    unit_norm: bool = setting(
        True,
        "From scratch: keep every word vector at length 1, so that the model cannot escape an "
        "absolute ε by growing its embeddings",
        advanced=True,
    )


@dataclass(frozen=True)
class TrainConfig:
    """The outer loop. The defaults of `lr` and `epochs` depend on the model: see `for_model`."""

    epochs: int = setting(8, "Passes over the training texts", unit="epochs", low=1, high=200)
    batch_size: int = setting(32, "Texts per optimiser step", unit="texts", low=1, high=1024)
    lr: float = setting(
        1e-3, "Peak learning rate of AdamW", low=0.0, high=1.0, label="learning rate"
    )
    lr_warmup: float = setting(
        0.1,
        "Part of training in which the learning rate rises; it falls linearly to 0 afterwards",
        unit="fraction of steps",
        low=0.0,
        high=1.0,
        advanced=True,
    )
    weight_decay: float = setting(
        0.1, "AdamW's decoupled weight decay", low=0.0, high=10.0, advanced=True
    )
    beta2: float = setting(
        0.999,
        "How slowly AdamW forgets squared gradients; a small model from scratch, whose gradients "
        "change fast, often learns sooner at 0.98 (Vaswani et al. 2017, arXiv:1706.03762, §5.3)",
        low=0.0,
        high=0.99999,
        label="AdamW's β₂",
        advanced=True,
    )
    short_first: float = setting(
        0.0,
        "Part of training, within the first epoch, in which only the shortest ninth of the texts is "
        "read, again and again (easy first: Bengio et al. 2009; by length: Platanios et al. 2019, "
        "arXiv:1903.09848; few texts repeated: Charton and Kempe 2024, arXiv:2410.07041)",
        unit="fraction of steps",
        low=0.0,
        high=1.0,
        label="short texts first",
        advanced=True,
    )
    label_smoothing: float = setting(
        0.0, "Share of each label spread over all classes", low=0.0, high=0.9, advanced=True
    )
    clip: float = setting(
        1.0,
        "Gradients longer than this are shortened to it",
        unit="L2 norm",
        low=0.0,
        advanced=True,
    )
    eps_warmup: float = setting(
        0.3,
        "Part of training in which ε rises from 0 to its full value; full ε from the first step "
        "collapses to chance",
        unit="fraction of steps",
        low=0.0,
        high=1.0,
        label="ε warm-up",
    )
    eps_schedule: Literal["linear", "cosine", "earned"] = setting(
        "linear",
        "How ε rises: evenly, slowly at both ends, or (a curriculum) only while the perturbed loss "
        "stays below 0.9 of the loss of guessing",
        label="ε schedule",
        advanced=True,
    )
    tied_dropout: bool = setting(
        True,
        "The same dropout masks in all passes over a batch, so that δ is the maximum for the very "
        "network that learns from it (FreeLB, arXiv:1909.11764, §3.3); else each pass draws its own, "
        "which weakens δ and suits the few epochs of a pretrained model: FreeLB on MiniLM, clean and "
        "under PGD-10: 80.6 and 48.7 % tied, 85.6 and 47.8 % not",
        label="tied dropout masks",
        advanced=True,
    )
    clean_start: float = setting(
        0.2,
        "ε is 0 for this part of training; from scratch, only until the clean loss has left chance",
        unit="fraction of steps",
        low=0.0,
        high=1.0,
        advanced=True,
    )
    clean_until: float = setting(
        0.97,
        "From scratch, ε also waits until the mean clean loss is below this part of the loss of "
        "guessing; far less where what matters is learnt late",
        unit="fraction of the loss of guessing",
        low=0.0,
        high=1.0,
        advanced=True,
    )
    eval_eps: float = setting(
        0.25,
        "ε of the PGD-5 that measures robust accuracy after each epoch",
        unit="× mean word-vector norm",
        low=0.0,
        high=100.0,
        label="validation ε",
    )
    eval_limit: int = setting(
        256, "Validation texts used after each epoch", unit="texts", low=8, advanced=True
    )
    choose: Literal["robust", "clean", "last"] = setting(
        "robust",
        "Which epoch's weights are kept: best clean + robust accuracy, best clean accuracy, or last",
        label="keep the epoch with the best",
    )
    patience: int | None = setting(
        None,
        "Stop after this many epochs without improvement; never when empty",
        unit="epochs",
        low=1,
        advanced=True,
    )
    history: int = setting(
        12,
        "Epochs whose weights are kept to look back at, spread evenly, within 1 GiB; 0 for none",
        unit="epochs",
        low=0,
        high=100,
        advanced=True,
    )
    seed: int = setting(0, "Seed of the weights, the order of texts, dropout and attacks", low=0)

    @staticmethod
    def for_model(source: str, method: str = "plain", **changes: Any) -> TrainConfig:
        """Defaults that suit the model: from scratch 8 epochs at 1e-3, pretrained 3 of small steps.

        A pretrained model has few steps for a strong δ: ε rises over half of them, and dropout masks
        are not tied. MiniLM, 3,000 sentences of SST-2, ε 0.5, four seeds, dev clean and under PGD-10 at
        ε = 0.25: plain training (5e-5) 84.8 and 19.5 %, FreeLB (1e-4) 85.6 and 47.8; at 5e-5, which
        suits plain training best, 83.9 and 44.5 (two seeds). The sweep is in the benchmarks' README.
        """
        base: dict[str, Any] = {}
        if source not in SCRATCH:
            base |= {"epochs": 3, "lr": 5e-5 if method == "plain" else 1e-4, "batch_size": 16}
            base |= {"clean_start": 0.1, "eps_warmup": 0.5, "tied_dropout": False}
        return build(TrainConfig, base | changes)


@dataclass(frozen=True)
class Augmentation:
    """How often a word of a training text is changed, and in what way."""

    word_dropout: float = setting(0.0, "Chance that a word is left out", low=0.0, high=0.9)
    word_swap: float = setting(
        0.0, "Chance that a word changes places with the next", low=0.0, high=0.9
    )
    synonyms: float = setting(
        0.0,
        "Chance that a word gives way to one of like meaning: from a small built-in list, else, in "
        "pretrained models, from its nearest neighbours in the model's own embeddings (tiny and small "
        "begin with random ones, which mean nothing yet)",
        low=0.0,
        high=0.9,
    )
    typos: float = setting(0.0, "Chance that a word gets a typing error", low=0.0, high=0.9)
    augmented: float = setting(
        0.5, "Part of the texts that is changed in an epoch", low=0.0, high=1.0, advanced=True
    )

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return bool(
            self.augmented and (self.word_dropout or self.word_swap or self.synonyms or self.typos)
        )


@dataclass(frozen=True)
class Regularisation:
    """Losses added to the training method's own, and the dropout of the model."""

    rdrop: float = setting(
        0.0,
        "Weight of the symmetric divergence between two dropout passes (R-Drop, Liang et al. 2021, "
        "arXiv:2106.14448); two passes more. A regulariser, not a defence",
        low=0.0,
        high=100.0,
        label="R-Drop",
    )
    mixup: float = setting(
        0.0,
        "Weight of the loss on blends of two texts' embeddings and labels (Zhang et al. 2018, "
        "arXiv:1710.09412; Beta(0.4, 0.4)); one pass more",
        low=0.0,
        high=100.0,
    )
    hotflip: float = setting(
        0.0,
        "Weight of the loss on the batch with words replaced by HotFlip (arXiv:1712.06751); rises "
        "with the warm-up of ε; some three passes more",
        low=0.0,
        high=100.0,
        label="HotFlip texts",
    )
    hotflip_words: int = setting(
        1, "Words that HotFlip replaces in a text", unit="words", low=1, high=20, advanced=True
    )
    dropout: float | None = setting(
        None, "Dropout of the model; its own when empty", low=0.0, high=0.9
    )

    @property
    def active(self) -> bool:
        """Whether there is any loss to add."""
        return bool(self.rdrop or self.mixup or self.hotflip)


SCRATCH = ("tiny", "small")


@dataclass(frozen=True)
class Watch:
    """What is looked at while a run trains, beside its epochs; it changes nothing in the run."""

    every: int = setting(
        0, "Steps from one look to the next, each told in the diary; 0 for none", low=0
    )
    texts: int = setting(32, "Held-out texts that are attacked at a look", unit="texts", low=1)
    text: str = setting("", "A sentence whose margin and flipping ε are told")
    beside: str = setting("", "What is read with the sentence: a question")
    answer: str = setting("", "Its answer that must stand; the model's own when empty")


@dataclass(frozen=True)
class RunConfig:
    """All that decides a run. `name` and `watch` are for people and change nothing."""

    name: str = ""
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    method: dict[str, Any] = field(default_factory=lambda: {"name": "plain"})
    regularise: Regularisation = Regularisation()
    augment: Augmentation = field(default_factory=Augmentation)
    train: TrainConfig = TrainConfig()
    task_settings: dict[str, Any] = field(default_factory=dict)  # other than the task's defaults
    watch: Watch = field(default_factory=Watch)

    @property
    def task(self) -> str:
        """What the model is asked, by its name among the tasks."""
        return self.data.task

    def to_json(self) -> str:
        """One JSON object, keys in a fixed order."""
        return json.dumps(plain(self), indent=2, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> RunConfig:
        """The config that `to_json` wrote; SettingError names what does not fit."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SettingError(
                _("expected settings as JSON, got {error}; start the run anew", error=error)
            ) from None
        if not isinstance(values, dict):
            raise SettingError(_("expected settings as a JSON object; start the run anew"))
        if "task" in values:  # where it stood once
            data = {"task": values["task"]} | dict(values.get("data", {}))
            values = {k: v for k, v in values.items() if k != "task"} | {"data": data}
        return build(RunConfig, values)

    @property
    def fingerprint(self) -> str:
        """12 hex digits of everything that changes something."""
        rest = {k: v for k, v in plain(self).items() if k not in ("name", "watch")}
        return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:12]


def home() -> Path:
    """The data folder: `$ADVLAB_HOME`, or `~/.advlab`; in a class the visitor's. Made when missing."""
    import os

    space = current()
    if space is not None:
        with telling(space.root):
            space.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return space.root.resolve()
    own = Path.home() / ".advlab"
    folder = Path(os.environ.get("ADVLAB_HOME") or own).expanduser()
    with telling(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder == own and folder.stat().st_mode & 0o077:  # made by an earlier release
            folder.chmod(0o700)
    return folder.resolve()
