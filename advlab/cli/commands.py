"""What each command does: advlab app | demo | train | attack | capsule | runs.

Each takes the parsed arguments and returns the exit status. What is slow to import is imported by
the command that needs it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from advlab.cli.flags import given, given_of
from advlab.cli.printing import Progress, evaluation_json, print_json, print_table, rate_text
from advlab.errors import AdvlabError, SettingError

if TYPE_CHECKING:
    from advlab.model.victim import Victim
    from advlab.records import Event


def run_app(args: argparse.Namespace) -> int:
    """Serve the app until interrupted."""
    from advlab.ui.launch import serve

    serve(port=args.port, host=args.host, browser=not args.no_browser)
    return 0


def run_train(args: argparse.Namespace) -> int:
    """Train in this process, listed among the runs; Ctrl-C leaves a run that can be resumed."""
    from advlab.runs.config import (
        Augmentation,
        DataConfig,
        ModelConfig,
        Regularisation,
        RunConfig,
        TrainConfig,
    )
    from advlab.settings import build
    from advlab.training.methods import METHODS, build_method, method_settings

    model = build(ModelConfig, given(args, ModelConfig))
    method = build_method({"name": args.method} | given_of(args, args.method, METHODS))
    config = RunConfig(
        name=args.name or f"{args.method}, {model.source}",
        data=build(DataConfig, given(args, DataConfig)),
        model=model,
        method=method_settings(method),
        regularise=build(Regularisation, given(args, Regularisation)),
        augment=build(Augmentation, given(args, Augmentation)),
        train=TrainConfig.for_model(model.source, **given(args, TrainConfig)),
    )
    result = carry_out(config, device=args.device)
    if args.json:
        print_json(result)
    else:
        end = result["end"]
        print(f"\n{result['status']}: {config.name}  (run {result['run']})")
        if "test_accuracy" in end:
            print(f"  test accuracy          {rate_text(end['test_accuracy'])}")
            print(
                f"  under PGD-10, ε = {end['eval_eps']:g}  {rate_text(end['test_robust_accuracy'])}"
            )
            print(f"  seconds                {end['seconds']:.1f}")
            if end.get("cost"):
                print(f"  cost of a step         {end['cost']:.2f} × plain")
        print(f"  model                  {result['model']}")
        print(f'\nnext: advlab attack {result["run"]} "a sentence"')
    return 0 if result["status"] == "done" else 1


def carry_out(
    config: Any, device: str = "cpu", run_id: str | None = None, group: str | None = None
) -> dict[str, Any]:
    """Train `config` here and now (or go on with a run), with a progress line on standard error."""
    import functools

    from advlab.runs import jobs
    from advlab.training import worker
    from advlab.training.loop import train

    info = jobs.run(run_id) if run_id else jobs.open_here(config, group=group)
    seen: dict[str, Any] = {"end": {}, "alarms": []}
    begun = Progress(config.name)

    def watch(event: Event) -> None:
        begun.show(event)
        if event.kind == "end":
            seen["end"] = dict(event.values)
        if event.kind == "alarm":
            seen["alarms"].append(dict(event.values))

    status = worker.run(info.id, train=functools.partial(train, device=device), on_event=watch)
    begun.close()
    info = jobs.run(info.id)
    if status == "failed":
        raise AdvlabError(info.error or "the run failed; see its worker.log")
    return {
        "run": info.id,
        "name": info.name,
        "status": status,
        "error": info.error,
        "model": str(info.folder.model),
        "config": json.loads(config.to_json()),
        **seen,
    }


def run_demo(args: argparse.Namespace) -> int:
    """Train the starter pair, compare it clean and under attack, attack one sentence."""
    import time

    from advlab.attacks import PGD
    from advlab.attacks.evaluate import evaluate
    from advlab.data import CORPORA, load_data
    from advlab.explain.explore import explore
    from advlab.model.victim import Victim
    from advlab.pictures.sentences import headline
    from advlab.runs.config import STARTER_EPS, STARTER_GROUP, starter_pair

    began = time.perf_counter()
    results, victims = [], []
    pair = starter_pair(args.seed)
    for config in pair:
        results.append(carry_out(config, group=STARTER_GROUP))
        victims.append(Victim.load(results[-1]["model"]))
    data = load_data(pair[0].data)
    attack = PGD(STARTER_EPS, steps=20, step_size=0.2)
    texts = list(data.test)
    found = [
        evaluate(v, texts, attack, eps=[STARTER_EPS / 2, STARTER_EPS], data=data.name)
        for v in victims
    ]
    sentence, records = "", []
    for candidate in CORPORA[pair[0].data.source].showcase:
        sentence = candidate
        records = [explore(v, sentence, attack=attack, seed=args.seed, planes=0) for v in victims]
        if records[0].flipped and not records[1].flipped:
            break
    total = time.perf_counter() - began
    models = [
        {
            "name": config.name,
            "run": result["run"],
            "model": result["model"],
            "method": config.method,
            "seconds_trained": round(result["end"]["seconds"], 2),
            "cost_ratio": result["end"].get("cost"),
            **evaluation_json(evaluation),
        }
        for config, result, evaluation in zip(pair, results, found, strict=True)
    ]
    gain = found[1].robust[-1][3].value - found[0].robust[-1][3].value
    summary = {
        "data": data.name,
        "seed": args.seed,
        "attack": found[0].attack,
        "eps": STARTER_EPS,
        "unit": "norm",
        "models": models,
        "robust_gain": gain,
        "clean_loss": found[0].clean.value - found[1].clean.value,
        "training_time_ratio": models[1]["seconds_trained"] / models[0]["seconds_trained"],
        "sentence": {
            "text": sentence,
            "found": {m["name"]: headline(r) for m, r in zip(models, records, strict=True)},
        },
        "seconds": round(total, 2),
    }
    if args.json:
        print_json(summary)
        return 0
    print(
        f"\n{data.name}: {len(data.train)} training texts, {len(texts)} test texts, seed {args.seed}"
    )
    print_table(found, [config.name for config in pair])
    print(
        f"\nUnder PGD-20 at ε = {STARTER_EPS:g} × the mean word-vector norm the adversarially trained "
        f"model keeps {gain:+.1%} more;\nits clean accuracy differs by {-summary['clean_loss']:+.1%}, "
        f"its training took {summary['training_time_ratio']:.1f} × as long."
    )
    print(f"\n“{sentence}”")
    for model, record in zip(models, records, strict=True):
        print(f"  {model['name']}: {headline(record)}")
    print(f"\n{total:.0f} s in all. Next: advlab app")
    return 0


def run_attack(args: argparse.Namespace) -> int:
    """Attack one sentence; print the story, or the whole record with --json."""
    from advlab.attacks import ATTACKS, build_attack
    from advlab.explain.explore import explore
    from advlab.pictures.sentences import headline, noise_sentence, units
    from advlab.pictures.tables import to_json

    victim = open_model(args.model)
    attack = build_attack({"name": args.attack} | given_of(args, args.attack, ATTACKS))
    label = args.label
    if label and label.isdecimal() and label not in victim.label_names:
        label = int(label)  # a class may itself be called 1
    record = explore(
        victim,
        args.text,
        label=label,
        attack=attack,
        seed=args.attack_seed,
        planes=0,
        shield=shielded(args.text, args.only, args.spare),
    )
    if args.json:
        print(to_json(record))
        return 0
    print(f"{record.model}, {args.attack}, ε = {units(record.eps, record.scale)}")
    rows = [
        ("clean", record.clean),
        ("under attack", record.adversarial),
        ("random noise, mean", record.random.mean(0)),
        ("nearest tokens", record.projected),
        ("read as text", record.round_trip),
    ]
    width = max(len(n) for n in record.label_names)
    print(" " * 22 + "  ".join(f"{n:>{max(width, 7)}}" for n in record.label_names))
    for name, probs in rows:
        print(f"  {name:20}" + "  ".join(f"{p:{max(width, 7)}.1%}" for p in probs))
    print(f"\n{headline(record)} {noise_sentence(record)}")
    for note in record.notes:
        print(f"note: {note}")
    return 0


def shielded(text: str, only: Sequence[str], spare: Sequence[str]) -> list[tuple[int, int]]:
    """Spans of `text`, in characters, that are not attacked: all but `only`, or `spare`.

    Words as they stand in the text, in any case. SettingError for one that does not.
    """
    import re

    if only and spare:
        raise SettingError("expected --only or --spare, got both; name the words one way")
    words = [(m.start(), m.end(), m[0].casefold()) for m in re.finditer(r"\w+|[^\w\s]", text)]
    named = {word.casefold() for word in (*only, *spare)}
    if strange := named - {word for *_, word in words}:
        raise SettingError(f"expected words of the sentence, got {', '.join(sorted(strange))}")
    return [(a, b) for a, b, word in words if named and (word in named) == bool(spare)]


def run_capsule(args: argparse.Namespace) -> int:
    """Save, verify or show one attacked sentence. `verify` exits with 1 where something differs."""
    from pathlib import Path

    from advlab.capsule.format import load, source_of
    from advlab.capsule.page import page
    from advlab.errors import DataError

    file = Path(args.file)
    if args.action == "save":
        return _save_capsule(args, file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"expected a capsule at {file}, got {error.strerror or error}; check the path"
        ) from None
    found = load(data)
    if args.action == "page":
        out = Path(args.out) if args.out else file.with_suffix(".html")
        out.write_text(page(found, source_of(data)), encoding="utf-8")
        print_json({"page": str(out)}) if args.json else print(f"written: {out}")
        return 0
    from advlab.capsule.verify import verify, versions_differ

    victim = open_model(args.model) if args.model else model_of_weights(found.model_hash)
    verdict = verify(found, victim)
    if args.json:
        print_json(
            {
                "verified": verdict.verified,
                "sentence": verdict.sentence,
                "checks": [{"what": c.what, "ok": c.ok, "note": c.note} for c in verdict.checks],
                "versions": {k: list(v) for k, v in versions_differ(found).items()},
            }
        )
        return 0 if verdict.verified else 1
    print(_printable(f"“{found.text}”\n{found.headline}\n"))
    for check in verdict.checks:
        print(_printable(f"  {'✓' if check.ok else '✗'} {check.what:36} {check.note}"))
    for name, (saved, here) in versions_differ(found).items():
        print(_printable(f"  note: saved with {name} {saved}, here {here}"))
    print(f"\n{verdict.sentence}")
    return 0 if verdict.verified else 1


def _printable(text: str) -> str:
    """Text from a stranger's file without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def _save_capsule(args: argparse.Namespace, file: Any) -> int:
    from advlab.attacks import ATTACKS, build_attack
    from advlab.capsule.format import save
    from advlab.explain.explore import explore

    if not args.model or not args.text:
        raise SettingError("expected --model and --text to save a capsule, got none; add them")
    victim = open_model(args.model)
    attack = build_attack({"name": args.attack} | given_of(args, args.attack, ATTACKS))
    record = explore(
        victim,
        args.text,
        label=args.label,
        attack=attack,
        seed=args.attack_seed,
        planes=0,
        saliency=(),
    )
    file.write_text(save(record, victim.tokenizer_hash), encoding="utf-8")
    print_json({"capsule": str(file)}) if args.json else print(f"written: {file}")
    return 0


