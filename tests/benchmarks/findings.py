"""What the pictures show, counted over many sentences. Prints Markdown tables.

    python tests/benchmarks/findings.py                                trains tiny plain and FreeLB
    python tests/benchmarks/findings.py --models RUN FOLDER …          runs of ADVLAB_HOME, or folders
    python tests/benchmarks/findings.py --texts 50 --models RUN        quicker

Takes sentences of `dev.tsv` in the folder given by --data that the model classifies right, in a
seeded order. Each is attacked by PGD-10 (L2 over the sentence, from 0) at its own smallest ε: bisection
finds the smallest radius that flips it, and the δ found there is shortened as long as it still
flips. Everything else is measured on these δ or on the clean sentence. One thread.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from advlab.attacks import PGD
from advlab.attacks.evaluate import by_length, survives, wilson
from advlab.attacks.norms import random_in_ball
from advlab.explain.nearest import METRICS, certificate, first_exit, nearest_tokens, scores
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.tasks import Batch

ROUNDS = 8  # of the bisection on ε
SHORTEN = 6  # halvings of the interval in which the shortest flipping multiple of δ lies
PIXELS = 600
CHUNK = 64  # sentences, or versions of one, in a forward pass

Findings = dict[str, list[float]]
Margin = Callable[[Tensor], Tensor]  # (N,T,D) -> (N,)


# ---- helpers, each checked by hand in tests/test_findings.py --------------------------------------


def first_order(
    gradient: Tensor, own: Tensor, table: Tensor, allowed: Tensor, perturbable: Tensor, k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The k substitutions with the largest g·(e_w − e_own), best first: places, words, estimates.

    gradient (T,D), own (T,), table (V,D), allowed (V,), perturbable (T,); all places and words compete
    (HotFlip, Ebrahimi et al. 2018, arXiv:1712.06751).
    """
    estimate = gradient @ table.T - (gradient * table[own]).sum(-1, keepdim=True)  # (T,V)
    usable = (allowed & perturbable.unsqueeze(1)).scatter(1, own.unsqueeze(1), False)
    best = estimate.masked_fill(~usable, -torch.inf).flatten().topk(k)
    V = table.shape[0]
    return best.indices // V, best.indices % V, best.values


def place_of(values: Sequence[float] | np.ndarray, which: int) -> int:
    """1 + how many values are larger than the one at `which`."""
    values = np.asarray(values)
    return 1 + int((values > values[which]).sum())


def spearman(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Rank correlation, ties averaged; NaN for fewer than three values or where one side is flat."""
    x, y = rankdata(a), rankdata(b)
    if len(x) < 3 or x.std() == 0 or y.std() == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def margin_of(victim: Victim, batch: Batch, first: int, second: int) -> Margin:
    """Logit of one class minus that of another, for versions (N,T,D) of one text."""

    def margin(embeds: Tensor) -> Tensor:
        logits = victim.output(embeds, batch.repeat(len(embeds)))
        return logits[:, first] - logits[:, second]

    return margin


def by_word(values: Tensor, owner: Sequence[int], signed: bool) -> np.ndarray:
    """Token scores (T,) added up to words; norms as the norm of the joined gradient. −1: no word."""
    sums = np.zeros(max(owner) + 1)
    for word, value in zip(owner, values.tolist(), strict=True):
        if word >= 0:
            sums[word] += value if signed else value**2
    return sums if signed else np.sqrt(sums)


def path_attributions(
    margin: Margin, x: Tensor, baseline: Tensor, nodes: np.ndarray, weights: np.ndarray
) -> Tensor:
    """(T,) integrated gradients from `baseline` to `x` (each (T,D)) with the given quadrature."""
    total = torch.zeros_like(x)
    share = torch.as_tensor(nodes).to(x).reshape(-1, 1, 1)
    for part, weight in zip(
        share.split(CHUNK), torch.as_tensor(weights).to(x).split(CHUNK), strict=True
    ):
        points = (baseline + part * (x - baseline)).requires_grad_()
        (grad,) = torch.autograd.grad(margin(points).sum(), points)
        total += (weight.reshape(-1, 1, 1) * grad).sum(0)
    return (total * (x - baseline)).sum(-1)


def left_riemann(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]: the left end of each of n equal steps."""
    return np.arange(n) / n, np.full(n, 1 / n)


def gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1) / 2, weights / 2


