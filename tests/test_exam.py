"""The exam: its answers are right, its pages are whole, and the book does not give it away."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from pages import built_book

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "homework"))

import exam  # noqa: E402

QUESTIONS = list(exam.exam())
EACH = pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.title.partition(" ")[0])


def test_each_lecture_has_six_questions_of_several_kinds():
    assert list(Counter(q.lecture for q in QUESTIONS).values()) == [6] * 4
    for lecture in {q.lecture for q in QUESTIONS}:
        kinds = Counter(q.kind for q in QUESTIONS if q.lecture == lecture)
        assert kinds.keys() == {"derivation", "code", "plot", "measurement", "claim"} or (
            kinds.keys() == {"derivation", "code", "measurement", "claim"}
        )


@EACH
def test_the_answer_is_what_the_check_computes(question: exam.ExamQuestion):
    assert "assert" in question.check
    exam.verify(question)


@EACH
def test_the_marking_notes_share_out_the_points(question: exam.ExamQuestion):
    shares = [int(n) for n in re.findall(r"^\* (\d+) points?:", question.marking, re.M)]
    assert sum(shares) == question.points
    assert 1 <= question.minutes / question.points <= 2.1


def test_a_question_without_an_answer_is_refused(tmp_path: Path):
    (tmp_path / "exam.md").write_text("# Lecture 1\n\n## 1.1 A\n\n*code · 1 points · 2 minutes*\n")
    with pytest.raises(ValueError, match=r"1\.1 A: a part is missing"):
        list(exam.exam(tmp_path / "exam.md"))


@pytest.fixture(scope="module")
def made() -> dict[bool, str]:
    return {answers: exam.page(QUESTIONS, answers=answers) for answers in (False, True)}


def test_the_pages_need_nothing_else_and_show_every_formula(made: dict[bool, str]):
    for page in made.values():
        assert not re.findall(r"""(?:src|href)=["'](?!#)[^"']*""", page)
        assert "<math" in page
        assert "$" not in re.sub(r"<(style|svg).*?</\1>", "", page, flags=re.S)
        assert page.count("<svg") == 3
    assert made[True].count("<math") > made[False].count("<math")


def phrases(question: exam.ExamQuestion) -> list[str]:
    """Runs of plain words from a question's answer and marking notes, by which one knows them."""
    words = re.findall(r"[A-Za-z][A-Za-z ,;]{30,}", question.answer + question.marking)
    return [" ".join(phrase.split()) for phrase in words]


def test_the_questions_page_holds_no_answer_and_the_other_all(made: dict[bool, str]):
    plain = {k: " ".join(re.sub(r"<[^>]+>", "", page).split()) for k, page in made.items()}
    for question in QUESTIONS:
        assert question.title.partition(" ")[2] in plain[False]
        assert phrases(question), question.title
        for phrase in phrases(question):
            assert phrase not in plain[False]
            assert phrase in plain[True]


def test_the_book_holds_no_answer_of_the_exam():
    book = [p for p in built_book().rglob("*") if p.suffix in (".html", ".js", ".txt", ".md")]
    text = {
        p: " ".join(p.read_text(encoding="utf-8").split()) for p in book if "vendor" not in p.parts
    }
    assert any("Jensen" in page for page in text.values())
    assert not [p for p in built_book().rglob("exam*")]
    for question in QUESTIONS:
        for phrase in phrases(question):
            assert [p.name for p, page in text.items() if phrase in page] == [], phrase
