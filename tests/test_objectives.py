"""What the chapters promise is taught, practised, asked and tested, and nothing more is there.

``book/objectives.yml`` names sections, exercises, graded questions and tests. Here each of them has
to exist, and each section, exercise and question of the course has to be named.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = {path.name[0]: path for path in sorted((ROOT / "book").glob("[0-9]_*.md"))}
QUESTIONS = {
    number
    for path in (ROOT / "homework").glob("[0-9]_*.py")
    for number in re.findall(r"^# %% answer (\S+) \|", path.read_text(encoding="utf-8"), re.M)
}
OBJECTIVES: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "book" / "objectives.yml").read_text(encoding="utf-8")
)
NOT_TAUGHT = {"What to keep", "Exercises", "Further reading"}


def text(chapter: str) -> str:
    return CHAPTERS[chapter].read_text(encoding="utf-8")


def anchors(chapter: str) -> set[str]:
    """The names that a chapter gives to its sections."""
    return set(re.findall(r"^\(([\w-]+)\)=\n##+ ", text(chapter), re.M))


def teaching_sections(chapter: str) -> dict[str, str]:
    """The title of each section of a chapter that teaches, and its name ("" where it has none)."""
    found = re.findall(r"^(?:\(([\w-]+)\)=\n)?## (.+)$", text(chapter), re.M)
    return {title: name for name, title in found if title not in NOT_TAUGHT}


def exercises(chapter: str) -> set[str]:
    return set(re.findall(r"^`{3,}\{exercise\}[^\n]*\n:label: (\S+)", text(chapter), re.M))


@cache
def functions_in(path: str) -> set[str]:
    """The names of the functions in a file of tests."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def named(kind: str) -> set[str]:
    return {name for entry in OBJECTIVES.values() for name in entry.get(kind, [])}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_five_to_seven_objectives_numbered_from_one(chapter: str) -> None:
    numbers = [number for number in OBJECTIVES if number.startswith(f"{chapter}.")]
    assert numbers == [f"{chapter}.{i}" for i in range(1, len(numbers) + 1)]
    assert 5 <= len(numbers) <= 7
    assert f"```{{objectives}} {chapter}\n" in text(chapter)
    matrix = (ROOT / "book/teaching/matrix.md").read_text("utf-8")
    assert f"```{{objective-matrix}} {chapter}\n" in matrix


@pytest.mark.parametrize("number", OBJECTIVES)
def test_an_objective_is_taught_practised_and_tested_in_its_own_lecture(number: str) -> None:
    entry, chapter = OBJECTIVES[number], number[0]
    assert entry.keys() <= {"text", "sections", "exercises", "homework", "tests"}
    assert entry["sections"], "no section"
    assert entry.get("exercises") or entry.get("homework"), "nothing to practise on"
    assert entry["tests"], "no test"
    assert set(entry["sections"]) <= anchors(chapter)
    assert set(entry.get("exercises", [])) <= exercises(chapter)
    assert set(entry.get("homework", [])) <= {q for q in QUESTIONS if q[0] == chapter}


def test_every_test_that_an_objective_names_exists() -> None:
    pairs = [test.split("::") for test in named("tests")]
    missing = [f"{file}::{name}" for file, name in pairs if name not in functions_in(file)]
    assert not missing


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_section_of_a_chapter_is_without_an_objective(chapter: str) -> None:
    named_sections = named("sections")
    inside = subsections(chapter)
    orphans = [
        title
        for title, name in teaching_sections(chapter).items()
        if not named_sections & {name, *inside[title]}
    ]
    assert not orphans


def subsections(chapter: str) -> dict[str, list[str]]:
    """The names inside each section, by the section's title."""
    parts = re.split(r"^## (.+)$", text(chapter), flags=re.M)
    names = [re.findall(r"^\(([\w-]+)\)=\n### ", part, re.M) for part in parts[2::2]]
    return dict(zip(parts[1::2], names, strict=True))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_exercise_is_without_an_objective(chapter: str) -> None:
    assert exercises(chapter), "the pattern finds none"
    orphans = exercises(chapter) - named("exercises")
    assert not orphans


def test_no_graded_question_is_without_an_objective() -> None:
    assert QUESTIONS
    orphans = QUESTIONS - named("homework")
    assert not orphans
