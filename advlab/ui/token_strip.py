"""A strip of tokens that one can click: a components-v2 element, text set by `textContent` only.

Every token is a button with its value under it; an underline as thick as its weight says the same
as the number. Arrow keys are not needed: buttons take Tab and Enter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st
from streamlit.components.v2 import component

_HTML = """<div id="strip" role="group" dir="auto"></div>
"""

_CSS = """
#strip { display: flex; flex-wrap: wrap; gap: 4px; font-family: var(--st-font); }
button {
  display: inline-flex; flex-direction: column; align-items: center; gap: 1px; min-height: 44px;
  max-width: 100%; padding: 4px 7px; cursor: pointer; color: var(--st-text-color);
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius); font: inherit; font-size: 0.95rem; overflow: hidden;
}
button[aria-pressed="true"] { outline: 2px solid var(--st-primary-color); outline-offset: -2px; }
button:focus-visible { outline: 3px solid var(--st-primary-color); }
button:disabled {
  cursor: default; opacity: 0.65;
  background: repeating-linear-gradient(45deg, transparent 0 5px,
    var(--st-secondary-background-color) 5px 8px);
}
.word { border-bottom: 0 solid var(--st-primary-color); white-space: pre; }
.marked { text-decoration: line-through; }
.value { font-size: 0.75rem; opacity: 0.85; }
"""

_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const strip = parentElement.querySelector("#strip");
  if (!strip) return;
  strip.setAttribute("aria-label", data.label);
  strip.replaceChildren(...data.tokens.map((token, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.disabled = token.off;
    button.title = token.title;
    button.setAttribute("aria-pressed", String(token.marked || index === data.selected));
    const word = document.createElement("span");
    word.className = token.marked ? "word marked" : "word";
    word.textContent = token.text;
    word.style.borderBottomWidth = (1 + 4 * token.weight).toFixed(1) + "px";
    const value = document.createElement("span");
    value.className = "value";
    value.textContent = token.value;
    button.append(word, value);
    button.onclick = () => {
      if (data.selected !== null) {
        for (const other of strip.children) other.setAttribute("aria-pressed", "false");
        button.setAttribute("aria-pressed", "true");
      }
      setTriggerValue("selected", index);
    };
    return button;
  }));
}
"""

_STRIP = component("advlab_token_strip", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Token:
    """One button: `weight` from 0 to 1 is the underline, `value` the same in words."""

    text: str
    value: str = ""
    weight: float = 0.0
    title: str = ""
    off: bool = False  # shown hatched, not to be chosen
    marked: bool = False  # pressed and struck through, whatever is selected


def token_strip(
    tokens: Sequence[Token],
    *,
    label: str,
    key: str,
    selected: int | None = None,
    on_select: Callable[[int], None] | None = None,
) -> None:
    """Draw the strip; a click calls `on_select` with the token's index before the page reruns."""

    def chosen() -> None:
        index = st.session_state.get(key, {}).get("selected")
        if on_select is not None and isinstance(index, int) and 0 <= index < len(tokens):
            on_select(index)

    _STRIP(
        key=key,
        data={"tokens": [asdict(t) for t in tokens], "selected": selected, "label": label},
        on_selected_change=chosen,
    )
