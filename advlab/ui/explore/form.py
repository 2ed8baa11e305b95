"""What the Explore page asks for, kept in the address: a sentence, models, one attack, a seed.

The address holds the whole request, so a reload or a copied link brings it back. A link that comes
from elsewhere in the app may name only some of it: the rest stays as it was, but for what belonged to
another sentence or to other models (`_BELONGS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from advlab.attacks import ATTACKS, Attack, attack_settings
from advlab.records import Example
from advlab.settings import Setting, settings_of
from advlab.ui import KEEP, plain_text
from advlab.ui.explore.examples import pick_example
from advlab.ui.explore.pin import pin, pinned
from advlab.ui.explore.request import Request
from advlab.ui.explore.shield import Spans, from_link, shield, shielded, to_link
from advlab.ui.forms import field, form_for
from advlab.ui.models import load_victim, model_choices, weights_of

# a phone shows two or three of the controls in a row, so that the first result stands higher
NARROW = """<style>@media (max-width: 640px) {
.st-key-controls [data-testid="stHorizontalBlock"] { gap: .5rem }
.st-key-controls [data-testid="stColumn"] { min-width: calc(27% - .5rem) !important; flex: 1 1 0 }
.st-key-controls [data-testid="stColumn"]:nth-child(5) { flex: 1.5 1 0 }
.st-key-controls [data-testid="stColumn"]:nth-child(-n+2) { min-width: calc(50% - .5rem) !important }
.st-key-controls [data-testid="stColumn"]:last-child { min-width: 100% !important }
}</style>"""
LIMIT = 2000  # characters: more than any model here reads, and short enough for an address
DEFAULT_TEXT = "The soup was hot, but I would never eat there again."
FIRST_EPS = 0.25  # of a first visit: the default 0.5 flips nearly every small model
TITLES = {
    "pgd": "PGD",
    "fgm": "FGM",
    "fgsm": "FGSM",
    "noise": "Random noise",
    "autopgd": "Auto-PGD",
    "deepfool": "DeepFool",
    "fmn": "FMN",
    "cw": "Carlini–Wagner",
    "spsa": "SPSA",
    "ensemble": "Ensemble",
}
ATTACK_HELP = (
    "PGD, Auto-PGD: gradient steps. FGM, FGSM: a single step. Random noise: the null. DeepFool, FMN,"
    " Carlini–Wagner: the smallest δ that flips, kept where it fits into ε. SPSA: no gradients."
    " Ensemble: the strong ones in turn."
)
OWN = ""  # no class was given: the attack is on what the model says itself
_PLAIN = ("a", "b", "c", "weights", "text", "label", "shield", "pin", "attack", "seed")
_FIELDS = {item.name: item for cls in ATTACKS.values() for item in settings_of(cls)}
# what a link that names one of the keys does away with, unless it gives it itself: a class and a
# shield are of one sentence, hashes and the models beside it of one choice of models
_BELONGS = {"text": ("label", "shield"), **dict.fromkeys("abc", ("a", "b", "c", "weights"))}
_MEMORY, _WRITTEN, _TURN = "explore.memory", "explore.written", "explore.turn"
_SHIELDED = "explore.shielded"  # the link whose shield was taken over


def ask() -> Request | None:
    """Draw the controls; None while there is no model, no text or no valid attack."""
    titles = model_choices()
    known = _from_address()
    turn = f"explore.{st.session_state.get(_TURN, 0)}"
    if not titles:
        _no_models()
        return None

    st.session_state.setdefault(f"{turn}.text", known.get("text", DEFAULT_TEXT))
    typed = (
        st.text_area(
            "Sentence",
            key=f"{turn}.text",
            height=88,
            **KEEP,
            help="Any text. Press Ctrl+Enter, or the button, to attack it.",
        )
        or ""
    )
    st.html(NARROW)
    with st.container(key="controls"):
        columns = st.columns([6, 7, 4, 4, 5, 4], vertical_alignment="bottom")
    ids = list(titles)
    known = _models_here(known, titles)
    a = columns[0].selectbox(
        "Model A",
        ids,
        key=f"{turn}.a",
        **KEEP,
        format_func=titles.__getitem__,
        index=_index(ids, known.get("a"), len(ids) - 1),
    )
    others: list[str | None] = [None, *ids]
    other = None if known else next((i for i in ids if i != a), None)
    b = columns[1].selectbox(
        "Model B",
        others,
        key=f"{turn}.b",
        **KEEP,
        format_func=lambda i: "none" if i is None else titles[i],
        index=_index(others, known.get("b") or other, 0),
    )
    fold = st.expander("True class, a third model, attack settings, seed", icon=":material/tune:")
    place, third = fold.columns(2)
    c = third.selectbox(
        "Model C",
        others,
        key=f"{turn}.c",
        **KEEP,
        disabled=b is None,
        format_func=lambda i: "none" if i is None else titles[i],
        index=_index(others, known.get("c"), 0),
        help="A third model beside A and B.",
    )
    attack, seed = attack_controls(columns[2:5], fold, known, turn)
    labels = [OWN, *load_victim(a).label_names]
    label_key = f"{turn}.label"
    if st.session_state.get(label_key) not in labels:
        wanted = known.get("label")
        st.session_state[label_key] = wanted if wanted in labels else OWN

    def use(example: Example, names: tuple[str, ...]) -> None:
        st.session_state[f"{turn}.text"] = example.text
        name = OWN if example.label is None else names[example.label]
        st.session_state[label_key] = name if name in labels else OWN

    label = (
        place.selectbox(
            "True class",
            labels,
            key=label_key,
            **KEEP,
            format_func=lambda n: "not given: the model's own prediction" if n == OWN else n,
            help="The attack raises the loss of this class (a targeted one lowers it).",
        )
        or None
    )
    columns[5].button("Attack", type="primary", icon=":material/bolt:", width="stretch")
    pick_example(a, use, attack, seed, key=f"{turn}.example")

    text = typed.strip()
    cut = max(len(text) - LIMIT, 0)
    text = text[:LIMIT]
    if attack is None:
        return None
    if st.session_state.get(_SHIELDED) != turn:  # once a link: afterwards the strip of tokens rules
        st.session_state[_SHIELDED] = turn
        if "pin" in known:
            pin(known["pin"][:LIMIT])
        if known.get("text") == text:
            shield(text, from_link(known.get("shield", ""), len(text)))
    models = tuple(m for m in (a, b, c if b else None) if m)
    _to_address(models, text, label, shielded(text), seed, attack)
    if not text:
        st.info("Type a sentence, or choose an example, to attack it.", icon=":material/edit:")
        return None
    return Request(text, label, models, attack, seed, cut, shielded(text))


def attack_controls(
    columns: Any, fold: Any, known: Mapping[str, str], turn: str
) -> tuple[Attack | None, int]:
    """The attack's name, ε and unit in the row; its other settings and the seed folded away."""
    names = list(ATTACKS)
    name = columns[0].selectbox(
        "Attack",
        names,
        key=f"{turn}.attack",
        **KEEP,
        format_func=lambda n: TITLES.get(n, n),
        index=_index(names, known.get("attack"), 0),
        help=ATTACK_HELP,
    )
    cls = ATTACKS[name]
    items = {item.name: item for item in settings_of(cls)}
    values = (
        {k: _parse(item, known[k]) for k, item in items.items() if k in known and known["attack"]}
        if known.get("attack", names[0]) == name
        else {}
    )
    values = {k: v for k, v in values.items() if v is not None}
    if not known and name == names[0]:
        values["eps"] = FIRST_EPS
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
            value=_number(known.get("seed"), 0),
            help="Of random starts and of the noise draws.",
        )
    return attack, int(seed)


