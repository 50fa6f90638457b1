"""Puppet films with everything known about them: the ground truth of the whole course.

``make_clips`` returns short films of one puppet before a still scene, and with every film the
exact mask, the clean background, the pose, the face box and the name of the action. A film is
``mask * foreground + (1 - mask) * background``, exactly as VGAN assumes of the world.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from vidgen_lite.checks import expect_choice, expect_positive
from vidgen_lite.data.actions import ACTIONS, act
from vidgen_lite.data.cast import CAST, Puppet, random_puppet
from vidgen_lite.data.motion import Motion, joints_from_motion
from vidgen_lite.data.render import head_axes, paint_puppet
from vidgen_lite.data.scenes import SCENES, Scene

__all__ = [
    "ACTIONS",
    "CAST",
    "FPS",
    "SCENES",
    "Puppet",
    "PuppetClips",
    "Scene",
    "make_clips",
    "random_puppet",
]

FPS = 16.0
GROUND = 0.06  # height of the soles above the picture's lower edge
SOLE = 0.035  # height of ankle and toe above the sole
MARGIN = 0.20  # the pelvis keeps this far from the left and right edge,
EDGE = 0.07  # and every joint this far


@dataclass(frozen=True)
class PuppetClips:
    """N films and the truth about them.

    Attributes:
        video: (N, 3, T, S, S) in [-1, 1].
        mask: (N, 1, T, S, S) in [0, 1], the puppet's share of each pixel.
        background: (N, 3, S, S) in [-1, 1]; with a panning camera, the view of the first frame.
        pose: (N, T, 18, 3): x, y in pixels (pixel centres at +0.5) and confidence. A face point
            on the far side of the head has confidence 0 and still its true place.
        face_box: (N, T, 4): x0, y0, x1, y1 in pixels, a square around the head.
        action: (N,) index into ``ACTIONS``; into ``motions`` if those were given.
        puppet: (N,) index into ``puppets``. scene: (N,) index into ``scenes``.
    """

    video: Tensor
    mask: Tensor
    background: Tensor
    pose: Tensor
    face_box: Tensor
    action: Tensor
    puppet: Tensor
    scene: Tensor

    def __len__(self) -> int:
        return len(self.video)

    def subset(self, indices: Tensor | Sequence[int] | slice) -> PuppetClips:
        """Only these films, in this order."""
        pick = indices if isinstance(indices, (slice, Tensor)) else torch.as_tensor(indices)
        return PuppetClips(**{f.name: getattr(self, f.name)[pick] for f in fields(self)})


def make_clips(
    n: int,
    *,
    seed: int,
    frames: int = 32,
    size: int = 64,
    puppets: Sequence[Puppet] = CAST,
    scenes: Sequence[Scene] = SCENES,
    actions: Sequence[str] = ACTIONS,
    motions: Sequence[Motion] | None = None,
    pan: float = 0.0,
    variation: float = 0.0,
    device: str | torch.device = "cpu",
    first: int = 0,
    progress: bool = False,
) -> PuppetClips:
    """Make ``n`` films; film i depends only on ``seed`` and ``first + i``.

    Args:
        n: how many films.
        seed: a whole number from 0 up.
        frames: frames a film, 16 of them a second.
        size: height and width in pixels.
        puppets, scenes: whom and what to choose from.
        actions: names from ``ACTIONS`` to choose from.
        motions: motions to perform instead of the actions, e.g. from ``load_mocap``.
        pan: how far the camera moves to the right within a film, in picture widths; it follows
            the puppet, so only the scene slides by.
        variation: how far off its usual place the camera may stand, in picture widths; at 0
            every film in a scene has the same background.
        device: where to paint and to keep the films.
        first: number of the first film; ``make_clips(4, seed=1, first=4)`` continues
            ``make_clips(4, seed=1)``.
        progress: show a progress bar.

    Raises:
        ValueError: a count that is not positive, an empty choice, an unknown action.
        TypeError: something in ``motions`` is not a ``Motion``.
    """
    for name, value in (("n", n), ("frames", frames), ("size", size)):
        expect_positive(name, value)
    for name, value in (("seed", seed), ("first", first)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name}: expected a whole number from 0 up, got {value!r}")
    _check_choices(puppets, scenes, actions, motions)
    performances = actions if motions is None else motions
    out = PuppetClips(
        video=torch.empty(n, 3, frames, size, size, device=device),
        mask=torch.empty(n, 1, frames, size, size, device=device),
        background=torch.empty(n, 3, size, size, device=device),
        pose=torch.empty(n, frames, 18, 3, device=device),
        face_box=torch.empty(n, frames, 4, device=device),
        action=torch.empty(n, dtype=torch.long, device=device),
        puppet=torch.empty(n, dtype=torch.long, device=device),
        scene=torch.empty(n, dtype=torch.long, device=device),
    )
    numbers: Iterable[int] = range(n)
    if progress:
        from tqdm.auto import tqdm

        numbers = tqdm(numbers, desc="puppets", unit="clip")
    for i in numbers:
        # A film is painted on its own, always in the same sizes of operations: that, and its own
        # generator, make it the same to the last bit in whatever batch it stands.
        generator = torch.Generator().manual_seed(clip_seed(seed, first + i))
        who, where, what = (
            int(torch.randint(len(choice), (1,), generator=generator))
            for choice in (puppets, scenes, performances)
        )
        motion = _perform(performances[what], frames, generator)
        place, stand = torch.rand(2, generator=generator).tolist()
        camera = torch.linspace(0, pan, frames) + variation * (2 * stand - 1)
        views = scenes[where].view(size=size, shift=camera if pan else camera[:1], device=device)
        out.background[i] = views[0]
        _paint_film(out, i, views, motion, puppets[who], place)
        out.puppet[i], out.scene[i] = who, where
        out.action[i] = what if motions is not None else ACTIONS.index(actions[what])
    return out


def _check_choices(
    puppets: Sequence[Puppet],
    scenes: Sequence[Scene],
    actions: Sequence[str],
    motions: Sequence[Motion] | None,
) -> None:
    named = {"puppets": puppets, "scenes": scenes, "actions": actions}
    for name, choice in (named if motions is None else named | {"motions": motions}).items():
        if len(choice) == 0:
            raise ValueError(f"{name}: expected at least one, got none")
    for action in actions:
        expect_choice("actions", action, ACTIONS)
    for motion in motions or ():
        if not isinstance(motion, Motion):
            raise TypeError(f"motions: expected Motion objects, got {type(motion).__name__}")


def _perform(what: str | Motion, frames: int, generator: torch.Generator) -> Motion:
    if isinstance(what, str):
        return act(what, frames=frames, fps=FPS, generator=generator)
    return _excerpt(what, frames, generator)


def _paint_film(
    out: PuppetClips, i: int, views: Tensor, motion: Motion, puppet: Puppet, place: float
) -> None:
    """Fill in video, mask, pose and face box of film ``i``; views: (1 or T, 3, S, S)."""
    size = views.shape[-1]
    axes = head_axes(motion.directions[:, 2], motion.directions[:, 1]).to(views.device)
    joints = {k: v.to(views.device) for k, v in place_joints(motion, puppet, place).items()}
    light, clear = paint_puppet(puppet, joints, axes, size=size)
    mask = 1 - clear
    # From light in [0, 1] to pixels in [-1, 1]; where the mask is 0 this adds exactly nothing.
    foreground = (2 * light).sub_(mask[:, None])
    out.video[i] = foreground.addcmul_(views, clear[:, None]).transpose(0, 1)
    out.mask[i, 0] = mask
    out.pose[i] = joints_to_pose(puppet, joints, axes, size)
    out.face_box[i] = _face_box(puppet, joints["head"], size)


def clip_seed(seed: int, number: int) -> int:
    """Mix both numbers, so that neighbouring films share no random stream."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> 1)


