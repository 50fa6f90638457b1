"""A film of one's own of one person: read piece by piece, poses found, checked, cropped, kept.

A few minutes of film do not fit into memory at full size, and finding the poses takes a while. So
the film goes by in pieces of four seconds, and what was found in each is on the disk before the
next one is read.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import re
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vidgen_lite.data.blazepose import BlazePose, Square
from vidgen_lite.data.pose_clips import crop_to_person
from vidgen_lite.data.poses import detect_poses, smooth_poses
from vidgen_lite.data.video_files import VideoError, _ffmpeg, area, read_video
from vidgen_lite.everybody_dance_now.check_video import (
    FPS,
    expect_length,
    expect_one_person,
    expect_whole_bodies,
    moments,
    overlay,
    write_sheet,
)
from vidgen_lite.everybody_dance_now.footage import somebody, to_bytes
from vidgen_lite.skeleton import JOINTS, SEEN

PIECE = 4 * FPS  # frames in memory at a time
REACH = 3  # frames to either side that smoothing a pose looks at
SIDE = 480  # pixels of the shorter side of the frames as they are read, at most
APART = 0.2  # of a body's square: hips that are nearer than this are the same person's


@dataclass(frozen=True)
class Person:
    """One person's film, cropped to them.

    Attributes:
        clip: (3, T, S, S) uint8.
        poses: (T, 18, 3): x, y in pixels of the clip and confidence, smoothed.
    """

    clip: Tensor
    poses: Tensor


class Found(NamedTuple):
    """What was found in a film so far.

    Attributes:
        poses: (T, 18, 3), in pixels of the frames as they are read.
        people: (S,) int64, how many people are in the first frame of each second.
    """

    poses: Tensor
    people: Tensor


@dataclass(frozen=True)
class Film:
    """A film's file, and how it is read.

    Attributes:
        role: ``source`` or ``target``: what errors call it.
        path: the file.
        height, width: of the frames as they are read, in pixels.
        frames: how many there will be, as far as the file says; None if it does not.
    """

    role: str
    path: Path
    height: int
    width: int
    frames: int | None

    def pieces(self, start: int = 0) -> Iterator[Tensor]:
        """Frames from ``start`` on, (T, H, W, 3) uint8, T at most ``PIECE``.

        Of a damaged film come the frames that can be decoded, with a warning.
        """
        filters = f"fps={FPS},trim=start_frame={start},{area(self.height, self.width)}"
        command = [_ffmpeg(), "-nostdin", "-v", "error", "-i", f"file:{self.path}"]
        command += ["-map", "0:v:0", "-vf", filters, "-fps_mode", "passthrough"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        size = self.height * self.width * 3
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
                assert process.stdout is not None
                while n := len(read := process.stdout.read(PIECE * size)) // size:
                    frames = torch.frombuffer(bytearray(read[: n * size]), dtype=torch.uint8)
                    yield frames.view(n, self.height, self.width, 3)
            log.seek(0)
            if said := log.read().strip().splitlines():
                warnings.warn(f"{self.path}: damaged ({said[-1]})", stacklevel=2)


def open_film(role: str, path: str | os.PathLike[str]) -> Film:
    """Look at a film's file.

    Args:
        role: ``source`` or ``target``.
        path: the file.

    Raises:
        VideoError: no such file, or none that ffmpeg can read.
        ValueError: the file says that it is too short.
    """
    path = Path(path)
    height, width = read_video(path, frames=1).shape[1:3]  # as it is shown: phones turn films
    shrink = min(1.0, SIDE / min(height, width))
    command = [_ffmpeg(), "-nostdin", "-hide_banner", "-i", f"file:{path}"]
    said = subprocess.run(command, capture_output=True).stderr.decode(errors="replace")
    told = re.search(r"Duration: (\d+):(\d+):(\d+(?:\.\d+)?)", said)
    frames = None
    if told:
        hours, minutes, seconds = map(float, told.groups())
        frames = round((3600 * hours + 60 * minutes + seconds) * FPS)
        expect_length(role, path, frames)
    return Film(role, path, round(height * shrink), round(width * shrink), frames)


def read_person(film: Film, folder: Path, *, size: int) -> Person:
    """Find the person in a film, or take from the folder what an earlier call found.

    Leaves ``found.npz``, ``poses.png`` (a sheet to look at) and ``person.npz`` in the folder.

    Args:
        film: from :func:`open_film`.
        folder: made if it is not there.
        size: height and width of the clip in pixels.

    Raises:
        ValueError: the film is too short, shows several people, or too few whole bodies.
        ImportError, FetchError: see ``data.poses.detect_poses``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "person.npz"
    if kept.exists():
        with np.load(kept) as arrays:
            return Person(torch.from_numpy(arrays["clip"]), torch.from_numpy(arrays["poses"]))
    found = find_poses(film, folder / "found.npz")
    expect_length(film.role, film.path, len(found.poses))
    if not somebody(found.poses).any():
        raise ValueError(
            f"{film.role}: expected a person, found nobody in {len(found.poses)} frames of "
            f"{film.path.name}; the person should be at least a fifth of the picture high"
        )
    person = crop(film, smoothed(found.poses), size=size)
    sheet = folder / "poses.png"
    at = moments(len(person.poses))
    write_sheet(sheet, person.clip[:, at], overlay(person.clip[:, at], person.poses[at]))
    expect_one_person(film.role, film.path, found.people, sheet)
    expect_whole_bodies(film.role, film.path, person.poses, sheet)
    save(kept, clip=person.clip, poses=person.poses)
    return person