def remembered() -> dict[str, str]:
    """What the Explore page was last asked, as its address says it."""
    return dict(st.session_state.get(_MEMORY, {}))


def _from_address() -> dict[str, str]:
    """The request as text, from the address or, where that says nothing, from this session."""
    given = {k: v for k, v in st.query_params.items() if k in _PLAIN or k in _FIELDS}
    memory: dict[str, str] = st.session_state.get(_MEMORY, {})
    if given and given != st.session_state.get(_WRITTEN):
        if "attack" in given:  # a whole attack: what it leaves out is at its default
            memory = {k: v for k, v in memory.items() if k not in _FIELDS}
        gone = {old for name in given for old in _BELONGS.get(name, ())}
        memory = {k: v for k, v in memory.items() if k not in gone}
        memory = {"attack": next(iter(ATTACKS))} | memory | given
        st.session_state[_MEMORY] = st.session_state[_WRITTEN] = memory
        # new keys for all widgets, since Streamlit keeps what was entered under the old ones
        st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    return memory


def _models_here(known: dict[str, str], titles: Mapping[str, str]) -> dict[str, str]:
    """The link's models as they are here. One whose id is unknown is looked for by its weights."""
    hashes = dict(zip("abc", known.get("weights", "").split("."), strict=False))
    found = dict(known)
    for k in "abc":
        name, wanted = known.get(k), hashes.get(k)
        if not name:
            continue
        if name not in titles:
            same = [i for i in titles if wanted and weights_of(i) == wanted]
            if same:
                found[k] = same[0]
            else:
                st.warning(
                    f"The model {plain_text(name, 60)} of this link is not here; another is shown."
                )
        elif wanted and weights_of(name) != wanted:
            st.warning(
                f"The weights of {plain_text(titles[name], 60)} are not those that this link was"
                " made with: the picture may differ."
            )
    return found


