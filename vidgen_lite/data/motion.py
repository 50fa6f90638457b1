"""Motion as bone directions over time, apart from any body that performs it.

A ``Motion`` knows which way every bone points and how the body travels, but no limb lengths:
``joints_from_motion`` adds a body's own lengths (forward kinematics), so one motion can be
performed by every puppet. Axes: x to the right of the picture, y up, z towards the camera. A body
that faces the camera has its left hand at positive x.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    directions: Tensor
    root: Tensor
    fps: float
    name: str = ""

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
        return Motion(self.directions[:, _MIRROR] * flip, self.root * flip, self.fps, self.name)

    def turned(self, yaw: float) -> Motion:
        """Turn the whole motion about the vertical axis; at +pi/2 it faces the right edge."""
        turn = turn_matrix(torch.tensor(yaw, dtype=self.directions.dtype))
        return Motion(self.directions @ turn.T, self.root @ turn.T, self.fps, self.name)

    def resampled(
        self, frames: int, fps: float, *, start: float = 0.0, speed: float = 1.0
    ) -> Motion:
        """Read ``frames`` frames at ``fps``, beginning at ``start`` seconds.

        Directions are interpolated and brought back to unit length. A motion that is too short
        swings back and forth (0 1 2 1 0 …), so that it never jumps.
        """
        last = len(self) - 1
        at = (start + torch.arange(frames, dtype=torch.float64) * (speed / fps)) * self.fps
        if last > 0:
            at = last - (at.remainder(2 * last) - last).abs()
        else:
            at = torch.zeros_like(at)
        low = at.floor().long().clamp(0, max(last - 1, 0))
        high = (low + 1).clamp(max=last)
        weight = (at - low).to(self.directions.dtype)
        directions = self.directions[low].lerp(self.directions[high], weight[:, None, None])
        root = self.root[low].lerp(self.root[high], weight[:, None])
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
