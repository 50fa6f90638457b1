"""Poses made to fit another person: with the truth known, and with what real detections lack."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from vidgen_lite.everybody_dance_now import PoseNormalizer, median_poses
from vidgen_lite.everybody_dance_now.normalize import (
    Statistics,
    ankle_position,
    ankles,
    body_scale,
    far_ankle,
    heights,
)
from vidgen_lite.skeleton import JOINTS

ANKLES = [JOINTS.index("right ankle"), JOINTS.index("left ankle")]
NOSE, NECK = JOINTS.index("nose"), JOINTS.index("neck")
NOWHERE = torch.tensor([torch.nan, torch.nan, 0.0])


def dance(frames: int = 120, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A body that swings its limbs and walks to and fro: places in metres (T, 18, 2), depth (T,).

    The feet stand at y = 0, and y runs upwards.
    """
    random = torch.Generator().manual_seed(seed)
    body = torch.rand(18, 2, generator=random) * torch.tensor([0.8, 1.0]) + torch.tensor(
        [-0.4, 0.4]
    )
    body[NOSE] = torch.tensor([0.0, 1.6])
    body[ANKLES] = torch.tensor([[-0.15, 0.0], [0.15, 0.0]])
    time = torch.arange(frames) / frames * 2 * torch.pi
    places = body.repeat(frames, 1, 1)
    limbs = [j for j in range(18) if j not in (NOSE, *ANKLES)]
    swing = torch.rand(len(limbs), 2, generator=random)
    places[:, limbs] += 0.2 * torch.sin(3 * time[:, None, None] + 6 * swing)
    places[..., 0] += 0.5 * torch.sin(2 * time)[:, None]
    depth = 4 + torch.cos(time)  # metres from the camera
    return places, depth


def filmed(
    places: Tensor, depth: Tensor, *, focal: float, high: float, tall: float = 1.0
) -> Tensor:
    """Poses (T, 18, 3) as a camera sees them that stands ``high`` metres over the floor."""
    x = focal * tall * places[..., 0] / depth[:, None] + 300
    y = 200 + focal * (high - tall * places[..., 1]) / depth[:, None]
    return torch.stack([x, y, torch.ones_like(x)], -1)


def errors(poses: Tensor, truth: Tensor) -> tuple[float, float]:
    """Mean errors of the ankles' y and of the heights, in pixels."""
    gap = (ankles(poses)[0] - ankles(truth)[0])[..., 1].abs().mean()
    return gap.item(), (heights(poses) - heights(truth)).abs().mean().item()


# ---- The truth is known --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ({"focal": 500, "high": 1.2}, {"focal": 800, "high": 1.2}),  # another lens
        ({"focal": 500, "high": 1.2}, {"focal": 500, "high": 1.8}),  # a higher camera
        ({"focal": 600, "high": 1.0, "tall": 1.1}, {"focal": 500, "high": 1.5, "tall": 0.8}),
    ],
)
def test_one_dance_filmed_twice_becomes_the_same(source: dict, target: dict):
    places, depth = dance()
    given, truth = filmed(places, depth, **source), filmed(places, depth, **target)
    normalised = PoseNormalizer(alpha=1.1).fit(given, truth)(given)
    before, after = errors(given, truth), errors(normalised, truth)
    assert before[0] > 10
    assert after[0] <= 0.1 * before[0]
    assert after[1] <= 0.1 * max(before[1], 30)


def test_a_dance_that_was_only_scaled_and_shifted_comes_back_exactly():
    places, depth = dance()
    given = filmed(places, depth, focal=500, high=1.2)
    truth = given * torch.tensor([0.6, 0.6, 1.0]) + torch.tensor([0.0, 70.0, 0.0])
    normalised = PoseNormalizer().fit(given, truth)(given)
    torch.testing.assert_close(normalised[..., 1], truth[..., 1], rtol=0, atol=0.02)
    # Nobody is moved sideways: about the ankle, x is scaled and the ankle stays where it was.
    feet = ankles(given)[0][:, None, 0]
    torch.testing.assert_close(
        normalised[..., 0], feet + 0.6 * (given[..., 0] - feet), rtol=0, atol=0.02
    )


def test_another_dance_lands_between_the_targets_close_and_far_ankles():
    moves, depth = dance(seed=1)
    target = filmed(*dance(), focal=800, high=1.6, tall=0.9)
    source = filmed(moves, depth * 1.5, focal=400, high=1.0, tall=1.2)
    normaliser = PoseNormalizer().fit(source, target)
    y = ankles(normaliser(source))[0][:, 1]
    feet = ankles(target)[0][:, 1]
    assert y.max().item() == pytest.approx(feet.max().item(), abs=0.01)
    assert (y >= feet.min() - 20).all()


