"""What was handed in: notebooks of any name, from anywhere, of which only the text is believed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LARGEST = 20 << 20  # bytes of a notebook; with all its pictures none comes near
MARK = re.compile(r"\s*#\s*(?:Answer\s+(\d+\.\d+)|(Setup))\b")
MAGIC = re.compile(r"^(?:%\w|!).*$", re.M)  # a line for the notebook's shell, no Python


@dataclass(frozen=True)
class Submission:
    """What was handed in: code by question, and why it could not be read, if so."""

    name: str
    file: str
    answers: dict[str, str] = field(default_factory=dict)
    setup: tuple[str, ...] = ()
    fault: str = ""


def submissions(folder: Path) -> list[Submission]:
    """Read all notebooks of a folder, whatever they are called.

    Raises:
        ValueError: there is no such folder, or no notebook in it.
    """
    files = [p for p in sorted(folder.rglob("*.ipynb")) if not hidden(p.relative_to(folder))]
    if not files:
        raise ValueError(f"SUBMISSIONS: expected a folder with notebooks, got {folder}")
    taken: Counter[str] = Counter()
    found = []
    for path in files:
        file = path.relative_to(folder).as_posix()
        name = plain(file.removesuffix(".ipynb"))
        taken[name.casefold()] += 1
        if (again := taken[name.casefold()]) > 1:
            name += f"({again})"  # no plain name holds a bracket, so this one is free
        found.append(opened(path, name, file))
    return found


def hidden(path: Path) -> bool:
    """Whether a file is a copy that Jupyter or a Mac has left."""
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def plain(text: str) -> str:
    """A name that is safe in a path, in a table and on a page."""
    return re.sub(r"[^\w.-]+", "_", text.replace("/", "-")).lstrip("-.")[:80] or "unnamed"


def opened(path: Path, name: str, file: str) -> Submission:
    """Read a notebook; one that can't be read is a submission too."""
    try:
        answers, setup = {}, []
        for code in code_cells(path):
            if found := MARK.match(code):
                code = MAGIC.sub("", code)
                if found[1]:
                    answers[found[1]] = code
                else:
                    setup.append(code)
        return Submission(name, file, answers, tuple(setup))
    except (ValueError, OSError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        return Submission(name, file, fault=f"it can't be read as a notebook: {why}"[:200])


def code_cells(path: Path) -> Iterator[str]:
    """The code of a notebook; nothing but its text is believed, and no metadata is needed."""
    if path.is_symlink() or not path.is_file():
        raise ValueError("it is not a plain file")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MB")
    notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("it has no cells")
    for cell in cells:
        if isinstance(cell, dict) and cell.get("cell_type", "code") == "code":
            source = cell.get("source", "")
            yield "".join(map(str, source)) if isinstance(source, list) else str(source)