def model_of_weights(wanted: str) -> Victim:
    """The run whose weights have this hash; ModelError where there is none."""
    from advlab.errors import ModelError
    from advlab.model.victim import Victim
    from advlab.runs import jobs

    for info in jobs.runs():
        if info.folder.has_model:
            victim = Victim.load(info.folder.model, name=info.name)
            if victim.hash == wanted:
                return victim
    raise ModelError(
        f"expected a run with the weights {wanted}, found none; name the model with --model"
    )


def run_runs(args: argparse.Namespace) -> int:
    """List and manage runs."""
    from advlab.runs import jobs

    if args.action == "list":
        listed = jobs.runs()
        if args.json:
            print_json({"runs": [_run_row(r) for r in listed]})
        elif not listed:
            print("No runs yet. Start one: advlab demo")
        for info in [] if args.json else listed:
            row = _run_row(info)
            shares = [row[k] for k in ("clean", "robust") if row[k] is not None]
            accuracy = " / ".join(f"{share:.1%}" for share in shares)
            print(f"{row['id']}  {row['status']:11}  {accuracy:15}  {row['name']}")
        return 0
    if not args.which:
        raise SettingError(
            f"expected a run's id or name after '{args.action}', got none; see: advlab runs"
        )
    info = find_run(args.which)
    if args.action == "resume":
        jobs.resume(info.id)
        result = carry_out(info.config, run_id=info.id)
        if args.json:
            print_json(result)
        else:
            print(f"{result['status']}: {result['model']}")
        return 0 if result["status"] == "done" else 1
    if args.action == "rename":
        if not args.name:
            raise SettingError("expected the new name after the run, got none; give it in quotes")
        jobs.rename(info.id, args.name)
    elif args.action != "show":
        getattr(jobs, args.action)(info.id)
    if args.action == "delete":
        shown = {"id": info.id, "deleted": True}
    else:
        info = jobs.run(info.id)
        shown = _run_row(info) | {
            "config": json.loads(info.config_json),
            "metrics": dict(info.metrics),
        }
    if args.json:
        print_json(shown)
    else:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


