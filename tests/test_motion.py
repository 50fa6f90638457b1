"""Motion without a body: formulas, and motion capture from a file that the test writes itself."""

import json
import math

import pytest
import torch

from vidgen_lite.data.actions import ACTIONS, act
from vidgen_lite.data.motion import (
    BONE_NAMES,
    BONES,
    Motion,
    compose,
    joints_from_motion,
    read_motion,
    rotate,
)
from vidgen_lite.data.puppets import CAST, make_clips

IDENTITY = [1.0, 0.0, 0.0, 0.0]


def _frame(time: float = 0.05, root=(0.0, 0.88, 0.0), **joints: object) -> list[float]:
    """One captured frame, standing still but for the joints that are named."""
    order = ["pelvis", "chest", "neck"]
    for side in ("right", "left"):
        order += [f"{side}_{part}" for part in ("hip", "knee", "ankle", "shoulder", "elbow")]
    numbers = [time, *root]
    for name in order:
        hinge = name.endswith(("knee", "elbow"))
        value = joints.get(name, 0.0 if hinge else IDENTITY)
        numbers += [value] if hinge else list(value)
    return numbers


def _write(path, frames, loop: str = "none"):
    path.write_text(json.dumps({"Loop": loop, "Frames": frames}))
    return path


def _direction(motion: Motion, bone: str, frame: int = 0) -> torch.Tensor:
    return motion.directions[frame, BONE_NAMES.index(bone)]


def _act(action: str, seed: int = 0, frames: int = 24) -> Motion:
    return act(action, frames=frames, fps=16, generator=torch.Generator().manual_seed(seed))


