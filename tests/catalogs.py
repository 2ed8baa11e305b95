"""The sentences that people read; `python tests/catalogs.py` brings the catalogs up to date with them.

New sentences then stand in the catalogs with an empty translation, and those that are gone are dropped.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from places import ROOT

from advlab.language import LANGUAGES, LOCALE
from advlab.ui.forms import CHOICES

KEYWORDS = {"_": None, "N_": None, "n_": (1, 2), "setting": (2,)}
OTHERS = sorted(set(LANGUAGES) - {"en"})
Message = str | tuple[str, str]  # a sentence, or its forms for one and for many


def sentences() -> dict[Message, str]:
    """Each sentence in the code -> where it stands; names, units and choices of settings too."""
    found: dict[Message, str] = {}
    for folder in ("advlab", "pages"):
        for name, line, message, _comments, _context in extract_from_dir(
            ROOT / folder, keywords=KEYWORDS, method_map=[("**.py", "python")]
        ):
            found[message] = f"{folder}/{name}:{line}"
    aliases = literals()
    for path in sorted((ROOT / "advlab").rglob("*.py")):
        for name, line in (
            *named_settings(path),
            *headings(path),
            *formulas(path),
            *choices(path, aliases),
            *inside_strings(path),
        ):
            found.setdefault(name, f"{path.relative_to(ROOT)}:{line}")
    return found


def headings(path: Path) -> list[tuple[str, int]]:
    """What the columns of a file's tables are called: keys in functions that make `Columns`."""
    found = []
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        inside = list(ast.walk(function))
        hints = [function.returns, *(n.annotation for n in inside if isinstance(n, ast.AnnAssign))]
        if not any(hint and "Columns" in ast.unparse(hint) for hint in hints):
            continue
        keys = [k for n in inside if isinstance(n, ast.Dict) for k in n.keys]
        keys += [
            target.slice
            for n in inside
            if isinstance(n, ast.Assign)
            for target in n.targets
            if isinstance(target, ast.Subscript)
        ]
        for key in keys:
            name = key.value if isinstance(key, ast.Constant) else None
            if isinstance(name, str) and "." not in name and any(c.isalpha() for c in name):
                found.append((name, key.lineno))
    return found


def inside_strings(path: Path) -> list[tuple[Message, int]]:
    """Sentences in the braces of f-strings, which Babel does not look into."""
    found: list[tuple[Message, int]] = []
    for text in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for call in ast.walk(text) if isinstance(text, ast.JoinedStr) else ():
            if not isinstance(call, ast.Call) or not call.args:
                continue
            said = [a.value for a in call.args[:2] if isinstance(a, ast.Constant)]
            match getattr(call.func, "id", ""), said:
                case "_", [one, *_]:
                    found.append((str(one), call.lineno))
                case "n_", [one, many]:
                    found.append(((str(one), str(many)), call.lineno))
    return found


def literals() -> dict[str, str]:
    """Names in the code of the values that a setting may have -> these, as they are written."""
    found = {}
    for path in (ROOT / "advlab").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and "Literal[" in ast.unparse(node.value):
                found[ast.unparse(node.targets[0])] = ast.unparse(node.value)
    return found


def choices(path: Path, aliases: Mapping[str, str]) -> list[tuple[str, int]]:
    """The values among which a form lets one choose, where they are shown as they are."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        call = node.value if isinstance(node, ast.AnnAssign) else None
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "setting":
            hint = ast.unparse(node.annotation)
            hint = aliases.get(hint, hint)
            if "Literal[" in hint:
                values = re.findall(r"'([^']+)'", hint)
                found += [(value, node.lineno) for value in values if value not in CHOICES]
    return found


def formulas(path: Path) -> list[tuple[str, int]]:
    """The formulas of the training methods of a file, which stand in their docstrings."""
    if path.parent != ROOT / "advlab" / "training" / "methods":
        return []
    return [
        ((ast.get_docstring(node) or "").replace("`", ""), node.lineno)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(getattr(getattr(n, "target", None), "id", "") == "gist" for n in node.body)
        and node.name != "Method"
    ]


def named_settings(path: Path) -> list[tuple[str, int]]:
    """What a form calls the settings of a file, and their units."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call)):
            continue
        call, target = node.value, node.target
        if getattr(call.func, "id", "") != "setting" or not isinstance(target, ast.Name):
            continue
        told = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
        found.append((str(told.get("label") or target.id.replace("_", " ")), node.lineno))
        if told.get("unit"):
            found.append((str(told["unit"]), node.lineno))
    return found


def path_of(name: str) -> Path:
    """Where the catalog of a language stands."""
    return LOCALE / name / "LC_MESSAGES" / "advlab.po"


def catalog_of(name: str) -> Catalog:
    """The catalog of a language as it stands."""
    with path_of(name).open("rb") as file:
        return read_po(file, locale=name)


def update(name: str) -> int:
    """Write the catalog of a language anew; how many sentences have no translation."""
    old, new = catalog_of(name), Catalog(locale=name, fuzzy=False)
    for message in sorted(sentences(), key=str):
        one = message if isinstance(message, str) else message[0]
        before = old.get(one)
        alike = before is not None and isinstance(before.id, str) == isinstance(message, str)
        new.add(message, before.string if alike else None)
    with path_of(name).open("wb") as file:
        write_po(file, new, omit_header=True, width=100)
    return sum(not translated(m) for m in new if m.id)


def translated(message: Entry) -> bool:
    """Whether each of its forms has a translation."""
    said = message.string
    return bool(said) and (isinstance(said, str) or all(said))


if __name__ == "__main__":
    for language in OTHERS:
        print(f"{language}: {update(language)} sentences to translate in {path_of(language)}")
