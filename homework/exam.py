"""``make exam``: the exam's questions, and their answers, as two pages that print well.

The source is ``exam.md``. A lecture is a heading; a question is one below it, with a line that says
its kind, points and minutes; below the question stand its answer, how it is marked, and a check:
Python that computes the answer again, for the tests. The pages hold all that they need, formulas
and figures included (as MathML and SVG), and are no part of the book.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from docutils.core import publish_string
from myst_parser.docutils_ import Parser

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "exam.md"
INTO = HERE.parent / "_build" / "exam"
KNOWN = {"math": math, "torch": torch, "nn": torch.nn, "F": torch.nn.functional}
FACTS = re.compile(r"\*(\w+) · (\d+) points · (\d+) minutes\*\n")
SETTINGS = {
    "math_output": "MathML",
    "myst_enable_extensions": ["amsmath", "dollarmath"],
    "embed_stylesheet": True,
    "stylesheet_path": f"minimal.css,{HERE / 'exam.css'}",
    "output_encoding": "unicode",
    "syntax_highlight": "short",
    "halt_level": 2,  # a warning ends it
}


@dataclass(frozen=True)
class ExamQuestion:
    """A question of the exam, with all that belongs to it; the texts are Markdown."""

    lecture: str
    title: str
    kind: str
    points: int
    minutes: int
    text: str
    answer: str
    marking: str
    check: str


def exam(path: Path = SOURCE) -> Iterator[ExamQuestion]:
    """Read the exam's questions.

    Raises:
        ValueError: a question lacks one of its parts.
    """
    for lecture in re.split(r"^# (?=Lecture)", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
        name, *questions = re.split(r"^## ", lecture, flags=re.M)
        for question in questions:
            title, _, body = question.partition("\n")
            parts = re.split(r"^### (?:Answer|Marking|Check)\n", body, flags=re.M)
            found = FACTS.search(parts[0])
            if len(parts) != 4 or not found:
                raise ValueError(f"{path.name}: {title}: a part is missing")
            kind, points, minutes = found.groups()
            parts[0] = FACTS.sub("", parts[0])
            texts = [part.strip() + "\n" for part in parts]
            facts = (kind, int(points), int(minutes))
            yield ExamQuestion(name.strip(), title.strip(), *facts, *texts)


def verify(question: ExamQuestion) -> None:
    """Run a question's check.

    Raises:
        AssertionError: its answer is not what the check computes.
    """
    code = question.check.removeprefix("```python\n").rstrip().removesuffix("```")
    names: dict[str, Any] = dict(KNOWN)
    exec(compile(code, question.title, "exec"), names)


def page(questions: list[ExamQuestion], *, answers: bool) -> str:
    """The exam as a page, with or without answers and marking notes."""
    title = "Video generation with GANs and VAEs: the exam" + (", with answers" if answers else "")
    parts = [f"# {title}\n"]
    lecture = ""
    for question in questions:
        if question.lecture != lecture:
            lecture = question.lecture
            parts.append(f"## {lecture}\n")
        parts.append(f"### {question.title}\n\n*{question.points} points, about {question.minutes}")
        parts[-1] += f" minutes*\n\n{question.text}"
        if answers:
            parts.append(f"**Answer**\n\n{question.answer}\n**Marking**\n\n{question.marking}")
    # Docutils sets no space around a logarithm, and looks for figures where it was started.
    source = re.sub(r"\\log\b", r"\\,\\log\\,", "\n".join(parts))
    text = publish_string(
        source.replace("../book/", f"{HERE.parent.as_posix()}/book/"),
        source_path=str(SOURCE),
        parser=Parser(),
        writer_name="html5",
        settings_overrides=SETTINGS,
    )
    return str(text)


def main() -> None:
    """Write both pages."""
    questions = list(exam())
    INTO.mkdir(parents=True, exist_ok=True)
    for name, answers in (("questions", False), ("answers", True)):
        file = INTO / f"{name}.html"
        file.write_text(page(questions, answers=answers), encoding="utf-8")
        print(f"exam: {file.as_uri()}")


if __name__ == "__main__":
    main()
