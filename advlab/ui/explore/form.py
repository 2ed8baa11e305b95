"""The controls of the Explore page: a sentence, models, one attack, a seed; kept in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from advlab.attacks import ATTACKS, Attack, attack_settings
from advlab.errors import AdvlabError
from advlab.language import _
from advlab.pictures.style import UNITS
from advlab.pictures.wording import listed
from advlab.records import Example
from advlab.settings import settings_of
from advlab.ui import KEEP, plain_text
from advlab.ui.explore import keys
from advlab.ui.explore.address import arrived, prefix, write
from advlab.ui.explore.asked import ask_answer, ask_goal, ask_texts
from advlab.ui.explore.examples import pick_example, step_buttons
from advlab.ui.explore.pin import pin, pinned
from advlab.ui.explore.request import LIMIT, Request, models_here
from advlab.ui.explore.shield import shield, shielded
from advlab.ui.explore.unseen import mark_unseen
from advlab.ui.forms import field, form_for, form_of
from advlab.ui.models import fitting_pair, has_weights, model_choices, task_of, weights_of
from advlab.ui.terms import explained

STOPPED = "explore.stopped"  # the address of the request that was stopped
_SHIELDED = "explore.shielded"  # the link whose shield was taken over


def ask() -> Request | None:
    """Draw the controls; None while there is no model, no text or no valid attack."""
    titles = model_choices()
    known, turn = arrived(), prefix()
    if not titles:
        _no_models()
        return None

    known, warnings = models_here(known, titles, has_weights)
    _first_models(titles, known, turn)
    typed, beside = ask_texts(_chosen_models(titles, turn)[0], known, turn)
    below = st.container()
    for warning in warnings:
        st.warning(warning)
    given = Request.of(known)
    line = st.container(horizontal=True, vertical_alignment="top")
    fold = line.expander(
        _line(titles, given, turn), icon=":material/tune:", key="controls", on_change="rerun"
    )
    line.button(
        _("Attack"),
        key=keys.ATTACK,
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
    label, use = ask_answer(fold, models[0], known, turn)
    goal = ask_goal(fold, models[0], known, turn)
    with st.container(horizontal=True, vertical_alignment="top"):
        pick_example(models[0], use, attack, seed, key=f"{turn}.example")
        step_buttons(models[0], Example("", typed.strip(), (), beside), use)
    if attack is None:
        return None
    asked = Example("", typed.strip(), (label,) if label else (), beside)
    return _request(asked, goal, _of_one_task(models), attack, seed, known)


def _of_one_task(models: tuple[str, ...]) -> tuple[str, ...]:
    """The models that are asked the same as the first; the others are named."""
    first = task_of(models[0])
    for model in models[1:]:
        if task_of(model).name != first.name:
            st.warning(
                _(
                    "{model} is for {task}, model A for {first}: it is left out.",
                    model=plain_text(model_choices().get(model, model), 60),
                    task=_(task_of(model).title).lower(),
                    first=_(first.title).lower(),
                )
            )
    return tuple(m for m in models if task_of(m).name == first.name)


def _request(
    asked: Example,
    goal: str,
    models: tuple[str, ...],
    attack: Attack,
    seed: int,
    known: Mapping[str, str],
) -> Request | None:
    """What is asked, written into the address; None while there is no text."""
    whole = asked.text
    text = whole[:LIMIT]
    turn = prefix()
    if st.session_state.get(_SHIELDED) != turn:  # once a link: afterwards the strip of tokens rules
        st.session_state[_SHIELDED] = turn
        if "pin" in known:
            pin(known["pin"][:LIMIT])
        if known.get("text") == text:
            shield(text, Request.of(known).shield)
    cut, spared = len(whole) - len(text), shielded(text)
    request = Request(text, asked.answer, models, attack, seed, cut, spared, asked.beside, goal)
    more = {"weights": ".".join(_weights(m) for m in models), "pin": pinned()}
    write(request.query() | {k: v for k, v in more.items() if v})
    if not text:
        st.info(_("Type a sentence, or choose an example, to attack it."), icon=":material/edit:")
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
    names = listed([plain_text(titles[i], 40) for i in chosen if i and i in titles])
    first = attack_settings(given.attack)
    name = st.session_state.get(f"{turn}.attack", first["name"])
    values = {k: st.session_state.get(f"{turn}.{name}.{k}", first.get(k)) for k in ("eps", "unit")}
    eps = values["eps"]
    size = "" if eps is None else f", ε = {eps:g} {_(UNITS.get(str(values['unit']), ''))}"
    return f"{names} · {_(ATTACKS[name].title)}{size}"


def _chosen_models(titles: Mapping[str, str], turn: str) -> tuple[str, ...]:
    """What `_models` gives, with no widget drawn."""
    a, b, c = (st.session_state.get(f"{turn}.{letter}") for letter in "abc")
    here = a if a in titles else next(iter(titles)), b, c if b else None
    return tuple(m for m in here if m is not None and m in titles)


def _models(places: Sequence[Any], titles: Mapping[str, str], turn: str) -> tuple[str, ...]:
    """Up to three models, the second and third only beside the one before them."""
    others: list[str | None] = [None, *titles]

    def beside(place: Any, letter: str, **more: Any) -> str | None:
        return place.selectbox(
            _("Model {letter}", letter=letter.upper()),
            others,
            key=f"{turn}.{letter}",
            **KEEP,
            format_func=lambda i: _("none") if i is None else titles[i],
            **more,
        )

    a = places[0].selectbox(
        _("Model A"), list(titles), key=f"{turn}.a", **KEEP, format_func=titles.__getitem__
    )
    b = beside(places[1], "b")
    c = beside(places[2], "c", disabled=b is None, help=_("A third model beside A and B."))
    return tuple(m for m in (a, b, c if b else None) if m)


def attack_controls(
    columns: Any, fold: Any, given: Request, turn: str
) -> tuple[Attack | None, int]:
    """The attack's name, ε and unit in the row; its other settings and the seed folded away."""
    first = attack_settings(given.attack)
    names = list(ATTACKS)
    name = columns[0].selectbox(
        _("Attack"),
        names,
        key=f"{turn}.attack",
        **KEEP,
        format_func=lambda n: _(ATTACKS[n].title),
        index=names.index(first["name"]),
        help=explained(*(f"attack.{name}" for name in names)),
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
            _("Seed"),
            min_value=0,
            max_value=2**31 - 1,
            step=1,
            key=f"{turn}.seed",
            **KEEP,
            value=given.seed,
            help=_("Of random starts and of the noise draws."),
        )
    return attack, int(seed)


def attack_of(given: Request, turn: str) -> tuple[Attack | None, int]:
    """What `attack_controls` gives, with no widget drawn."""
    first = attack_settings(given.attack)
    name = st.session_state.get(f"{turn}.attack", first["name"])
    values = {k: v for k, v in first.items() if k != "name"} if first["name"] == name else {}
    attack = form_of(ATTACKS[name], f"{turn}.{name}", values)
    return attack, int(st.session_state.get(f"{turn}.seed", given.seed))


def _no_models() -> None:
    st.info(
        _(
            "There is no trained model yet. Train the starter pair on the first page: "
            "a plain and a robust model, in a minute or two."
        ),
        icon=":material/model_training:",
    )
    st.page_link("pages/learn/start.py", label=_("Go to Start"), icon=":material/home:")