def test_a_captured_body_that_stands_still_faces_us_with_arms_and_legs_down(tmp_path) -> None:
    motion = read_motion(_write(tmp_path / "humanoid3d_still.txt", [_frame()] * 3))
    assert motion.name == "still"
    assert motion.fps == pytest.approx(20)
    down, front = torch.tensor([0.0, -1.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    for bone in ("r_thigh", "l_shin", "r_arm", "l_forearm"):
        assert torch.allclose(_direction(motion, bone), down, atol=1e-6)
    assert torch.allclose(_direction(motion, "face"), front, atol=1e-6)
    assert torch.allclose(_direction(motion, "spine"), -down, atol=1e-6)
    # Our left is on the right of the picture when we face the camera.
    assert _direction(motion, "l_collar")[0] > 0.9
    assert _direction(motion, "r_hip")[0] < -0.9
    assert torch.allclose(motion.root, torch.zeros(3, 3), atol=1e-6)


def test_knees_bend_backwards_and_elbows_forwards_on_their_own_side(tmp_path) -> None:
    frame = _frame(right_knee=-1.0, left_elbow=1.0)
    motion = read_motion(_write(tmp_path / "bent.txt", [frame, frame]))
    assert _direction(motion, "r_shin")[2] == pytest.approx(-math.sin(1.0), abs=1e-5)
    assert _direction(motion, "l_forearm")[2] == pytest.approx(math.sin(1.0), abs=1e-5)
    assert _direction(motion, "l_shin")[1] == pytest.approx(-1)
    assert _direction(motion, "r_forearm")[1] == pytest.approx(-1)


def test_a_captured_body_travels_in_leg_lengths_and_flies_above_the_floor(tmp_path) -> None:
    frames = [_frame(root=(x, 0.88 + y, 0.0)) for x, y in ((0.0, 0.0), (0.416, 0.4), (0.832, 0.0))]
    motion = read_motion(_write(tmp_path / "hop.txt", frames))
    assert motion.root[:, 2].tolist() == pytest.approx([0, 0.5, 1], abs=1e-4)  # forwards
    assert motion.root[:, 1].tolist() == pytest.approx([0, 0.37 / 0.832, 0], abs=1e-4)


def test_forward_kinematics_keeps_lengths_whatever_the_rotations(tmp_path) -> None:
    generator = torch.Generator().manual_seed(3)

    def turned() -> list[float]:
        return torch.nn.functional.normalize(torch.randn(4, generator=generator), dim=0).tolist()

    names = ("pelvis", "chest", "neck", "right_hip", "right_shoulder", "left_ankle", "left_hip")
    frames = [_frame(**{name: turned() for name in names}) for _ in range(6)]
    motion = read_motion(_write(tmp_path / "wild.txt", frames))
    assert torch.allclose(motion.directions.norm(dim=-1), torch.ones(6, 17), atol=1e-5)
    lengths = CAST[0].lengths
    joints = joints_from_motion(motion.directions, lengths)
    for bone, start in BONES.items():
        measured = (joints[bone] - joints[start]).norm(dim=-1)
        assert torch.allclose(measured, torch.full((6,), lengths[bone]), atol=1e-6)


def test_quaternions_turn_as_their_product_says() -> None:
    quarter = torch.tensor([math.cos(math.pi / 4), 0.0, 0.0, math.sin(math.pi / 4)])
    assert torch.allclose(rotate(quarter, (1, 0, 0)), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)
    half = compose(quarter, quarter)
    assert torch.allclose(rotate(half, (1, 0, 0)), torch.tensor([-1.0, 0.0, 0.0]), atol=1e-6)


def test_a_looping_motion_goes_round_and_travels_on(tmp_path) -> None:
    frames = [
        _frame(root=(0.1 * t, 0.88, 0.0), right_knee=-0.2 * math.sin(math.pi * t / 4) ** 2)
        for t in range(5)
    ]
    motion = read_motion(_write(tmp_path / "step.txt", frames, loop="wrap"))
    assert motion.loop
    longer = motion.resampled(13, motion.fps)
    assert torch.allclose(longer.directions[:4], longer.directions[8:12], atol=1e-5)
    steps = longer.root[:, 2].diff()
    assert torch.allclose(steps, steps[:1].expand(12), atol=1e-5)


def test_a_short_motion_that_does_not_loop_swings_back(tmp_path) -> None:
    frames = [_frame(right_knee=-0.3 * t) for t in range(4)]
    motion = read_motion(_write(tmp_path / "bend.txt", frames))
    longer = motion.resampled(7, motion.fps)
    assert torch.allclose(longer.directions[4:], longer.directions[:3].flip(0), atol=1e-5)


def test_resampling_to_the_same_rate_changes_nothing_and_to_half_keeps_every_other() -> None:
    motion = _act("dance")
    assert torch.allclose(motion.resampled(24, 16).directions, motion.directions, atol=1e-6)
    half = motion.resampled(12, 8)
    assert torch.allclose(half.directions, motion.directions[::2], atol=1e-5)


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_point_with_unit_vectors_and_never_jerk(action: str) -> None:
    for seed in range(6):
        motion = _act(action, seed)
        assert torch.allclose(motion.directions.norm(dim=-1), torch.ones(24, 17), atol=1e-5)
        # A sixteenth of a second turns no bone by more than 60 degrees.
        assert motion.directions.diff(dim=0).norm(dim=-1).max() < 1
        assert motion.root.diff(dim=0).norm(dim=-1).max() < 0.25


@pytest.mark.parametrize("action", ACTIONS)
def test_knees_bend_like_human_knees(action: str) -> None:
    for seed in range(6):
        motion = _act(action, seed)
        left = motion.directions[:, BONE_NAMES.index("l_hip")]
        forwards = torch.linalg.cross(left, torch.tensor([[0.0, 1.0, 0.0]]).expand_as(left))
        for side in "rl":
            thigh = motion.directions[:, BONE_NAMES.index(f"{side}_thigh")]
            shin = motion.directions[:, BONE_NAMES.index(f"{side}_shin")]
            # The shin never points further forwards than the thigh (but for the turn of the hips).
            assert (((shin - thigh) * forwards).sum(-1) < 0.1).all()


def test_a_walker_swings_each_arm_against_its_leg() -> None:
    for seed in range(4):
        motion = _act("walk", seed, frames=16)
        heading = motion.directions[:, BONE_NAMES.index("face")]
        for side in "rl":
            arm = (motion.directions[:, BONE_NAMES.index(f"{side}_arm")] * heading).sum(-1)
            leg = (motion.directions[:, BONE_NAMES.index(f"{side}_thigh")] * heading).sum(-1)
            assert torch.corrcoef(torch.stack([arm, leg]))[0, 1] < -0.5


def test_mirroring_twice_changes_nothing() -> None:
    motion = _act("wave")
    again = motion.mirrored().mirrored()
    assert torch.equal(again.directions, motion.directions)
    right = motion.directions[:, BONE_NAMES.index("r_forearm")]
    left = motion.mirrored().directions[:, BONE_NAMES.index("l_forearm")]
    assert torch.equal(left, right * torch.tensor([-1.0, 1.0, 1.0]))


def test_turning_by_a_quarter_faces_the_right_edge() -> None:
    directions = torch.zeros(1, 17, 3)
    directions[..., 2] = 1
    turned = Motion(directions, torch.zeros(1, 3), 16).turned(math.pi / 2).directions
    assert torch.allclose(turned, torch.tensor([1.0, 0.0, 0.0]).expand(1, 17, 3), atol=1e-6)


def test_puppets_perform_motion_capture(tmp_path) -> None:
    frames = [_frame(right_shoulder=IDENTITY, right_knee=-0.1 * t) for t in range(12)]
    motion = read_motion(_write(tmp_path / "lift.txt", frames))
    clips = make_clips(3, seed=0, frames=8, size=32, motions=[motion])
    assert clips.action.tolist() == [0, 0, 0]
    assert (clips.mask.amax((-1, -2)) > 0.9).all()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "expected a motion-capture clip"),
        ('{"Loop": "wrap"}', "expected a motion-capture clip"),
        ('{"Frames": [[1, 2], [3]]}', "expected a motion-capture clip"),
        ('{"Frames": [[1, 2], [3, 4]]}', "expected at least 2 frames of 44 numbers"),
        (json.dumps({"Frames": [_frame()]}), "expected at least 2 frames"),
        (json.dumps({"Frames": [_frame(time=0.0)] * 2}), "positive duration"),
    ],
)
def test_a_broken_clip_is_refused_by_name(tmp_path, text: str, reason: str) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=reason) as refused:
        read_motion(path)
    assert "broken.txt" in str(refused.value)


def test_a_missing_clip_and_wrong_shapes_are_refused_by_name(tmp_path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        read_motion(tmp_path / "nowhere.txt")
    with pytest.raises(ValueError, match=r"directions: expected \(T, 17, 3\), got \(4, 16, 3\)"):
        Motion(torch.zeros(4, 16, 3), torch.zeros(4, 3), 16)
    with pytest.raises(ValueError, match="root: expected"):
        Motion(torch.zeros(4, 17, 3), torch.zeros(5, 3), 16)
    with pytest.raises(ValueError, match="fps: expected a positive number, got 0"):
        Motion(torch.zeros(4, 17, 3), torch.zeros(4, 3), 0)
    with pytest.raises(ValueError, match="action: expected one of walk, wave"):
        _act("fly")
