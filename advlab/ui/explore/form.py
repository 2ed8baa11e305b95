"""The controls of the Explore page: a sentence, models, one attack, a seed; kept in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from advlab.attacks import ATTACKS, Attack, attack_settings
from advlab.errors import AdvlabError
from advlab.pictures.style import UNITS
from advlab.records import Example
from advlab.settings import settings_of
from advlab.tasks.names import own_name
from advlab.ui import KEEP, plain_text
from advlab.ui.explore.address import arrived, prefix, write
from advlab.ui.explore.examples import pick_example
from advlab.ui.explore.pin import pin, pinned
from advlab.ui.explore.request import LIMIT, Request, models_here
from advlab.ui.explore.shield import shield, shielded
from advlab.ui.explore.unseen import mark_unseen
from advlab.ui.forms import field, form_for, form_of
from advlab.ui.models import answers_of, fitting_pair, has_weights, model_choices, weights_of

DEFAULT_TEXT = "The soup was hot, but I would never eat there again."
OWN = ""  # no class was given: the attack is on what the model says itself
STOPPED = "explore.stopped"  # the address of the request that was stopped
_SHIELDED = "explore.shielded"  # the link whose shield was taken over


def ask() -> Request | None:
    """Draw the controls; None while there is no model, no text or no valid attack."""
    titles = model_choices()
    known, turn = arrived(), prefix()
    if not titles:
        _no_models()
        return None

    st.session_state.setdefault(f"{turn}.text", known.get("text", DEFAULT_TEXT))
    typed = (
        st.text_area(
            "Sentence",
            key=f"{turn}.text",
            height=68,
            **KEEP,
            help="Any text. Press Ctrl+Enter, or the button, to attack it.",
        )
        or ""
    )
    below = st.container()
    known, warnings = models_here(known, titles, has_weights)
    for warning in warnings:
        st.warning(warning)
    given = Request.of(known)
    _first_models(titles, known, turn)
    line = st.container(horizontal=True, vertical_alignment="top")
    fold = line.expander(
        _line(titles, given, turn), icon=":material/tune:", key="controls", on_change="rerun"
    )
    line.button(
        "Attack",
        type="primary",
        icon=":material/bolt:",
        on_click=lambda: st.session_state.pop(STOPPED, None),
    )
    if fold.open:
        models = _models(fold.columns([6, 7, 7]), titles, turn)
        attack, seed = attack_controls(fold.columns([4, 4, 5]), fold, given, turn)
    else:  # forty widgets that nobody sees would be most of what the browser draws
        models, attack, seed = _chosen_models(titles, turn), *attack_of(given, turn)
    with below:
        mark_unseen(models, [typed.strip()[:LIMIT]])
    label, use = _true_class(fold, models[0], known, turn)
    pick_example(models[0], use, attack, seed, key=f"{turn}.example")
    return None if attack is None else _request(typed, label, models, attack, seed, known)


def _true_class(
    fold: Any, model: str, known: Mapping[str, str], turn: str
) -> tuple[str | None, Callable[[Example], None]]:
    """The class that is attacked, and what takes an example's text and class over."""
    labels = [OWN, *answers_of(model)]
    key = f"{turn}.label"
    if st.session_state.get(key) not in labels:
        st.session_state[key] = own_name(labels[1:], known.get("label", OWN)) or OWN

    def use(example: Example) -> None:
        st.session_state[f"{turn}.text"] = example.text
        st.session_state[key] = own_name(labels[1:], example.answer or OWN) or OWN

    if fold.open:
        fold.selectbox(
            "True class",
            labels,
            key=key,
            **KEEP,
            format_func=lambda n: "not given: the model's own prediction" if n == OWN else n,
            help="The attack raises the loss of this class (a targeted one lowers it).",
        )
    return st.session_state[key] or None, use


def _request(
    typed: str,
    label: str | None,
    models: tuple[str, ...],
    attack: Attack,
    seed: int,
    known: Mapping[str, str],
) -> Request | None:
    """What is asked, written into the address; None while there is no text."""
    whole = typed.strip()
    text = whole[:LIMIT]
    turn = prefix()
    if st.session_state.get(_SHIELDED) != turn:  # once a link: afterwards the strip of tokens rules
        st.session_state[_SHIELDED] = turn
        if "pin" in known:
            pin(known["pin"][:LIMIT])
        if known.get("text") == text:
            shield(text, Request.of(known).shield)
    request = Request(text, label, models, attack, seed, len(whole) - len(text), shielded(text))
    beside = {"weights": ".".join(_weights(m) for m in models), "pin": pinned()}
    write(request.query() | {k: v for k, v in beside.items() if v})
    if not text:
        st.info("Type a sentence, or choose an example, to attack it.", icon=":material/edit:")
        return None
    return request


def _weights(model: str) -> str:
    """What a link names the model's weights by; empty for one that cannot be loaded."""
    try:
        return weights_of(model)
    except AdvlabError:
        return ""


