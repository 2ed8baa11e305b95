"""`advlab app`: what it says, and what Streamlit may say beside it."""

from __future__ import annotations

import subprocess
import sys

import places
import pytest

from advlab.cli.app import address

# as on the machine of somebody who has a coding agent; nothing listens
STARTED = """
import streamlit
from streamlit.web import skills
from advlab.cli.main import main

class Served:
    def __init__(self, *_, **__):
        pass

    def run(self, config):
        for name, value in config.items():
            streamlit.config.set_option(name, value)
        print("withheld:", skills.nudge_suppression_reason("."))

streamlit.App = Served
skills.agent_harness_present = lambda: True
main(["app", "--port", "28417"])
"""


def test_pages_do_not_offer_to_install_skills_for_coding_agents() -> None:
    out = subprocess.run(
        [sys.executable, "-c", STARTED],
        cwd=places.ROOT,
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert "withheld: welcome_hidden" in out.stdout, out.stderr
    assert "advlab is at http://127.0.0.1:28417;" in out.stdout


@pytest.mark.parametrize(
    ("host", "base", "told"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:8501"),
        ("0.0.0.0", "lab", "http://localhost:8501/lab"),
        ("::1", "course/lab", "http://[::1]:8501/course/lab"),
    ],
)
def test_the_address_is_one_that_a_browser_here_opens(host: str, base: str, told: str) -> None:
    assert address(host, 8501, base) == told
