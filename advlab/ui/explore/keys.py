"""The main job by keyboard: `/` to the text, Enter attacks it, arrows lead through the examples.

Arrows are free only while no field, list or slider has the focus, which needs them itself. An Enter
that ends a word of an input method (中文) is not ours; Shift+Enter begins a line.
"""

from __future__ import annotations

from streamlit.components.v2 import component

PREVIOUS, NEXT, ATTACK = "explore-previous", "explore-next", "explore-attack"  # keys of the buttons
_JS = """
const OWN = "input, textarea, select, canvas, [contenteditable], #player svg, " + ["tab", "slider",
  "radio", "combobox", "listbox", "option", "grid", "dialog", "menu"].map((r) => `[role=${r}]`).join();

export default function () {
  if (window.advlabKeys) return;
  window.advlabKeys = true;
  const press = (key) => document.querySelector(`.st-key-${key} button`)?.click();
  document.addEventListener("keydown", (event) => {
    const text = document.querySelector("[data-testid=stMain] [data-testid=stTextArea] textarea");
    if (!text || !document.querySelector(".st-key-explore-attack")) return;  // another page
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target === text) {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      text.blur();  // what was typed is sent when the field is left
      press("explore-attack");
      text.focus();
      return;
    }
    if (event.composedPath().some((node) => node.matches && node.matches(OWN))) return;
    if (event.key === "/") {
      event.preventDefault();
      text.focus();
      text.select();
    } else if (event.key === "ArrowLeft") press("explore-previous");
    else if (event.key === "ArrowRight") press("explore-next");
  });
}
"""
_KEYS = component("advlab_keys", html="<span></span>", js=_JS)


def listen() -> None:
    """Set it in the browser; once is enough."""
    _KEYS(key="keys")
