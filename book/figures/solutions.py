"""The programs that stand in the chapters' solutions, as a reader would copy them.

The figures under the exercises are drawn from them, and a test runs them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

BOOK = Path(__file__).resolve().parents[1]


def program(chapter: str, label: str) -> str:
    """The Python that the solution of this label shows, after what its exercise begins with.

    Raises:
        ValueError: the chapter has no such solution, or it shows none.
    """
    text = (BOOK / f"{chapter}.md").read_text(encoding="utf-8")
    found = re.search(rf"^(`+){{solution}} (\S+)\n:label: {label}\n(.*?)^\1$", text, re.M | re.S)
    if not found or not python(found[3]):
        raise ValueError(f"{chapter}: no solution {label} that shows Python")
    exercise = rf"^(`+){{exercise}} [^\n]*\n:label: {found[2]}\n(.*?)^\1$"
    begun = re.search(exercise, text, re.M | re.S)
    return "\n".join((python(begun[2]) if begun else []) + python(found[3]))


def python(text: str) -> list[str]:
    """The blocks of Python in a part of a chapter."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)


def run(chapter: str, label: str) -> dict[str, Any]:
    """Run a solution's program and return the names that it made."""
    names: dict[str, Any] = {}
    exec(compile(program(chapter, label), label, "exec"), names)
    return names
