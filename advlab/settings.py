"""Settings as frozen dataclasses: one declaration feeds the form, the flags, the JSON and the checks.

A field made with `setting(...)` carries its help sentence, unit and bounds. `build` turns plain JSON
into the dataclass and names what is wrong; `plain` goes the other way.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from advlab.errors import SettingError, unknown
from advlab.language import _

T = TypeVar("T")


@dataclass(frozen=True)
class Meta:
    """What a person needs to know about one setting."""

    help: str
    unit: str = ""
    low: float | None = None  # inclusive
    high: float | None = None  # inclusive
    label: str = ""  # shown in forms; the field's name with spaces when empty
    advanced: bool = False  # forms fold it away


def setting(
    default: Any,
    help: str,  # noqa: A002  the word that argparse and Streamlit use
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    label: str = "",
    advanced: bool = False,
) -> Any:
    """A dataclass field with its help sentence, unit and inclusive bounds."""
    meta = Meta(help, unit, low, high, label, advanced)
    return dataclasses.field(default=default, metadata={"meta": meta})


@dataclass(frozen=True)
class Setting:
    """One field of a settings class, as forms and flags read it."""

    name: str
    kind: type  # bool, int, float or str
    optional: bool  # None is allowed
    choices: tuple[str, ...]  # empty unless the hint is a Literal
    default: Any
    meta: Meta

    @property
    def label(self) -> str:
        """The name for people, with its unit."""
        text = self.meta.label or self.name.replace("_", " ")
        return f"{text} ({self.meta.unit})" if self.meta.unit else text


@cache
def settings_of(cls: type) -> tuple[Setting, ...]:
    """The fields of a settings class that were made with `setting`, in order."""
    hints = get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        if "meta" not in field.metadata:
            continue
        kind, optional, choices = _kind(hints[field.name])
        found.append(
            Setting(field.name, kind, optional, choices, field.default, field.metadata["meta"])
        )
    return tuple(found)


def _kind(hint: Any) -> tuple[type, bool, tuple[str, ...]]:
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        options = [a for a in get_args(hint) if a is not type(None)]
        optional = len(options) < len(get_args(hint))
        hint = options[0]
    if get_origin(hint) is Literal:
        return str, optional, tuple(get_args(hint))
    return hint, optional, ()


def check(instance: Any) -> None:
    """Raise SettingError where a field of `instance` is of the wrong type or out of its bounds."""
    for item in settings_of(type(instance)):
        value = getattr(instance, item.name)
        where = f"{type(instance).__name__}.{item.name}"
        if value is None:
            if not item.optional:
                raise SettingError(
                    _(
                        "{where}: expected {wanted}, got nothing; give a value",
                        where=where,
                        wanted=_wanted(item),
                    )
                )
            continue
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        fits = {
            float: numeric,
            int: numeric and float(value).is_integer() if numeric else False,
            bool: isinstance(value, bool),
            str: isinstance(value, str),
        }.get(item.kind, True)
        if item.choices:
            fits = value in item.choices
        if fits and numeric:
            below = item.meta.low is not None and value < item.meta.low
            above = item.meta.high is not None and value > item.meta.high
            fits = math.isfinite(value) and not (below or above)
        if not fits:
            raise SettingError(
                _(
                    "{where}: expected {wanted}, got {value!r}; change it",
                    where=where,
                    wanted=_wanted(item),
                    value=value,
                )
            )


def _wanted(item: Setting) -> str:
    if item.choices:
        return _("one of {choices}", choices=", ".join(item.choices))
    name = {
        float: _("a number"),
        int: _("a whole number"),
        bool: _("true or false"),
        str: _("text"),
    }
    text = name.get(item.kind, item.kind.__name__)
    if item.meta.low is not None and item.meta.high is not None:
        return _(
            "{text} from {low:g} to {high:g}", text=text, low=item.meta.low, high=item.meta.high
        )
    if item.meta.low is not None:
        return _("{text} of at least {low:g}", text=text, low=item.meta.low)
    return text


def build(cls: type, values: Mapping[str, Any]) -> Any:
    """`cls(**values)` with nested settings classes built too; SettingError names what is wrong."""
    hints = get_type_hints(cls)
    names = {field.name for field in dataclasses.fields(cls)}
    strangers = sorted(set(values) - names)
    if strangers:
        raise SettingError(
            _(
                "{cls} has no setting {strangers}; choose from {names}",
                cls=cls.__name__,
                strangers=", ".join(map(repr, strangers)),
                names=", ".join(sorted(names)),
            )
        )
    made = {}
    for name, value in values.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
            value = build(hint, value)  # type: ignore[arg-type]
        elif hint is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        elif hint in (int, int | None) and isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON from elsewhere may say 3.0
        elif get_origin(hint) is tuple and isinstance(value, list):
            value = tuple(value)
        made[name] = value
    instance = cls(**made)
    check(instance)
    return instance


def build_named(kind: str, table: Mapping[str, type[T]], values: Mapping[str, Any]) -> T:
    """The settings of `{"name": …, …}`, of the class that `table` has under that name.

    Without a name it is the table's first. SettingError names the `kind` of thing and what is wrong.
    """
    rest = dict(values)
    name = rest.pop("name", next(iter(table)))
    if name not in table:
        raise SettingError(unknown(kind, name, table))
    return build(table[name], rest)


def name_of(instance: Any, table: Mapping[str, type]) -> str:
    """The name under which `table` has the class of `instance`."""
    return next(name for name, cls in table.items() if type(instance) is cls)


def plain(instance: Any) -> dict[str, Any]:
    """A settings instance as JSON-ready plain values."""
    return dataclasses.asdict(instance)
