"""What every page that advlab writes says of itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def versions() -> dict[str, str]:
    """The libraries that bear on the figures, as they are here."""
    found = {}
    for name in ("advlab", "torch", "transformers", "tokenizers", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
