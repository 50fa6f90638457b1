"""Read a homework's one source: a Python file in cells, from which everything else is made.

A cell begins with a line ``# %% KIND ...``; the words after the kind are separated by ``|``:

* ``# %% [markdown]``: prose, each line behind ``# ``.
* ``# %%``: code that is handed out as it stands. What begins with ``# Setup`` is needed by answers.
* ``# %% answer 1.1 | title | 4 points | code``: a question's answer, of kind ``code``, ``value`` or
  ``text``. What stands from ``# BEGIN SOLUTION`` to ``# END SOLUTION`` is not handed out; in its
  place comes what follows ``# BEGIN SOLUTION:``, or ``raise NotImplementedError``.
* ``# %% probes 1.1``: a function ``probes(random)`` that yields what checks ask.
* ``# %% hidden 1.1``: the same, asked only when a class is graded.
* ``# %% mistake 1.1 | name``: a typical wrong answer. The comment on top is its hint. Without
  one the mistake is unforeseen, and ``| names: pattern`` says what a general hint must name.
* ``# %% alternative 1.1 | name``: a right answer that looks different.
* ``# %% judge 1.6``: a function ``judge(answer)`` for answers that the grader tries out.
* ``# %% rubric 1.7``: how a person marks it, each line behind ``# ``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
KINDS = ("code", "value", "text")
SOLUTION = re.compile(
    r"^(?P<indent> *)# BEGIN SOLUTION(: (?P<stub>[^\n]*))?\n.*?# END SOLUTION\n?", re.M | re.S
)


@dataclass(frozen=True)
class Cell:
    """One cell of a source: its kind, the words of its header, and its text."""

    kind: str
    words: tuple[str, ...]
    text: str


@dataclass
class Question:
    """What the source says of one question."""

    id: str
    title: str
    points: int
    kind: str
    answer: str
    probes: str = ""
    hidden: str = ""
    judge: str = ""
    rubric: str = ""
    mistakes: list[Cell] = field(default_factory=list)
    alternatives: list[Cell] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the answer is called: the last name that its cell defines."""
        return defined(self.answer)[-1]


@dataclass(frozen=True)
class Probe:
    """Something that an answer is asked.

    Attributes:
        title: what is special about it; students read this.
        args: the arguments.
        measure: what to do with them, one of ``vidgen_lite.homework.probes.MEASURES``.
        share: the share of the points that hangs on it. All probes without a share must be met for
            any points at all.
        expected: what must come; as a rule what the solution gives.
    """

    title: str
    args: tuple[Any, ...] = ()
    measure: str = "call"
    share: float = 0.0
    expected: Any = None


class Random:
    """Numbers for probes, three digits behind the point so that they are the same everywhere."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Normal numbers."""
        return (scale * torch.randn(shape, generator=self.generator)).mul(1000).round() / 1000

    def uniform(self, *shape: int) -> Tensor:
        """Numbers from 0 to 1."""
        return torch.rand(shape, generator=self.generator).mul(1000).round() / 1000

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))


def sources() -> list[Path]:
    """The homeworks' sources."""
    return sorted(HERE.glob("[0-9]_*.py"))


def cells(path: Path) -> Iterator[Cell]:
    """The cells of a source, in order."""
    for part in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
        head, _, text = part.partition("\n")
        kind, _, rest = head.strip().partition(" ")
        text = text.strip("\n") + "\n"
        yield Cell(kind, tuple(word.strip() for word in rest.split("|")) if rest else (), text)


def questions(path: Path) -> dict[str, Question]:
    """The questions of a source, by number.

    Raises:
        ValueError: a cell of unknown kind, or one that belongs to no question.
    """
    found: dict[str, Question] = {}
    for cell in cells(path):
        if cell.kind in ("[markdown]", ""):
            continue
        number = cell.words[0]
        if cell.kind == "answer":
            _, title, points, kind = cell.words
            if kind not in KINDS:
                raise ValueError(f"{path.name}: {number} expected one of {KINDS}, got {kind!r}")
            text = f"# Answer {number}\n{cell.text}"
            found[number] = Question(number, title, int(points.split()[0]), kind, text)
        elif cell.kind in ("mistake", "alternative"):
            getattr(found[number], f"{cell.kind}s").append(cell)
        elif cell.kind in ("probes", "hidden", "judge"):
            setattr(found[number], cell.kind, cell.text)
        elif cell.kind == "rubric":
            found[number].rubric = uncommented(cell.text)
        else:
            raise ValueError(f"{path.name}: there is no kind of cell called {cell.kind!r}")
    return found


def setup(path: Path) -> str:
    """The code that answers need before them."""
    return "\n".join(c.text for c in cells(path) if c.kind == "" and c.text.startswith("# Setup"))


def uncommented(text: str) -> str:
    """Prose without the sign before each line."""
    return re.sub(r"^# ?", "", text, flags=re.M).strip()


def hint(cell: Cell) -> str:
    """A mistake's hint: the comment on top of its cell, as one paragraph."""
    lines = []
    for line in cell.text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def stub(answer: str) -> str:
    """An answer's cell without its solution."""

    def empty(match: re.Match[str]) -> str:
        indent, instead = match["indent"], match["stub"] or "raise NotImplementedError"
        return f"{indent}# Your answer here.\n{indent}{instead}\n"

    return SOLUTION.sub(empty, answer)


def solved(answer: str) -> str:
    """An answer's cell with its solution, without the marks around it."""
    return re.sub(r"^ *# (BEGIN|END) SOLUTION.*\n", "", answer, flags=re.M)


def defined(code: str) -> list[str]:
    """The names that a piece of code defines at its top level, in order."""
    names = []
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names


def run(*code: str, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run pieces of code one after the other and return the names that they define."""
    names: dict[str, Any] = dict(known or {})
    for piece in code:
        exec(compile(piece, "<homework>", "exec"), names)
    return names


def answers(path: Path) -> dict[str, Any]:
    """The names that the set-up and all coding solutions define."""
    coding = [solved(q.answer) for q in questions(path).values() if q.kind == "code"]
    return run(setup(path), *coding)


def ask(code: str, random: Random, known: dict[str, Any]) -> list[Probe]:
    """The probes that a cell yields."""
    names = run(code, known={**known, "Probe": Probe})
    probes: Callable[[Random], Iterator[Probe]] = names["probes"]
    return list(probes(random))
