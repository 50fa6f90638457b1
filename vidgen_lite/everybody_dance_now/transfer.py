"""From a dance to a film: the trained person performs poses that are not their own."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vidgen_lite.checks import expect_number, expect_positive
from vidgen_lite.everybody_dance_now.face import corrected_face, cut_faces, face_boxes, paste_faces
from vidgen_lite.everybody_dance_now.footage import draw_skeletons, somebody
from vidgen_lite.everybody_dance_now.generator import feed_back
from vidgen_lite.skeleton import JOINTS, SEEN
from vidgen_lite.training import State

CHUNK = 32  # frames drawn and painted at a time, which bounds the memory


class Transferred(NamedTuple):
    """A painted dance, and what it was painted from.

    Attributes:
        video: (N, 3, T, H, W) in [-1, 1].
        pose: (N, T, 18, 3), the poses that were drawn, gaps filled.
        held: (N, T) bool: nobody was found in this frame, and an earlier pose is shown.
        absent: (N, T) bool: the frame shows nobody, because they had left or were gone for long.

    Without the axis N if the poses came without it.
    """

    video: Tensor
    pose: Tensor
    held: Tensor
    absent: Tensor


class Held(NamedTuple):
    """Poses with gaps filled; see :class:`Transferred`."""

    pose: Tensor
    held: Tensor
    absent: Tensor


@torch.no_grad()
def transfer(
    state: State,
    poses: Tensor,
    *,
    faces: State | None = None,
    hold: int = 8,
    progress: bool = False,
) -> Transferred:
    """Let the person a model was trained on perform a dance.

    The first frame is painted after a picture of zeros, each later one after the frame painted
    before it. Faces are corrected afterwards and not fed back: G was frozen when G_f learned, and
    has never read a corrected face. (The authors feed the corrected frame back.)

    Args:
        state: of stage 1, trained; its averaged generator where there is one.
        poses: (T, 18, 3) or (N, T, 18, 3), in pixels of the model's frames, smoothed and
            normalised: see ``normalize``. All N dances have the same length.
        faces: of stage 2, trained on faces of this ``state``; without it, faces stay as they are.
        hold: for how many frames without a person the last pose is held; see :func:`hold_poses`.
        progress: show a progress bar.

    Raises:
        ValueError: another shape, or poses that show nobody at all.
    """
    if not isinstance(poses, Tensor) or poses.ndim not in (3, 4) or (
        poses.shape[-2:] != (len(JOINTS), 3) or poses.shape[-3] == 0
    ):  # fmt: skip
        got = tuple(poses.shape) if isinstance(poses, Tensor) else type(poses).__name__
        raise ValueError(f"poses: expected (T, 18, 3) or (N, T, 18, 3), got {got}")
    dances = poses if poses.ndim == 4 else poses[None]
    size = state.settings.size
    shown = [hold_poses(dance, height=size[0], width=size[1], hold=hold) for dance in dances]
    filled = Held(*(torch.stack(part) for part in zip(*shown, strict=True)))
    generator: Any = state.models.get("average", state.models["generator"])
    device = next(generator.parameters()).device
    painted: list[Tensor] = []
    previous: Tensor | None = None
    for pose in _bar(filled.pose.split(CHUNK, dim=1), progress):
        figures = draw_skeletons(pose, size, limbs=generator.limbs).to(device)
        film = feed_back(generator, figures, previous)
        previous = film[:, :, -1]
        if faces is not None:
            film = correct_faces(faces, film, pose)
        painted.append(film.float().cpu())
    done = Transferred(torch.cat(painted, 2), *filled)
    return done if poses.ndim == 4 else Transferred(*(part[0] for part in done))


@torch.no_grad()
def correct_faces(faces: State, video: Tensor, poses: Tensor) -> Tensor:
    """Add to every painted face its residual, where a face is to be seen.

    Args:
        faces: of stage 2.
        video: what stage 1 painted, (N, 3, T, H, W) in [-1, 1].
        poses: what it was painted from, (N, T, 18, 3).

    Returns:
        A film of the same shape; frames without nose and ear as they were.
    """
    generator: Any = faces.models.get("average", faces.models["generator"])
    device = next(generator.parameters()).device
    n, _, t, h, w = video.shape
    boxes, there = face_boxes(poses, size=faces.settings.face_size, height=h, width=w)
    where = there.flatten().nonzero()[:, 0]
    frames = video.transpose(1, 2).flatten(0, 1).clone()  # (N T, 3, H, W)
    figures = draw_skeletons(poses, (h, w), limbs=generator.limbs).transpose(1, 2).flatten(0, 1)
    for part in where.split(64):
        box = boxes.flatten(0, 1)[part]
        seen = frames[part].to(device)
        pose = cut_faces(figures[part], box).to(device)
        face = corrected_face(generator, pose, cut_faces(seen, box))
        frames[part] = paste_faces(seen, face, box).to(frames)
    return frames.unflatten(0, (n, t)).transpose(1, 2)


def hold_poses(poses: Tensor, *, height: int, width: int, hold: int = 8) -> Held:
    """Fill the frames in which nobody was found.

    A detector that fails for a moment should not make anybody vanish: the last pose is held, for
    so many frames; before the first detection, the first pose. After that, or at once if the last
    pose reached over the frame's edge, nobody is drawn: they have left.

    Args:
        poses: (T, 18, 3); a frame without any joint of confidence 0.1 shows nobody.
        height, width: of the frame in pixels.
        hold: for how many frames.

    Returns:
        The poses, which of them are held, and which show nobody.

    Raises:
        ValueError: no frame shows anybody, or a negative ``hold``.
    """
    expect_positive("height", height)
    expect_positive("width", width)
    expect_number("hold", hold, at_least=0)
    there = somebody(poses)
    if not there.any():
        raise ValueError(f"poses: expected somebody in some frame, got nobody in {len(poses)}")
    time = torch.arange(len(poses), device=poses.device)
    last = torch.where(there, time, -1).cummax(0).values  # the latest frame that shows somebody
    first = int(time[there][0])
    shown = torch.where(last < 0, first, last)
    away = (time - shown).abs()
    left = _at_the_edge(poses[shown], height, width)
    held = ~there & (away <= hold) & ~left
    absent = ~there & ~held
    filled = poses[shown].clone()
    filled[absent, :, 2] = 0
    return Held(filled, held, absent)


def _at_the_edge(poses: Tensor, height: int, width: int) -> Tensor:
    """Whether a joint that is seen lies on the frame's edge or beyond it: (T, 18, 3) to (T,)."""
    x, y, confidence = poses.unbind(-1)
    out = (x <= 1) | (x >= width - 1) | (y <= 1) | (y >= height - 1)
    return (out & (confidence >= SEEN)).any(-1)


def _bar(parts: tuple[Tensor, ...], progress: bool) -> tuple[Tensor, ...]:
    if not progress:
        return parts
    from tqdm.auto import tqdm

    return tqdm(parts, desc=f"painting, {CHUNK} frames at a time")