def _excerpt(motion: Motion, frames: int, generator: torch.Generator) -> Motion:
    """A stretch of a longer motion: random start, speed, heading and handedness."""
    draw = torch.rand(4, generator=generator).tolist()
    speed = 0.9 + 0.2 * draw[0]
    spare = max(len(motion) / motion.fps - speed * frames / FPS, 0.0)
    part = motion.resampled(frames, FPS, start=spare * draw[1], speed=speed)
    part = part.turned((2 * draw[2] - 1) * np.pi / 2)
    return part.mirrored() if draw[3] < 0.5 else part


def place_joints(motion: Motion, puppet: Puppet, where: float) -> dict[str, Tensor]:
    """Joints in picture fractions (y up): on the ground, inside the frame, somewhere along it."""
    joints = joints_from_motion(motion.directions, puppet.lengths)
    every = torch.stack(list(joints.values()), 1)  # (T, joints, 3)
    head, r = joints["head"], puppet.head
    top = torch.maximum(every[..., 1].amax(1), head[:, 1] + puppet.crown)
    low = torch.minimum(every[..., 1].amin(1), head[:, 1] - r + SOLE)
    room = (1 - 0.02 - GROUND - SOLE) - (top - low)
    lift = motion.root[:, 1] * puppet.leg
    lift = lift * (room / lift.clamp(min=1e-6)).min().clamp(0, 1)
    # The pelvis may go so far to each side that no hand or foot leaves the picture.
    sides = torch.cat([every[..., 0], head[:, :1] - r, head[:, :1] + r], 1)
    begin = max(MARGIN, EDGE - float(sides.min()))
    end = min(1 - MARGIN, 1 - EDGE - float(sides.max()))
    if begin > end:
        begin = end = (begin + end) / 2
    x = motion.root[:, 0] * puppet.leg
    extent = float(x.max() - x.min())
    x = (x - x.min()) * min(1.0, (end - begin) / max(extent, 1e-6))
    x = x + begin + where * max(end - begin - extent, 0.0)
    offset = torch.stack([x, GROUND + SOLE - low + lift, torch.zeros_like(x)], -1)
    return {name: joint + offset for name, joint in joints.items()}


