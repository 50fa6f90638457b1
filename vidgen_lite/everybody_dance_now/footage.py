"""What there is of the target person: films, and the stick figures of their frames.

Everybody Dance Now trains one model for each person it paints, on film of that person alone. Here
it is one puppet before one scene, who performs many motions; or the man of ``data.pose_clips``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite import skeleton
from vidgen_lite.checks import expect_choice, expect_positive, expect_shape
from vidgen_lite.data.tracks import SPLITS, TEST_CLIPS
from vidgen_lite.skeleton import JOINTS, SEEN
from vidgen_lite.training import to_float

# Motions of somebody who dances before a camera. Those on the floor or upside down are left out:
# the poses that a target never takes are the paper's own limit, and ``FLOOR`` is there to show it.
FLOOR = ("backflip", "cartwheel", "crawl", "getup_facedown", "getup_faceup", "roll")


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
    h, w = video.shape[-2:]
    return Footage(to_bytes(video), to_bytes(draw_skeletons(pose, (h, w))), pose)


def draw_skeletons(pose: Tensor, size: tuple[int, int]) -> Tensor:
    """Draw poses as the stick figures that G reads.

    Args:
        pose: (N, T, 18, 3) in pixels.
        size: height and width of the frames.

    Returns:
        (N, 3, T, H, W) in [-1, 1]. (The authors draw on white and feed [0, 1].)
    """
    h, w = size
    expect_shape("pose", pose, f"N T {len(JOINTS)} 3")
    return skeleton.draw(pose, height=h, width=w, line=max(h / 32, 1.5)).transpose(1, 2)


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
    puppet: int = 0,
    scene: int = 0,
    floor: bool = False,
    progress: bool = False,
) -> Footage:
    """Film one puppet before one scene, performing real motion; 16 frames a second.

    Each film is a stretch of a motion-capture clip, turned by up to 90 degrees to either side, half
    of them mirrored.

    Args:
        settings: their size and number of films are what counts.
        split: ``train``, or ``test``: the whole motions of ``data.tracks.TEST_CLIPS``, of which
            training sees nothing.
        seed: other seeds make other films.
        n: how many, if not ``settings.n_clips``.
        frames: of each film.
        puppet, scene: who and where, as numbers into ``CAST`` and ``SCENES``.
        floor: only the motions of ``FLOOR`` instead of all but those.
        progress: show a progress bar.

    Returns:
        The films. Where the size is no square, they are painted on one and squeezed.

    Raises:
        ValueError: an unknown split, puppet or scene.
        FetchError: motion capture that can't be fetched.
    """
    from vidgen_lite.data import motion
    from vidgen_lite.data.puppets import CAST, SCENES, make_clips

    expect_choice("split", split, SPLITS)
    for name, number, choice in (("puppet", puppet, CAST), ("scene", scene, SCENES)):
        if not 0 <= number < len(choice):
            raise ValueError(f"{name}: expected 0 to {len(choice) - 1}, got {number!r}")
    motions = [
        m
        for name, m in motion.load_mocap().items()
        if (name in TEST_CLIPS) == (split == "test") and (name in FLOOR) == floor
    ]
    h, w = settings.size
    side = max(h, w)
    clips = make_clips(
        settings.n_clips if n is None else n,
        seed=seed,
        frames=frames,
        size=side,
        puppets=CAST[puppet : puppet + 1],
        scenes=SCENES[scene : scene + 1],
        motions=motions,
        progress=progress,
    )
    return film(*squeezed(clips.video, clips.pose, (h, w)))


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

    expect_choice("split", split, SPLITS)
    whole = 100
    least = round(TRAIN_SHARE * whole) if split == "train" else round((1 - TRAIN_SHARE) * whole)
    frames = least if frames is None else frames
    expect_positive("frames", frames)
    h, w = settings.size
    clips = balance_clips(split, size=max(h, w), frames=frames, step=frames, cameras=(camera,))
    return film(*squeezed(clips.video, clips.pose, (h, w)))


def squeezed(video: Tensor, pose: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Bring films (N, 3, T, H, W) and their poses to another height and width."""
    t, h, w = video.shape[2:]
    if (h, w) == tuple(size):
        return video, pose
    scale = pose.new_tensor([size[1] / w, size[0] / h, 1.0])
    return F.interpolate(to_float(video), (t, *size), mode="area"), pose * scale