def arrow_pixels(points: Tensor, arrow: tuple[Tensor, Tensor], axes: Tensor) -> float:
    """Length of `arrow` (from, to) in a plot of `points` (N,D) on two axes (2,D), equal aspect.

    The wider side of the points spans PIXELS.
    """
    flat = points @ axes.T
    width = float((flat.amax(0) - flat.amin(0)).max())
    return PIXELS * float(((arrow[1] - arrow[0]) @ axes.T).norm()) / max(width, 1e-12)


def main_axes(points: Tensor) -> Tensor:
    """(2,D) the first two principal directions of (N,D)."""
    centred = points - points.mean(0)
    if len(points) > points.shape[1]:
        return torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :2].T
    return torch.linalg.svd(centred, full_matrices=False).Vh[:2]


# ---- the sentences and their smallest flips --------------------------------------------------------


def readable(victim: Victim, examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` examples that the model classifies right, in a seeded order."""
    order = np.random.default_rng(seed).permutation(len(examples))
    mixed = [examples[i] for i in order]
    right = survives(victim, mixed)
    return [e for e, ok in zip(mixed, right, strict=True) if ok][:count]


def smallest_flips(
    victim: Victim, examples: Sequence[Example], top: float, seed: int
) -> list[Tensor | None]:
    """For each example the shortest δ (T,D) found that flips it; None where ε = `top` does not."""
    found: list[Tensor | None] = [None] * len(examples)
    generator = torch.Generator().manual_seed(seed)
    attack = PGD(1.0, "raw")
    for places, batch in by_length(victim, examples, CHUNK):
        embeds, objective = victim.embed(batch).detach(), victim.objective(batch)
        eps = torch.full((len(batch),), top)
        low, high = torch.full_like(eps, 1e-3 * top), eps.clone()
        best, done = torch.zeros_like(embeds), torch.zeros(len(batch), dtype=torch.bool)
        for _ in range(ROUNDS):
            trial = attack(
                objective, embeds, batch.perturbable, generator, eps=eps, flips=objective.flips
            )
            hit = trial.first_flip >= 0
            best = torch.where(hit.reshape(-1, 1, 1), trial.flip_delta, best)
            high = torch.where(hit, trial.flip_delta.norm(dim=(1, 2)), high)
            low = torch.where(hit, low, eps)
            done |= hit
            eps = (low * high).sqrt()
        short, long = torch.zeros(len(batch)), torch.ones(len(batch))
        for _ in range(SHORTEN):
            share = (short + long) / 2
            with torch.no_grad():
                flips = objective.flips(embeds + share.reshape(-1, 1, 1) * best)
            long, short = torch.where(flips, share, long), torch.where(flips, short, share)
        for i, place in enumerate(places):
            if done[i]:
                T = int(batch.attention_mask[i].sum())
                found[place] = (long[i] * best[i, :T]).clone()
    return found


# ---- what is counted -------------------------------------------------------------------------------


def perturbations(
    victim: Victim,
    examples: Sequence[Example],
    deltas: Sequence[Tensor | None],
    draws: int,
    seed: int,
) -> Findings:
    """Are flips text? How far from it, and does noise as long do the same?"""
    found: Findings = {}
    table, allowed = victim.table, victim.ordinary
    vocabulary = table[allowed]
    world = main_axes(vocabulary)
    centred = vocabulary - vocabulary.mean(0)
    add(found, "variance", float((centred @ world.T).pow(2).sum() / centred.pow(2).sum()))
    generator = torch.Generator().manual_seed(seed)
    for example, delta in zip(examples, deltas, strict=True):
        if delta is None:
            continue
        batch = victim.encode([example])
        own, free = batch.input_ids[0], batch.perturbable[0]
        clean = victim.embed(batch)[0].detach()
        moved, rows = clean + delta, free.nonzero()[:, 0]
        add(found, "eps", float(delta.norm()) / victim.scale.mean_norm)
        for metric in METRICS:
            for name, x in (("clean", clean), ("flip", moved)):
                rank = nearest_tokens(x[rows], own[rows], table, allowed, 2, metric)[2]
                add(found, f"still {metric} {name}", float((rank == 1).all()))
        apart = scores(table[own], table, "l2")
        leaves = first_exit(own, delta, table, allowed, apart)[0]
        safe = certificate(own, table, allowed, apart)
        size = delta.norm(dim=-1)
        t = int(size.argmax())
        add(found, "times too short", float(leaves[t] / size[t]))
        add(found, "exit share", float(size[t] / leaves[t]))
        add(found, "largest exit share", float((size[rows] / leaves[rows]).max()))
        add(found, "largest delta", float(size[t]))
        add(found, "share of certificate", float(size[t] / safe[t]))
        add(found, "certified", float((size[rows] < safe[rows]).all()))
        add(found, "share of its norm", float(size[t] / clean[t].norm()))

        noise = random_in_ball(
            clean.expand(draws, -1, -1),
            batch.repeat(draws).perturbable,
            float(delta.norm()),
            "l2",
            "example",
            generator,
            surface=True,
        )
        with torch.no_grad():
            logits = victim.output(clean + noise, batch.repeat(draws))
        flips = logits.argmax(-1) != int(batch.target["labels"][0])
        add(found, "noise flips", float(flips.any()))
        add(found, "draws that flip", float(flips.float().mean()))

        both = torch.cat([clean[rows], moved[rows]])
        add(found, "joint pixels", arrow_pixels(both, (clean[t], moved[t]), main_axes(both)))
        add(found, "vocabulary pixels", arrow_pixels(vocabulary, (clean[t], moved[t]), world))
        add(found, "delta energy", float((delta @ world.T).pow(2).sum() / delta.pow(2).sum()))
    return found


def substitutions(victim: Victim, examples: Sequence[Example], candidates: int) -> Findings:
    """The first-order best single substitution, among the first-order best, by actual loss."""
    found: Findings = {}
    table = victim.table
    for example in examples:
        batch = victim.encode([example])
        own, objective = batch.input_ids[0], victim.objective(batch)
        clean = victim.embed(batch).detach().requires_grad_()
        loss = objective(clean)
        (gradient,) = torch.autograd.grad(loss.sum(), clean)
        places, words, estimates = first_order(
            gradient[0], own, table, victim.ordinary, batch.perturbable[0], candidates
        )
        ids = own.repeat(candidates, 1)
        ids[torch.arange(candidates), places] = words
        with torch.no_grad():
            logits = torch.cat(
                [victim.output(victim.embed(i), batch.repeat(len(i))) for i in ids.split(CHUNK)]
            )
        actual = -logits.log_softmax(-1)[:, int(batch.target["labels"][0])]
        flips = logits.argmax(-1) != int(batch.target["labels"][0])
        add(found, "raises", float(actual[0] > loss[0].detach()))
        add(found, "rank", place_of(actual.numpy(), 0))
        add(found, "agreement", spearman(estimates.numpy(), actual.numpy()))
        add(found, "first flips", float(flips[0]))
        add(found, "best flips", float(flips[int(actual.argmax())]))
        # how much of the rise that some candidate reaches the first one reaches
        rises = actual - loss.detach()
        best = float(rises.max())
        add(found, "share of rise", float(rises[0]) / best if best > 0 else float("nan"))
    return found


def explanations(victim: Victim, examples: Sequence[Example]) -> Findings:
    """Do attributions agree with each other, with leaving a word out, and with their own sum?"""
    found: Findings = {}
    mask = victim.tokenizer.mask_token_id
    if mask is None:
        return found
    rows = {"PAD": victim.table[victim.tokenizer.pad_token_id], "MASK": victim.table[mask]}
    for example in examples:
        batch = victim.encode([example])
        free = batch.perturbable[0]
        x = victim.embed(batch)[0].detach()
        word_of = victim.tokenizer(
            example.text, truncation=True, max_length=victim.max_length
        ).word_ids()
        order = sorted({w for w in word_of if w is not None})
        owner = [-1 if w is None else order.index(w) for w in word_of]
        if len(order) < 3:
            continue
        with torch.no_grad():
            logits = victim.output(x.unsqueeze(0), batch)[0]
        target = int(logits.argmax())
        other = int(logits.index_fill(0, torch.tensor(target), -torch.inf).argmax())
        margin = margin_of(victim, batch, target, other)

        words: dict[str, np.ndarray] = {}
        for name, row in rows.items():
            baseline = torch.where(free.unsqueeze(1), row, x)
            with torch.no_grad():
                ends = margin(torch.stack([x, baseline]))
                p = victim.output(baseline.unsqueeze(0), batch).softmax(-1)[0, target]
            rise = float(ends[0] - ends[1])
            fine = path_attributions(margin, x, baseline, *gauss_legendre(50))
            words[f"IG {name}"] = by_word(fine, owner, True)
            add(found, f"p({name})", float(p))
            if name == "PAD":
                coarse = path_attributions(margin, x, baseline, *left_riemann(10))
                add(found, "IG-10 error", abs(float(coarse.sum()) - rise) / abs(rise))
                add(found, "GL-50 error", abs(float(fine.sum()) - rise) / abs(rise))
        at = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(at.unsqueeze(0)).sum(), at)
        words["gradient norm"] = by_word(gradient.norm(dim=-1), owner, False)
        words["input × gradient"] = by_word((gradient * x).sum(-1), owner, True)

        without = torch.stack(
            [
                torch.where(torch.tensor([o == w for o in owner]).unsqueeze(1), rows["MASK"], x)
                for w in range(len(order))
            ]
        )
        with torch.no_grad():
            gone = torch.cat([margin(part) for part in without.split(CHUNK)])
            here = margin(x.unsqueeze(0))
        drop = (here - gone).numpy()
        add(found, "PAD and MASK", spearman(words["IG PAD"], words["IG MASK"]))
        for name, values in words.items():
            add(found, f"{name} and leaving out", spearman(values, drop))
        add(
            found, "gradient norm and |leaving out|", spearman(words["gradient norm"], np.abs(drop))
        )
    return found


def add(found: Findings, name: str, value: float) -> None:
    found.setdefault(name, []).append(value)


# ---- the tables --------------------------------------------------------------------------------------


def share(values: Sequence[float] | None) -> str:
    """A percentage with its 95 % interval, and of how many."""
    if not values:
        return "–"
    rate = wilson(int(sum(values)), len(values))
    return f"{100 * rate.value:.1f} % [{100 * rate.low:.0f}–{100 * rate.high:.0f}]"


def middle(values: Sequence[float] | None, form: str = "{:.2f}", end: int | None = 90) -> str:
    """The median, and the `end`-th percentile in brackets."""
    kept = np.array([v for v in values or [] if np.isfinite(v)])
    if not len(kept):
        return "–"
    text = form.format(np.median(kept))
    return text if end is None else f"{text} ({form.format(np.percentile(kept, end))})"


def rows_of(
    victim: Victim, examples: Sequence[Example], args: argparse.Namespace
) -> dict[str, str]:
    """Every finding of one model, as text."""
    scale = victim.scale
    deltas = smallest_flips(victim, examples, args.top * scale.mean_norm, args.seed)
    p = perturbations(victim, examples, deltas, args.draws, args.seed)
    s = substitutions(victim, examples, args.candidates)
    e = explanations(victim, examples)
    pct, small = "{:.1%}", "{:.2%}"
    n, many = len(p.get("eps", [])), args.candidates
    rows = {
        "sentences, and flips within the largest ε": f"{len(examples)}, {n}",
        "smallest ε that flips, × mean norm": middle(p.get("eps"), "{:.3f}"),
    }
    for metric in METRICS:
        rows[f"flips in which every token is still its own nearest, {metric}"] = share(
            p.get(f"still {metric} flip")
        )
        rows[f"the same before the attack, {metric}"] = share(p.get(f"still {metric} clean"))
    return rows | {
        "longest token δ ÷ its vector's length": middle(p.get("share of its norm"), pct),
        "longest token δ ÷ its exit radius": middle(p.get("exit share"), pct),
        "so many times too short to become a word": middle(p.get("times too short"), "{:.0f} ×"),
        "largest ‖δ‖ ÷ exit radius of any token": middle(p.get("largest exit share"), pct),
        "longest token δ ÷ its certificate": middle(p.get("share of certificate"), pct),
        "flips in which every token is below its certificate": share(p.get("certified")),
        "median half nearest-neighbour distance, raw": f"{scale.half_nn:.3f}",
        "longest token δ, raw": middle(p.get("largest delta"), "{:.3f}"),
        f"flips that any of {args.draws} draws of noise as long repeats": share(
            p.get("noise flips")
        ),
        "draws of that noise that flip": f"{100 * np.mean(p.get('draws that flip') or [0]):.2f} %",
        f"arrow of the longest token δ, joint PCA, of {PIXELS} px": middle(
            p.get("joint pixels"), "{:.1f} px"
        ),
        f"the same, PCA of the vocabulary, of {PIXELS} px": middle(
            p.get("vocabulary pixels"), "{:.1f} px"
        ),
        "share of ‖δ‖² in these two axes": middle(p.get("delta energy"), small),
        "share of the vocabulary's variance in them": middle(p.get("variance"), pct, None),
        "first-order best substitution raises the loss": share(s.get("raises")),
        f"its rank by actual loss among the first-order best {many}": middle(
            s.get("rank"), "{:.0f}"
        ),
        "share of the best candidate's rise that it reaches": middle(
            s.get("share of rise"), pct, None
        ),
        f"estimate and actual loss, ρ over the {many}": middle(s.get("agreement"), "{:.2f}", None),
        "it flips the prediction": share(s.get("first flips")),
        f"the best of the {many} by forward passes flips it": share(s.get("best flips")),
        "IG from [PAD] and from [MASK], ρ over words": middle(e.get("PAD and MASK"), end=None),
        "p(predicted class) at the baselines, [PAD] and [MASK]": (
            f"{middle(e.get('p(PAD)'), end=None)}, {middle(e.get('p(MASK)'), end=None)}"
        ),
        **{
            f"{name} and leaving a word out, ρ": middle(e.get(f"{name} and leaving out"), end=None)
            for name in ("IG PAD", "IG MASK", "gradient norm", "input × gradient")
        },
        "gradient norm and |leaving a word out|, ρ": middle(
            e.get("gradient norm and |leaving out|"), end=None
        ),
        "completeness error of IG, 10 left steps": middle(e.get("IG-10 error"), small),
        "completeness error of IG, Gauss–Legendre 50": middle(e.get("GL-50 error"), "{:.3%}"),
    }


def opened(name: str) -> Victim:
    """A model folder, a run's id or a run's name."""
    if Path(name).is_dir():
        folder = Path(name)
        return Victim.load(folder / "model" if (folder / "model").is_dir() else folder)
    from advlab.runs.config import home

    for run in (home() / "runs").iterdir():
        config = run / "config.json"
        if config.is_file() and (run.name == name or f'"name": "{name}"' in config.read_text()):
            return Victim.load(run / "model")
    raise SystemExit(f"expected a model folder, a run's id or its name, got {name!r}")


def trained(method: str, data: Path, folder: Path) -> Victim:
    """A tiny model of that method on SST-2, as tests/benchmarks/sst2.py trains it."""
    from advlab.runs.config import DataConfig, ModelConfig, RunConfig, TrainConfig
    from advlab.training.loop import train
    from advlab.training.methods import build_method, method_settings

    source = DataConfig(str(data / "train.tsv"), "0", "1", str(data / "dev.tsv"))
    config = RunConfig(
        name=f"tiny {method}",
        data=source,
        model=ModelConfig("tiny"),
        method=method_settings(build_method({"name": method})),
        train=TrainConfig.for_model("tiny"),
    )
    for _ in train(config, folder):
        pass
    return Victim.load(folder / "model", name=f"tiny {method}")


def read(path: Path, names: Sequence[str]) -> list[Example]:
    """A TSV of sentence and label (the class's index or name)."""
    lines = path.read_text(encoding="utf-8").split("\n")
    pairs = [line.rsplit("\t", 1) for line in lines if line.strip()]
    return [
        Example(str(i), text, (label if label in names else names[int(label)],))
        for i, (text, label) in enumerate(pairs)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=[], metavar="RUN")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/sst2"))
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--top", type=float, default=2.0, help="largest ε, × mean norm")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)

    with tempfile.TemporaryDirectory() as folder:
        victims = [opened(name) for name in args.models] or [
            trained(method, args.data, Path(folder) / method) for method in ("plain", "freelb")
        ]
    columns = {}
    for victim in victims:
        began = time.perf_counter()
        examples = read(args.data / "dev.tsv", victim.head)
        with victim.analysing():
            chosen = readable(victim, examples, args.texts, args.seed)
            columns[victim.name] = rows_of(victim, chosen, args)
        columns[victim.name]["seconds"] = f"{time.perf_counter() - began:.0f}"
    print("| finding | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for name in next(iter(columns.values())):
        print(f"| {name} | " + " | ".join(rows[name] for rows in columns.values()) + " |")


if __name__ == "__main__":
    main()