def _to_address(
    models: tuple[str, ...], text: str, label: str | None, spans: Spans, seed: int, attack: Attack
) -> None:
    settings = attack_settings(attack)
    a, b, c = (*models, "", "")[:3]
    wanted = {
        "a": a,
        "b": b,
        "text": text,
        "label": label or "",
        "seed": str(seed),
        "attack": settings.pop("name"),
        "eps": f"{settings.pop('eps'):g}",
        "unit": settings.pop("unit"),
        "weights": ".".join(weights_of(m) for m in models),
    }
    wanted |= {"c": c} if c else {}
    wanted |= {"shield": to_link(spans)} if spans else {}
    wanted |= {"pin": pinned()} if pinned() else {}
    defaults = {item.name: item.default for item in settings_of(type(attack))}
    wanted |= {k: str(v) for k, v in settings.items() if v != defaults.get(k)}
    for name in (*_PLAIN, *_FIELDS):
        if name in wanted and st.query_params.get(name) != wanted[name]:
            st.query_params[name] = wanted[name]
        elif name not in wanted and name in st.query_params:
            del st.query_params[name]
    st.session_state[_MEMORY] = st.session_state[_WRITTEN] = wanted


def _no_models() -> None:
    st.info(
        "There is no trained model yet. Train the starter pair on the first page: a plain and a"
        " robust model, in about a minute.",
        icon=":material/model_training:",
    )
    st.page_link("pages/learn/start.py", label="Go to Start", icon=":material/home:")


def _parse(item: Setting, text: str) -> Any:
    """A setting from an address; None where it does not fit, so that the default stays."""
    try:
        if item.kind is bool:
            return {"True": True, "False": False}.get(text)
        value: Any = item.kind(text)
    except ValueError:
        return None
    if item.choices:
        return value if value in item.choices else None
    if isinstance(value, int | float):
        low, high = item.meta.low, item.meta.high
        fits = value == value and (low is None or value >= low) and (high is None or value <= high)
        return value if fits and abs(value) != float("inf") else None
    return value


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default


def _index(options: list[Any], wanted: Any, default: int) -> int:
    return options.index(wanted) if wanted in options else default
