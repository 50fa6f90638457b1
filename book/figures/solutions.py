"""The programs that stand in the chapters' solutions, as a reader would copy them.

The figures under the exercises are drawn from them, and a test runs them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

BOOK = Path(__file__).resolve().parents[1]


def program(chapter: str, label: str) -> str:
    """The Python that the solution of this label shows.

    Raises:
        ValueError: the chapter has no such solution, or it shows none.
    """
    text = (BOOK / f"{chapter}.md").read_text(encoding="utf-8")
    found = re.search(rf"^(`+){{solution}} \S+\n:label: {label}\n(.*?)^\1$", text, re.M | re.S)
    blocks = re.findall(r"^```python\n(.*?)^```$", found[2] if found else "", re.M | re.S)
    if not blocks:
        raise ValueError(f"{chapter}: no solution {label} that shows Python")
    return "\n".join(blocks)


def run(chapter: str, label: str) -> dict[str, Any]:
    """Run a solution's program and return the names that it made."""
    names: dict[str, Any] = {}
    exec(compile(program(chapter, label), label, "exec"), names)
    return names
