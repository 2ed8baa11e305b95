"""The browser's Back: one step a page, however many parameters an address holds.

Streamlit makes an entry in the browser's history for each change of a parameter, so that Back would
lead through half-changed addresses of one page. Here a change that stays on a page takes the place of
the entry before it, and Back leads to the page before.
"""

from __future__ import annotations

from streamlit.components.v2 import component

_JS = """
export default function () {
  const history = window.history;
  if (history.oneStepAPage) return;
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const there = new URL(url ?? location.href, location.href);
    const step = there.pathname === location.pathname ? history.replaceState.bind(history) : push;
    step(state, title, url);
  };
  history.oneStepAPage = true;
}
"""
_HISTORY = component("advlab_history", html="<span></span>", js=_JS)


def one_step_a_page() -> None:
    """Set it in the browser; once on each page is enough."""
    _HISTORY(key="history")