def test_every_pose_is_scaled_about_its_own_ankle():
    """The authors' code scales about the first frame's: right in the first frame only."""
    places, depth = dance()
    given = filmed(places, depth, focal=500, high=1.2)
    target = filmed(places, 2 * depth - 3, focal=800, high=1.5)
    normaliser = PoseNormalizer().fit(given, target)
    normalised = normaliser(given)
    y = ankles(given)[0][:, 1]
    wanted = ankle_position(y, normaliser.statistics)
    torch.testing.assert_close(ankles(normalised)[0][:, 1], wanted, rtol=0, atol=0.01)
    ratio = heights(normalised) / heights(given)
    torch.testing.assert_close(ratio, body_scale(y, normaliser.statistics), rtol=1e-4, atol=0)
    assert ratio.max() - ratio.min() > 0.05 * ratio.mean()


def test_limbs_keep_their_proportions_whatever_the_targets_are():
    places, depth = dance()
    other = places.clone()
    other[..., 1] *= torch.where(places[..., 1] > 0.8, 1.0, 0.5)  # short legs, a long body
    given = filmed(places, depth, focal=500, high=1.2)
    normalised = PoseNormalizer().fit(given, filmed(other, depth, focal=700, high=1.2))(given)
    for poses in (given, normalised):
        share = (poses[:, NECK, :2] - poses[:, NOSE, :2]).norm(dim=-1) / heights(poses)
        torch.testing.assert_close(
            share,
            (given[:, NECK, :2] - given[:, NOSE, :2]).norm(dim=-1) / heights(given),
            rtol=1e-4,
            atol=0,
        )


# ---- The formulas --------------------------------------------------------------------------------

EXAMPLE = Statistics(
    s_close=640.0, s_far=500.0, t_close=600.0, t_far=520.0, c_close=0.9, c_far=1.0, shift=0.0
)


def test_the_chapters_example():
    y = torch.tensor([570.0, 640.0, 500.0])
    assert ankle_position(y, EXAMPLE).tolist() == pytest.approx([560.0, 600.0, 520.0])
    assert body_scale(y, EXAMPLE).tolist() == pytest.approx([0.95, 0.9, 1.0])


def test_a_leap_beyond_the_far_end_stays_a_leap_of_its_height():
    air = torch.tensor([400.0])  # 100 above the far end
    assert body_scale(air, EXAMPLE).item() == pytest.approx(1.0)
    assert ankle_position(air, EXAMPLE).item() == pytest.approx(520 - 100)
    near = torch.tensor([660.0])
    assert ankle_position(near, EXAMPLE).item() == pytest.approx(600 + 0.9 * 20)


def test_far_is_the_smallest_ankle_not_too_far_above_the_median():
    y = torch.tensor([10.0, 80.0, 94.0, 96.0, 100.0, 104.0, 106.0, 108.0, 120.0])
    assert far_ankle(y, 0.7) == 94  # the median is 100, the closest 20 below it: 86 is the limit
    assert far_ankle(y, 1.1) == 80
    assert far_ankle(y, 0.1) == 100  # nothing qualifies: the median


def test_leaps_do_not_count_as_standing_far_away():
    places, depth = dance()
    given = filmed(places, depth, focal=500, high=1.2)
    leaping = given.clone()
    leaping[50:56, :, 1] -= 150
    target = filmed(places, depth, focal=800, high=1.5)
    calm, wild = (PoseNormalizer().fit(poses, target).statistics for poses in (given, leaping))
    assert wild.s_far == pytest.approx(calm.s_far, abs=3)
    assert wild.c_far == pytest.approx(calm.c_far, rel=0.05)


# ---- What real detections lack -------------------------------------------------------------------


@pytest.mark.parametrize("tremble", [0.0, 1.5])
def test_a_dancer_who_never_moves_in_depth_does_not_rush_back_and_forth(tremble: float):
    places, depth = dance()
    given = filmed(places, torch.full_like(depth, 4.0), focal=500, high=1.2)
    given[..., :2] += tremble * torch.randn(
        len(given), 1, 2, generator=torch.Generator().manual_seed(0)
    )
    target = filmed(places, depth, focal=500, high=1.5)
    normaliser = PoseNormalizer().fit(given, target)
    normalised = normaliser(given)
    assert normalised.isfinite().all()
    y, moved = ankles(given)[0][:, 1], ankles(normalised)[0][:, 1]
    feet = ankles(target)[0][:, 1]
    assert feet.min() < moved.min()
    assert moved.max() < feet.max()
    s = normaliser.statistics
    assert moved.max() - moved.min() <= 3.5 * max(s.c_close, s.c_far) * (y.max() - y.min()) + 1e-3
    taller = (heights(normalised) / heights(given)).std()
    assert taller < 0.05


