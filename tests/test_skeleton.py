"""The stick figures: left stays left in a mirror, and only what was seen is drawn."""

import pytest
import torch

from vidgen_lite.skeleton import JOINTS, LIMB_COLOURS, LIMBS, MIRROR, draw, mirror


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
        mirror([[0.0] * 3] * 18, 8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="height: expected a positive integer, got 0"):
        draw(torch.zeros(18, 3), height=0, width=8)
    with pytest.raises(ValueError, match="line: expected"):
        draw(torch.zeros(18, 3), height=8, width=8, line=-1)
    with pytest.raises(ValueError, match="width: expected"):
        mirror(torch.zeros(18, 3), 0)
