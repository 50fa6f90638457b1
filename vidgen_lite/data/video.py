"""Real video as training data: windows cut from it, the street's walkers, any folder of files.

Clips are ``(3, T, H, W)`` float32 in [-1, 1], RGB, as everywhere in the course. Frames as they come
from a file are ``(T, H, W, 3)`` uint8. Reading and writing live in ``video_files``, the street in
``street``; all of it is to be had from here.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.data.street import Walkers, street_clips
from vidgen_lite.data.video_files import VideoError, area, decode, read_video, to_clips, write_video

VIDEO_SUFFIXES = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm")

__all__ = [
    "VIDEO_SUFFIXES",
    "ClipFolder",
    "VideoError",
    "Walkers",
    "cut_windows",
    "read_video",
    "street_clips",
    "to_clips",
    "write_video",
]


def cut_windows(
    video: Tensor, *, size: int, frames: int, stride: int | None = None, step: int | None = None
) -> Tensor:
    """Cut sliding windows in space and time, without copying a pixel.

    Args:
        video: (T, H, W, C), any dtype.
        size: height and width of a window in pixels.
        frames: its length.
        stride: pixels from one window to the next, down and across; None is half a window.
        step: frames from one window to the next; None is half a window.

    Returns:
        (time, down, across, frames, size, size, C): the first three axes number the windows. A
        view of ``video``: writing into it writes into the video.

    Raises:
        ValueError: the video is smaller than one window.
    """
    sizes = expect_shape("video", video, "T H W C")
    stride = max(size // 2, 1) if stride is None else stride
    step = max(frames // 2, 1) if step is None else step
    for name, value in {"size": size, "frames": frames, "stride": stride, "step": step}.items():
        expect_positive(name, value)
    if sizes["T"] < frames or min(sizes["H"], sizes["W"]) < size:
        raise ValueError(
            f"video: expected at least {frames} frames of {size} x {size}, got {tuple(video.shape)}"
        )
    windows = video.unfold(0, frames, step).unfold(1, size, stride).unfold(2, size, stride)
    return windows.permute(0, 1, 2, 4, 5, 6, 3)  # (time, down, across, frames, size, size, C)


class ClipFolder(Dataset[Tensor]):
    """Clips from every video in a folder and its subfolders.

    Each video is cut to its middle square, resized, and split into clips. They are kept as uint8:
    a minute at 10 frames a second and 64 x 64 takes 7 MB.

    Args:
        root: the folder. Its subfolders, if it has any, are the classes.
        size: height and width of the clips in pixels.
        frames: their length.
        fps: frames a second to resample to; None keeps each file's own.
        step: frames from one clip to the next; None is ``frames`` (no overlap).

    Attributes:
        files: the file of each clip.
        classes: names of the subfolders that hold clips; ``(root's name,)`` for files beside them.
        labels: (N,) int64, each clip's index into ``classes``.

    ``folder[i]`` is (3, frames, size, size) float32 in [-1, 1]. Files that can't be used, or only
    in part, are named with the reason in one warning.

    Raises:
        VideoError: no such folder, no video in it, or none that gives a clip.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        size: int,
        frames: int,
        fps: float | None = None,
        step: int | None = None,
    ) -> None:
        self.root = Path(root)
        step = frames if step is None else step
        for name, value in {"size": size, "frames": frames, "step": step}.items():
            expect_positive(name, value)
        paths, faults = _videos_below(self.root)
        self.files: list[Path] = []
        self._clips: list[Tensor] = []
        for path in paths:
            clips, fault = _clips_of(path, size, frames, fps, step)
            self._clips += clips
            self.files += [path] * len(clips)
            if fault:
                faults.append(f"{path.relative_to(self.root)}: {fault}")
        report = "".join(f"\n  {fault}" for fault in faults)
        if not self._clips:
            raise VideoError(f"{self.root}: no video gives a clip of {frames} frames{report}")
        if faults:
            warnings.warn(
                f"{self.root}: {len(faults)} files not used in full{report}", stacklevel=2
            )
        names = [self._class_of(path) for path in self.files]
        self.classes = tuple(sorted(set(names)))
        self.labels = torch.tensor([self.classes.index(name) for name in names])

    def _class_of(self, path: Path) -> str:
        parts = path.relative_to(self.root).parts
        return parts[0] if len(parts) > 1 else self.root.resolve().name

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Tensor:
        return to_clips(self._clips[index])  # (3, T, size, size)


def _videos_below(root: Path) -> tuple[list[Path], list[str]]:
    """The videos below a folder, in order, and a word about each other file."""
    if not root.is_dir():
        raise VideoError(f"{root}: no such folder")
    files = sorted(path for path in root.rglob("*") if path.is_file())
    shown = [f for f in files if not any(p.startswith(".") for p in f.relative_to(root).parts)]
    videos = [file for file in shown if file.suffix.lower() in VIDEO_SUFFIXES]
    others = [file for file in shown if file.suffix.lower() not in VIDEO_SUFFIXES]
    return videos, [f"{file.relative_to(root)}: not a video by its name" for file in others]


def _clips_of(
    path: Path, size: int, frames: int, fps: float | None, step: int
) -> tuple[list[Tensor], str]:
    """A video's clips, (frames, size, size, 3) uint8 each, and what is wrong with it."""
    square = "crop='min(iw,ih)':'min(iw,ih)'"
    try:
        video, fault = decode(path, [square, area(size, size)], fps=fps)
    except VideoError as error:
        return [], str(error).removeprefix(f"{path}: ")
    if len(video) < frames:
        return [], f"{len(video)} frames, {frames} needed" + (f"; {fault}" if fault else "")
    starts = range(0, len(video) - frames + 1, step)
    return [video[start : start + frames] for start in starts], fault
