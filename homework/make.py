"""``make homework``: from each source, what students get and what a teacher keeps.

* ``notebooks/homework/1_gan_objective.ipynb``: the student's notebook;
* ``vidgen_lite/homework/1_gan_objective.json``: what its checks ask, and the hints;
* ``_build/homework/1_gan_objective/``: the solution as a notebook, the hidden tests, the rubric,
  the archive to hand out, and the autograder for Gradescope.

The first two are committed, and a test holds that they are those of the sources. The hidden tests
ask with other numbers; ``HOMEWORK_SEED`` in the environment gives a class numbers of its own.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from gradescope import archive, autograder
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from source import (
    Cell,
    Probe,
    Question,
    Random,
    answers,
    ask,
    cells,
    hint,
    questions,
    run,
    setup,
    sources,
    stub,
    uncommented,
)
from source import solved as without_marks

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "book")]

import address  # noqa: E402

from vidgen_lite.homework.probes import encode, fingerprint, near, outcome, same  # noqa: E402

PUBLIC_SEED = 1
BAND = 0.06  # how near a measured number must be to a typical mistake's to be taken for it
KEPT = ROOT / "_build" / "homework"
GUARD = """try:
    import vidgen_lite
except ImportError:
    %pip install -q git+https://github.com/{slug}.git
    import vidgen_lite"""


def hidden_seed() -> int:
    """The seed of the hidden tests' numbers: ``HOMEWORK_SEED``, or the course's own."""
    return int(os.environ.get("HOMEWORK_SEED", "20260901"))


# Notebooks


def notebook(path: Path, *, solved: bool) -> NotebookNode:
    """The student's notebook, or with ``solved`` the solution."""
    parts = list(_notebook_cells(path, solved=solved))
    parts.insert(1, new_code_cell(GUARD.format(slug=address.current())))
    for i, part in enumerate(parts):
        part.id = f"homework-{path.stem[0]}-{i:02}"
    made = new_notebook(cells=parts)
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made.metadata.kernelspec = nbformat.from_dict(spec)
    nbformat.validate(made)
    return made


def _notebook_cells(path: Path, *, solved: bool) -> Iterator[NotebookNode]:
    asked = questions(path)
    for cell in cells(path):
        if cell.kind == "[markdown]":
            yield new_markdown_cell(uncommented(cell.text))
        elif cell.kind == "":
            yield new_code_cell(cell.text.strip())
        elif cell.kind == "answer":
            question = asked[cell.words[0]]
            code = without_marks(question.answer) if solved else stub(question.answer)
            yield new_code_cell(code.strip())
            yield new_code_cell(f'homework.check("{question.id}", {question.name})')


# Checks and hidden tests


def questionnaire(path: Path, *, seed: int, hidden: bool) -> dict[str, Any]:
    """What is asked, question by question, with what must come; as JSON.

    Args:
        path: the source.
        seed: of the numbers.
        hidden: also what is asked only when a class is graded, and without hints.
    """
    known = answers(path)
    found = []
    for question in questions(path).values():
        probes = ask(question.probes, Random(seed), known)
        if hidden and question.hidden:
            probes += ask(question.hidden, Random(seed), known)
        asked = [_probe(p, question, known) for p in probes]
        found.append(
            {
                "id": question.id,
                "title": question.title,
                "points": question.points,
                "kind": question.kind,
                "name": question.name,
                "probes": asked,
                "mistakes": _mistakes(path, question, asked, known),
            }
        )
    return {"homework": int(path.stem[0]), "questions": found}


def _probe(probe: Probe, question: Question, known: dict[str, Any]) -> dict[str, Any]:
    asked = {
        "title": probe.title,
        "measure": probe.measure,
        "args": encode(list(probe.args)),
        "share": probe.share,
    }
    if probe.expected is not None:
        return {**asked, "expected": _expected(probe.expected)}
    came = outcome(known[question.name], asked)
    if "value" not in came:
        raise ValueError(f"{question.id}: the solution fails at {probe.title!r}: {came}")
    return {**asked, "expected": came["value"]}


def _expected(value: Any) -> Any:
    """An expected value that the source names; ``{"secret": x}`` is kept as a fingerprint."""
    if isinstance(value, dict) and "secret" in value:
        return {"secret": fingerprint(encode(value["secret"]))}
    if isinstance(value, dict) and "between" in value:
        return value
    if isinstance(value, list):
        return [_expected(item) for item in value]
    return encode(value)


def wrong_answer(path: Path, question: Question, cell: Cell, known: dict[str, Any]) -> Any:
    """What a mistake's (or an alternative's) cell defines in place of the solution."""
    if question.kind == "code":
        return run(cell.text, known=known)[question.name]
    return run(setup(path), cell.text)[question.name]


