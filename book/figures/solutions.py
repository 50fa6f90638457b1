"""The Python of the chapters' coding exercises: what a student begins with, and a solution.

The figure scripts draw the pictures of what is expected from it, and the tests run it.
"""

from __future__ import annotations

import re
from pathlib import Path

CHAPTERS = sorted(Path(__file__).parents[1].glob("[0-9]_*.md"))
_PART = re.compile(
    r"^(`{3,})\{(exercise|solution)\} *(.*?)\n:label: *(\S+)\n(.*?)^\1$", re.DOTALL | re.MULTILINE
)
_CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def coded() -> dict[str, str]:
    """Every exercise whose solution has code, by label: its own code, then the solution's."""
    given: dict[str, str] = {}
    found: dict[str, str] = {}
    for chapter in CHAPTERS:
        for _, kind, title, label, text in _PART.findall(chapter.read_text(encoding="utf-8")):
            code = "\n".join(_CODE.findall(text))
            if kind == "exercise":
                given[label] = code
            elif code:
                found[title] = given[title] + "\n" + code  # a solution's title is its exercise
    return found
