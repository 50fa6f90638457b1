"""The directive ``notebook-status``: when, where and how the notebooks' outputs were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

FACTS = ("preset", "date", "device", "versions", "seconds", "checks")


def stamps(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what each notebook in ``folder`` says about its last run, by file stem.

    Raises:
        ValueError: a notebook was never run by ``notebooks/execute.py``, or lacks a fact.
    """
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        stamp = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("vidgen", {})
        if missing := [fact for fact in FACTS if fact not in stamp]:
            raise ValueError(
                f"{path.name}: no {', '.join(missing)} in its metadata; run `make notebooks`"
            )
        found[path.stem] = stamp
    return found


def duration(seconds: float) -> str:
    """Seconds below two minutes, minutes from there on: ``43 s``, ``21 min``."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def tables(found: dict[str, dict[str, Any]]) -> str:
    """The two tables of the status page, in Markdown."""
    runs = ["| Notebook | Checks passed | Time | Preset | Run on |", "|---|---|---|---|---|"]
    places = ["| Notebook | Device | Versions |", "|---|---|---|"]
    for stem, stamp in found.items():
        link = f"{{doc}}`/notebooks/{stem}`"
        checks = f"{stamp['checks']} of {stamp['checks']}"
        time = duration(stamp["seconds"])
        runs.append(f"| {link} | {checks} | {time} | {stamp['preset']} | {stamp['date']} |")
        versions = ", ".join(f"{name} {version}" for name, version in stamp["versions"].items())
        places.append(f"| {link} | {stamp['device']} | {versions} |")
    return "\n".join([*runs, "", *places])


class NotebookStatus(SphinxDirective):
    """Two tables made from the metadata that ``notebooks/execute.py`` leaves in each notebook."""

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir) / "notebooks"
        for path in folder.glob("*.ipynb"):
            self.env.note_dependency(str(path))
        try:
            text = tables(stamps(folder))
        except ValueError as error:
            raise self.error(str(error)) from error
        container = nodes.container(classes=["wide-table"])
        lines = StringList(text.splitlines(), source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, container)
        return [container]