def _mistakes(
    path: Path, question: Question, asked: list[dict[str, Any]], known: dict[str, Any]
) -> list[dict[str, Any]]:
    """The outcomes of the typical mistakes, None where a mistake is right, and their hints."""
    found: list[dict[str, Any]] = []
    for cell in question.mistakes:
        if not hint(cell):
            continue
        answer = wrong_answer(path, question, cell, known)
        outcomes = [_known_outcome(outcome(answer, probe), probe) for probe in asked]
        entry = {"hint": hint(cell), "outcomes": outcomes}
        if any(outcomes) and entry not in found:
            found.append(entry)
    return found


def _known_outcome(came: dict[str, Any], probe: dict[str, Any]) -> dict[str, Any] | None:
    expected = probe["expected"]
    if "value" in came and same(expected, came["value"]):
        return None
    if "error" in came:
        return {"error": came["error"]}
    if isinstance(expected, dict) and "secret" in expected:
        return {"value": {"secret": fingerprint(came["value"])}}
    if isinstance(expected, list) and "between" in (expected[0] or {}):
        bands = [{"between": [round(v - BAND, 4), round(v + BAND, 4)]} for v in came["value"]]
        return {"value": bands}
    return {"value": came["value"]}


# Writing


def text_of(value: dict[str, Any] | NotebookNode) -> str:
    """What is written to a file, the same at every run."""
    if isinstance(value, NotebookNode):
        return str(nbformat.writes(value)).rstrip("\n") + "\n"
    lines = [json.dumps(q, ensure_ascii=False, allow_nan=False) for q in value["questions"]]
    rest = json.dumps({k: v for k, v in value.items() if k != "questions"}, ensure_ascii=False)
    return f'{rest[:-1]}, "questions": [\n' + ",\n".join(lines) + "\n]}\n"


def rubric(path: Path) -> str:
    """How a person marks the written answers, with a model answer each."""
    parts = [f"# Homework {path.stem[0]}: marking the written answers\n"]
    for question in questions(path).values():
        if question.kind == "text":
            model = run(without_marks(question.answer))[question.name].strip()
            parts.append(f"## {question.id} {question.title} ({question.points} points)\n")
            parts.append(f"{question.rubric}\n\nA good answer:\n\n{model}\n")
    return "\n".join(parts)


def hidden_tests(path: Path) -> dict[str, Any]:
    """All that grading needs of a homework, in one piece."""
    asked = questionnaire(path, seed=hidden_seed(), hidden=True)
    for question in asked["questions"]:
        source = questions(path)[question["id"]]
        question |= {"judge": source.judge, "rubric": source.rubric}
    first = [c.text for c in cells(path) if c.kind == "" and c.text.startswith("# Setup")]
    return {**asked, "setup": first}


def committed(path: Path) -> dict[Path, str]:
    """The files in the repository that a source makes."""
    return {
        ROOT / "notebooks" / "homework" / f"{path.stem}.ipynb": text_of(
            notebook(path, solved=False)
        ),
        ROOT / "vidgen_lite" / "homework" / f"{path.stem}.json": text_of(
            questionnaire(path, seed=PUBLIC_SEED, hidden=False)
        ),
    }


# Numbers in a questionnaire are computed: the last of their digits depend on the processor.
COMPUTED = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?|-?\d+e[+-]\d+")


def agree(one: str, other: str) -> bool:
    """Whether two questionnaires are the same, their numbers as nearly as the checks ask."""
    numbers = [map(float, COMPUTED.findall(text)) for text in (one, other)]
    return COMPUTED.split(one) == COMPUTED.split(other) and all(
        near(a, b) for a, b in zip(*numbers, strict=True)
    )


def up_to_date(file: Path, text: str) -> bool:
    """Whether a file is there and says this; a questionnaire's numbers may be rounded otherwise."""
    there = file.read_text(encoding="utf-8") if file.exists() else None
    return there == text or (there is not None and file.suffix == ".json" and agree(there, text))


def kept(path: Path, into: Path = KEPT) -> dict[Path, str]:
    """The files that a source makes for the teacher alone."""
    folder = into / path.stem
    return {
        folder / f"{path.stem}.ipynb": text_of(notebook(path, solved=True)),
        folder / "hidden.json": text_of(hidden_tests(path)),
        folder / "rubric.md": rubric(path),
    }


def archives(made: dict[Path, str]) -> dict[Path, bytes]:
    """From the files that a source makes: the archive to hand out, and Gradescope's autograder."""
    student, hidden = (
        next(f for f in made if f.match(p)) for p in ("homework/*.ipynb", "hidden.json")
    )
    return {
        hidden.with_name(f"{student.stem}_hand_out.zip"): archive({student.name: made[student]}),
        hidden.with_name(f"{student.stem}_autograder.zip"): autograder(made[hidden]),
    }


def main() -> None:
    """Write everything."""
    for path in sources():
        made = committed(path) | kept(path)
        for file, text in made.items():  # another processor's digits are no reason for a change
            if up_to_date(file, text):
                made[file] = file.read_text(encoding="utf-8")
        whole = {file: text.encode() for file, text in made.items()} | archives(made)
        for file, content in whole.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            print(f"homework: {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
