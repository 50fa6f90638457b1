"""Poses of people in real video: found, followed from frame to frame, smoothed, and kept.

A pose detector is free supervision: nobody labels a frame. Poses are (…, 18, 3), x and y in pixels
and a confidence, as everywhere in the course. A joint that was not found has confidence 0 and no
place (NaN), never a zero that looks like one. It needs the extra ``pose``; what was found once is
kept in the cache and needs nothing. ``pose_clips`` makes training clips of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.data.blazepose import FOUND, OVERLAP, BlazePose, Square, keep_best
from vidgen_lite.data.fetch import SOURCES, cache_dir
from vidgen_lite.skeleton import JOINTS, from_blazepose

_RECIPE = 1  # raise it when the code below, or blazepose, would find other poses


def detect_poses(video: Tensor, *, threads: int | None = None, cache: bool = True) -> Tensor:
    """Find the pose of one person in every frame: the one that is easiest to see, then followed.

    Args:
        video: (T, H, W, 3) uint8. The person should be at least a fifth of the frame high; of a
            small one, cut out a window first, or use ``detect_people``.
        threads: processor threads; torch's number of threads if not given.
        cache: keep the result on disk, and take it from there if the same video came before.

    Returns:
        (T, 18, 3), not smoothed. NaN with confidence 0 in frames where nobody is found.

    Raises:
        ImportError: the extra ``pose`` is not installed.
        FetchError: the networks are not in the cache and can't be fetched.
    """
    _expect_video(video)

    def find() -> np.ndarray:
        network = BlazePose(threads=threads)
        square: Square | None = None
        poses = []
        for frame in _progress(video, "finding poses"):
            pose = None
            if square is not None:  # where the person was is where to look
                pose, square = _look(network, frame, square)
            if pose is None and (found := network.find(frame)):
                _, square = _look(network, frame, found[0][1])
                if square is not None:  # a second look, from a better place
                    pose, square = _look(network, frame, square)
            poses.append(_nobody() if pose is None else pose)
        return torch.stack(poses).numpy()

    found = _kept("one", video, (), find) if cache else find()
    return torch.from_numpy(found)


@dataclass(frozen=True)
class Track:
    """One person, followed through some frames of a video.

    Attributes:
        start: index of the first frame.
        poses: (T, 18, 3) in pixels of the video's frames.
    """

    start: int
    poses: Tensor


def detect_people(
    video: Tensor,
    *,
    window: int,
    every: int = 8,
    shortest: int = 8,
    threads: int | None = None,
    cache: bool = True,
) -> list[Track]:
    """Find and follow several people, however small, before a camera that sees them all.

    People are looked for in overlapping square windows, enlarged; each is then followed as long as
    the network is sure. Nobody is recognised again: who is hidden for a moment begins a new track.

    Args:
        video: (T, H, W, 3) uint8.
        window: side of the windows in pixels, about one and a half times a person's height.
        every: look for new people every so many frames (those that are followed cost less).
        shortest: leave out tracks of fewer frames.
        threads, cache: as in ``detect_poses``.

    Returns:
        The tracks, by their first frame. Not smoothed.

    Raises:
        ImportError, FetchError: as ``detect_poses``.
        ValueError: the window is larger than the frame.
    """
    _expect_video(video)
    for name, value in {"window": window, "every": every, "shortest": shortest}.items():
        expect_positive(name, value)
    windows = _windows(video.shape[1], video.shape[2], window)

    def find() -> np.ndarray:
        network = BlazePose(threads=threads)
        tracks: list[_Followed] = []
        for number, frame in enumerate(_progress(video, "following people")):
            live = [track for track in tracks if track.square is not None]
            if number % every == 0:
                new = _search(network, frame, windows, [track.square for track in live])
                live += (begun := [_Followed(number, square, []) for square in new])
                tracks += begun
            _follow(network, frame, live)
        return _table([track for track in tracks if len(track.poses) >= shortest])

    table = _kept("many", video, (window, every, shortest), find) if cache else find()
    rows = torch.from_numpy(table)  # (rows, 1 + 18 * 3): a track's number, its start, poses
    return [
        Track(int(rows[mine][0, 1]), rows[mine][:, 2:].reshape(-1, len(JOINTS), 3))
        for number in range(int(rows[:, 0].max()) + 1 if len(rows) else 0)
        for mine in [rows[:, 0] == number]
    ]


def smooth_poses(poses: Tensor, *, width: float = 1.0) -> Tensor:
    """Take the tremble out of poses over time, and fill gaps that are short.

    To each joint's neighbourhood in time a straight line is fitted by least squares, weighted by
    confidence and by a Gaussian of nearness; so even motion stays as it is, at a clip's ends too.

    Args:
        poses: (T, 18, 3).
        width: standard deviation of the Gaussian, in frames; about 1 at 10 to 30 frames a second.

    Returns:
        (T, 18, 3). Confidences stay as they were: a place that was filled in keeps confidence 0.
        It stays NaN where no frame within three widths saw the joint.

    Raises:
        ValueError: another shape, or a width that is not positive.
    """
    expect_shape("poses", poses, f"T {len(JOINTS)} 3")
    if not width > 0:
        raise ValueError(f"width: expected a positive number of frames, got {width!r}")
    confidence = poses[..., 2].nan_to_num().double()  # (T, 18)
    places = poses[..., :2].nan_to_num().double()  # (T, 18, 2)
    time = torch.arange(len(poses), device=poses.device, dtype=torch.float64)
    away = time - time[:, None]  # (T, T): from the frame of the row to that of the column
    near = torch.exp(-0.5 * (away / width) ** 2) * (away.abs() <= 3 * width)
    weights, first, second = (near * away**n @ confidence for n in range(3))  # (T, 18) each
    sums, firsts = (
        torch.einsum("st,tj,tjc->sjc", near * away**n, confidence, places) for n in range(2)
    )
    spread = second * weights - first**2
    # A line needs two frames; of one frame alone, its place is taken.
    line = (spread > 1e-9 * weights**2)[..., None]
    mean = sums / weights[..., None]
    fitted = (second[..., None] * sums - first[..., None] * firsts) / spread[..., None]
    smooth = torch.where(line, fitted, mean)
    return torch.cat([smooth.to(poses), poses[..., 2:]], -1)


@dataclass
class _Followed:
    """A track that grows: where to look for the person next, or None once it is lost."""

    start: int
    square: Square | None
    poses: list[Tensor]


def _look(network: BlazePose, frame: Tensor, square: Square) -> tuple[Tensor | None, Square | None]:
    """The pose (18, 3) of the person in a square, and the next square; None if nobody is there."""
    presence, points, following = network.look(frame, square)
    inside = 0 < following.x < frame.shape[1] and 0 < following.y < frame.shape[0]
    if presence < FOUND or not inside or following.side < 8:
        return None, None
    return from_blazepose(points), following


def _nobody() -> Tensor:
    pose = torch.full((len(JOINTS), 3), float("nan"))
    pose[:, 2] = 0
    return pose


def _windows(height: int, width: int, side: int) -> list[Square]:
    """Squares that cover a frame, each half over the next."""
    if side > min(height, width):
        raise ValueError(f"window: expected at most {min(height, width)} pixels, got {side}")
    down, across = (
        torch.linspace(side / 2, length - side / 2, -(-2 * (length - side) // side) + 1).tolist()
        for length in (height, width)
    )
    return [Square(x, y, side) for y in down for x in across]


def _search(
    network: BlazePose, frame: Tensor, windows: list[Square], known: list[Square | None]
) -> list[Square]:
    """Squares of people in a frame who are not followed yet, each once."""
    found = [one for window in windows for one in network.find(frame, window)]
    old = [square for square in known if square is not None]
    squares = [*old, *(square for _, square in found)]
    if not found:
        return []
    # Those that are followed already have the highest score, so that none takes their place.
    scores = torch.tensor([2.0] * len(old) + [score for score, _ in found])
    kept = keep_best(_boxes(squares), scores, OVERLAP)
    return [squares[index] for index in kept if index >= len(old)]


def _follow(network: BlazePose, frame: Tensor, live: list[_Followed]) -> None:
    """Add this frame's pose to every track; tracks that lost their person, or share one, end."""
    for track in live:
        assert track.square is not None
        pose, track.square = _look(network, frame, track.square)
        if pose is not None:
            track.poses.append(pose)
    live = [track for track in live if track.square is not None]
    live.sort(key=lambda track: -len(track.poses))
    squares = [track.square for track in live if track.square is not None]
    kept = keep_best(_boxes(squares), -torch.arange(len(live)), 2 * OVERLAP) if live else []
    for index in set(range(len(live))) - set(kept):
        live[index].square = None


