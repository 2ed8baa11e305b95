"""The address that `advlab class` prints is one that students can open."""

from __future__ import annotations

import pytest

from advlab.cli.app import checked_base
from advlab.cli.classroom import address_of
from advlab.errors import SettingError
from advlab.ui.hosts import AllowedHosts


@pytest.mark.parametrize(
    ("host", "names", "base", "printed"),
    [
        ("127.0.0.1", [], "", "http://127.0.0.1:8501"),
        ("::1", [], "lab", "http://[::1]:8501/lab"),
        ("127.0.0.1", ["lab.example.org"], "a/b", "https://lab.example.org/a/b"),
        ("127.0.0.1", ["*.example.org", "lab.example.org"], "", "https://lab.example.org"),
        # a proxy without TLS, or at a port of its own
        ("127.0.0.1", ["http://lab.school"], "lab", "http://lab.school/lab"),
        ("127.0.0.1", ["http://lab.school:8080/"], "", "http://lab.school:8080"),
        ("127.0.0.1", ["lab.school:8443"], "", "https://lab.school:8443"),
    ],
)
def test_the_first_name_with_its_scheme_and_port_is_what_students_open(
    host: str, names: list[str], base: str, printed: str
) -> None:
    assert address_of(host, 8501, names, base) == printed


def test_a_name_with_a_path_is_told_where_the_path_goes() -> None:
    with pytest.raises(SettingError, match="--base-path"):
        address_of("127.0.0.1", 8501, ["lab.example.org/lab"], "")


@pytest.mark.parametrize("written", ["http://lab.school:8080", "lab.school:8443", "LAB.school/"])
def test_a_name_is_allowed_whatever_scheme_and_port_it_was_written_with(written: str) -> None:
    rule = AllowedHosts(None, added=[written])  # type: ignore[arg-type]
    for asked in ("lab.school", "lab.school:8080", "lab.school:9"):
        assert rule.refusal(asked, f"http://{asked}") is None
    assert rule.refusal("evil.test", None)


@pytest.mark.parametrize("path", ["a b", "../x", "a//b", "a?b", "课堂", "ä"])
def test_a_base_path_that_no_address_or_cookie_carries_is_refused(path: str) -> None:
    with pytest.raises(SettingError, match="--base-path"):
        checked_base(path)


@pytest.mark.parametrize(
    ("path", "base"), [("", ""), ("/", ""), ("/lab/", "lab"), ("a/b_c-1", "a/b_c-1")]
)
def test_slashes_at_the_ends_of_a_base_path_do_not_matter(path: str, base: str) -> None:
    assert checked_base(path) == base
