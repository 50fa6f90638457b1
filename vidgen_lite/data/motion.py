"""Motion as bone directions over time, apart from any body that performs it.

A ``Motion`` knows which way every bone points and how the body travels, but no limb lengths:
``joints_from_motion`` adds a body's own lengths (forward kinematics), so one motion can be
performed by every puppet. Axes: x to the right of the picture, y up, z towards the camera. A body
that faces the camera has its left hand at positive x.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from vidgen_lite.checks import expect_shape

# name: where the bone starts. A bone's end carries the bone's name; "pelvis" is the root.
BONES: dict[str, str] = {
    "spine": "pelvis",
    "head": "spine",
    "face": "head",
    "r_collar": "spine",
    "r_arm": "r_collar",
    "r_forearm": "r_arm",
    "l_collar": "spine",
    "l_arm": "l_collar",
    "l_forearm": "l_arm",
    "r_hip": "pelvis",
    "r_thigh": "r_hip",
    "r_shin": "r_thigh",
    "r_foot": "r_shin",
    "l_hip": "pelvis",
    "l_thigh": "l_hip",
    "l_shin": "l_thigh",
    "l_foot": "l_shin",
}
BONE_NAMES = tuple(BONES)
_SWAP = {"r": "l", "l": "r"}
_MIRROR = [
    BONE_NAMES.index(f"{_SWAP[name[0]]}_{name[2:]}" if name[1] == "_" else name)
    for name in BONE_NAMES
]


@dataclass(frozen=True)
class Motion:
    """Bone directions and travel, sampled at a fixed rate.

    Attributes:
        directions: (T, 17, 3) unit vectors, bones in the order of ``BONE_NAMES``.
        root: (T, 3) travel in leg lengths: x and z of the pelvis over the floor, and in y the
            height of the body's lowest point above the floor (0 while something touches it).
        fps: frames a second.
        name: what to call it.
        loop: whether the last frame is the first one again (but for the way travelled).
    """

    directions: Tensor
    root: Tensor
    fps: float
    name: str = ""
    loop: bool = False

    def __post_init__(self) -> None:
        sizes = expect_shape("directions", self.directions, f"T {len(BONES)} 3")
        expect_shape("root", self.root, f"{sizes['T']} 3")
        if not self.fps > 0:
            raise ValueError(f"fps: expected a positive number, got {self.fps!r}")

    def __len__(self) -> int:
        return len(self.directions)

    def mirrored(self) -> Motion:
        """The same motion seen in a mirror: left and right change places."""
        flip = self.directions.new_tensor([-1.0, 1.0, 1.0])
        return replace(self, directions=self.directions[:, _MIRROR] * flip, root=self.root * flip)

    def turned(self, yaw: float) -> Motion:
        """Turn the whole motion about the vertical axis; at +pi/2 it faces the right edge."""
        turn = turn_matrix(torch.tensor(yaw, dtype=self.directions.dtype))
        return replace(self, directions=self.directions @ turn.T, root=self.root @ turn.T)

    def resampled(
        self, frames: int, fps: float, *, start: float = 0.0, speed: float = 1.0
    ) -> Motion:
        """Read ``frames`` frames at ``fps``, beginning at ``start`` seconds.

        Directions are interpolated and brought back to unit length. Past its end a looping
        motion goes round again and travels on; any other swings back and forth (0 1 2 1 0 …),
        so that nothing ever jumps.
        """
        last = len(self) - 1
        at = (start + torch.arange(frames, dtype=torch.float64) * (speed / fps)) * self.fps
        rounds = (at / max(last, 1)).floor() if self.loop else torch.zeros_like(at)
        if self.loop:
            at = at - rounds * last
        else:
            at = last - (at.remainder(2 * max(last, 1)) - last).abs()
        at = at.clamp(0, last)
        low = at.floor().long().clamp(0, max(last - 1, 0))
        high = (low + 1).clamp(max=last)
        weight = (at - low).to(self.directions.dtype)[:, None]
        directions = self.directions[low].lerp(self.directions[high], weight[:, None])
        root = self.root[low].lerp(self.root[high], weight)
        onward = (self.root[-1] - self.root[0]) * self.root.new_tensor([1.0, 0.0, 1.0])
        root = root + rounds.to(root.dtype)[:, None] * onward
        return Motion(unit(directions), root, fps, self.name)


def unit(vectors: Tensor) -> Tensor:
    """Scale the last axis to length one; a zero vector points down."""
    length = vectors.norm(dim=-1, keepdim=True)
    down = vectors.new_tensor([0.0, -1.0, 0.0])
    return torch.where(length > 1e-8, vectors / length.clamp(min=1e-8), down)


def turn_matrix(yaw: Tensor) -> Tensor:
    """Rotation about the vertical axis, (…, 3, 3): forward (0, 0, 1) becomes (sin, 0, cos)."""
    sin, cos, zero, one = yaw.sin(), yaw.cos(), torch.zeros_like(yaw), torch.ones_like(yaw)
    rows = torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], -1)
    return rows.reshape(*yaw.shape, 3, 3)


def joints_from_motion(directions: Tensor, lengths: dict[str, float]) -> dict[str, Tensor]:
    """Forward kinematics: walk from the pelvis outwards, adding length times direction.

    Args:
        directions: (T, 17, 3) unit vectors.
        lengths: bone name to length; a missing bone has length zero.

    Returns:
        Name to (T, 3) position relative to the pelvis, for the end of every bone and "pelvis".
    """
    expect_shape("directions", directions, f"T {len(BONES)} 3")
    joints = {"pelvis": torch.zeros_like(directions[:, 0])}
    for index, (bone, start) in enumerate(BONES.items()):
        joints[bone] = joints[start] + lengths.get(bone, 0.0) * directions[:, index]
    return joints


# The captured skeleton, from its own definition file: a joint's place in its parent's axes, metres.
# There x points forwards, y up and z to the right.
_CHEST, _NECK, _HIP, _SHOULDER = (
    (0.0, 0.236, 0.0),
    (0.0, 0.224, 0.0),
    (0.0, 0.0, 0.085),
    (-0.024, 0.244, 0.183),
)
_THIGH, _SHIN, _ARM, _FOREARM, _FOOT = 0.422, 0.410, 0.275, 0.259, 0.13
_NUMBERS = 44  # in one captured frame
_SETTLED = 0.03  # metres: a body lower than this over the floor stands on it


def rotate(quaternion: Tensor, vector: Sequence[float]) -> Tensor:
    """Rotate a fixed vector by unit quaternions (…, 4), ordered w, x, y, z. Returns (…, 3)."""
    w, axis = quaternion[..., :1], quaternion[..., 1:]
    v = quaternion.new_tensor(vector).expand_as(axis)
    twice = 2 * torch.linalg.cross(axis, v)
    return v + w * twice + torch.linalg.cross(axis, twice)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """Quaternion product: first ``inner``, then ``outer``; both (…, 4)."""
    w, a, v, b = outer[..., :1], outer[..., 1:], inner[..., :1], inner[..., 1:]
    scalar = w * v - (a * b).sum(-1, keepdim=True)
    return torch.cat([scalar, w * b + v * a + torch.linalg.cross(a, b)], -1)


def _hinge(angle: Tensor) -> Tensor:
    """Knees and elbows turn about the axis that points to the right."""
    zero = torch.zeros_like(angle)
    return torch.stack([(angle / 2).cos(), zero, zero, (angle / 2).sin()], -1)


def read_motion(path: str | Path) -> Motion:
    """Read one motion-capture clip (``humanoid3d_*.txt``).

    A frame is 44 numbers: duration, root position (3), then rotations relative to the parent as
    quaternions w, x, y, z or as one hinge angle: root, chest, neck, right hip, knee (angle),
    ankle, shoulder, elbow (angle), and the same for the left. The result faces the camera in its
    first frame. A clip marked "wrap" becomes a loop: the small gap between its last and its first
    frame is spread over the whole clip.

    Raises:
        ValueError: the file is not such a clip.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text())
        numbers = torch.tensor(record["Frames"], dtype=torch.float64)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"path: expected a motion-capture clip, got {path} ({error})") from error
    if numbers.ndim != 2 or numbers.shape[1] != _NUMBERS or len(numbers) < 2:
        raise ValueError(
            f"path: expected at least 2 frames of {_NUMBERS} numbers, "
            f"got {tuple(numbers.shape)} in {path}"
        )
    if not (numbers.isfinite().all() and numbers[0, 0] > 0):
        raise ValueError(f"path: expected finite numbers and a positive duration in {path}")
    directions, lowest = _captured_body(numbers)
    lift = (lowest - lowest.min() - _SETTLED).clamp(min=0)
    root = torch.stack([-numbers[:, 3], lift, numbers[:, 1]], -1) / (_THIGH + _SHIN)
    root = root - root[0] * root.new_tensor([1.0, 0.0, 1.0])
    name = path.stem.removeprefix("humanoid3d_")
    fps = 1 / float(numbers[0, 0])
    motion = Motion(directions.float(), root.float(), fps, name)
    left = motion.directions[0, BONE_NAMES.index("l_hip")]
    motion = motion.turned(math.atan2(float(left[2]), float(left[0])))
    return _closed(motion) if record.get("Loop") == "wrap" else motion


