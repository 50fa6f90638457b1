"""The directive ``notebook-gallery``: clips from the notebooks on another page, always as trained.

A notebook's cell tagged ``gallery`` gives its HTML output (what ``show.clip`` returns) to the page,
with a link to the notebook below it. So the landing page can't show what no notebook made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


def tagged_outputs(notebook: dict[str, Any], tag: str) -> list[str]:
    """Return the HTML outputs of a notebook's cells that carry ``tag``."""
    found = []
    for cell in notebook["cells"]:
        if tag in cell["metadata"].get("tags", []):
            for output in cell.get("outputs", []):
                if html := output.get("data", {}).get("text/html"):
                    found.append("".join(html))
    return found


class NotebookGallery(SphinxDirective):
    """One figure for each HTML output of a cell tagged ``gallery``, in the notebooks' order."""

    def run(self) -> list[nodes.Node]:
        gallery = nodes.container(classes=["gallery", "moving"])
        for path in sorted(Path(self.env.srcdir, "notebooks").glob("*.ipynb")):
            self.env.note_dependency(str(path))
            for html in tagged_outputs(json.loads(path.read_text(encoding="utf-8")), "gallery"):
                item = nodes.container(classes=["gallery-item"])
                item += nodes.raw("", html, format="html")
                source = f"From {{doc}}`/notebooks/{path.stem}`"
                self.state.nested_parse(StringList([source]), self.content_offset, item)
                gallery += item
        return [gallery] if gallery.children else []
