"""What there is of the target person: films, and the stick figures of their frames.

Everybody Dance Now trains one model for each person it paints, on film of that person alone. Here
it is one puppet before one scene, who performs many motions; or the man of ``data.pose_clips``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite import skeleton
from vidgen_lite.checks import expect_choice, expect_positive, expect_shape
from vidgen_lite.data.pose_clips import squeezed
from vidgen_lite.skeleton import JOINTS, SEEN
from vidgen_lite.training import to_float

if TYPE_CHECKING:
    from vidgen_lite.data.cast import Puppet
    from vidgen_lite.data.motion import Motion

# A dance that no target performs in training: it is there to be transferred.
HELD_OUT = ("dance_b",)
# Motions on the floor or upside down, which no target performs at all: poses that a target never
# takes are the paper's own limit, and these are there to show it.
FLOOR = ("backflip", "cartwheel", "crawl", "getup_facedown", "getup_faceup", "roll")
SPLITS = ("train", "test", "floor")
TURN = 0.2  # share of a motion's turns that is kept: somebody filmed for this faces the camera
SWAPPED = 0.5  # share of the training films in which the arms follow another motion than the body
HEADING = math.radians(20)  # the most that a whole film is turned away from it


class Sized(Protocol):
    """Settings that say how large frames are, and how many films there should be."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    @property
    def n_clips(self) -> int:
        """Number of films."""


@dataclass(frozen=True)
class Footage:
    """N films of T frames of one person, with their poses.

    Attributes:
        video: (N, 3, T, H, W), uint8 or float in [-1, 1].
        skeleton: the drawn poses, likewise.
        pose: (N, T, 18, 3): x, y in pixels and confidence.
    """

    video: Tensor
    skeleton: Tensor
    pose: Tensor

    def __post_init__(self) -> None:
        n, t, h, w = (expect_shape("video", self.video, "N 3 T H W")[axis] for axis in "NTHW")
        expect_shape("skeleton", self.skeleton, f"{n} 3 {t} {h} {w}")
        expect_shape("pose", self.pose, f"{n} {t} {len(JOINTS)} 3")

    def __len__(self) -> int:
        return len(self.video)

    def subset(self, indices: Tensor | Sequence[int] | slice) -> Footage:
        """Only these films, in this order."""
        pick = indices if isinstance(indices, (slice, Tensor)) else torch.as_tensor(indices)
        return Footage(**{f.name: getattr(self, f.name)[pick] for f in fields(self)})

    def figures(self, *, limbs: bool = False) -> Tensor:
        """The stick figures as a generator reads them, (N, 3 or 17, T, H, W) in [-1, 1]."""
        if not limbs:
            return to_float(self.skeleton)
        h, w = self.video.shape[-2:]
        return draw_skeletons(self.pose, (h, w), limbs=True)

    @cached_property
    def pairs(self) -> Tensor:
        """(P, 2) int64: film and first frame of every two frames in a row that both show somebody.

        A frame in which nobody was found teaches nothing, and no pair reaches over it.
        """
        there = somebody(self.pose)
        return (there[:, :-1] & there[:, 1:]).nonzero()


def somebody(poses: Tensor) -> Tensor:
    """Whether a frame shows a joint at all: (…, 18, 3) to (…), bool."""
    return ((poses[..., 2] >= SEEN) & poses.isfinite().all(-1)).any(-1)


def film(video: Tensor, pose: Tensor) -> Footage:
    """Make footage of films and their poses: draw the stick figures, and keep all in bytes.

    Args:
        video: (N, 3, T, H, W), uint8 or float in [-1, 1].
        pose: (N, T, 18, 3) in pixels of the film.
    """
    n, t, h, w = (expect_shape("video", video, "N 3 T H W")[axis] for axis in "NTHW")
    expect_shape("pose", pose, f"{n} {t} {len(JOINTS)} 3")
    drawn = torch.empty(video.shape, dtype=torch.uint8)
    for i in range(n):  # as floats, all the drawings of a long film would fill the memory
        drawn[i] = to_bytes(draw_skeletons(pose[i : i + 1], (h, w)))[0]
    return Footage(to_bytes(video), drawn, pose)


