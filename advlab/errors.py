"""Every error that advlab raises on purpose.

    AdvlabError (ValueError)       a caller's mistake or a user's input; its text is fit to show
    ├── DataError                  a data set cannot be read or used as given
    │   ├── EncodingError          a text file's encoding must be chosen
    │   └── CapsuleError           a file is no capsule that can be opened
    ├── ModelError                 a model cannot be loaded, or fails the identity check
    ├── SettingError               a setting is unknown, of the wrong type or out of range
    ├── RunError                   a run does not exist, or is not in the state the request needs
    └── ClassError                 a class does not let somebody in, or not do what was asked

Each message says what was expected, what came, and what to do. Pages show the text as it is; the
command line prints it to standard error and exits with 2.
"""

from __future__ import annotations

from collections.abc import Iterable

from advlab.language import _


class AdvlabError(ValueError):
    """A mistake in what advlab was given. The message is meant for the person at the screen."""


class DataError(AdvlabError):
    """A data set cannot be read or used as given."""


class EncodingError(DataError):
    """A text file's bytes leave its encoding open, so that a person must choose it."""


class CapsuleError(DataError):
    """A file is no capsule that can be opened."""

    def __init__(self, expected: str, came: str) -> None:
        self.gap = _("expected {expected}, got {came}", expected=expected, came=came)
        super().__init__(
            _(
                "this is no capsule that can be opened: {gap}; save it again from the Explore page",
                gap=self.gap,
            )
        )


class ModelError(AdvlabError):
    """A model cannot be loaded, or its embeddings path differs from its ids path."""


class SettingError(AdvlabError):
    """A setting is unknown, of the wrong type or out of range."""


class RunError(AdvlabError):
    """A run does not exist, or is not in the state that the request needs."""


class ClassError(AdvlabError):
    """A class does not let somebody in, or does not let them do what was asked."""


def unknown(kind: str, name: str, choices: Iterable[object]) -> str:
    """The one wording for a name that a registry lacks."""
    return _(
        "unknown {kind} {name!r}; choose from {choices}",
        kind=kind,
        name=name,
        choices=", ".join(sorted(map(str, choices))),
    )
