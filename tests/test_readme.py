"""The README keeps its word: its example runs, and its tables are those of the registries.

`python tests/test_readme.py` writes the tables anew.
"""

from __future__ import annotations

import re

import places

from advlab.attacks import ATTACKS
from advlab.data import CORPORA
from advlab.training.methods import METHODS

README = places.ROOT / "README.md"
MARKS = re.compile(r"(<!-- begin: tables[^\n]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)


def first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0]


def tables() -> str:
    rows = ["", "| training method | what it does |", "|---|---|"]
    rows += [f"| `{name}` | {first_line(cls)} |" for name, cls in METHODS.items()]
    rows += ["", "| attack | what it does |", "|---|---|"]
    rows += [f"| `{name}` | {first_line(cls)} |" for name, cls in ATTACKS.items()]
    rows += ["", "| corpus | what it is |", "|---|---|"]
    rows += [f"| `{name}` | {corpus.about} |" for name, corpus in CORPORA.items()]
    return "\n".join([*rows, "", ""])


def test_tables_are_those_of_the_registries():
    found = MARKS.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found[2] == tables(), "run: python tests/test_readme.py"


def test_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "epoch" in printed
    assert (tmp_path / "my-run" / "model" / "model.safetensors").is_file()


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(MARKS.sub(lambda m: m[1] + tables() + m[3], text), encoding="utf-8")