def _first_models(titles: Mapping[str, str], known: Mapping[str, str], turn: str) -> None:
    """What a first visit, or a link, sets the choices of models to."""
    pair = fitting_pair(list(titles))
    wanted: dict[str, str] = dict(zip("ab", pair, strict=False))
    if any(
        known.get(letter) for letter in "abc"
    ):  # a link's other models stay where one is not here
        wanted = {"a": pair[0]} | {k: known[k] for k in "abc" if known.get(k) in titles}
    for letter in "abc":
        st.session_state.setdefault(f"{turn}.{letter}", wanted.get(letter))


def _line(titles: Mapping[str, str], given: Request, turn: str) -> str:
    """The controls in a line: which models, which attack, which ε."""
    chosen = [st.session_state.get(f"{turn}.{letter}") for letter in "abc"]
    names = " and ".join(plain_text(titles[i], 40) for i in chosen if i and i in titles)
    first = attack_settings(given.attack)
    name = st.session_state.get(f"{turn}.attack", first["name"])
    values = {k: st.session_state.get(f"{turn}.{name}.{k}", first.get(k)) for k in ("eps", "unit")}
    eps = values["eps"]
    size = "" if eps is None else f", ε = {eps:g} {UNITS.get(str(values['unit']), '')}"
    return f"{names} · {ATTACKS[name].title}{size}"


def _chosen_models(titles: Mapping[str, str], turn: str) -> tuple[str, ...]:
    """What `_models` gives, with no widget drawn."""
    a, b, c = (st.session_state.get(f"{turn}.{letter}") for letter in "abc")
    first = a if a in titles else next(iter(titles))
    return tuple(str(m) for m in (first, b, c if b else None) if m in titles)


def _models(places: Sequence[Any], titles: Mapping[str, str], turn: str) -> tuple[str, ...]:
    """Up to three models, the second and third only beside the one before them."""
    others: list[str | None] = [None, *titles]

    def beside(place: Any, letter: str, **more: Any) -> str | None:
        return place.selectbox(
            f"Model {letter.upper()}",
            others,
            key=f"{turn}.{letter}",
            **KEEP,
            format_func=lambda i: "none" if i is None else titles[i],
            **more,
        )

    a = places[0].selectbox(
        "Model A", list(titles), key=f"{turn}.a", **KEEP, format_func=titles.__getitem__
    )
    b = beside(places[1], "b")
    c = beside(places[2], "c", disabled=b is None, help="A third model beside A and B.")
    return tuple(m for m in (a, b, c if b else None) if m)


def attack_controls(
    columns: Any, fold: Any, given: Request, turn: str
) -> tuple[Attack | None, int]:
    """The attack's name, ε and unit in the row; its other settings and the seed folded away."""
    first = attack_settings(given.attack)
    names = list(ATTACKS)
    name = columns[0].selectbox(
        "Attack",
        names,
        key=f"{turn}.attack",
        **KEEP,
        format_func=lambda n: ATTACKS[n].title,
        index=names.index(first["name"]),
        help=attack_help(),
    )
    cls = ATTACKS[name]
    items = {item.name: item for item in settings_of(cls)}
    values = {k: first[k] for k in items} if first["name"] == name else {}
    key = f"{turn}.{name}"
    for column, k in zip(columns[1:], ("eps", "unit"), strict=True):
        with column:
            values[k] = field(items[k], key, values.get(k, items[k].default))
    with fold:
        attack = form_for(cls, key, values, exclude=("eps", "unit"))
        seed = st.number_input(
            "Seed",
            min_value=0,
            max_value=2**31 - 1,
            step=1,
            key=f"{turn}.seed",
            **KEEP,
            value=given.seed,
            help="Of random starts and of the noise draws.",
        )
    return attack, int(seed)


def attack_of(given: Request, turn: str) -> tuple[Attack | None, int]:
    """What `attack_controls` gives, with no widget drawn."""
    first = attack_settings(given.attack)
    name = st.session_state.get(f"{turn}.attack", first["name"])
    values = {k: v for k, v in first.items() if k != "name"} if first["name"] == name else {}
    attack = form_of(ATTACKS[name], f"{turn}.{name}", values)
    return attack, int(st.session_state.get(f"{turn}.seed", given.seed))


def attack_help() -> str:
    """What each attack does, in the order of the list; those that do the same together."""
    titles: dict[str, list[str]] = {}
    for cls in ATTACKS.values():
        titles.setdefault(cls.gist, []).append(cls.title)
    return " ".join(f"{', '.join(names)}: {gist}." for gist, names in titles.items())


def _no_models() -> None:
    st.info(
        "There is no trained model yet. Train the starter pair on the first page: a plain and a"
        " robust model, in a minute or two.",
        icon=":material/model_training:",
    )
    st.page_link("pages/learn/start.py", label="Go to Start", icon=":material/home:")
