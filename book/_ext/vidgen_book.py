"""The book's own Sphinx extension: pages from notebooks, docstrings and lists, quizzes, repairs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from homework_table import HomeworkTable
from lecture_slides import write_decks
from notebook_gallery import NotebookGallery
from notebook_status import NotebookStatus
from objectives import ObjectiveMatrix, Objectives
from sphinx.application import Sphinx


def leave_out_thebe(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Take sphinx-thebe's files off every page.

    The book never starts a kernel, and the extension adds one inline script twice, which is a
    script error on every page ("THEBE_JS_URL has already been declared").
    """
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "THEBE_JS_URL" not in (script.attributes.get("body") or "")
        and "sphinx-thebe" not in str(script.filename or "")
    ]
    context["css_files"] = [
        sheet for sheet in context["css_files"] if "sphinx-thebe" not in str(sheet.filename)
    ]


def leave_out_font_preloads(app: Sphinx, error: Exception | None) -> None:
    """Take the theme's early font requests out of the pages; the style sheet asks for them anyway.

    From an unpacked folder a browser refuses them, with an error a font, as they claim to come
    from elsewhere ("crossorigin").
    """
    if error is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            page = path.read_text(encoding="utf-8")
            path.write_text(re.sub(r'<link rel="preload" as="font"[^>]*>', "", page), "utf-8")


def link_equations(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """In docstrings, make ``Equation: eq:name`` a link, and let |x| be an absolute value."""
    for i, line in enumerate(lines):
        line = re.sub(r"(?<!\\)\|", r"\\|", line)
        if line.startswith("Equation"):
            line = re.sub(r"\beq:[\w-]+", r":eq:`\g<0>`", line)
        lines[i] = line


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("homework-table", HomeworkTable)
    app.add_directive("notebook-gallery", NotebookGallery)
    app.add_directive("notebook-status", NotebookStatus)
    app.add_directive("objectives", Objectives)
    app.add_directive("objective-matrix", ObjectiveMatrix)
    app.setup_extension("quiz")
    app.connect("autodoc-process-docstring", link_equations)
    app.connect("html-page-context", leave_out_thebe, priority=950)
    app.connect("build-finished", leave_out_font_preloads)
    app.connect("build-finished", write_decks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
