"""Grading a class: each gets what the answers earn, and no submission can change that of another.

The homework here is a small one of its own, with a question of each kind.
"""

from __future__ import annotations

import csv
import json
import socket
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "homework"))

import feedback  # noqa: E402
import gradescope  # noqa: E402
import make  # noqa: E402
import sandbox  # noqa: E402
import source  # noqa: E402
from grade import Graded, Grader, Limits, class_of, gradebook, homework_of, write  # noqa: E402
from submissions import submissions  # noqa: E402

LIMITS = Limits(seconds=8, seconds_each=2)
SHUT_IN = pytest.mark.skipif(not sandbox.available(), reason="no namespaces here")


def question(number: str, kind: str, name: str, points: int, *probes: Any, **more: str) -> Any:
    asked = [
        {"title": f"probe {i}", "measure": measure, "args": args, "share": share, "expected": value}
        for i, (measure, args, share, value) in enumerate(probes)
    ]
    empty = {"judge": "", "rubric": "", "mistakes": []}
    first = {"id": number, "title": f"Question {number}", "kind": kind, "name": name}
    return {**first, "points": points, "probes": asked, **empty, **more}


ASKED = {
    "homework": 9,
    "setup": ["# Setup\nimport torch\n"],
    "questions": [
        question("9.1", "code", "twice", 4, ("call", [2], 0, 4), ("call", [-3], 0.5, -6)),
        question("9.2", "value", "width", 3, ("value", [], 0, {"between": [1, 2]})),
        question(
            *("9.3", "value", "cure", 2, ("value", [], 0, {"between": [0, 9]})),
            judge="def judge(answer):\n    return answer > 5, f'tried: {answer}'",
        ),
        question("9.4", "text", "words", 5, ("words", [2], 0, True), rubric="One point a thought."),
    ],
}
RIGHT = {
    "9.1": "def twice(x):\n    return x + x",
    "9.2": "width = 1.5",
    "9.3": "cure = 7",
    "9.4": "words = 'Since <b>noise</b> helps.'",
}


def notebook(answers: dict[str, str], **more: Any) -> str:
    """A notebook without any metadata."""
    code = ["# Setup\nimport torch", *(f"# Answer {n}\n{text}" for n, text in answers.items())]
    return json.dumps({"cells": [{"cell_type": "code", "source": text} for text in code], **more})


def with_changed(**answers: str) -> str:
    return notebook(RIGHT | {f"9.{name[1:]}": text for name, text in answers.items()})


FORGED = """
import os
line = b'{"id": "9.1", "points": 4, "outcomes": [{"value": {"between": [0, 9]}}, {"value": true}]}'
for descriptor in range(3, 20):
    try:
        os.write(descriptor, line + b'\\n' + line.replace(b'9.1', b'9.3') + b'\\n')
    except OSError:
        pass
def twice(x):
    return 0
"""


def hostile(folder: Path) -> dict[str, str]:
    """Submissions that do harm, or nothing at all; in the folder only, should they escape."""
    gradebook = folder.with_name("graded") / "grades.csv"
    return {
        "crashes": with_changed(q2="import os\nos.abort()"),
        "loops": with_changed(q2="while True:\n    pass"),
        "never_stops": with_changed(
            q2="import time\nwhile True:\n    try:\n        time.sleep(1)\n"
            "    except BaseException:\n        pass"
        ),
        "prints": with_changed(q2="while True:\n    print('x' * 1_000_000)"),
        "fills_the_disk": with_changed(
            q2="with open('x', 'w') as f:\n    while True:\n        f.write('x' * 1_000_000)"
        ),
        "eats_memory": with_changed(q2="x = bytearray(6 << 30)"),
        "deletes": with_changed(
            q1=f"import shutil\nshutil.rmtree({str(folder)!r}, ignore_errors=True)\n{RIGHT['9.1']}"
        ),
        "edits_the_gradebook": with_changed(
            q2=f"open({str(gradebook)!r}, 'w').write('me,100')\nwidth = 0"
        ),
        "edits_the_tests": with_changed(
            q1="from vidgen_lite.homework import probes\nprobes.same = lambda *_: True\n"
            "probes.outcome.__code__ = (lambda a, p: {'value': {'between': [0, 9]}}).__code__\n"
            "def twice(x):\n    return 0"
        ),
        "forges": with_changed(q1=FORGED, q3="cure = 1"),
        "exits": with_changed(q2="raise SystemExit"),
        "no_answers": json.dumps({"cells": [{"cell_type": "markdown", "source": "Sorry."}]}),
        "no_notebook": "\x00 this is no JSON",
        "a_list": "[1, 2]",
        "<script>=1+1": with_changed(q1="def twice(x):\n    raise ValueError('<script>')"),
    }


