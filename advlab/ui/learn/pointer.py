"""Pointing at a part of the page: it is outlined, and a button brings it into view.

Where the card stays in sight beside it, a part further down is brought there at once: a page has other
sliders and buttons of its kind above it.
"""

from __future__ import annotations

import streamlit as st
from streamlit.components.v2 import component

from advlab.language import _

_CSS = """
button {
  min-height: 40px; padding: 4px 12px; font: inherit; font-family: var(--st-font); cursor: pointer;
  color: var(--st-text-color); background: var(--st-background-color);
  border: 2px solid #e69f00; border-radius: var(--st-button-radius);
}
button:focus-visible { outline: 3px solid var(--st-primary-color); }
"""
_JS = """
const WIDE = "(min-width: 900px)"; // the card stands beside the view
const begun = new WeakSet();
function show(part) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  part.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
}
// once the page is drawn and the part stands still: what is above it moves it
function bring(selector, root, tries, before) {
  if (!root.isConnected || tries === 0) return;
  const part = document.querySelector(selector);
  const drawn = document.querySelector("[data-test-script-state=notRunning]");
  const top = part && drawn ? part.getBoundingClientRect().top : null;
  if (top === null || top !== before) setTimeout(bring, 400, selector, root, tries - 1, top);
  else if (top > innerHeight * 0.7) show(part);
}
export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector("#pointer");
  if (!root) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = data.text;
  button.onclick = () => {
    const part = document.querySelector(data.part);
    if (!part) return;
    show(part);
    const first = part.querySelector("button, input, [tabindex='0']");
    if (first) first.focus({ preventScroll: true });
  };
  root.replaceChildren(button);
  if (begun.has(parentElement) || !matchMedia(WIDE).matches) return;
  begun.add(parentElement);
  bring(data.part, parentElement, 200, null);
}
"""
_POINTER = component("advlab_pointer", html='<div id="pointer"></div>', css=_CSS, js=_JS)


def outline(key: str) -> None:
    """Outline the part of this key."""
    # a key's class is what Streamlit makes of it: every sign but letters, digits, - and _ is a -
    st.html(
        f"<style>{part_of(key)} {{ outline: 3px solid #e69f00; outline-offset: 6px;"
        " border-radius: 4px; scroll-margin-top: 5rem }</style>"
    )


def pointer(key: str) -> None:
    """A button that brings the part of this key into view."""
    _POINTER(key=f"pointer.{key}", data={"part": part_of(key), "text": f"→ {_('Show me where')}"})


def part_of(key: str) -> str:
    """The CSS selector of a key."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in key)
    return f".st-key-{name}"