def test_the_targets_range_is_shrunk_round_its_middle():
    places, depth = dance()
    small = filmed(places, 4 + 0.05 * (depth - 4), focal=500, high=1.2)
    target = filmed(places, depth, focal=500, high=1.5)
    wide, narrow = (PoseNormalizer(stretch=s).fit(small, target).statistics for s in (100.0, 1.0))
    assert narrow.t_close - narrow.t_far == pytest.approx(
        (narrow.s_close - narrow.s_far)
        * heights(target).max().item()
        / heights(small).max().item(),
        rel=1e-4,
    )
    middles = [(s.t_close + s.t_far) / 2 for s in (wide, narrow)]
    assert middles[0] == pytest.approx(middles[1], abs=1e-3)
    assert wide.t_close - wide.t_far > 5 * (narrow.t_close - narrow.t_far)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_a_source_of_any_length_will_do(frames: int):
    given = filmed(*dance(), focal=500, high=1.2)[:frames]
    target = filmed(*dance(), focal=800, high=1.5)
    normalised = PoseNormalizer().fit(given, target)(given)
    assert normalised.shape == given.shape
    assert normalised.isfinite().all()
    feet = ankles(target)[0][:, 1]
    y = ankles(normalised)[0][:, 1]
    assert (y >= feet.min() - 1).all()
    assert (y <= feet.max() + 1).all()


def test_missing_joints_stay_missing_and_confidences_are_kept():
    given = filmed(*dance(), focal=500, high=1.2)
    given[..., 2] = 0.7
    given[3, 4] = NOWHERE
    given[5, NOSE] = NOWHERE
    normalised = PoseNormalizer().fit(given, filmed(*dance(), focal=800, high=1.5))(given)
    assert torch.equal(normalised[..., 2], given[..., 2])
    assert torch.equal(normalised.isnan(), given.isnan())


def test_one_ankle_does_for_two_and_a_gap_is_bridged():
    given = filmed(*dance(), focal=500, high=1.2)
    target = filmed(*dance(), focal=800, high=1.5)
    whole = PoseNormalizer().fit(given, target)(given)
    holes = given.clone()
    holes[10, ANKLES[0]] = NOWHERE  # one
    holes[30:33, ANKLES] = NOWHERE  # both, between frames that have them
    holes[:2, ANKLES] = NOWHERE  # before the first that has them
    normalised = PoseNormalizer().fit(holes, target)(holes)
    seen = ~normalised.isnan()
    torch.testing.assert_close(normalised[seen], whole[seen], rtol=0, atol=12.0)
    torch.testing.assert_close(normalised[31, NOSE], whole[31, NOSE], rtol=0, atol=1.0)
    # At the ends the last place that was seen is held.
    ankle = ankles(given)[0][2]
    nose = given[0, NOSE, :2] - ankle
    moved = ankles(normalised)[0][2]
    scale = heights(normalised)[2] / heights(given)[2]
    torch.testing.assert_close(normalised[0, NOSE, :2], moved + scale * nose, rtol=0, atol=0.01)


def test_without_a_nose_the_ears_tell_the_height():
    poses = filmed(*dance(), focal=500, high=1.2)
    right, left = (JOINTS.index(f"{side} ear") for side in ("right", "left"))
    poses[:, right, :2] = poses[:, NOSE, :2] + torch.tensor([10.0, 0.0])
    poses[:, left, :2] = poses[:, NOSE, :2] - torch.tensor([10.0, 0.0])
    whole = heights(poses)
    poses[:, NOSE] = NOWHERE
    torch.testing.assert_close(heights(poses), whole)
    poses[0, [right, left]] = NOWHERE
    assert heights(poses)[0].isnan()


def test_who_crouches_at_the_close_end_is_not_shorter_for_it():
    given = filmed(*dance(), focal=500, high=1.2)
    target = filmed(*dance(), focal=800, high=1.5)
    upright = PoseNormalizer().fit(given, target).statistics
    crouching = given.clone()
    near = ankles(given)[0][:, 1] > upright.s_close - 20
    feet = ankles(given)[0][:, None, 1]
    crouching[near, :, 1] = (feet + 0.6 * (given[..., 1] - feet))[near]
    assert near.any()
    changed = PoseNormalizer().fit(crouching, target).statistics
    assert changed.c_close == pytest.approx(upright.c_close, rel=0.2)