def draw_skeletons(pose: Tensor, size: tuple[int, int], *, limbs: bool = False) -> Tensor:
    """Draw poses as the stick figures that G reads.

    Args:
        pose: (N, T, 18, 3) in pixels.
        size: height and width of the frames.
        limbs: every limb in a channel of its own, for a generator that reads them so.

    Returns:
        (N, 3, T, H, W) in [-1, 1], or (N, 17, T, H, W). (The authors draw on white and feed
        [0, 1].)
    """
    h, w = size
    expect_shape("pose", pose, f"N T {len(JOINTS)} 3")
    draw = skeleton.draw_limbs if limbs else skeleton.draw
    return draw(pose, height=h, width=w, line=max(h / 32, 1.5)).transpose(1, 2)


def near_figure(skeleton: Tensor, reach: float) -> Tensor:
    """Where a drawn stick figure is near: (B, C, …, H, W) in [-1, 1] to (B, 1, …, H, W), 1 or 0.

    Args:
        skeleton: from :func:`draw_skeletons`.
        reach: how near, as a share of the frame's height.
    """
    far = max(1, round(reach * skeleton.shape[-2]))
    lines = (skeleton.amax(1, keepdim=True) > -0.9).to(skeleton.dtype)
    return F.max_pool2d(lines.flatten(0, -3), 2 * far + 1, 1, far).view(lines.shape)