def _boxes(squares: list[Square]) -> Tensor:
    """(N, 4) centre and size: the middle half of each square's width, where the person is."""
    return torch.tensor([[one.x, one.y, one.side / 2, one.side] for one in squares])


def _table(tracks: list[_Followed]) -> np.ndarray:
    """Tracks as one array (rows, 2 + 54): the track's number, its first frame, a pose."""
    rows = [
        torch.cat([torch.tensor([float(number), float(track.start)]), pose.flatten()])
        for number, track in enumerate(tracks)
        for pose in track.poses
    ]
    return torch.stack(rows).numpy() if rows else np.empty((0, 2 + 3 * len(JOINTS)), np.float32)


def _kept(
    kind: str, video: Tensor, settings: tuple[int, ...], find: Callable[[], np.ndarray]
) -> np.ndarray:
    """What an earlier call found in the same video, or what ``find`` finds, kept for the next."""
    digest = hashlib.sha256(video.contiguous().numpy().data)
    networks = tuple(SOURCES["pose"].members.values())
    digest.update(repr((kind, tuple(video.shape), settings, networks, _RECIPE)).encode())
    file = cache_dir() / "poses" / f"{kind}_{digest.hexdigest()[:24]}.npy"
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        found = find()
    _save(file, found)
    return found


def _save(file: Path, found: np.ndarray) -> None:
    """Keep an array. A cache that can't be written only costs time: a warning."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as out:
            np.save(out, found)
        os.replace(partial, file)
    except OSError as error:
        warnings.warn(f"poses: not kept for the next call: {error}", stacklevel=4)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _progress(video: Tensor, description: str) -> Tensor:
    from tqdm.auto import tqdm

    return tqdm(video, desc=description, unit="frame", leave=False)


def _expect_video(video: Tensor) -> None:
    sizes = expect_shape("video", video, "T H W 3")
    if video.dtype != torch.uint8:
        raise TypeError(f"video: expected uint8, got {video.dtype}")
    for axis, size in sizes.items():
        expect_positive(f"video: {axis}", size)
