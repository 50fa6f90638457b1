"""The chapters' exercises: each has what a student needs, and the programs in solutions run."""

from __future__ import annotations

import re
import sys
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from pages import ROOT

sys.path.append(str(ROOT / "book" / "figures"))
import solutions

from vidgen_lite.everybody_dance_now.normalize import ankles, heights
from vidgen_lite.pose_futures import best_of_n_curve

CHAPTERS = ("1_gan_objective", "2_scene_dynamics", "3_pose_futures", "4_everybody_dance_now")


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
        solution = re.search(
            rf"^`+{{solution}} {label}\n:label: (\S+)\n:class: dropdown\n", text, re.M
        )
        assert solution, label
        assert solution[1] == label.replace("-exercise-", "-solution-")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_an_exercise_with_a_program_shows_what_to_expect(chapter):
    programs = {label: body for label, body in exercises(chapter).items() if "a program." in body}
    assert len(programs) == 2
    for label, body in programs.items():
        assert "\n:alt: " in body, label
        assert solutions.program(chapter, label.replace("-exercise-", "-solution-"))


def test_a_solution_without_a_program_is_named():
    with pytest.raises(ValueError, match="no solution gan-solution-log that shows Python"):
        solutions.program("1_gan_objective", "gan-solution-log")


# What the pictures show


@cache
def program(chapter: str, label: str) -> dict[str, Any]:
    torch.manual_seed(0)
    return solutions.run(chapter, label)


def test_the_smallest_gan_drifts_off_circles_or_comes_in():
    curves = program("1_gan_objective", "gan-solution-turns")["curves"]
    assert curves["at once"][-1] == pytest.approx(1.40, abs=0.01)
    assert all(a <= b + 1e-6 for a, b in pairwise(curves["at once"]))
    assert all(abs(distance - 1) < 0.03 for distance in curves["in turns"])
    assert curves["at once, with R1"][-1] < 0.01


def test_against_a_d_that_was_stopped_early_all_samples_run_away():
    names = program("1_gan_objective", "gan-solution-frozen")
    state = names["trained"](50)
    names["go_on_alone"](state, 100)
    assert names["judgement"](state) == (0, pytest.approx(1, abs=0.01))


def test_against_a_d_that_was_stopped_late_no_mode_is_lost():
    names = program("1_gan_objective", "gan-solution-frozen")
    state = names["trained"](500)
    before = names["judgement"](state)[0]
    names["go_on_alone"](state, 50)
    assert names["judgement"](state)[0] >= before > 4


def test_a_still_map_flickers_until_the_taps_are_balanced():
    names = program("2_scene_dynamics", "vgan-solution-flicker")
    flickering, steady = (pixel[1:-1] for pixel in names["pixels"].values())
    assert (flickering[2:] - flickering[:-2]).abs().max() < 1e-6
    assert (flickering[1:] - flickering[:-1]).abs().min() > 0.1
    assert (steady[1:] - steady[:-1]).abs().max() < 1e-6
    assert names["pixels"]["taps 2 + 4 = taps 1 + 3"][[0, -1]].sub(steady[0]).abs().min() > 0.01
    assert names["energy"][0] > 0.1 > 1e-6 > names["energy"][1]


def test_a_small_price_finds_the_walker_and_none_or_a_high_one_does_not():
    names = program("2_scene_dynamics", "vgan-solution-split")
    found = {price: names["split"](names["film"].video, price) for price in (0, 0.01, 1)}
    overlap = {price: names["overlap"](mask) for price, (mask, *_) in found.items()}
    error = {
        price: (names["compose"](*parts) - names["film"].video).square().mean().item()
        for price, parts in found.items()
    }
    assert overlap[0.01] > 0.6 > 0.3 > max(overlap[0], overlap[1])
    assert max(error[0], error[0.01]) < 1e-4 < 1e-2 < error[1]


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


def test_a_source_is_fitted_but_for_the_farthest_frames_and_a_short_one_rushes_only_if_it_may():
    names = program("4_everybody_dance_now", "edn-solution-fit")
    fitted, source, target = (names[name] for name in ("fitted", "source", "target"))
    ratio = heights(fitted(source)) / heights(target)
    assert ratio[12:].sub(1).abs().max() < 0.02
    assert 0.89 < ratio[0] < 0.92

    def way(poses: torch.Tensor) -> float:
        return float(ankles(poses)[0][:, 1].max() - ankles(poses)[0][:, 1].min())

    assert way(fitted(source[-4:], stretch=100)) > 0.8 * way(target)
    assert way(fitted(source[-4:])) < 0.4 * way(target)


def test_the_stronger_the_tremble_the_longer_the_best_median_and_change_error_asks_for_more():
    best = program("4_everybody_dance_now", "edn-solution-tremble")["best"]
    assert best == {0.25: [1, 1], 0.5: [3, 3], 1: [3, 5], 2: [5, 11]}
