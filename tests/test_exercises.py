"""The chapters' exercises: each has what a student needs, and the programs in solutions run."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Any

import pytest
import torch
from pages import ROOT

sys.path.append(str(ROOT / "book" / "figures"))
import solutions

from vidgen_lite.everybody_dance_now import evaluate, median_poses
from vidgen_lite.everybody_dance_now.normalize import ankles, heights
from vidgen_lite.pose_futures import best_of_n_curve

CHAPTERS = ("3_pose_futures", "4_everybody_dance_now")


def exercises(chapter: str) -> dict[str, str]:
    text = (ROOT / "book" / f"{chapter}.md").read_text(encoding="utf-8")
    found = re.findall(
        r"^(````+){exercise} [^\n]*\n:label: (\S+)\n(.*?)^\1$", text, re.MULTILINE | re.DOTALL
    )
    return {label: body for _, label, body in found}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_an_exercise_says_how_hard_and_how_long_it_is_and_has_a_hint_and_a_solution(chapter):
    text = (ROOT / "book" / f"{chapter}.md").read_text(encoding="utf-8")
    found = exercises(chapter)
    assert len(found) == text.count("{exercise} ")
    for label, body in found.items():
        assert re.match(r"\n★+ · importance (low|medium|high) · \d+ minutes", body), label
        assert ":::{dropdown} Hint\n" in body, label
        solution = label.replace("-exercise-", "-solution-")
        assert f"{{solution}} {label}\n:label: {solution}\n:class: dropdown\n" in text, label


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_an_exercise_with_a_program_shows_what_to_expect(chapter):
    programs = {label: body for label, body in exercises(chapter).items() if "a program." in body}
    assert len(programs) == 2
    for label, body in programs.items():
        assert "\n:alt: " in body, label
        assert solutions.program(chapter, label.replace("-exercise-", "-solution-"))


# What the pictures show


@cache
def program(chapter: str, label: str) -> dict[str, Any]:
    return solutions.run(chapter, label)


def test_the_mean_of_many_futures_hardly_leaves_its_place():
    names = program("3_pose_futures", "pose-solution-fan")
    for i in (19, 33, 36):
        ways = [*names["futures"][i], names["futures"][i].mean(0)]
        *each, mean = (names["path"](i, way).diff(dim=1).norm(dim=0).sum() for way in ways)
        assert mean < 0.6 * sum(each) / len(each)


def test_a_drifting_body_overtakes_the_mean_of_real_futures_and_drifting_joints_do_not():
    names = program("3_pose_futures", "pose-solution-scatter")
    error = {
        who: best_of_n_curve(samples, names["truth"])
        for who, samples in names["forecasters"].items()
    }
    known, mean, still, body, joints = error.values()
    assert mean[0] < min(still[0], body[0], joints[0], known[0])
    assert known[-1] < body[-1]
    assert body[4] > mean[0] > body[6]
    assert joints[-1] > 0.9 * still[0]


def test_a_fitted_source_is_as_tall_as_the_target_and_a_short_one_rushes_only_if_it_may():
    names = program("4_everybody_dance_now", "edn-solution-fit")
    fitted, source, target = (names[name] for name in ("fitted", "source", "target"))
    assert heights(fitted(source)).div(heights(target)).sub(1).abs().max() < 0.05

    def way(poses: torch.Tensor) -> float:
        return float(ankles(poses)[0][:, 1].max() - ankles(poses)[0][:, 1].min())

    assert way(fitted(source[-4:], stretch=100)) > 0.8 * way(target)
    assert way(fitted(source[-4:])) < 0.4 * way(target)


def test_the_stronger_the_tremble_the_longer_the_best_median_and_change_error_asks_for_more():
    names = program("4_everybody_dance_now", "edn-solution-tremble")
    off, drawn, true, windows = (names[name] for name in ("off", "drawn", "true", "windows"))

    def best(size: float, error: Any) -> int:
        found = names["trembling"](size)
        return min(windows, key=lambda window: float(error(median_poses(found, window=window))))

    assert [best(size, off) for size in (0.25, 0.5, 1, 2)] == [1, 3, 3, 5]
    changes = [best(s, lambda p: evaluate.change_error(drawn(p), drawn(true))) for s in (0.25, 2)]
    assert changes == [1, 11]
