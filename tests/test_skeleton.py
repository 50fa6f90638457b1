"""The stick figures: left stays left in a mirror, and only what was seen is drawn."""

import pytest
import torch

from vidgen_lite.skeleton import (
    JOINTS,
    LIMB_COLOURS,
    LIMBS,
    MIRROR,
    draw,
    draw_limbs,
    from_blazepose,
    from_coco17,
    heatmaps,
    mirror,
)


def _spread_pose(size: int = 64) -> torch.Tensor:
    """Joints on a grid, far apart, all seen."""
    x = torch.arange(18) % 5 * 12.0 + 6.5
    y = torch.arange(18) // 5 * 14.0 + 8.5
    return torch.stack([x, y, torch.ones(18)], -1)


def test_the_tables_agree_with_each_other() -> None:
    assert len(JOINTS) == 18
    assert len(LIMB_COLOURS) == len(LIMBS) == len(set(LIMB_COLOURS))
    assert {joint for limb in LIMBS for joint in limb} == set(range(18))
    for joint, other in enumerate(MIRROR):
        name = JOINTS[joint]
        exchanged = {"right": "left", "left": "right"}.get(name.split()[0], name)
        assert JOINTS[other] == " ".join([exchanged, *name.split()[1:]])


def test_mirroring_twice_changes_nothing_and_once_exchanges_the_sides() -> None:
    poses = torch.rand(2, 5, 18, 3) * 32
    there = mirror(poses, 64)
    assert torch.allclose(mirror(there, 64), poses, atol=1e-5)
    right, left = JOINTS.index("right wrist"), JOINTS.index("left wrist")
    assert torch.equal(there[..., right, 0], 64 - poses[..., left, 0])
    assert torch.equal(there[..., right, 1:], poses[..., left, 1:])


def test_a_limb_has_its_colour_at_its_middle_and_the_corner_is_black() -> None:
    for (start, stop), colour in zip(LIMBS, LIMB_COLOURS, strict=True):
        pose = _spread_pose()
        pose[:, 2] = 0
        pose[[start, stop], 2] = 1
        picture = draw(pose, height=64, width=64, line=4)
        x, y = ((pose[start, :2] + pose[stop, :2]) / 2).long().tolist()
        assert torch.allclose(picture[:, y, x], torch.tensor(colour) * 2 - 1, atol=1e-5)
        assert torch.equal(picture[:, 0, 0], -torch.ones(3))


def test_limbs_drawn_by_themselves_do_not_hide_each_other_and_make_up_the_picture() -> None:
    pose = _spread_pose()
    limbs = draw_limbs(pose, height=64, width=64, line=4)
    assert limbs.shape == (17, 64, 64)
    for limb, (start, stop) in zip(limbs, LIMBS, strict=True):
        x, y = ((pose[start, :2] + pose[stop, :2]) / 2).long().tolist()
        assert limb[y, x] == 1
        alone = pose.clone()
        alone[:, 2] = 0
        alone[[start, stop], 2] = 1
        assert torch.equal(limb > -1, draw(alone, height=64, width=64, line=4).amax(0) > -1)
    picture = torch.zeros(3, 64, 64)
    for limb, colour in zip((limbs + 1) / 2, LIMB_COLOURS, strict=True):
        picture = picture.lerp(torch.tensor(colour)[:, None, None].expand(3, 64, 64), limb)
    assert torch.allclose(2 * picture - 1, draw(pose, height=64, width=64, line=4), atol=1e-5)


def test_the_drawing_of_a_mirrored_pose_is_the_mirrored_drawing_in_shape() -> None:
    pose = _spread_pose()
    there = draw(mirror(pose, 64), height=64, width=64).amax(0)
    flipped = draw(pose, height=64, width=64).amax(0).flip(-1)
    assert torch.allclose(there > -0.5, flipped > -0.5)


def test_joints_that_were_not_seen_are_not_drawn_even_at_no_place_at_all() -> None:
    pose = _spread_pose()
    pose[:, 2] = 0.05
    assert torch.equal(draw(pose, height=32, width=48), -torch.ones(3, 32, 48))
    pose = _spread_pose()
    wrist = JOINTS.index("right wrist")
    pose[wrist] = torch.tensor([float("nan"), float("nan"), 0.0])
    picture = draw(pose, height=64, width=64)
    assert picture.isfinite().all()
    assert (picture.amax(0) > 0).any()


