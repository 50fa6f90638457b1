"""``make grade SUBMISSIONS=folder``: grade a class, offline.

Each notebook in the folder (and in folders inside it) is one submission. Its answers run in a room
of their own (``sandbox.py``), which is asked the hidden tests' questions (``worker.py``); what
comes back is data, and is judged here. All notebooks are read before the first one runs, and all
results are written after the last: no submission can change another's, nor the gradebook.

Written: ``grades.csv``, a line a submission, with the written answers' points left empty for you,
and ``feedback/NAME.html``. The same submissions give the same files.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sandbox
from feedback import page
from submissions import Submission, plain, submissions

from vidgen_lite.homework.hints import NOTHING, explain, failing
from vidgen_lite.homework.probes import decode, outcome

KEPT = Path(__file__).resolve().parents[1] / "_build" / "homework"


@dataclass(frozen=True)
class Limits:
    """What a submission may use: seconds of work, in all and for each answer; bytes; processes."""

    seconds: int = 120
    seconds_each: int = 60
    memory: int = 4 << 30
    output: int = 4 << 20
    processes: int = 32


@dataclass(frozen=True)
class Mark:
    """A question's points, None where a person gives them, and what to say of it.

    ``short`` is a word or two for the gradebook, and ``written`` what a person is to read.
    """

    points: float | None
    said: str = ""
    short: str = ""
    written: str = ""


@dataclass(frozen=True)
class Graded:
    """A submission's marks by question, and what befell it as a whole."""

    submission: Submission
    marks: dict[str, Mark]
    reason: str

    @property
    def total(self) -> float:
        """The points, without those that a person gives."""
        return round(sum(mark.points or 0 for mark in self.marks.values()), 2)


# Marks


class Grader:
    """What is asked in one homework, and the marks for its submissions."""

    def __init__(self, asked: dict[str, Any], limits: Limits | None = None) -> None:
        """Take a ``hidden.json`` as it is read, and what a submission may use."""
        self.asked = {question["id"]: question for question in asked["questions"]}
        self.setup: list[str] = asked["setup"]
        self.limits = asdict(limits or Limits())
        self._judged: dict[str, tuple[bool, str]] = {}

    def grade(self, submission: Submission) -> Graded:
        """Run a submission and mark each of its answers."""
        if not submission.answers:
            reason = submission.fault or "there is no cell in it that begins '# Answer'"
            return Graded(submission, dict.fromkeys(self.asked, Mark(0, short="none")), reason)
        came, reason = sandbox.run(self.job(submission))
        given: dict[str, Any] = {}
        for line in came:
            if isinstance(line, dict) and isinstance(line.get("id"), str):
                given.setdefault(line["id"], line.get("outcomes"))
        marks = {n: self.mark(n, submission, given.get(n), reason) for n in self.asked}
        return Graded(submission, marks, reason)

    def job(self, submission: Submission) -> dict[str, Any]:
        """What the worker is told: code and questions, and nothing of what is expected."""
        known = {code.strip() for code in self.setup}
        own = [code for code in submission.setup if code.strip() not in known]
        answers = [
            {"id": n, "name": q["name"], "code": submission.answers[n], "probes": probes(q)}
            for n, q in self.asked.items()
            if n in submission.answers
        ]
        return {"limits": self.limits, "setup": [*self.setup, *own], "answers": answers}

    def mark(self, number: str, submission: Submission, came: Any, reason: str) -> Mark:
        """Mark one answer by what came back."""
        question = self.asked[number]
        if number not in submission.answers:
            return Mark(0, f"There is no cell that begins '# Answer {number}'.", "not there")
        if came is None:
            return Mark(0, f"There is no result: {reason or 'none came back'}.", "no result")
        try:
            return self._mark(question, came)
        except Exception:  # what came is whatever a submission made up
            return Mark(0, "What came back is not the outcome of a question.", "no result")

    def _mark(self, question: dict[str, Any], came: list[Any]) -> Mark:
        if question["kind"] != "code" and "value" in came[0]:
            answer = decode(came[0]["value"])
            outcomes = [outcome(answer, probe) for probe in question["probes"]]
        else:
            outcomes = came if question["kind"] == "code" else came * len(question["probes"])
        share, said = points(question, outcomes), explain(question, outcomes)
        if question["kind"] == "text" and said != NOTHING and "value" in came[0]:
            return Mark(None, said, written=str(answer))
        if share and question["judge"]:
            passed, said = self.judge(question, came[0]["value"])
            share *= passed
        return Mark(round(share * question["points"], 2), said, short(share, said, outcomes))

    def judge(self, question: dict[str, Any], value: Any) -> tuple[bool, str]:
        """Try an answer out, once for all who gave the same."""
        key = question["id"] + json.dumps(value, sort_keys=True)
        if key not in self._judged:
            probe = {"measure": "call", "args": [value]}
            asked = {"id": "", "name": "judge", "code": question["judge"], "probes": [probe]}
            job = {"limits": self.limits, "setup": self.setup, "answers": [asked]}
            came, reason = sandbox.run(job)
            none: dict[str, Any] = {"message": reason}
            found = came[0]["outcomes"][0] if came[0] else none
            passed, said = found.get("value") or (False, f"The trial failed: {found['message']}")
            self._judged[key] = bool(passed), said
        return self._judged[key]


