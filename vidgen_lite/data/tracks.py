"""Short tracks of a moving body: real motion capture, performed by puppets, as 18 joints in time.

A track is what a pose detector would give for a second and a half of film, without its errors:
22 frames, 16 a second. Cut every three frames it has two past steps and five future ones, the
numbers of steps of The Pose Knows; a step lasts 0.19 seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vidgen_lite.checks import expect_choice, expect_positive
from vidgen_lite.data import motion as captured
from vidgen_lite.data.cast import CAST, Puppet
from vidgen_lite.data.motion import Motion
from vidgen_lite.data.puppets import FPS, clip_seed, joints_to_pose, place_joints
from vidgen_lite.data.render import head_axes, paint_puppet
from vidgen_lite.data.scenes import SCENES, Scene

# Whole clips that training never sees, each with kin that it does see: another dance, a run for a
# walk, a kick in a spin, a getting up from the other side.
TEST_CLIPS = ("dance_b", "run", "spinkick", "getup_faceup")
SPLITS = ("train", "test")

STEP = 3  # frames
PAST_STEPS, FUTURE_STEPS = 2, 5
FRAMES = STEP * (PAST_STEPS + FUTURE_STEPS) + 1
PRESENT = STEP * PAST_STEPS  # the last frame of the past
SPEEDS = (0.8, 1.25)
ELEVATION = math.radians(10)  # how far above or below the body the camera may stand
_CHUNK = 64  # pictures painted at a time, which bounds the memory


@dataclass(frozen=True)
class Tracks:
    """N tracks, and the picture each future starts from.

    Attributes:
        pose: (N, T, 18, 3): x, y in pixels of a picture of size x size (pixel centres at +0.5)
            and confidence, T = 22 frames. A hidden face point has confidence 0 and still its
            true place.
        image: (N, 3, size, size) in [-1, 1]: the puppet in its scene in frame 6, the last past one.
        motion: (N,) index into ``names``, the clip that is performed.
        puppet, scene: (N,) index into ``CAST`` and ``SCENES`` (or what was given).
        names: the clips' names.
    """

    pose: Tensor
    image: Tensor
    motion: Tensor
    puppet: Tensor
    scene: Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pose)

    @property
    def size(self) -> int:
        """Height and width of the picture in pixels."""
        return self.image.shape[-1]

    @property
    def step_ends(self) -> Tensor:
        """(N, 8, 18, 3): the poses where a step ends and the next begins, three of them past."""
        return self.pose[:, ::STEP]

    @property
    def past(self) -> Tensor:
        """(N, 3, 18, 3): the step ends up to now."""
        return self.step_ends[:, : PAST_STEPS + 1]

    @property
    def future(self) -> Tensor:
        """(N, 5, 18, 3): the step ends to forecast."""
        return self.step_ends[:, PAST_STEPS + 1 :]

    def subset(self, indices: Tensor | Sequence[int] | slice) -> Tracks:
        """Only these tracks, in this order."""
        pick = indices if isinstance(indices, (slice, Tensor)) else torch.as_tensor(indices)
        tensors = ("pose", "image", "motion", "puppet", "scene")
        return replace(self, **{name: getattr(self, name)[pick] for name in tensors})


def make_tracks(
    n: int,
    *,
    seed: int,
    split: str = "train",
    size: int = 64,
    motions: Sequence[Motion] | None = None,
    puppets: Sequence[Puppet] = CAST,
    scenes: Sequence[Scene] = SCENES,
    progress: bool = False,
) -> Tracks:
    """Make ``n`` tracks; track i depends only on ``seed``, ``i`` and the choices.

    Each one is a stretch of a motion-capture clip from a random start, 0.8 to 1.25 times as fast,
    facing any way, seen from up to 10 degrees above or below, half of them mirrored. All clips
    are equally likely, however long.

    Args:
        n: how many tracks.
        seed: a whole number from 0 up.
        split: ``train``, or ``test``: the clips in ``TEST_CLIPS``, of which training sees nothing.
        size: of the picture in pixels.
        motions: perform these instead of the split's motion capture.
        puppets, scenes: whom and what to choose from.
        progress: show a progress bar.

    Raises:
        ValueError: a count that is not positive, an empty choice, an unknown split.
        FetchError: motion capture that can't be fetched.
    """
    expect_positive("n", n)
    expect_positive("size", size)
    expect_choice("split", split, SPLITS)
    if motions is None:
        motions = [
            m
            for name, m in captured.load_mocap().items()
            if (name in TEST_CLIPS) == (split == "test")
        ]
    for name, choice in (("motions", motions), ("puppets", puppets), ("scenes", scenes)):
        if len(choice) == 0:
            raise ValueError(f"{name}: expected at least one, got none")
    tracks = Tracks(
        pose=torch.empty(n, FRAMES, 18, 3),
        image=torch.empty(n, 3, size, size),
        motion=torch.empty(n, dtype=torch.long),
        puppet=torch.empty(n, dtype=torch.long),
        scene=torch.empty(n, dtype=torch.long),
        names=tuple(m.name for m in motions),
    )
    numbers: Sequence[int] = range(n)
    if progress:
        from tqdm.auto import tqdm

        numbers = tqdm(numbers, desc="tracks", unit="track")
    present: list[dict[str, Tensor]] = []
    for i in numbers:
        generator = torch.Generator().manual_seed(clip_seed(seed, i))
        what, who, where = (
            int(torch.randint(len(choice), (1,), generator=generator))
            for choice in (motions, puppets, scenes)
        )
        motion = _stretch(motions[what], generator)
        place = float(torch.rand(1, generator=generator))
        joints = place_joints(motion, puppets[who], place)
        axes = head_axes(motion.directions[:, 2], motion.directions[:, 1])
        tracks.pose[i] = joints_to_pose(puppets[who], joints, axes, size)
        tracks.motion[i], tracks.puppet[i], tracks.scene[i] = what, who, where
        present.append({k: v[PRESENT] for k, v in (joints | {"axes": axes}).items()})
    _paint(tracks, present, puppets, scenes)
    return tracks


def _paint(
    tracks: Tracks,
    present: list[dict[str, Tensor]],
    puppets: Sequence[Puppet],
    scenes: Sequence[Scene],
) -> None:
    """Fill in the pictures, those of one puppet at a time as if they were one film."""
    views = torch.stack([scene.view(size=tracks.size) for scene in scenes])
    for who in tracks.puppet.unique().tolist():
        for part in (tracks.puppet == who).nonzero()[:, 0].split(_CHUNK):
            joints = {k: torch.stack([present[i][k] for i in part.tolist()]) for k in present[0]}
            axes = joints.pop("axes")
            light, clear = paint_puppet(puppets[who], joints, axes, size=tracks.size)
            clear = clear[:, None]
            tracks.image[part] = 2 * light - (1 - clear) + clear * views[tracks.scene[part]]


def _stretch(motion: Motion, generator: torch.Generator) -> Motion:
    """A random start, speed, heading, elevation and handedness."""
    start, speed, heading, elevation, hand = torch.rand(5, generator=generator).tolist()
    rate = SPEEDS[0] * (SPEEDS[1] / SPEEDS[0]) ** speed
    lasts, needs = (len(motion) - 1) / motion.fps, (FRAMES - 1) / FPS
    if not motion.loop:
        rate = min(rate, lasts / needs)  # to its end, and not back again
    spare = lasts if motion.loop else lasts - rate * needs
    part = motion.resampled(FRAMES, FPS, start=spare * start, speed=rate)
    part = part.mirrored() if hand < 0.5 else part
    return _tilted(part.turned((2 * heading - 1) * math.pi), (2 * elevation - 1) * ELEVATION)


def _tilted(motion: Motion, angle: float) -> Motion:
    """Look down on the body by ``angle``; where it travels to in the picture stays."""
    sin, cos = math.sin(angle), math.cos(angle)
    tilt = motion.directions.new_tensor([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return replace(motion, directions=motion.directions @ tilt.T)
