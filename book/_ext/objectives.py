"""The directives ``objectives`` and ``objective-matrix``: what a chapter teaches, and where.

``book/objectives.yml`` says it once; a chapter's list and the teacher's tables are made from it.
``tests/test_objectives.py`` sees to it that every name in it exists and that nothing is left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

HEADINGS = ("After this chapter you can …", "Sections", "Exercises", "Homework", "Tests")


def objectives(book: Path, chapter: str) -> dict[str, dict[str, Any]]:
    """The objectives of a chapter, ``"1"`` to ``"4"``, by number."""
    found = yaml.safe_load((book / "objectives.yml").read_text(encoding="utf-8"))
    return {number: entry for number, entry in found.items() if number.startswith(f"{chapter}.")}


def homework_titles(folder: Path) -> dict[str, str]:
    """The titles of all graded questions in ``vidgen_lite/homework``, by number."""
    files = sorted(folder.glob("[0-9]_*.json"))
    homeworks = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return {q["id"]: q["title"] for homework in homeworks for q in homework["questions"]}


def row(number: str, entry: dict[str, Any], titles: dict[str, str]) -> str:
    """One objective as a row of the table, in Markdown."""
    cells = (
        [f"**{number}** {entry['text']}"],
        [f"{{ref}}`{anchor}`" for anchor in entry["sections"]],
        [f"{{ref}}`{label}`" for label in entry.get("exercises", [])],
        [f"**{question}** {titles[question]}" for question in entry.get("homework", [])],
        [f"`{test.removeprefix('tests/')}`" for test in entry["tests"]],
    )
    return "| " + " | ".join("<br>".join(cell) for cell in cells) + " |"


class _Made(SphinxDirective):
    """Text made from ``objectives.yml``, parsed as if the page had it."""

    required_arguments = 1

    def made(self, lines: list[str], name: str) -> list[nodes.Node]:
        box = nodes.container(classes=[name])
        source = self.get_source_info()[0]
        self.state.nested_parse(StringList(lines, source=source), self.content_offset, box)
        return [box]

    def read(self) -> dict[str, dict[str, Any]]:
        book = Path(self.env.srcdir, "book")
        self.env.note_dependency(str(book / "objectives.yml"))
        if not (found := objectives(book, self.arguments[0])):
            raise self.error(f"objectives.yml has none of chapter {self.arguments[0]!r}")
        return found


class Objectives(_Made):
    """``{objectives} 1``: what a reader of chapter 1 will be able to do, as a list."""

    def run(self) -> list[nodes.Node]:
        items = [f"* {entry['text']}" for entry in self.read().values()]
        return self.made([f"**{HEADINGS[0]}**", "", *items], "objectives")


class ObjectiveMatrix(_Made):
    """``{objective-matrix} 1``: chapter 1's objectives and all that serves them, as a table."""

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir, "vidgen_lite", "homework")
        titles = homework_titles(folder)
        for path in folder.glob("*.json"):
            self.env.note_dependency(str(path))
        rows = [row(number, entry, titles) for number, entry in self.read().items()]
        head = "| " + " | ".join(HEADINGS) + " |"
        return self.made([head, "|---" * len(HEADINGS) + "|", *rows], "objective-matrix")