def probes(question: dict[str, Any]) -> list[dict[str, Any]]:
    """What the worker asks: functions are called there, and values come as they are."""
    if question["kind"] != "code":
        return [{"measure": "value", "args": []}]
    return [{"measure": p["measure"], "args": p["args"]} for p in question["probes"]]


def points(asked: dict[str, Any], outcomes: list[dict[str, Any]]) -> float:
    """The share of a question's points, from 0 to 1.

    Nothing unless all probes without a share are met; those with one count on top.
    """
    wrong = set(failing(asked, outcomes))
    shares = {i: probe["share"] for i, probe in enumerate(asked["probes"])}
    if any(i in wrong for i, share in shares.items() if share == 0):
        return 0.0
    return max(0.0, 1 - sum(share for i, share in shares.items() if i in wrong))


def short(share: float, said: str, outcomes: list[dict[str, Any]]) -> str:
    """A word or two for the gradebook; none for a full mark."""
    if share == 1:
        return ""
    if said == NOTHING:
        return "not answered"
    raised = next((plain(str(o["error"])) for o in outcomes if "error" in o), "")
    return "in part" if share else f"raised {raised}" if raised else "wrong"


# A class


def homework_of(found: list[Submission]) -> int:
    """Which homework this is: the one that most submissions answer.

    Raises:
        ValueError: not one of them holds an answer.
    """
    votes: Counter[int] = Counter()
    for submission in found:
        votes.update({int(number.partition(".")[0]) for number in submission.answers})
    if not votes:
        raise ValueError("SUBMISSIONS: no notebook holds an answer; say which homework: HOMEWORK=1")
    return min(votes, key=lambda number: (-votes[number], number))


def questionnaire(number: int) -> dict[str, Any]:
    """The hidden tests of a homework.

    Raises:
        ValueError: there is no such homework, or they have not been written yet.
    """
    for path in KEPT.glob(f"{number}_*/hidden.json"):
        asked: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return asked
    raise ValueError(f"HOMEWORK: no hidden tests of homework {number}; `make homework` writes them")


def class_of(found: list[Submission], grader: Grader) -> Iterator[Graded]:
    """Grade one submission a core at a time, and yield them in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(partial(safely, grader), found)


def safely(grader: Grader, submission: Submission) -> Graded:
    """Grade a submission; should even the grader fail at it, the class goes on."""
    try:
        return grader.grade(submission)
    except Exception as error:
        none = dict.fromkeys(grader.asked, Mark(0, short="no result"))
        return Graded(submission, none, f"the grader failed at it: {type(error).__name__}")


def gradebook(graded: list[Graded], grader: Grader) -> str:
    """The class as a table; the cells of answers that a person marks are empty."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    most = sum(q["points"] for q in grader.asked.values() if q["kind"] != "text")
    rows.writerow(["name", *grader.asked, f"total of {most}, without the written part", "reason"])
    for one in graded:
        given = ["" if m.points is None else f"{m.points:g}" for m in one.marks.values()]
        rows.writerow([one.submission.name, *given, f"{one.total:g}", reason_of(one)])
    return out.getvalue()


def reason_of(one: Graded) -> str:
    """Why a submission has fewer points than there are, in one line."""
    each = [f"{number} {mark.short}" for number, mark in one.marks.items() if mark.short]
    whole = [" ".join(one.reason.split())] if one.reason else []
    return "; ".join(whole + (each if one.submission.answers else []))


def write(graded: list[Graded], grader: Grader, into: Path) -> None:
    """Write gradebook and feedback."""
    (into / "feedback").mkdir(parents=True, exist_ok=True)
    note = "" if sandbox.available() else sandbox.OPEN
    for one in graded:
        text = page(one, grader.asked, note)
        file = into / "feedback" / f"{one.submission.name}.html"
        file.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    text = gradebook(graded, grader)
    (into / "grades.csv").write_text(text, encoding="utf-8", errors="replace", newline="\n")


def main() -> None:
    """Grade a folder."""
    parser = argparse.ArgumentParser(description="Grade a folder of submissions.")
    parser.add_argument("submissions", type=Path)
    parser.add_argument("--homework", type=int, help="which one, if the notebooks do not say")
    parser.add_argument("--out", type=Path, help="where to write (default: beside the folder)")
    given = parser.parse_args()
    found = submissions(given.submissions)
    grader = Grader(questionnaire(given.homework or homework_of(found)))
    print(f"{len(found)} submissions" + ("" if sandbox.available() else f". {sandbox.OPEN}"))
    graded = []
    for one in class_of(found, grader):
        print(f"{one.submission.name}: {one.total:g}  {reason_of(one)}", flush=True)
        graded.append(one)
    folder = given.submissions.resolve()
    into = given.out or folder.with_name(f"{folder.name}-graded")
    write(graded, grader, into)
    print(f"Written: {into / 'grades.csv'} and a page for each in {into / 'feedback'}")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"grade: {error}") from None
