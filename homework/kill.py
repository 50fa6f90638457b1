"""``make kill-table``: every wrong answer that a source lists, put to checks and hidden tests.

The page is committed, and a test holds that it belongs to the sources.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from grade import points
from make import PUBLIC_SEED, ROOT, hidden_seed, questionnaire, wrong_answer
from source import (
    HERE,
    Question,
    answers,
    cells,
    hint,
    questions,
    run,
    sources,
    uncommented,
)

from vidgen_lite.homework.hints import explain
from vidgen_lite.homework.probes import decode, encode, outcome

PAGE = ROOT / "book" / "teaching" / "kill_table.md"
HEAD = """<!-- Written by `make kill-table`: change homework/, not this file. Made of: {digest} -->
# The kill table

A check that accepts wrong answers teaches them. So each question of the homework comes with a list
of wrong answers, and each of them is put to the question's checks and to its hidden tests.

**{every} wrong answers: {caught} get less than full marks, and for {named} the hint that the
student reads names the mistake.**

A line has a wrong answer's name, the share of the points that it gets, and what the check says of
it. The code of each, and that of right answers which look different and must pass, is in
`homework/`. The lists were written by the course's authors, from how the definitions can be
misread; nobody counted them in a class. A class will find others, and
[a wrong answer is quickly added](your_own.md#a-new-question).
"""


class Kill(NamedTuple):
    """What became of one wrong answer.

    ``caught`` is False if it would get full marks; ``named`` is True if the hint that students see
    is the one meant for this mistake (or, for an unforeseen one, has the words that name it).
    """

    question: str
    mistake: str
    caught: bool
    named: bool
    points: float
    hint: str


def put(asked: dict[str, Any], answer: Any) -> list[dict[str, Any]]:
    """The outcomes of all of a question's probes."""
    return [outcome(answer, probe) for probe in asked["probes"]]


def both(path: Path) -> dict[str, tuple[Question, dict[str, Any], dict[str, Any]]]:
    """Each question with its public checks and its hidden tests."""
    public = questionnaire(path, seed=PUBLIC_SEED, hidden=False)["questions"]
    hidden = questionnaire(path, seed=hidden_seed(), hidden=True)["questions"]
    found = questions(path)
    return {p["id"]: (found[p["id"]], p, h) for p, h in zip(public, hidden, strict=True)}


def kills(path: Path) -> Iterator[Kill]:
    """Put every listed mistake of a homework to its question."""
    known = answers(path)
    for question, public, hidden in both(path).values():
        judge = run(question.judge, known=known)["judge"] if question.judge else None
        for cell in question.mistakes:
            answer = wrong_answer(path, question, cell, known)
            share, told = points(hidden, put(hidden, answer)), explain(public, put(public, answer))
            if judge and share:
                passed, reason = judge(decode(encode(answer)))  # as it comes from another process
                share, told = share * passed, told or reason
            said = " ".join(told.split("Hint: ")[-1].split())
            names = next((w.split(":", 1)[1] for w in cell.words if w.startswith("names:")), None)
            named = re.search(names.strip(), said) if names else said == hint(cell)
            yield Kill(question.id, cell.words[1], share < 1, bool(named), share, said)


def digest() -> str:
    """What the table hangs on, in one word: the sources, and the code that asks and judges."""
    library = ROOT / "vidgen_lite" / "homework"
    code = [HERE / f"{name}.py" for name in ("grade", "kill", "make", "source")]
    found = hashlib.sha256()
    for path in [*sources(), *code, *sorted(library.glob("*.py"))]:
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


def table(found: list[Kill]) -> str:
    """A question's wrong answers."""
    lines = ["| wrong answer | points | what the student reads |", "|---|---|---|"]
    for kill in found:
        said = kill.hint.replace("|", "\\|")
        said = said if kill.named else f"(does not name it) {said}"
        lines.append(f"| {kill.mistake} | {kill.points:.0%} | {said} |")
    return ":::{div} wide-table\n" + "\n".join(lines) + "\n:::\n"


def page(found: dict[Path, list[Kill]]) -> str:
    """The page of the teacher's kit."""
    every = [kill for each in found.values() for kill in each]
    caught, named = (sum(getattr(k, fact) for k in every) for fact in ("caught", "named"))
    parts = [HEAD.format(digest=digest(), every=len(every), caught=caught, named=named)]
    for path, each in found.items():
        asked = questions(path)
        title = uncommented(next(cells(path)).text).partition("\n")[0].lstrip("# ")
        parts.append(f"## {title}\n\n{len(each)} wrong answers.\n")
        for number in dict.fromkeys(kill.question for kill in each):
            parts.append(f"### {number} {asked[number].title}\n")
            parts.append(table([kill for kill in each if kill.question == number]))
    return "\n".join(parts)


def main() -> None:
    """Write the page; the course's own hidden numbers are used, whatever a class has."""
    os.environ.pop("HOMEWORK_SEED", None)
    PAGE.write_text(page({path: list(kills(path)) for path in sources()}), encoding="utf-8")
    print(f"homework: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