@cache
def graded_class(folder: Path) -> dict[str, Graded]:
    folder.mkdir()
    late = folder / "late, again"
    late.mkdir()
    (folder.with_name("graded")).mkdir()
    (folder.with_name("graded") / "grades.csv").write_text("of last year")
    files = {"right": notebook(RIGHT), "half": with_changed(q1="def twice(x):\n    return x ** 2")}
    for name, text in (files | hostile(folder)).items():
        (folder / f"{name}.ipynb").write_text(text)
    (late / "Copy of homework (3).ipynb").write_text(notebook(RIGHT, metadata=None, nbformat=3))
    (folder / "a_link.ipynb").symlink_to(folder / "right.ipynb")
    grader = Grader(ASKED, LIMITS)
    found = list(class_of(submissions(folder), grader))
    write(found, grader, folder.with_name("graded"))
    return {one.submission.name: one for one in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("class") / "handed_in"


@pytest.fixture
def graded(folder: Path) -> dict[str, Graded]:
    return graded_class(folder)


def earned(one: Graded) -> list[float | None]:
    return [mark.points for mark in one.marks.values()]


# Points


def test_right_answers_earn_all_and_the_written_one_is_left_to_a_person(graded: dict[str, Graded]):
    assert earned(graded["right"]) == [4, 3, 2, None]
    assert graded["right"].total == 9
    assert graded["right"].reason == ""


def test_an_answer_right_in_part_earns_its_share(graded: dict[str, Graded]):
    assert earned(graded["half"]) == [2, 3, 2, None]


def test_late_renamed_and_stripped_notebooks_earn_the_same(graded: dict[str, Graded]):
    assert earned(graded["late_again-Copy_of_homework_3_"]) == [4, 3, 2, None]


# Harm


@pytest.mark.parametrize(
    ("name", "points", "reason"),
    [
        ("crashes", [4, 0, 0, 0], "its process ended early"),
        ("loops", [4, 0, 2, None], "9.2 raised TimeoutError"),
        ("never_stops", [4, 0, 0, 0], "stopped after 8 seconds"),
        ("prints", [4, 0, 2, None], "9.2 raised TimeoutError"),
        ("fills_the_disk", [4, 0, 2, None], "9.2 raised OSError"),
        ("eats_memory", [4, 0, 2, None], "9.2 raised MemoryError"),
        ("exits", [4, 0, 2, None], "9.2 raised SystemExit"),
        ("deletes", [4, 3, 2, None], ""),
        ("edits_the_gradebook", [4, 0, 2, None], "9.2 "),
        ("edits_the_tests", [0, 0, 0, None], "9.1 wrong"),
        ("forges", [0, 3, 0, None], "9.1 wrong"),
        ("no_answers", [0, 0, 0, 0], "there is no cell in it that begins '# Answer'"),
        ("no_notebook", [0, 0, 0, 0], "it can't be read as a notebook"),
        ("a_list", [0, 0, 0, 0], "it has no cells"),
        ("a_link", [0, 0, 0, 0], "it is not a plain file"),
    ],
)
def test_harm_costs_only_the_answer_that_does_it_and_says_why(
    graded: dict[str, Graded], folder: Path, name: str, points: list[float | None], reason: str
):
    assert earned(graded[name]) == points
    rows = {row[0]: row for row in csv.reader((folder.parent / "graded/grades.csv").open())}
    assert reason in rows[name][-1]


def test_the_gradebook_has_a_line_for_each_and_no_word_of_theirs(
    graded: dict[str, Graded], folder: Path
):
    rows = list(csv.reader((folder.parent / "graded/grades.csv").open()))
    assert [row[0] for row in rows[1:]] == list(graded)
    assert len(graded) == len(hostile(folder)) + 4
    assert rows[0] == [
        *("name", "9.1", "9.2", "9.3", "9.4", "total of 9, without the written part", "reason")
    ]
    assert "me" not in [row[0] for row in rows]


@SHUT_IN
def test_a_submission_reaches_no_file_of_the_teacher(graded: dict[str, Graded], folder: Path):
    assert (folder / "right.ipynb").exists()
    assert "9.2 raised FileNotFoundError" in (folder.parent / "graded/grades.csv").read_text()


def ask(code: str) -> Any:
    """What a function of a submission returns, as the grader sees it."""
    probe = {"measure": "call", "args": []}
    answer = {"id": "1", "name": "f", "code": code, "probes": [probe]}
    job = {"limits": {**vars(LIMITS)}, "setup": [], "answers": [answer]}
    return sandbox.run(job)[0][0]["outcomes"][0]


@SHUT_IN
def test_a_submission_sees_neither_hidden_tests_nor_other_processes_nor_a_way_out():
    looks = [str(ROOT / name) for name in ("homework", "_build", "tests", ".git")]
    code = f"import os\ndef f():\n    return [os.path.exists(path) for path in {looks}]"
    assert ask(code) == {"value": [False] * 4}
    assert ask("import os\ndef f():\n    return os.getppid() < 9") == {"value": True}
    assert "error" in ask("import os\ndef f():\n    os.listdir('/proc/1/root')")
    assert "error" in ask("def f():\n    open('/course/worker.py', 'a')")


@SHUT_IN
def test_a_submission_has_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket\ndef f():\n    socket.create_connection(('127.0.0.1', {port}), 2)"
        assert ask(code)["error"] in ("OSError", "ConnectionRefusedError")


@SHUT_IN
def test_a_submission_starts_only_so_many_processes():
    code = "import os, time\ndef f():\n    for _ in range(99):\n"
    code += "        if not os.fork():\n            time.sleep(9)\n            os._exit(0)"
    assert ask(code)["error"] == "BlockingIOError"


def test_where_it_can_not_be_shut_in_this_is_said(
    graded: dict[str, Graded], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sandbox, "available", lambda: False)
    grader = Grader(ASKED, LIMITS)
    one = grader.grade(next(s for s in submissions_of(graded) if s.name == "right"))
    assert earned(one) == [4, 3, 2, None]
    write([one], grader, tmp_path)
    assert "could not shut the submissions in" in (tmp_path / "feedback/right.html").read_text()


# Feedback


def submissions_of(graded: dict[str, Graded]) -> Iterator[Any]:
    return (one.submission for one in graded.values())


def test_grading_again_gives_the_same_files(
    graded: dict[str, Graded], folder: Path, tmp_path: Path
):
    some = [s for s in submissions_of(graded) if s.name in ("right", "half", "forges", "crashes")]
    grader = Grader(ASKED, LIMITS)
    again = list(class_of(some, grader))
    write(again, grader, tmp_path)
    for file in (tmp_path / "feedback").iterdir():
        assert file.read_bytes() == (folder.parent / "graded/feedback" / file.name).read_bytes()
    assert gradebook(again, grader) == gradebook([graded[s.name] for s in some], grader)


def test_feedback_says_what_was_expected_what_came_and_a_hint(
    graded: dict[str, Graded], folder: Path
):
    text = (folder.parent / "graded/feedback/half.html").read_text()
    for part in ("2 of 4 points", "expected -6, came 9", "Hint: ", "One point a thought."):
        assert part in text


def test_feedback_shows_what_was_written_as_text_never_as_markup(
    graded: dict[str, Graded], folder: Path
):
    pages = [p.read_text() for p in (folder.parent / "graded/feedback").glob("*.html")]
    assert len(pages) == len(graded)
    assert any("Since &lt;b&gt;noise&lt;/b&gt; helps." in text for text in pages)
    assert not any("<script" in text or "<b>" in text for text in pages)
    assert "_script_1_1" in graded


def test_a_trial_of_an_answer_is_made_by_the_grader(graded: dict[str, Graded]):
    assert graded["right"].marks["9.3"].said == "tried: 7"
    assert graded["forges"].marks["9.3"].points == 0


# Borders


def test_a_folder_without_notebooks_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"^SUBMISSIONS: expected a folder with notebooks, got"):
        submissions(tmp_path)
    (tmp_path / "x.ipynb").write_text("{}")
    with pytest.raises(ValueError, match=r"^SUBMISSIONS: no notebook holds an answer"):
        homework_of(submissions(tmp_path))


