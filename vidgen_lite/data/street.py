"""Pedestrians before a still background: the clips that lecture 2 cuts from the street video.

This is VGAN's assumption in the flesh: one fixed camera and things that move before it. What makes
a good clip is a walker who is there for most of it and whose head and feet are in the picture.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite.checks import expect_choice, expect_positive
from vidgen_lite.data.fetch import SOURCES, cache_dir, fetch
from vidgen_lite.data.video_files import read_video

STREET_SIZE = (576, 768)  # height, width of the street's frames
REDUCED = 4  # walkers are looked for in frames this many times smaller


@dataclass(frozen=True)
class Walkers:
    """Which windows of the street make good clips of walkers.

    Attributes:
        sides: sides of the square windows, in pixels of the file. A walker is about 85 tall.
        moving: least and most share of the clip's pixels that move: differ from the clip's own
            median frame by more than ``contrast`` (of 255, in any colour).
        present: share of the frames in which at least ``moving[0]`` of the pixels move.
        cut_off: most of the motion that may lie in the top and the bottom eighth of the window,
            where heads and feet are cut off. Evenly spread motion would have 0.25 there.
        train: share of the video's time that is for training; after it a gap as long as a clip,
            then the test clips.
    """

    sides: tuple[int, ...] = (96, 128)
    moving: tuple[float, float] = (0.02, 0.35)
    contrast: int = 25
    present: float = 0.75
    cut_off: float = 0.15
    train: float = 0.8


@dataclass(frozen=True)
class _Place:
    """A window's position, in pixels of the file."""

    side: int
    top: int
    left: int

    def overlap(self, other: _Place) -> float:
        """The shared area, as a share of the smaller window."""
        down = min(self.top + self.side, other.top + other.side) - max(self.top, other.top)
        across = min(self.left + self.side, other.left + other.side) - max(self.left, other.left)
        return max(down, 0) * max(across, 0) / min(self.side, other.side) ** 2


