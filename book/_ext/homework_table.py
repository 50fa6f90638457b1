"""The directive ``homework-table``: a homework's questions, with their points and minutes."""

from __future__ import annotations

import json
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

KINDS = {"code": "a function", "value": "numbers", "text": "words, marked by a person"}


def minutes(notebook: Path) -> dict[str, int]:
    """How long each question takes, as the notebook says below its heading."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    found = re.findall(r"^## (\d+\.\d+) .*\n\n\*(\d+) minutes", text, re.M)
    return {number: int(long) for number, long in found}


def table(checks: Path, notebook: Path) -> str:
    """The table, in Markdown, with the sums in its last line."""
    questions = json.loads(checks.read_text(encoding="utf-8"))["questions"]
    long = minutes(notebook)
    lines = ["| question | answered with | minutes | points |", "|---|---|---|---|"]
    for q in questions:
        name = f"{q['id']} {q['title']}"
        kind = "a choice, tried out" if q["probes"][0]["measure"] == "change" else KINDS[q["kind"]]
        lines.append(f"| {name} | {kind} | {long[q['id']]} | {q['points']} |")
    points = sum(q["points"] for q in questions)
    lines.append(f"| **together** | | **{sum(long.values())}** | **{points}** |")
    return "\n".join(lines)


class HomeworkTable(SphinxDirective):
    """One homework's table; its number is the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        (checks,) = (root / "vidgen_lite" / "homework").glob(f"{self.arguments[0]}_*.json")
        notebook = root / "notebooks" / "homework" / f"{checks.stem}.ipynb"
        for path in (checks, notebook):
            self.env.note_dependency(str(path))
        container = nodes.container()
        text = table(checks, notebook).splitlines()
        lines = StringList(text, source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, container)
        return [container]
