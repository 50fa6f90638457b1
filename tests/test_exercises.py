"""The chapters' coding exercises: their solutions run, and draw what is expected."""

from __future__ import annotations

import importlib
import sys

import matplotlib.pyplot as plt
import pytest
from pages import ROOT

sys.path.insert(0, str(ROOT / "book" / "figures"))
solutions = importlib.import_module("solutions")
CODED = solutions.coded()


@pytest.mark.parametrize("exercise", CODED)
def test_a_solution_runs_from_what_the_exercise_begins_with_and_draws(
    exercise: str, monkeypatch: pytest.MonkeyPatch
):
    plt.switch_backend("agg")
    plt.close("all")
    exec(compile(CODED[exercise], exercise, "exec"), {})
    drawn = [axes for number in plt.get_fignums() for axes in plt.figure(number).axes]
    plt.close("all")
    assert drawn
    assert all(axes.lines for axes in drawn)


def test_chapters_3_and_4_have_two_coding_exercises_each():
    for lecture in ("pose", "edn"):
        assert len([label for label in CODED if label.startswith(f"{lecture}-")]) == 2