def street_clips(
    split: str,
    *,
    size: int = 64,
    frames: int = 32,
    positions: int | None = None,
    step: int | None = None,
    mirror: bool = False,
    walkers: Walkers | None = None,
) -> Tensor:
    """Clips of pedestrians before a still background, cut from the ``street`` video (10 fps).

    Windows slide by a quarter of their side and by ``step`` frames; ``Walkers`` says which are
    kept. Of their positions those with the most training clips come first, and one that shares
    more than half its area with an earlier one is dropped. Train and test are apart in time: every
    training clip ends before any test clip begins, with a gap of one clip's length between.

    Args:
        split: "train" (the first 80 % of the time) or "test" (the rest, at the same positions).
        size: height and width of the clips in pixels, a multiple of 4.
        frames: their length.
        positions: keep only this many positions, the ones with the most clips; None keeps all.
            Each position is one more background to learn: a small GAN wants few.
        step: frames from one clip to the next; None is ``frames // 8``.
        mirror: add each clip's mirror image after all others (training only).
        walkers: which windows to keep; None is ``Walkers()``.

    Returns:
        (N, 3, frames, size, size) float32 in [-1, 1], ordered by position, then by time. The same
        for the same arguments; cached, so that a second call takes no time.

    Raises:
        FetchError: the video is not in the cache and can't be fetched.
        ValueError: an argument that makes no sense, or that leaves no clip.
    """
    expect_choice("split", split, ("train", "test"))
    step = max(frames // 8, 1) if step is None else step
    for name, value in {"size": size, "frames": frames, "step": step}.items():
        expect_positive(name, value)
    if positions is not None:
        expect_positive("positions", positions)
    if size % 4:
        raise ValueError(f"size: expected a multiple of 4, got {size}")
    if mirror and split == "test":
        raise ValueError("mirror: expected False for the test split, whose clips stay as they are")
    walkers = walkers or Walkers()
    source = SOURCES["street"].members
    key = repr((*source.values(), size, frames, positions, step, astuple(walkers), _RECIPE))
    stem = f"{size}x{frames}_{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    kept = {part: cache_dir() / "street_clips" / f"{part}_{stem}.npy" for part in _PARTS}
    found = _load(kept[split])
    if found is None:
        (file,) = fetch("street").values()
        cut = _cut_street(file, size, frames, positions, step, walkers)
        for part in _PARTS:
            _save(kept[part], cut[part])
        found = cut[split]
    if len(found) == 0:
        raise ValueError(f"street_clips: no {split} clip of {frames} frames fits {walkers}")
    clips = torch.from_numpy(found).to(torch.float32).div_(127.5).sub_(1)  # (N, 3, T, size, size)
    return torch.cat([clips, clips.flip(-1)]) if mirror else clips


_PARTS = ("train", "test")
_RECIPE = 1  # raise it when the code below would cut other clips


def _load(file: Path) -> np.ndarray | None:
    """What an earlier call kept; None if there is nothing, or nothing whole."""
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def _save(file: Path, clips: np.ndarray) -> None:
    """Keep clips for the next call. A cache that can't be written only costs time: a warning."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as out:
            np.save(out, clips)
        os.replace(partial, file)
    except OSError as error:
        warnings.warn(f"street_clips: not kept for the next call: {error}", stacklevel=3)
    finally:
        partial.unlink(missing_ok=True)


def _cut_street(
    file: Path, size: int, frames: int, positions: int | None, step: int, walkers: Walkers
) -> dict[str, np.ndarray]:
    """Choose the windows and cut them: (N, 3, frames, size, size) uint8 for each split."""
    height, width = STREET_SIZE
    small = read_video(file, size=(height // REDUCED, width // REDUCED))
    end = int(walkers.train * len(small))
    split = {"train": (0, end), "test": (end + frames, len(small))}
    found: dict[str, list[tuple[_Place, int]]] = {part: [] for part in _PARTS}
    for start, place in _walkers_in(small, frames, step, walkers):
        for part, (first, last) in split.items():
            if first <= start and start + frames <= last:
                found[part].append((place, start))
    places = _best_places(Counter(place for place, _ in found["train"]), positions)
    return {part: _cut(file, size, frames, places, found[part]) for part in _PARTS}


def _walkers_in(
    small: Tensor, frames: int, step: int, walkers: Walkers
) -> Iterator[tuple[int, _Place]]:
    """Yield (first frame, place) of each window that ``walkers`` keeps."""
    from tqdm.auto import tqdm

    over_time = small.permute(1, 2, 3, 0).contiguous()  # (H, W, 3, T): a median reads along T
    starts = range(0, len(small) - frames + 1, step)
    for start in tqdm(starts, desc="looking for walkers", unit="clip", leave=False):
        clip = over_time[..., start : start + frames].to(torch.int16)
        still = clip.median(dim=-1, keepdim=True).values
        moves = (clip - still).abs().amax(dim=2).gt(walkers.contrast)  # (H, W, T)
        moves = moves.permute(2, 0, 1).float().unsqueeze(1)  # (T, 1, H, W)
        for side in walkers.sides:
            for down, across in _good_windows(moves, side // REDUCED, walkers):
                yield start, _Place(side, down * side // 4, across * side // 4)


def _good_windows(moves: Tensor, side: int, walkers: Walkers) -> list[list[int]]:
    """Indices (down, across) of the windows whose motion, (T, 1, H, W) of 0 and 1, is wanted."""
    quarters = F.avg_pool2d(moves, side // 4)
    share = F.avg_pool2d(quarters, 4, stride=1)[:, 0]  # (T, down, across)
    mean = share.mean(dim=0)
    rim = side // 8
    bands = F.avg_pool2d(moves.mean(dim=0), (rim, side), (1, side // 4))[0]  # (H - rim + 1, across)
    tops = torch.arange(mean.shape[0]) * (side // 4)
    at_rim = (bands[tops] + bands[tops + side - rim]) * rim / side
    good = (mean >= walkers.moving[0]) & (mean <= walkers.moving[1])
    good &= (share >= walkers.moving[0]).float().mean(dim=0) >= walkers.present
    good &= at_rim <= walkers.cut_off * mean
    return good.nonzero().tolist()


def _best_places(counts: Counter[_Place], positions: int | None) -> list[_Place]:
    """Places with the most clips first, none sharing more than half its area with an earlier."""
    chosen: list[_Place] = []
    for place in sorted(counts, key=lambda place: (-counts[place], astuple(place))):
        if positions is not None and len(chosen) == positions:
            break
        if all(place.overlap(other) <= 0.5 for other in chosen):
            chosen.append(place)
    return chosen


def _cut(
    file: Path, size: int, frames: int, places: list[_Place], found: list[tuple[_Place, int]]
) -> np.ndarray:
    """Cut the found windows at the chosen places, in their order."""
    starts = {place: [start for other, start in found if other == place] for place in places}
    cut: dict[_Place, list[Tensor]] = {}
    for side in sorted({place.side for place in places}):
        height, width = (length * size // side for length in STREET_SIZE)
        scaled = read_video(file, size=(height, width))
        for place in places:
            if place.side == side:
                top, left = place.top * size // side, place.left * size // side
                window = scaled[:, top : top + size, left : left + size]
                cut[place] = [window[start : start + frames].clone() for start in starts[place]]
    clips = [clip.movedim(-1, 0) for place in places for clip in cut[place]]  # (3, T, size, size)
    return torch.stack(clips).numpy() if clips else np.empty((0, 3, frames, size, size), np.uint8)