def smoothed(poses: Tensor) -> Tensor:
    """Smooth a long film's poses (T, 18, 3), the same as at once by ``data.poses.smooth_poses``.

    That weighs every frame against every other, which for a film of minutes fills the memory; but
    none matters to those farther away than ``REACH``. So it is done in pieces that overlap.
    """
    parts = []
    for start in range(0, len(poses), PIECE):
        first = max(start - REACH, 0)
        part = smooth_poses(poses[first : start + PIECE + REACH], width=1.0)
        parts.append(part[start - first :][:PIECE])
    return torch.cat(parts)


def find_poses(film: Film, kept: Path) -> Found:
    """Find one person's pose in every frame, and count the people once a second.

    What was found is written to ``kept`` after every piece; a second call goes on from there.
    """
    from tqdm.auto import tqdm

    poses, people = torch.empty(0, len(JOINTS), 3), torch.empty(0, dtype=torch.int64)
    if kept.exists():
        with np.load(kept) as arrays:
            poses, people = torch.from_numpy(arrays["poses"]), torch.from_numpy(arrays["people"])
            if arrays["whole"]:
                return Found(poses, people)
    bar = {"total": film.frames, "initial": len(poses), "unit": "frame"}
    with tqdm(**bar, desc=f"{film.role}: finding poses") as shown:
        for piece in film.pieces(len(poses)):
            poses = torch.cat([poses, detect_poses(piece, cache=False)])
            counts = [count_people(frame) for frame in piece[::FPS]]
            people = torch.cat([people, torch.tensor(counts)])
            save(kept, poses=poses, people=people, whole=torch.tensor(False))
            shown.update(len(piece))
    if len(poses) == 0:
        raise VideoError(f"{film.path}: no frame could be decoded")
    save(kept, poses=poses, people=people, whole=torch.tensor(True))
    return Found(poses, people)


def count_people(frame: Tensor) -> int:
    """How many people are in a frame (H, W, 3) uint8; who is found twice counts once."""
    apart: list[Square] = []
    for _, one in _detector().find(frame):  # the surest first
        if all(
            math.hypot(one.x - other.x, one.y - other.y) > APART * max(one.side, other.side)
            for other in apart
        ):
            apart.append(one)
    return len(apart)


def crop(film: Film, poses: Tensor, *, size: int) -> Person:
    """Cut the square that holds the person in all frames out of a film, piece by piece."""
    from tqdm.auto import tqdm

    places = poses[poses[..., 2] >= SEEN][:, :2]
    # Behind each piece comes a black frame whose pose reaches as far as the whole film's, so that
    # the square is the same for every piece.
    reach = torch.zeros(1, len(JOINTS), 3)
    reach[0, 0, :2], reach[0, 1, :2], reach[0, :2, 2] = places.amin(0), places.amax(0), 1
    black = torch.zeros(1, film.height, film.width, 3, dtype=torch.uint8)
    clips: list[Tensor] = []
    moved: list[Tensor] = []
    start = 0
    with tqdm(total=len(poses), unit="frame", desc=f"{film.role}: cropping") as shown:
        for piece in film.pieces():
            there = poses[start : start + len(piece)]
            frames = torch.cat([piece[: len(there)], black])
            clip, placed = crop_to_person(frames, torch.cat([there, reach]), size=size)
            clips.append(to_bytes(clip[:, :-1]))
            moved.append(placed[:-1])
            start += len(there)
            shown.update(len(there))
    return Person(torch.cat(clips, 1), torch.cat(moved))


def save(path: Path, **arrays: Tensor) -> None:
    """Write arrays to one file, under another name first, so that a kill leaves no half file."""
    partial = path.with_name(f".{path.name}.part")
    values: dict[str, Any] = {name: array.numpy() for name, array in arrays.items()}
    with partial.open("wb") as file:
        np.savez(file, **values)
    os.replace(partial, path)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file, which tells whether it is the same film as before."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


@functools.cache
def _detector() -> Any:
    return BlazePose()