def test_a_batch_is_drawn_as_its_members_are() -> None:
    poses = torch.cat([torch.rand(2, 70, 18, 2) * 24, torch.ones(2, 70, 18, 1)], -1)
    pictures = draw(poses, height=24, width=20)
    assert pictures.shape == (2, 70, 3, 24, 20)
    assert torch.allclose(pictures[1, 69], draw(poses[1, 69], height=24, width=20), atol=1e-6)
    assert draw(poses[:0], height=24, width=20).shape == (0, 70, 3, 24, 20)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"poses: expected \(…, 18, 3\), got \(18, 2\)"):
        draw(torch.zeros(18, 2), height=8, width=8)
    with pytest.raises(ValueError, match="poses: expected"):
        mirror(torch.zeros(17, 3), 8)
    with pytest.raises(TypeError, match=r"poses: expected a .*, got list"):
        mirror([[0.0] * 3] * 18, 8)
    with pytest.raises(ValueError, match="height: expected a positive integer, got 0"):
        draw(torch.zeros(18, 3), height=0, width=8)
    with pytest.raises(ValueError, match="line: expected"):
        draw(torch.zeros(18, 3), height=8, width=8, line=-1)
    with pytest.raises(ValueError, match="width: expected"):
        mirror(torch.zeros(18, 3), 0)


# ---- Detectors' orders ---------------------------------------------------------------------------

# Where some points stand in each detector's own list.
BLAZEPOSE = {"nose": 0, "left eye": 2, "right ear": 8, "left wrist": 15, "right ankle": 28}
COCO17 = {"nose": 0, "left eye": 1, "right ear": 4, "left wrist": 9, "right ankle": 16}


@pytest.mark.parametrize(
    ("convert", "count", "places", "shoulders"),
    [(from_blazepose, 33, BLAZEPOSE, (11, 12)), (from_coco17, 17, COCO17, (5, 6))],
)
def test_a_detector_s_points_become_our_joints(convert, count, places, shoulders) -> None:
    points = torch.rand(2, count, 3)
    poses = convert(points)
    assert poses.shape == (2, 18, 3)
    for name, place in places.items():
        assert torch.equal(poses[:, JOINTS.index(name)], points[:, place])
    neck, (left, right) = poses[:, JOINTS.index("neck")], (points[:, place] for place in shoulders)
    assert torch.allclose(neck[:, :2], (left + right)[:, :2] / 2)
    assert torch.equal(neck[:, 2], torch.minimum(left, right)[:, 2])
    with pytest.raises(ValueError, match=rf"points: expected \(…, {count}, 3\), got \(18, 3\)"):
        convert(torch.zeros(18, 3))


@pytest.mark.parametrize(("convert", "count"), [(from_blazepose, 33), (from_coco17, 17)])
def test_a_mirrored_detection_is_the_mirrored_pose(convert, count) -> None:
    """Left and right points have neighbouring places in both lists, so swap them in pairs."""
    points = torch.rand(count, 3)
    eyes = [0, 4, 5, 6, 1, 2, 3] if count == 33 else [0]
    pairs = [k + 1 if (k - len(eyes)) % 2 == 0 else k - 1 for k in range(len(eyes), count)]
    mirrored = points[eyes + pairs] * torch.tensor([-1.0, 1, 1]) + torch.tensor([1.0, 0, 0])
    assert torch.allclose(convert(mirrored), mirror(convert(points), 1), atol=1e-6)


# ---- Heat-maps -----------------------------------------------------------------------------------


def test_a_heat_map_is_highest_at_its_joint_and_as_high_as_the_joint_is_sure() -> None:
    pose = _spread_pose()
    pose[:, 2] = torch.linspace(0.1, 1, 18)
    maps = heatmaps(pose, height=64, width=60, sigma=2.0)
    assert maps.shape == (18, 64, 60)
    for spot, (x, y, confidence) in zip(maps, pose.tolist(), strict=True):
        assert torch.isclose(spot[int(y), int(x)], torch.tensor(confidence))
        assert spot.max() <= confidence + 1e-6
        # One standard deviation away, across or down.
        assert torch.isclose(
            spot[int(y), int(x) + 2], torch.tensor(confidence * 0.60653), rtol=1e-4
        )
        assert torch.isclose(
            spot[int(y) - 2, int(x)], torch.tensor(confidence * 0.60653), rtol=1e-4
        )


def test_a_joint_that_was_not_seen_has_no_heat_wherever_it_is_said_to_be() -> None:
    poses = _spread_pose().repeat(2, 1, 1)
    poses[0, 4, 2] = 0
    poses[1, 4] = torch.tensor([float("nan"), float("nan"), 0.0])
    maps = heatmaps(poses, height=16, width=16, sigma=3.0)
    assert torch.equal(maps[:, 4], torch.zeros(2, 16, 16))
    assert maps.isfinite().all()
    with pytest.raises(ValueError, match="sigma: expected a positive number of pixels, got 0"):
        heatmaps(poses, height=16, width=16, sigma=0)
