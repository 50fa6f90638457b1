"""Generated films that say so: a mark in the picture, and words in the file.

The mark tells everyone who watches; the words tell programs and archives. Neither is proof: a crop
takes the one away, an upload the other. They are there so that nobody is deceived by accident.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

import vidgen_lite
from vidgen_lite.checks import expect_number, expect_shape
from vidgen_lite.data.video_files import VideoError, _ffmpeg

MARK = "GENERATED"
TITLE = "Generated film, not a recording"
# The last word is the International Press Telecommunications Council's, for pictures by a model.
TOLD = (
    "Generated, not recorded: what this film shows did not happen. "
    f"Made by a neural network with vidgen_lite {vidgen_lite.__version__}. "
    "Digital source type: trainedAlgorithmicMedia"
)

_LETTERS = {  # five rows each, from the top
    "A": ".##. #..# #### #..# #..#",
    "D": "###. #..# #..# #..# ###.",
    "E": "#### #... ###. #... ####",
    "G": ".### #... #.## #..# .###",
    "N": "#..# ##.# #.## #..# #..#",
    "R": "###. #..# ###. #.#. #..#",
    "T": "### .#. .#. .#. .#.",
}
_ROOM = 2  # dots between the letters and the edge of their plate
_PLATE = 0.3  # how much of the picture's light the plate lets through


def burn_mark(video: Tensor) -> Tensor:
    """Write the word GENERATED into the lower right corner, white on a darkened plate.

    A dot of the letters is a pixel in pictures of less than 192 pixels, two in those of less than
    320, and so on: in a square picture the word is a quarter to half as wide as the picture.

    Args:
        video: (…, H, W, 3) uint8; not changed.

    Returns:
        The same shape.

    Raises:
        TypeError: no uint8.
        ValueError: another shape, or pictures too small for the word.
    """
    if not isinstance(video, Tensor) or video.dtype != torch.uint8:
        kind = video.dtype if isinstance(video, Tensor) else type(video).__name__
        raise TypeError(f"video: expected a uint8 torch.Tensor, got {kind}")
    if video.ndim < 3 or video.shape[-1] != 3:
        raise ValueError(f"video: expected (…, H, W, 3), got {tuple(video.shape)}")
    height, width = video.shape[-3:-1]
    letters = _word().repeat_interleave(dot := max(1, round(min(height, width) / 128)), 0)
    letters = letters.repeat_interleave(dot, 1)
    h, w = letters.shape
    if h > height or w > width:
        raise ValueError(
            f"video: expected at least {w} by {h} pixels for the mark, got {width} by {height}; "
            "enlarge it first"
        )
    marked = video.clone()
    corner = marked[..., height - h :, width - w :, :]
    corner.copy_((corner * _PLATE).to(torch.uint8))
    corner[..., letters, :] = 255
    return marked


def write_generated(
    path: str | os.PathLike[str],
    frames: Tensor | Iterable[Tensor],
    *,
    fps: float,
    told: str = TOLD,
    mark: bool = True,
) -> None:
    """Write a generated film as an H.264 file that every browser plays and that says what it is.

    Args:
        path: a name that ends in ``.mp4``. It holds the whole film or, after an error, what it held
            before.
        frames: (T, H, W, 3) uint8, or any iterable of (H, W, 3), which are written as they come.
            An odd height or width is made even by repeating the last row or column.
        fps: frames a second.
        told: what the file says of itself (its MP4 comment); the title is always ``TITLE``.
        mark: burn the visible mark into every frame: see :func:`burn_mark`. Switch it off for
            measurements, not for what others will see.

    Raises:
        VideoError: the name does not end in ``.mp4``, or ffmpeg could not write the file.
        ValueError: no frame, frames of several sizes, or too small for the mark.
    """
    path = Path(path)
    expect_number("fps", fps, above=0)
    if path.suffix.lower() != ".mp4":
        raise VideoError(f"{path}: expected a name that ends in .mp4")
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise ValueError("frames: expected at least one, got none")
    size = expect_shape("frames", first, "H W 3")
    height, width = size["H"] + size["H"] % 2, size["W"] + size["W"] % 2
    partial = path.with_name(f".{path.name}.part")  # what a kill leaves is written over next time
    command = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command += ["-r", f"{float(fps)}", "-i", "-"]
    command += ["-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p"]
    command += ["-metadata", f"title={TITLE}", "-metadata", f"comment={told}"]
    command += ["-movflags", "+faststart", "-f", "mp4", f"file:{partial}"]
    try:
        _feed(path, command, _prepared(itertools.chain([first], rest), size, mark))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a film's file says of itself: ``title``, ``comment`` and what else is there.

    Raises:
        VideoError: no such file, or not one that ffmpeg can read.
    """
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"{path}: no such file")
    command = [_ffmpeg(), "-v", "error", "-i", f"file:{path}", "-f", "ffmetadata", "-"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise VideoError(f"{path}: not a video that ffmpeg can read: {said[-1]}")
    # Special characters, line breaks among them, have a backslash before them; chapters and the
    # like follow in sections of their own.
    text = re.split(r"(?<!\\\n)^\[", done.stdout.decode(errors="replace"), maxsplit=1, flags=re.M)[
        0
    ]
    entry = re.compile(r"^((?:\\.|[^=;#\\\n])+)=((?:\\.|[^\\\n])*)$", re.M | re.S)
    plain = re.compile(r"\\(.)", re.S)
    return {plain.sub(r"\1", key): plain.sub(r"\1", value) for key, value in entry.findall(text)}


def _word() -> Tensor:
    """The mark as dots, (rows, columns) bool, with room on every side."""
    columns: list[list[bool]] = [[False] * 5] * _ROOM
    for letter in MARK:
        rows = _LETTERS[letter].split()
        columns += [[row[x] == "#" for row in rows] for x in range(len(rows[0]))]
        columns.append([False] * 5)
    columns += [[False] * 5] * (_ROOM - 1)
    return torch.nn.functional.pad(torch.tensor(columns).T, (0, 0, _ROOM, _ROOM))


def _prepared(frames: Iterable[Tensor], size: dict[str, int], mark: bool) -> Iterator[Tensor]:
    """Frames of one size, marked, with even sides."""
    for frame in frames:
        expect_shape("frames", frame, f"{size['H']} {size['W']} 3")
        if frame.dtype != torch.uint8:
            raise TypeError(f"frames: expected uint8, got {frame.dtype}")
        frame = burn_mark(frame) if mark else frame
        if size["H"] % 2:
            frame = torch.cat([frame, frame[-1:]])
        if size["W"] % 2:
            frame = torch.cat([frame, frame[:, -1:]], 1)
        yield frame.contiguous()


def _feed(path: Path, command: list[str], frames: Iterable[Tensor]) -> None:
    """Run ffmpeg with frames at its input."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        ffmpeg = [_ffmpeg(), "-v", "error", "-y", *command]
        with subprocess.Popen(ffmpeg, stdin=subprocess.PIPE, stderr=log) as process:
            assert process.stdin is not None
            try:
                with contextlib.suppress(BrokenPipeError):  # ffmpeg gave up: it says why
                    for frame in frames:
                        process.stdin.write(frame.numpy().data)
            except BaseException:
                process.kill()
                raise
            finally:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
        if process.returncode != 0:
            log.seek(0)
            said = log.read().strip().splitlines() or ["no reason given"]
            raise VideoError(f"{path}: ffmpeg could not write it: {said[-1]}")