def to_bytes(films: Tensor) -> Tensor:
    """Keep films in [-1, 1] as uint8, a quarter of the memory; bytes stay as they are."""
    if films.dtype == torch.uint8:
        return films
    return ((films + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def puppet_footage(
    settings: Sized,
    *,
    split: str,
    seed: int = 0,
    n: int | None = None,
    frames: int = 16,
    puppet: int | Puppet = 0,
    scene: int = 0,
    turn: float = TURN,
    progress: bool = False,
) -> Footage:
    """Film one puppet before one scene, performing real motion; 16 frames a second.

    Each film is a stretch of a motion-capture clip, half of them mirrored. As in the paper's films,
    the person faces the camera: of each motion's turns about the vertical axis a fifth is kept.
    There is little captured motion, so in half of the training films the arms follow another one
    than the body does: whoever wants to be painted in many poses has to take many.

    Args:
        settings: their size and number of films are what counts.
        split: ``train``; ``test``, a whole dance of which training sees nothing; or ``floor``,
            the motions of ``FLOOR``, unlike anything in training.
        seed: other seeds make other films.
        n: how many, if not ``settings.n_clips``.
        frames: of each film. A motion that is shorter swings back and forth.
        puppet: who, as a number into ``CAST``, or somebody who is not in it.
        scene: where, as a number into ``SCENES``.
        turn: the share of the turns that is kept; with 1, backs are seen, too.
        progress: show a progress bar.

    Returns:
        The films. Where the size is no square, they are painted on one and squeezed.

    Raises:
        ValueError: an unknown split, puppet or scene.
        FetchError: motion capture that can't be fetched.
    """
    from tqdm.auto import tqdm

    from vidgen_lite.data import motion
    from vidgen_lite.data.puppets import CAST, SCENES, clip_seed

    expect_choice("split", split, SPLITS)
    cast, number = (CAST, puppet) if isinstance(puppet, int) else ((puppet,), 0)
    for name, value, choice in (("puppet", number, cast), ("scene", scene, SCENES)):
        if not 0 <= value < len(choice):
            raise ValueError(f"{name}: expected 0 to {len(choice) - 1}, got {value!r}")
    who = cast[number]
    n = settings.n_clips if n is None else n
    expect_positive("n", n)
    expect_positive("frames", frames)
    motions = [m for name, m in motion.load_mocap().items() if split_of(name) == split]
    side = max(settings.size)
    view = SCENES[scene].view(size=side, shift=torch.zeros(1))  # (1, 3, S, S)
    video, drawn = (torch.empty(n, 3, frames, *settings.size, dtype=torch.uint8) for _ in "vd")
    poses = torch.empty(n, frames, len(JOINTS), 3)
    numbers = tqdm(range(n), f"films of {who.name}", unit="film", disable=not progress)
    for i in numbers:
        random = torch.Generator().manual_seed(clip_seed(seed, i))
        chosen = motions[int(torch.randint(len(motions), (1,), generator=random))]
        where, swap, *draws = torch.rand(6, generator=random).tolist()
        part = towards_camera(chosen, frames, draws, turn)
        if split == "train" and swap < SWAPPED:
            other = motions[int(torch.randint(len(motions), (1,), generator=random))]
            draws = torch.rand(4, generator=random).tolist()
            part = with_arms_of(part, towards_camera(other, frames, draws, turn))
        seen, pose = perform(part, who, view, where)
        one = film(*squeezed(seen[None], pose[None], settings.size))
        video[i], drawn[i], poses[i] = one.video[0], one.skeleton[0], one.pose[0]
    return Footage(video, drawn, poses)


def split_of(name: str) -> str:
    """The split that a motion belongs to."""
    if name in FLOOR:
        return "floor"
    return "test" if name in HELD_OUT else "train"


def towards_camera(motion: Motion, frames: int, draws: Sequence[float], turn: float) -> Motion:
    """A stretch of a motion. Four draws say how fast, from when on, which way, and if mirrored."""
    from vidgen_lite.data.motion import BONE_NAMES, turn_matrix
    from vidgen_lite.data.puppets import FPS

    speed, start, heading, side = draws
    speed = 0.9 + 0.2 * speed
    spare = max(len(motion) / motion.fps - speed * frames / FPS, 0.0)
    part = motion.resampled(frames, FPS, start=spare * start, speed=speed)
    left, right = (part.directions[:, BONE_NAMES.index(f"{s}_collar")] for s in "lr")
    x, _, z = (left - right).unbind(-1)
    turned = torch.from_numpy(np.unwrap(torch.atan2(-z, x).numpy()))  # (T,), 0 faces the camera
    wanted = HEADING * (2 * heading - 1) + turn * (turned - turned.mean())
    turns = turn_matrix(wanted - turned)  # (T, 3, 3)
    onward = turn_matrix(wanted.mean() - turned.mean())
    part = replace(
        part,
        directions=torch.einsum("tij,tbj->tbi", turns, part.directions),
        root=part.root @ onward.T,
    )
    return part.mirrored() if side < 0.5 else part


def with_arms_of(motion: Motion, other: Motion) -> Motion:
    """The motion with the arms of another one that is as long."""
    from vidgen_lite.data.motion import BONE_NAMES

    arms = [number for number, name in enumerate(BONE_NAMES) if name.endswith("arm")]
    directions = motion.directions.clone()
    directions[:, arms] = other.directions[:, arms]
    return replace(motion, directions=directions)


def perform(motion: Motion, puppet: Puppet, view: Tensor, where: float) -> tuple[Tensor, Tensor]:
    """Film a puppet: frames (3, T, S, S) in [-1, 1], and its poses (T, 18, 3) in pixels.

    Args:
        motion: what it performs, in T frames.
        puppet: who.
        view: the scene, (1, 3, S, S) in [-1, 1].
        where: how far to the right it stands, from 0 to 1.
    """
    from vidgen_lite.data.puppets import joints_to_pose, place_joints
    from vidgen_lite.data.render import head_axes, paint_puppet

    size = view.shape[-1]
    axes = head_axes(motion.directions[:, 2], motion.directions[:, 1])
    joints = place_joints(motion, puppet, where)
    light, clear = paint_puppet(puppet, joints, axes, size=size)
    cover = (1 - clear)[:, None]  # (T, 1, S, S)
    video = 2 * light - cover + view * (1 - cover)
    return video.transpose(0, 1), joints_to_pose(puppet, joints, axes, size)


def balance_footage(
    settings: Sized, *, split: str, frames: int | None = None, camera: int = 1
) -> Footage:
    """The man on the beam: one long film of one camera, for training its first four fifths.

    Args:
        settings: their size is what counts.
        split: ``train`` (80 frames) or ``test`` (the 20 after them), 60 frames a second.
        frames: cut it into films of so many; all in one film if not given.
        camera: 1 to 4.

    Raises:
        ImportError, FetchError: see :func:`vidgen_lite.data.pose_clips.balance_clips`.
    """
    from vidgen_lite.data.pose_clips import TRAIN_SHARE, balance_clips
    from vidgen_lite.data.tracks import SPLITS as CLIP_SPLITS

    expect_choice("split", split, CLIP_SPLITS)
    whole = 100
    least = round(TRAIN_SHARE * whole) if split == "train" else round((1 - TRAIN_SHARE) * whole)
    frames = least if frames is None else frames
    expect_positive("frames", frames)
    h, w = settings.size
    clips = balance_clips(split, size=max(h, w), frames=frames, step=frames, cameras=(camera,))
    return film(*squeezed(clips.video, clips.pose, (h, w)))