def test_one_notebook_has_one_vote_on_which_homework_this_is(tmp_path: Path):
    many = {f"2.{i}": "x = 1" for i in range(9)}
    for name, answers in {"a": many, "b": {"1.1": "x = 1"}, "c": {"1.2": "x = 1"}}.items():
        (tmp_path / f"{name}.ipynb").write_text(notebook(answers))
    assert homework_of(submissions(tmp_path)) == 1


# The real homeworks


@pytest.mark.parametrize("path", source.sources(), ids=lambda path: path.stem)
def test_a_solution_handed_in_has_full_marks_and_an_untouched_notebook_none(
    path: Path, tmp_path: Path
):
    asked = make.hidden_tests(path)
    (tmp_path / "solved.ipynb").write_text(make.text_of(make.notebook(path, solved=True)))
    (tmp_path / "untouched.ipynb").write_text(make.text_of(make.notebook(path, solved=False)))
    found = submissions(tmp_path)
    assert homework_of(found) == asked["homework"]
    solved, untouched = class_of(found, Grader(asked))
    for question in asked["questions"]:
        mark = solved.marks[question["id"]]
        assert mark.points == (None if question["kind"] == "text" else question["points"]), mark
        assert untouched.marks[question["id"]].points == 0
    assert feedback.page(solved, asked_by_number(asked), "").count("<h2>") == len(
        asked["questions"]
    )


def asked_by_number(asked: dict[str, Any]) -> dict[str, Any]:
    return {q["id"]: q for q in asked["questions"]}


def test_gradescopes_archive_is_the_same_every_time_and_holds_what_grading_needs():
    made = gradescope.autograder(json.dumps(ASKED))
    assert made == gradescope.autograder(json.dumps(ASKED))
    names = set(zipfile.ZipFile(BytesIO(made)).namelist())
    assert {"setup.sh", "run_autograder", "hidden.json", "grade.py", "worker.py"} <= names
    assert "vidgen_lite/homework/probes.py" in names
    assert len(made) < 1_000_000


def test_gradescope_is_told_the_points_of_each_question(tmp_path: Path):
    (tmp_path / "any name.ipynb").write_text(with_changed(q2="width = 0"))
    told = gradescope.results(tmp_path, ASKED)
    assert [test["score"] for test in told["tests"]] == [4, 0, 2]
    assert [test["max_score"] for test in told["tests"]] == [4, 3, 2]
    (tmp_path / "any name.ipynb").unlink()
    assert gradescope.results(tmp_path, ASKED)["score"] == 0
