"""Homework on the student's side: check an answer, see how far one is, write the file to hand in.

``check("2.3", answer)`` puts the answer to some probes and says what was expected, what came, and a
hint that fits the mistake. What the checks know of a question are numbers (``*.json`` beside this
file), no solution: they are written from the homework's one source, and a class is graded with
other numbers. Nothing here needs more than the library does.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from vidgen_lite.homework.hints import NOTHING, explain
from vidgen_lite.homework.probes import outcome

__all__ = ["check", "progress", "questions", "submit"]

HERE = Path(__file__).parent
MARK = re.compile(r"^# Answer (\d+\.\d+)\b")
SETUP = re.compile(r"^# Setup\b")

# What was checked in this session: a question's number, and what was wrong ("" for nothing).
_found: dict[str, str] = {}


@cache
def questions(homework: int) -> dict[str, dict[str, Any]]:
    """The questions of a homework by their numbers, with points and probes.

    Raises:
        ValueError: there is no such homework.
    """
    for path in HERE.glob(f"{homework}_*.json"):
        return {q["id"]: q for q in json.loads(path.read_text(encoding="utf-8"))["questions"]}
    known = sorted(path.name.partition("_")[0] for path in HERE.glob("[0-9]_*.json"))
    raise ValueError(f"homework: expected one of {', '.join(known)}, got {homework!r}")


def check(number: str, answer: Any) -> None:
    """Check an answer, and print what was expected, what came and a hint.

    Args:
        number: the question's, e.g. ``"2.3"``.
        answer: the function, value or text that answers it.

    Raises:
        ValueError: there is no such question.
    """
    question = _question(number)
    wrong = explain(question, [outcome(answer, probe) for probe in question["probes"]])
    _found[number] = wrong
    if wrong:
        print(f"{number} not yet.\n{wrong}")
    elif question["kind"] == "text":
        print(f"{number} received: {len(answer.split())} words. A person will mark it.")
    else:
        print(
            f"{number} passes these checks. When it is graded, others follow, with other numbers."
        )


def progress(homework: int) -> None:
    """Print a line a question: its points, and what its last check said."""
    asked = questions(homework)
    for number, question in asked.items():
        print(f"{number}  {question['title']:<44} {question['points']:>2} points  {_state(number)}")
    done = sum(_found.get(number) == "" for number in asked)
    print(f"{done} of {len(asked)} checked and without a fault")


def submit(homework: int, *, incomplete: bool = False) -> Path | None:
    """Write what you hand in: one notebook with your answers, in the folder you work in.

    It holds the cells that begin with ``# Setup`` and ``# Answer``, as they last ran. If one is
    missing or a check fails, nothing is written and you are told what; ``incomplete=True`` writes
    the file all the same.

    Returns:
        The file, or None if something is missing.

    Raises:
        ValueError: there is no such homework.
    """
    asked = questions(homework)
    cells = _answer_cells(homework)
    gaps = [f"{n}: no cell that begins '# Answer {n}' has run" for n in asked if n not in cells]
    gaps += [f"{n}: {_state(n)}" for n in asked if n in cells and _found.get(n) != ""]
    if gaps:
        print("Not everything is there yet:", *gaps, sep="\n  ")
        if not incomplete:
            print(f"Nothing was written. As it is: submit({homework}, incomplete=True)")
            return None
    path = Path(f"homework_{homework}.ipynb").resolve()
    path.write_text(json.dumps(_notebook(list(cells.values())), indent=1), encoding="utf-8")
    there = sum(number in cells for number in asked)
    print(f"Written: {path.name}, with {there} of {len(asked)} answers.")
    print("Hand in this one file. (On Colab: the folder sign on the left, then Download.)")
    return path


def _question(number: str) -> dict[str, Any]:
    homework, _, rest = str(number).partition(".")
    asked = questions(int(homework)) if homework.isdigit() and rest else {}
    if number not in asked:
        known = f"one of {', '.join(asked)}" if asked else "a number such as '1.2'"
        raise ValueError(f"number: expected {known}, got {number!r}")
    return asked[number]


def _state(number: str) -> str:
    if number not in _found:
        return "not checked yet"
    wrong = _found[number]
    return "passes" if not wrong else "not answered yet" if wrong == NOTHING else "not yet right"


def _answer_cells(homework: int) -> dict[str, str]:
    """The set-up and answer cells as they last ran, by question number, in the homework's order."""
    from IPython import get_ipython

    shell = get_ipython()
    history = shell.user_ns.get("In", []) if shell else []
    found: dict[str, str] = {}
    for source in history:
        if match := MARK.match(source):
            found[match[1]] = source
        elif SETUP.match(source):
            found[source.partition("\n")[0]] = source
    before = [key for key in found if SETUP.match(key)]
    return {n: found[n] for n in (*before, *questions(homework)) if n in found}


def _notebook(cells: list[str]) -> dict[str, Any]:
    """A notebook with these code cells, as nbformat 4.5 has it."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"answer-{i:02}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source.splitlines(keepends=True),
            }
            for i, source in enumerate(cells)
        ],
    }