def test_films_with_other_crops_are_centred_if_asked():
    given = filmed(*dance(), focal=500, high=1.2)
    target = given + torch.tensor([150.0, 0.0, 0.0])
    same = PoseNormalizer().fit(given, target)(given)
    moved = PoseNormalizer(centre=True).fit(given, target)(given)
    torch.testing.assert_close(same, given, rtol=0, atol=0.02)
    torch.testing.assert_close(moved, target, rtol=0, atol=0.02)


def test_many_dances_are_normalised_like_each_alone():
    given = torch.stack([filmed(*dance(seed=s), focal=500, high=1.2) for s in (0, 1)])
    normaliser = PoseNormalizer().fit(given, filmed(*dance(), focal=800, high=1.5))
    together = normaliser(given)
    assert together.shape == given.shape
    for one, alone in zip(together, given, strict=True):
        torch.testing.assert_close(one, normaliser(alone))


def test_the_poses_given_are_not_changed():
    given = filmed(*dance(), focal=500, high=1.2)
    kept = given.clone()
    PoseNormalizer().fit(given, given)(given)
    assert torch.equal(given, kept)


POSES = filmed(*dance(9), focal=500, high=1.2)


def without(*joints: int) -> Tensor:
    poses = POSES.clone()
    poses[:, joints] = NOWHERE
    return poses


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: PoseNormalizer()(POSES), RuntimeError, "PoseNormalizer: expected fit(source_"),
        (lambda: PoseNormalizer(alpha=0), ValueError, "alpha: expected a number above 0, got 0"),
        (lambda: PoseNormalizer(stretch=0.5), ValueError, "stretch: expected a number at least 1"),
        (
            lambda: PoseNormalizer().fit(POSES[0], POSES),
            ValueError,
            "source_poses: expected (…, T, 18, 3), got (18, 3)",
        ),
        (
            lambda: PoseNormalizer().fit(POSES, without(*ANKLES)),
            ValueError,
            "target_poses: expected a frame in which an ankle is seen together with the nose or an",
        ),
        (
            lambda: PoseNormalizer().fit(without(NOSE, 16, 17), POSES),
            ValueError,
            "source_poses: expected a frame in which an ankle is seen together with the nose or an",
        ),
        (
            lambda: PoseNormalizer().fit(POSES, POSES)(without(*ANKLES)),
            ValueError,
            "poses: expected an ankle in some frame, got none in 9",
        ),
        (
            lambda: PoseNormalizer().fit(POSES, POSES)(POSES[0]),
            ValueError,
            "poses: expected (…, T, 18, 3), got (18, 3)",
        ),
        (lambda: median_poses(POSES, window=4), ValueError, "window: expected an odd positive int"),
        (lambda: median_poses(POSES[0]), ValueError, "poses: expected (T, 18, 3), got (18, 3)"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_named(call, error: type, message: str):
    with pytest.raises(error, match=re.escape(message)):
        call()


# ---- Smoothing -----------------------------------------------------------------------------------


def test_the_median_takes_out_a_joint_that_jumps():
    poses = filmed(*dance(), focal=500, high=1.2)
    jumping = poses.clone()
    jumping[40, 4, :2] += 200
    torch.testing.assert_close(median_poses(jumping)[40, 4], poses[40, 4], rtol=0, atol=15.0)


def test_the_median_is_that_of_the_frames_that_saw_the_joint():
    random = torch.Generator().manual_seed(0)
    poses = torch.rand(9, 18, 3, generator=random)
    poses[..., 2] = 1
    poses[2:5, 6] = NOWHERE
    smooth = median_poses(poses)
    near = poses[[1, 5, 6, 7], 6, :2].numpy()  # of frames 1 to 7 round frame 4
    np.testing.assert_allclose(smooth[4, 6, :2].numpy(), np.median(near, 0), rtol=1e-5)
    assert smooth[4, 6, 2] == 1  # seen in most of the window


def test_a_joint_missing_for_most_of_the_window_is_missing():
    poses = filmed(*dance(), focal=500, high=1.2)
    poses[20:30, 6] = NOWHERE
    smooth = median_poses(poses)
    assert (smooth[24:26, 6, 2] == 0).all()
    assert smooth[24:26, 6, :2].isnan().all()
    assert (smooth[:, 5, 2] == 1).all()
