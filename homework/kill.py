"""The kill table: every wrong answer that a source lists, put to its checks and hidden tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from build import PUBLIC_SEED, hidden_seed, questionnaire, wrong_answer
from grade import points
from source import Question, answers, hint, questions, run, sources

from vidgen_lite.homework.hints import explain
from vidgen_lite.homework.probes import encode, outcome

Trial = tuple[Question, Any, dict[str, Any], dict[str, Any]]


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
                passed, reason = judge(decoded(answer))
                share, told = share * passed, told or reason
            said = " ".join(told.split("Hint: ")[-1].split())
            names = next((w.split(":", 1)[1] for w in cell.words if w.startswith("names:")), None)
            named = re.search(names.strip(), said) if names else said == hint(cell)
            yield Kill(question.id, cell.words[1], share < 1, bool(named), share, said)


def decoded(answer: Any) -> Any:
    """An answer as it arrives from another process."""
    from vidgen_lite.homework.probes import decode

    return decode(encode(answer))


def table(found: list[Kill]) -> str:
    """The page of the teacher's kit."""
    caught, named = sum(k.caught for k in found), sum(k.named for k in found)
    lines = [
        f"{len(found)} wrong answers: {caught} caught, {named} with a hint that names it.\n",
        "| question | wrong answer | points | the hint |",
        "|---|---|---|---|",
    ]
    for kill in found:
        said = kill.hint.replace("|", "\\|") if kill.named else f"(unfit) {kill.hint}"
        lines.append(f"| {kill.question} | {kill.mistake} | {kill.points:.0%} | {said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for source in sources():
        print(f"## {source.stem}\n\n{table(list(kills(source)))}")