def _captured_body(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Bone directions (T, 17, 3) in our axes, and the height of the lowest point (T,) in metres."""
    rotations = {"pelvis": unit_quaternion(numbers[:, 4:8])}
    rotations["chest"] = compose(rotations["pelvis"], unit_quaternion(numbers[:, 8:12]))
    rotations["neck"] = compose(rotations["chest"], unit_quaternion(numbers[:, 12:16]))
    bones = {
        "spine": rotate(rotations["pelvis"], _CHEST) + rotate(rotations["chest"], _NECK),
        "head": rotate(rotations["neck"], (0.0, 1.0, 0.0)),
        "face": rotate(rotations["neck"], (1.0, 0.0, 0.0)),
    }
    lengths = {"spine": _CHEST[1] + _NECK[1], "head": 0.18}
    for side, at, way in (("r", 16, 1.0), ("l", 30, -1.0)):
        hip = compose(rotations["pelvis"], unit_quaternion(numbers[:, at : at + 4]))
        knee = compose(hip, _hinge(numbers[:, at + 4]))
        ankle = compose(knee, unit_quaternion(numbers[:, at + 5 : at + 9]))
        shoulder = compose(rotations["chest"], unit_quaternion(numbers[:, at + 9 : at + 13]))
        elbow = compose(shoulder, _hinge(numbers[:, at + 13]))
        down = (0.0, -1.0, 0.0)
        # Our collars and hips slope down a little, as the procedural ones do.
        bones[f"{side}_collar"] = rotate(rotations["chest"], (-0.024, -0.04, way * _SHOULDER[2]))
        bones[f"{side}_hip"] = rotate(rotations["pelvis"], (0.0, -0.013, way * _HIP[2]))
        bones[f"{side}_thigh"], bones[f"{side}_shin"] = rotate(hip, down), rotate(knee, down)
        bones[f"{side}_arm"], bones[f"{side}_forearm"] = rotate(shoulder, down), rotate(elbow, down)
        bones[f"{side}_foot"] = rotate(ankle, (1.0, -0.1, 0.0))
        lengths |= {
            f"{side}_collar": _SHOULDER[2],
            f"{side}_hip": _HIP[2],
            f"{side}_thigh": _THIGH,
            f"{side}_shin": _SHIN,
            f"{side}_arm": _ARM,
            f"{side}_forearm": _FOREARM,
            f"{side}_foot": _FOOT,
        }
    directions = unit(torch.stack([bones[name] for name in BONE_NAMES], 1))
    directions = torch.stack([-directions[..., 2], directions[..., 1], directions[..., 0]], -1)
    joints = torch.stack(list(joints_from_motion(directions, lengths).values()), 1)
    return directions, numbers[:, 2] + joints[..., 1].amin(1)


def unit_quaternion(quaternion: Tensor) -> Tensor:
    """Scale quaternions (…, 4) to length one."""
    return quaternion / quaternion.norm(dim=-1, keepdim=True).clamp(min=1e-8)


def _closed(motion: Motion) -> Motion:
    """Make a loop of a motion whose ends nearly meet; leave one whose ends do not."""
    gap = motion.directions[0] - motion.directions[-1]
    if gap.norm(dim=-1).max() > 1:  # some bone would have to turn by 60 degrees
        return motion
    share = torch.linspace(0, 1, len(motion))[:, None, None]
    return replace(motion, directions=unit(motion.directions + share * gap), loop=True)


def load_mocap() -> dict[str, Motion]:
    """All fifteen clips by name ("walk", "dance_a", …); fetched once, then read from the cache.

    Raises:
        FetchError: they are not in the cache and cannot be fetched.
    """
    from vidgen_lite.data.fetch import fetch

    clips = [read_motion(path) for member, path in sorted(fetch("mocap").items())]
    return {clip.name: clip for clip in clips}
