"""The teacher's kit: its lines of code give what stands below them, and its plans add up."""

from __future__ import annotations

import doctest
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "book" / "teaching"
sys.path[:0] = [str(ROOT / "homework"), str(ROOT / "book" / "_ext")]

import homework_table  # noqa: E402
import kill  # noqa: E402
import make  # noqa: E402
import source  # noqa: E402

SETUP = "import math\nimport torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n"


def test_the_demonstrations_print_what_the_page_says():
    page = (KIT / "misconceptions.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```pycon\n(.*?)^```", page, re.M | re.S)
    assert len(blocks) > 15
    names: dict[str, object] = {}
    told: list[str] = []
    for number, block in enumerate(blocks):
        test = doctest.DocTestParser().get_doctest(block, names, f"block {number}", None, 0)
        doctest.DocTestRunner(verbose=False).run(test, out=told.append, clear_globs=False)
        names = test.globs
    assert told == []


def test_each_lecture_has_six_to_eight_misconceptions():
    page = (KIT / "misconceptions.md").read_text(encoding="utf-8")
    for lecture in page.split("\n## ")[1:]:
        assert 6 <= len(re.findall(r'^\*\*"', lecture, re.M)) <= 8, lecture[:40]


def test_the_minutes_of_each_plan_add_up():
    page = (KIT / "plan.md").read_text(encoding="utf-8")
    for lecture in re.split(r"^## (?=Lecture)", page, flags=re.M)[1:]:
        head, *rows = re.findall(r"^\| (\d+) \| (\d+|–) \|", lecture, re.M)
        assert head == ("90", "45")
        assert sum(int(long) for long, _ in rows) == 90, lecture[:40]
        assert sum(int(short) for _, short in rows if short != "–") == 45, lecture[:40]


def test_the_worked_example_of_a_question_is_a_question_of_a_homework(tmp_path: Path):
    page = (KIT / "your_own.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    path = tmp_path / "1_example.py"
    path.write_text(f"# %%\n# Setup\n{SETUP}\n{example}", encoding="utf-8")
    (question,) = source.questions(path).values()
    assert (question.id, question.points, question.kind) == ("1.8", 2, "code")
    (asked,) = make.questionnaire(path, seed=1, hidden=True)["questions"]
    known = source.answers(path)
    for cell in question.alternatives:
        answer = make.wrong_answer(path, question, cell, known)
        assert kill.points(asked, kill.put(asked, answer)) == 1
    found = list(kill.kills(path))
    assert [(k.caught, k.named) for k in found] == [(True, True)] * len(question.mistakes)
    assert "BEGIN SOLUTION" not in make.text_of(make.notebook(path, solved=False))


def test_the_table_of_a_homework_has_its_points_and_minutes():
    for checks in sorted((ROOT / "vidgen_lite" / "homework").glob("[0-9]_*.json")):
        notebook = ROOT / "notebooks" / "homework" / f"{checks.stem}.ipynb"
        table = homework_table.table(checks, notebook)
        asked = json.loads(checks.read_text(encoding="utf-8"))["questions"]
        assert table.count("\n| ") == len(asked) + 1  # with the sums
        assert table.endswith(f"| **{sum(q['points'] for q in asked)}** |")
        assert set(homework_table.minutes(notebook)) == {q["id"] for q in asked}
