"""Video files: decoded to frames and encoded from them by the ffmpeg of ``imageio-ffmpeg``.

Frames of a file are ``(T, H, W, 3)`` uint8, as they lie in memory. ``vidgen_lite.data.video`` makes
clips for training of them.
"""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from vidgen_lite.checks import expect_positive, expect_shape


class VideoError(ValueError):
    """A video file can't be read or written; the message names the file and the reason."""


def read_video(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    start: int = 0,
    frames: int | None = None,
) -> Tensor:
    """Read a video file as RGB frames.

    Args:
        path: a file that ffmpeg can decode (a still image counts as a video of one frame).
        size: (height, width) in pixels to resize to, averaging over areas; None keeps the file's.
            The proportions are not kept.
        fps: frames a second to resample to; None gives every frame of the file once.
        start: index of the first frame wanted, counted after resampling.
        frames: how many frames to read; None reads to the end.

    Returns:
        (T, H, W, 3) uint8. Grey video comes with three equal channels.

    Raises:
        VideoError: no such file, not a video, or fewer frames than asked for. Of a damaged video
            the frames that can be decoded are returned, with a warning.
    """
    if size is not None:
        expect_positive("size: height", size[0])
        expect_positive("size: width", size[1])
    scale = [] if size is None else [area(*size)]
    video, damage = decode(Path(path), scale, fps=fps, start=start, frames=frames)
    if damage:
        warnings.warn(f"{path}: {damage}", stacklevel=2)
    return video


def area(height: int, width: int) -> str:
    """The ffmpeg filter that resizes by averaging over areas.

    RGB comes first: scaled as YUV, the colours of small frames are off by up to half the range.
    """
    return f"format=rgb24,scale={width}:{height}:flags=area"


def decode(
    path: Path,
    filters: list[str],
    *,
    fps: float | None = None,
    start: int = 0,
    frames: int | None = None,
) -> tuple[Tensor, str]:
    """``read_video`` with any ffmpeg filters, and with the damage told instead of warned of.

    Returns:
        Frames (T, H, W, 3) uint8, and what is wrong with the file ("" if nothing is).
    """
    if isinstance(start, bool) or not isinstance(start, int) or start < 0:
        raise ValueError(f"start: expected a frame's index (0 or more), got {start!r}")
    if frames is not None:
        expect_positive("frames", frames)
    if not path.is_file():
        raise VideoError(f"{path}: no such file")
    chain = [] if fps is None else [f"fps={_rate('fps', fps)}"]
    chain.append(f"trim=start_frame={start}" + (f":end_frame={start + frames}" if frames else ""))
    command = ["-i", f"file:{path}", "-map", "0:v:0", "-vf", ",".join([*chain, *filters])]
    # Passthrough: each frame comes out once, whatever the file's time stamps say.
    command += ["-fps_mode", "passthrough", "-pix_fmt", "rgb24"]
    command += ["-c:v", "ppm", "-f", "image2pipe", "-"]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        ffmpeg = [_ffmpeg(), "-nostdin", "-v", "error", *command]
        with subprocess.Popen(ffmpeg, stdout=subprocess.PIPE, stderr=log) as process:
            assert process.stdout is not None
            read = list(_ppm_frames(process.stdout))
        log.seek(0)
        said = log.read().strip().splitlines()
    if not read and said:
        raise VideoError(f"{path}: not a video that ffmpeg can read: {said[-1]}")
    if len(read) < (frames or 1):
        raise VideoError(
            f"{path}: expected {frames or 'some'} frames from frame {start} on, got {len(read)}"
        )
    damage = f"damaged; {len(read)} frames could be decoded ({said[-1]})" if said else ""
    return torch.stack(read), damage  # (T, H, W, 3)


def _ppm_frames(stream: IO[bytes]) -> Iterator[Tensor]:
    """Frames of a stream of PPM images, each of which begins with ``P6 width height 255``."""
    while stream.readline() == b"P6\n":
        width, height = (int(number) for number in stream.readline().split())
        stream.readline()
        pixels = bytearray(stream.read(width * height * 3))
        if len(pixels) < width * height * 3:
            return
        yield torch.frombuffer(pixels, dtype=torch.uint8).view(height, width, 3)


def write_video(path: str | os.PathLike[str], video: Tensor, *, fps: float) -> None:
    """Write frames as an H.264 file that every browser plays (yuv420p, index at the front).

    Args:
        path: a name that ends in ``.mp4``. It holds the whole video or, after an error, what it
            held before.
        video: (T, H, W, 3) uint8. H.264 halves the resolution of colour, so an odd height or width
            is made even by repeating the last row or column.
        fps: frames a second.

    Raises:
        VideoError: the name does not end in ``.mp4``, or ffmpeg could not write the file.
    """
    path = Path(path)
    sizes = expect_shape("video", video, "T H W 3")
    if video.dtype != torch.uint8:
        raise TypeError(f"video: expected uint8, got {video.dtype}")
    for axis, size in sizes.items():
        expect_positive(f"video: {axis}", size)
    rate = _rate("fps", fps)
    if path.suffix.lower() != ".mp4":
        raise VideoError(f"{path}: expected a name that ends in .mp4")
    if sizes["H"] % 2:
        video = torch.cat([video, video[:, -1:]], dim=1)
    if sizes["W"] % 2:
        video = torch.cat([video, video[:, :, -1:]], dim=2)
    height, width = video.shape[1:3]
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    command = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", rate]
    command += ["-i", "-", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p"]
    command += ["-movflags", "+faststart", "-f", "mp4", f"file:{partial}"]
    try:
        done = subprocess.run(
            [_ffmpeg(), "-v", "error", "-y", *command],
            input=video.contiguous().numpy().tobytes(),
            capture_output=True,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise VideoError(f"{path}: ffmpeg could not write it: {said[-1]}")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def to_clips(frames: Tensor) -> Tensor:
    """Turn frames of files into clips: (..., T, H, W, 3) uint8 -> (..., 3, T, H, W) in [-1, 1]."""
    return frames.movedim(-1, -4).to(torch.float32).div_(127.5).sub_(1).contiguous()


def _ffmpeg() -> str:
    from imageio_ffmpeg import get_ffmpeg_exe

    return get_ffmpeg_exe()


def _rate(name: str, fps: float) -> str:
    if not (isinstance(fps, int | float) and math.isfinite(fps) and fps > 0):
        raise ValueError(f"{name}: expected a positive number of frames a second, got {fps!r}")
    return f"{float(fps)}"
