"""Five actions written as formulas: which way each bone points at each moment.

All angles are in radians, times in seconds. ``_aim(pitch, out)`` is the one idea: a limb that
hangs down is swung forwards by ``pitch`` and away from the body by ``out``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from vidgen_lite.checks import expect_choice, expect_positive
from vidgen_lite.data.motion import BONE_NAMES, Motion, turn_matrix, unit

ACTIONS = ("walk", "wave", "squat", "jump", "dance")

Angle = Tensor | float
Leg = tuple[Angle, Angle, Angle]
Arm = tuple[Angle, Angle, Angle, Angle]
TURN = 2 * math.pi
# How far a walker paces before turning round, in leg lengths: what a square picture has room for.
PACE = 1.6


def _vector(*parts: Angle) -> Tensor:
    """Stack x, y, z (numbers or (T,) tensors) into unit vectors (T, 3)."""
    tensors = [part for part in parts if isinstance(part, Tensor)]
    like = tensors[0] if tensors else torch.zeros(1)
    return unit(torch.stack([part + torch.zeros_like(like) for part in parts], -1))


def _aim(side: int, pitch: Angle, out: Angle) -> Tensor:
    """Direction of a limb: down, swung forwards by ``pitch`` and outwards by ``out``."""
    pitch, out = torch.as_tensor(pitch), torch.as_tensor(out)
    return _vector(side * out.sin(), -out.cos() * pitch.cos(), out.cos() * pitch.sin())


def _bump(phase: Tensor, centre: float, half_width: float) -> Tensor:
    """A smooth hill of height one in a cycle of length one."""
    away = (phase - centre + 0.5).remainder(1.0) - 0.5
    return 0.5 + 0.5 * (away / half_width).clamp(-1, 1).mul(math.pi).cos()


def _body(
    time: Tensor,
    *,
    legs: Mapping[int, Leg],
    arms: Mapping[int, Arm],
    lean: Angle = 0.0,
    sway: Angle = 0.0,
    twist: Angle = 0.0,
    hips: Angle = 0.0,
    look: Angle = 0.0,
    tilt: Angle = 0.0,
    nod: Angle = 0.0,
    toes: Mapping[int, Angle] | None = None,
) -> Tensor:
    """All bones from joint angles; -1 is the right side, +1 the left.

    ``legs``: (thigh pitch, knee bend, spread). ``arms``: (pitch, out) of the upper arm, then of
    the forearm. ``twist`` and ``hips`` turn the shoulders and the pelvis about the vertical.
    """
    zero = torch.zeros_like(time)
    bones: dict[str, Tensor] = {}
    lean, sway, twist, hips = lean + zero, sway + zero, twist + zero, hips + zero
    look, tilt, nod = look + zero, tilt + zero, nod + zero
    bones["spine"] = _vector(sway.sin(), lean.cos() * sway.cos(), lean.sin())
    bones["head"] = _vector((sway + tilt).sin(), (0.4 * lean + nod).cos(), (0.4 * lean + nod).sin())
    bones["face"] = _vector(look.sin(), -(0.3 * lean + nod).sin(), look.cos())
    for side, letter in ((-1, "r"), (1, "l")):
        bones[f"{letter}_collar"] = _vector(
            side * twist.cos(), -0.22 - side * sway.sin(), -side * twist.sin()
        )
        bones[f"{letter}_hip"] = _vector(side * hips.cos(), -0.15 + zero, -side * hips.sin())
        pitch, knee, spread = legs[side]
        bones[f"{letter}_thigh"] = _aim(side, pitch + zero, spread + zero)
        bones[f"{letter}_shin"] = _aim(
            side, pitch - knee + zero, 0.35 * torch.as_tensor(spread) + zero
        )
        toe = (toes or {}).get(side, 0.0) + zero
        bones[f"{letter}_foot"] = _vector(0.3 * side + zero, -0.12 - toe.sin(), toe.cos())
        upper_pitch, upper_out, fore_pitch, fore_out = arms[side]
        bones[f"{letter}_arm"] = _aim(side, upper_pitch + zero, upper_out + zero)
        bones[f"{letter}_forearm"] = _aim(side, fore_pitch + zero, fore_out + zero)
    return torch.stack([bones[name] for name in BONE_NAMES], 1)  # (T, 17, 3)


def _walk(time: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    phase = TURN * (0.85 * time + draw[0])
    stride = 0.32 + 0.06 * draw[1]
    legs: dict[int, Leg] = {}
    arms: dict[int, Arm] = {}
    toes: dict[int, Angle] = {}
    for side, at in ((-1, phase), (1, phase + math.pi)):
        swing = at.sin()
        lift = (0.5 + 0.5 * (at + 0.5).cos()) ** 2  # the knee bends while its leg swings forwards
        legs[side] = (stride * swing + 0.25 * lift, 0.12 + 0.95 * lift, 0.03)
        toes[side] = 0.5 * (0.5 + 0.5 * (at - 2.2 + math.pi).cos()) ** 2 - 0.1
        arms[side] = (-0.65 * swing, 0.16, -0.65 * swing + 0.35 - 0.15 * swing, 0.05)
    twist = 0.18 * phase.sin()
    bones = _body(
        time,
        legs=legs,
        arms=arms,
        toes=toes,
        lean=0.06,
        twist=-twist,
        hips=twist * 0.6,
        sway=0.03 * phase.cos(),
    )
    return _pace(bones, time, draw)


def _pace(bones: Tensor, time: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    """Send a walker to and fro across the picture; turn while passing the ends."""
    speed = 0.82
    distance = speed * time
    whole = float(distance[-1] - distance[0])
    begin = float(draw[2]) * max(PACE - whole, 0.0)
    along = (distance - distance[0] + begin).remainder(2 * PACE)
    x = PACE - (along - PACE).abs()
    # +1 on the way out, -1 on the way back, smooth within 0.25 leg lengths of each end.
    near_end = (torch.minimum(x, PACE - x) / 0.25).clamp(0, 1)
    going = torch.where(along < PACE, 1.0, -1.0) * near_end
    if whole <= PACE - begin:
        going = torch.ones_like(x)
    yaw = (1.0 + 0.35 * draw[3]) * (going * math.pi / 2).sin()
    bones = torch.einsum("tij,tbj->tbi", turn_matrix(yaw), bones)
    return bones, torch.stack([x - PACE / 2, torch.zeros_like(x), torch.zeros_like(x)], -1)


def _wave(time: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    beat = TURN * (1.5 * time + draw[0])
    slow = TURN * (0.5 * time + draw[1])
    wag = (0.45 + 0.2 * draw[2]) * beat.sin()
    legs = {-1: (0.03 + 0.03 * slow.sin(), 0.06, 0.12), 1: (0.03 - 0.03 * slow.sin(), 0.06, 0.12)}
    raised = 1.75 + 0.2 * draw[3]
    arms: dict[int, Arm] = {
        -1: (0.15, raised + 0.08 * beat.sin(), 0.1, raised + 0.95 + wag),
        1: (0.05 + 0.08 * slow.sin(), 0.3, 0.3, 0.12 + 0.05 * slow.cos()),
    }
    bones = _body(
        time,
        legs=legs,
        arms=arms,
        sway=0.05 * slow.sin() + 0.04,
        tilt=0.10 * slow.sin() + 0.05,
        look=0.15 * slow.cos(),
    )
    return bones, torch.zeros_like(bones[:, 0])


def _squat(time: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    deep = 0.5 - 0.5 * (TURN * (0.62 * time + draw[0])).cos()
    deep = deep * (0.85 + 0.15 * draw[1])
    leg = (1.45 * deep + 0.02, 2.0 * deep + 0.04, 0.14 + 0.25 * deep)
    arm = (1.5 * deep, 0.22 - 0.1 * deep, 1.5 * deep + 0.15, 0.1)
    bones = _body(
        time, legs={-1: leg, 1: leg}, arms={-1: arm, 1: arm}, lean=0.5 * deep, nod=-0.1 * deep
    )
    return bones, torch.zeros_like(bones[:, 0])


def _jump(time: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    phase = (1.0 * time + draw[0]).remainder(1.0)
    flight = ((phase - 0.34) / 0.38).clamp(0, 1)
    height = (0.32 + 0.1 * draw[1]) * 4 * flight * (1 - flight)
    crouch = 0.75 * _bump(phase, 0.17, 0.2) + 0.55 * _bump(phase, 0.84, 0.14)
    tuck = _bump(phase, 0.53, 0.17)
    star = 0.25 * draw[2] * tuck
    leg = (1.1 * crouch + 0.25 * tuck, 1.7 * crouch + 0.55 * tuck, 0.10 + 0.1 * crouch + star)
    reach = _bump(phase, 0.5, 0.3)
    arm = (
        -0.7 * _bump(phase, 0.17, 0.2) * (1 - reach),
        0.25 + (2.0 + 0.5 * draw[3]) * reach,
        0.3 * (1 - reach),
        0.2 + (2.3 + 0.4 * draw[3]) * reach,
    )
    toe = 0.9 * _bump(phase, 0.53, 0.22)
    bones = _body(
        time,
        legs={-1: leg, 1: leg},
        arms={-1: arm, 1: arm},
        lean=0.45 * crouch,
        toes={-1: toe, 1: toe},
    )
    root = torch.zeros_like(bones[:, 0])
    root[:, 1] = height
    return bones, root


def _dance(time: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    beat = TURN * (0.9 * time + draw[0])  # one step to each side
    bounce = 0.5 + 0.5 * (2 * beat).cos()
    lean = beat.sin()
    style = float(draw[1])
    legs: dict[int, Leg] = {}
    arms: dict[int, Arm] = {}
    for side in (-1, 1):
        own = (1 + side * lean) / 2  # 1 when the weight is on the other leg
        step = (1 - own) ** 2 if style < 0.5 else own**2
        legs[side] = (0.25 * bounce + 0.75 * step, 0.5 * bounce + 1.15 * step, 0.22 + 0.15 * step)
        if style < 0.5:  # one arm to the sky, the other on its way down
            up = 0.5 + 0.5 * side * lean
            arms[side] = (0.2, 0.55 + 1.75 * up, 0.35, 0.25 + 2.3 * up)
        else:  # both arms out and waving from side to side
            arms[side] = (
                0.25,
                1.25 + 0.45 * side * lean,
                0.4,
                2.3 + 0.7 * side * (beat + 0.6).sin(),
            )
    bones = _body(
        time,
        legs=legs,
        arms=arms,
        sway=0.16 * lean,
        twist=0.35 * (beat + 0.5).sin(),
        hips=-0.3 * (beat + 0.5).sin(),
        tilt=-0.22 * lean,
        look=0.25 * (beat + 0.5).sin(),
    )
    root = torch.zeros_like(bones[:, 0])
    root[:, 0] = (0.22 + 0.1 * draw[2]) * lean
    return bones, root


_FORMULAS = {"walk": _walk, "wave": _wave, "squat": _squat, "jump": _jump, "dance": _dance}
# The widest the body turns away from the camera in each action; a walker has its own heading.
_YAW = {"walk": 0.0, "wave": 0.45, "squat": 0.95, "jump": 0.7, "dance": 0.5}


def act(action: str, *, frames: int, fps: float, generator: torch.Generator) -> Motion:
    """One performance of an action, with its own phase, speed, size, heading and handedness.

    Args:
        action: one of ``ACTIONS``.
        frames: how many frames.
        fps: frames a second.
        generator: where the randomness comes from (always the same number of draws).

    Returns:
        A ``Motion`` of that many frames.

    Raises:
        ValueError: unknown action, or no frames.
    """
    expect_choice("action", action, ACTIONS)
    expect_positive("frames", frames)
    draw = torch.rand(8, generator=generator)
    time = torch.arange(frames, dtype=torch.float32) / fps * (0.9 + 0.2 * draw[4])
    directions, root = _FORMULAS[action](time, draw)
    motion = Motion(directions, root, fps, action).turned(_YAW[action] * (2 * float(draw[5]) - 1))
    return motion.mirrored() if draw[6] < 0.5 else motion
