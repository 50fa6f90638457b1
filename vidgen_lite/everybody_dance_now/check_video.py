"""Is a film of one's own fit to learn from? What can be told without looking, and what to look at.

Each check raises a ``ValueError`` that says what came, what was expected, and what to do.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vidgen_lite import skeleton
from vidgen_lite.skeleton import JOINTS, SEEN
from vidgen_lite.training import to_float

FPS = 16  # frames a second that are read, as in all films of the course
LEAST_SECONDS = {"target": 10, "source": 1}
FULL_SHARE = 0.5  # of the frames must show a whole body
CROWD_SHARE = 0.2  # of the seconds may show a second person: somebody passes, a detector errs
MOMENTS = 12  # in a row of a contact sheet
PARTS = {  # a body is whole if one joint of each part is seen: then its height is known
    "head": ("nose", "right ear", "left ear"),
    "shoulders": ("right shoulder", "left shoulder"),
    "hips": ("right hip", "left hip"),
    "knees": ("right knee", "left knee"),
    "ankles": ("right ankle", "left ankle"),
}


def expect_length(role: str, path: Path, frames: int) -> None:
    """Check that a film is long enough.

    Raises:
        ValueError: it is not.
    """
    least = LEAST_SECONDS[role]
    if frames < least * FPS:
        better = " (a few minutes are better)" if role == "target" else ""
        raise ValueError(
            f"{role}: expected a film of at least {least} seconds{better}, "
            f"got {frames / FPS:.1f} seconds in {path.name}"
        )


def expect_one_person(role: str, path: Path, people: Tensor, sheet: Path) -> None:
    """Check that there is no second person in more than a few of the film's seconds.

    Raises:
        ValueError: there is.
    """
    crowded = people > 1
    if crowded.float().mean() > CROWD_SHARE:
        first = int(crowded.nonzero()[0])
        raise ValueError(
            f"{role}: expected one person, got two or more in {int(crowded.sum())} of "
            f"{len(people)} seconds of {path.name}, first at {first // 60}:{first % 60:02d}; "
            f"cut the film to where one person is alone (see {sheet})"
        )


def expect_whole_bodies(role: str, path: Path, poses: Tensor, sheet: Path) -> None:
    """Check that enough frames show a body from head to ankles.

    Raises:
        ValueError: they do not.
    """
    seen = poses[..., 2] >= SEEN
    parts = {
        name: seen[:, [JOINTS.index(j) for j in joints]].any(1) for name, joints in PARTS.items()
    }
    whole = torch.stack(list(parts.values())).all(0)
    if whole.float().mean() < FULL_SHARE:
        missing = {name: int((~there).sum()) for name, there in parts.items() if not there.all()}
        told = ", ".join(f"{name} in {count}" for name, count in missing.items())
        raise ValueError(
            f"{role}: expected a whole body, from head to ankles, in at least half of the "
            f"frames, got {int(whole.sum())} of {len(poses)} in {path.name} (not seen: {told}"
            f"); film from farther away, in better light (see {sheet})"
        )


def moments(frames: int) -> Tensor:
    """Which frames to look at: up to two rows of them, evenly spread, (M,) int64."""
    return torch.linspace(0, frames - 1, min(2 * MOMENTS, frames)).round().long()


def write_sheet(path: Path, upper: Tensor, lower: Tensor, *, side: int = 128) -> None:
    """Write a PNG of moments to look at, in two double rows: ``upper`` with ``lower`` below it.

    Args:
        path: where the PNG goes.
        upper, lower: (3, M, S, S), M moments each, in [-1, 1] or uint8.
        side: small pictures are enlarged to about so many pixels.
    """
    from vidgen_lite.show import contact_sheet

    half = -(-upper.shape[1] // 2)
    rows = [to_float(film[:, i : i + half]) for i in (0, half) for film in (upper, lower)]
    # An odd number of moments: the last one is shown twice.
    even = [row if row.shape[1] == half else torch.cat([row, row[:, -1:]], 1)
            for row in rows if row.shape[1]]  # fmt: skip
    scale = max(1, side // upper.shape[-1])
    contact_sheet(path, torch.stack(even), frames=half, scale=scale)


def overlay(clip: Tensor, poses: Tensor) -> Tensor:
    """Frames (3, M, S, S) with the stick figures of poses (M, 18, 3) over them, in [-1, 1]."""
    frames = to_float(clip).transpose(0, 1)  # (M, 3, S, S)
    h, w = frames.shape[-2:]
    figures = skeleton.draw(poses, height=h, width=w, line=max(1.5, h / 48))
    return frames.lerp(figures, ((figures + 1) / 2).amax(1, keepdim=True)).transpose(0, 1)