# ---- names and rows ------------------------------------------------------------------------


def find_run(which: str) -> Any:
    """A run by id, or the newest of that name; RunError lists what there is."""
    from advlab.errors import RunError
    from advlab.runs import jobs

    listed = jobs.runs()
    for info in listed:
        if which in (info.id, info.name):
            return info
    known = ", ".join(f"{r.id} ({r.name})" for r in listed[:5]) or "none yet"
    raise RunError(f"expected a run's id or name, got {which!r}; the newest runs: {known}")


def open_model(which: str) -> Victim:
    """The model of a run (by id or name), of a folder, or of the hub."""
    from advlab.errors import RunError
    from advlab.model.victim import Victim
    from advlab.runs import jobs

    for info in jobs.runs():
        if which in (info.id, info.name):
            if not info.folder.has_model:
                raise RunError(
                    f"run {which} has no model yet (it is {info.status}); wait for its first epoch"
                )
            return Victim.load(info.folder.model, name=info.name)
    return Victim.load(which)


def run_data(which: str) -> Any:
    """The data settings of a run; SettingError for a model that is no run."""
    from advlab.runs import jobs

    for info in jobs.runs():
        if which in (info.id, info.name):
            return info.config.data
    raise SettingError(f"expected --data, since {which!r} is not a run; give a corpus or a file")


def _run_row(info: Any) -> dict[str, Any]:
    metrics = dict(info.metrics)
    return {
        "id": info.id,
        "name": info.name,
        "status": info.status,
        "error": info.error,
        "clean": metrics.get("test_accuracy"),
        "robust": metrics.get("test_robust_accuracy"),
        "folder": str(info.folder.path),
    }