def joints_to_pose(puppet: Puppet, joints: dict[str, Tensor], axes: Tensor, size: int) -> Tensor:
    """The 18 joints of ``vidgen_lite.skeleton.JOINTS``, in pixels."""
    left, up, front = axes.unbind(1)
    head, r = joints["head"], puppet.head
    nose = head + r * (0.95 * front - 0.2 * up)
    eye = r * (0.86 * front + 0.02 * up)
    points = [nose, 0.5 * (joints["r_collar"] + joints["l_collar"])]
    for side in "rl":
        points += [joints[f"{side}_{bone}"] for bone in ("collar", "arm", "forearm")]
    for side in "rl":
        points += [joints[f"{side}_{bone}"] for bone in ("hip", "thigh", "shin")]
    points += [head + eye - 0.38 * r * left, head + eye + 0.38 * r * left]
    points += [head - 0.97 * r * left, head + 0.97 * r * left]
    points3 = torch.stack(points, 1)  # (T, 18, 3)
    seen = torch.ones_like(points3[..., 0])
    # An ear is still seen a little from behind.
    for face, behind in (([0, 14, 15], 0.0), ([16, 17], 0.25)):
        seen[:, face] = (points3[:, face, 2] >= head[:, None, 2] - behind * r).float()
    return torch.stack([points3[..., 0] * size, (1 - points3[..., 1]) * size, seen], -1)


def _face_box(puppet: Puppet, head: Tensor, size: int) -> Tensor:
    x, y, half = head[:, 0] * size, (1 - head[:, 1]) * size, 1.15 * puppet.head * size
    return torch.stack([x - half, y - half, x + half, y + half], -1)
