"""Homework: what students get is the source's, reveals nothing, and is not fooled cheaply."""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "homework"))

import kill  # noqa: E402
import make  # noqa: E402
import source  # noqa: E402

from vidgen_lite import homework  # noqa: E402
from vidgen_lite.homework import hints, probes  # noqa: E402

SOURCES = source.sources()
HOMEWORK = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)


@cache
def known(path: Path) -> dict[str, Any]:
    return source.answers(path)


@cache
def asked(path: Path) -> dict[str, Any]:
    return kill.both(path)


@cache
def killed(path: Path) -> list[kill.Kill]:
    return list(kill.kills(path))


# What is handed out


@HOMEWORK
def test_what_is_handed_out_is_what_the_source_makes(path: Path):
    for file, text in make.committed(path).items():
        assert make.up_to_date(file, text), f"{file.name}: run `make homework`"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ('{"values": [0.04685436, 2.0], "shape": [2], "tiny": 0.0}', True),
        ('{"values": [0.04689434, 2.0], "shape": [2], "tiny": 1e-08}', False),
        ('{"values": [0.04685434, 2.0], "shape": [3], "tiny": 1e-08}', False),
        ('{"value": [0.04685434, 2.0], "shape": [2], "tiny": 1e-08}', False),
        ('{"values": [0.04685434], "shape": [2], "tiny": 1e-08}', False),
    ],
)
def test_a_questionnaire_is_up_to_date_if_only_rounded_otherwise(
    other: str, same: bool, tmp_path: Path
):
    numbers = '{"values": [0.04685434, 2.0], "shape": [2], "tiny": 1e-08}'
    for name in ("questions.json", "notebook.ipynb"):
        (tmp_path / name).write_text(other, encoding="utf-8")
    assert make.up_to_date(tmp_path / "questions.json", numbers) == same
    assert make.up_to_date(tmp_path / "notebook.ipynb", other)
    assert not make.up_to_date(tmp_path / "notebook.ipynb", numbers)
    assert not make.up_to_date(tmp_path / "missing.json", numbers)


@HOMEWORK
def test_no_line_of_a_solution_is_handed_out(path: Path):
    handed_out = "".join(make.committed(path).values())
    for question in source.questions(path).values():
        for block in re.findall(
            r"# BEGIN SOLUTION.*?\n(.*?)# END SOLUTION", question.answer, re.DOTALL
        ):
            for line in filter(lambda line: len(line) > 20, map(str.strip, block.splitlines())):
                assert json.dumps(line, ensure_ascii=False)[1:-1] not in handed_out


@HOMEWORK
def test_the_hidden_tests_ask_with_other_numbers(path: Path):
    for question, public, hidden in asked(path).values():
        if question.kind == "code":
            told, kept = (
                json.dumps([p["expected"] for p in q["probes"]]) for q in (public, hidden)
            )
            assert told != kept, question.id


# Right and wrong answers


@HOMEWORK
def test_the_solutions_have_full_marks_and_so_have_other_right_answers(path: Path):
    for question, public, hidden in asked(path).values():
        right = [
            source.run(source.setup(path), c.text, known=known(path)) for c in question.alternatives
        ]
        right += [known(path)] if question.kind == "code" else []
        if question.kind != "text":
            assert right, question.id
        for names in right:
            answer = names[question.name]
            for form in (public, hidden):
                outcomes = kill.put(form, answer)
                assert hints.explain(form, outcomes) == "", question.id
                assert kill.points(form, outcomes) == 1


@HOMEWORK
def test_the_untouched_notebook_has_no_points(path: Path):
    stubs = [source.stub(q.answer) for q in source.questions(path).values()]
    names = source.run(source.setup(path), *stubs)
    for question, public, hidden in asked(path).values():
        answer = names[question.name]
        assert kill.points(hidden, kill.put(hidden, answer)) == 0, question.id
        assert hints.explain(public, kill.put(public, answer)) == hints.NOTHING


@HOMEWORK
def test_answers_learned_by_heart_from_the_checks_have_no_points(path: Path):
    for question, public, hidden in asked(path).values():
        if question.kind != "code":
            continue
        told = {json.dumps(p["args"]): p["expected"] for p in public["probes"]}

        def by_heart(*args: Any, told: dict[str, Any] = told) -> Any:
            return probes.decode(told.get(json.dumps(probes.encode(list(args))), 0.0))

        assert kill.points(hidden, kill.put(hidden, by_heart)) == 0, question.id


@HOMEWORK
def test_every_listed_wrong_answer_is_caught(path: Path):
    assert len(killed(path)) >= 20
    assert [k for k in killed(path) if not k.caught] == []


@HOMEWORK
def test_each_coding_question_has_five_wrong_answers(path: Path):
    for question in source.questions(path).values():
        assert question.kind != "code" or len(question.mistakes) >= 5, question.id


@HOMEWORK
def test_nine_hints_in_ten_name_the_mistake(path: Path):
    unfit = [k for k in killed(path) if not k.named]
    assert len(unfit) <= len(killed(path)) / 10, unfit


def test_the_kill_table_in_the_book_is_that_of_these_sources_and_checks():
    page = kill.PAGE.read_text(encoding="utf-8")
    assert f"Made of: {kill.digest()}" in page, "run `make kill-table`"
    listed = [q.mistakes for path in SOURCES for q in source.questions(path).values()]
    assert page.count("% |") == sum(map(len, listed))


# The student's side


def test_an_unknown_question_is_refused():
    with pytest.raises(ValueError, match=r"^number: expected one of 1\.1, .*, got '1\.99'"):
        homework.check("1.99", None)
    with pytest.raises(ValueError, match=r"^number: expected a number such as '1\.2', got 'x'"):
        homework.check("x", None)


def test_a_check_that_fails_says_what_was_expected_what_came_and_a_hint(
    capsys: pytest.CaptureFixture[str],
):
    homework.check("1.2", lambda log_p, log_q, share: log_p - log_q)
    said = capsys.readouterr().out
    assert "expected [1.099" in said
    assert "came [0, 0, 0]" in said
    assert "Hint: That is right for equal shares." in said


def test_nothing_is_handed_in_while_answers_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert homework.submit(1) is None
    assert "1.1: no cell that begins '# Answer 1.1' has run" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_an_infinity_is_never_near_a_number(value: float):
    assert not probes.near(1.0, value)
    assert not probes.near(value, 1.0)
