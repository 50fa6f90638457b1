"""One's own video: ``python -m vidgen_lite dance --source A.mp4 --target B.mp4 --out DIR``.

Somebody dances in the source; somebody else was filmed in the target, and is made to dance the
same. What each stage finds or makes is kept in the folder, so that the same command goes on where
it was killed. Another source with the same folder uses the model that is there:

    DIR/dance.json              whom the folder is for, and the preset
    DIR/target/                 the poses in the target, and a sheet of them to look at
    DIR/training/               stage 1
    DIR/training_faces/         stage 2
    DIR/dances/A-1a2b3c4d/      a source: its poses, the sheets, dance.mp4, side_by_side.mp4

Everything made from a person's film lies in this one folder: who deletes it deletes all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite.data.pose_clips import squeezed
from vidgen_lite.data.provenance import TOLD, write_generated
from vidgen_lite.everybody_dance_now import face_steps, steps
from vidgen_lite.everybody_dance_now.check_video import FPS, moments, overlay, write_sheet
from vidgen_lite.everybody_dance_now.footage import (
    Footage,
    draw_skeletons,
    film,
    to_bytes,
)
from vidgen_lite.everybody_dance_now.normalize import PoseNormalizer
from vidgen_lite.everybody_dance_now.own_video import (
    Person,
    fingerprint,
    open_film,
    read_person,
    save,
)
from vidgen_lite.everybody_dance_now.perceptual import load_perceptual
from vidgen_lite.everybody_dance_now.presets import MODELS
from vidgen_lite.everybody_dance_now.transfer import transfer
from vidgen_lite.training import State, make_accelerator, prepare, preset_name, resume

if TYPE_CHECKING:
    from accelerate import Accelerator

STAGES = 6
OURS = ("target", "training", "training_faces", "dances")  # names in the folder
FRAMES = 128  # the target's film is cut into films of so many
SHOWN = 256  # pixels that a picture of the result is enlarged to, at least
DANCE = f"{TOLD} (Everybody Dance Now: one person's movements, another person's picture)"
SIDE_BY_SIDE = DANCE.replace(
    "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia: the film on the left is real"
)


class Painted(NamedTuple):
    """A painted dance: (3, T, S, S) uint8, and the poses it was painted from, (T, 18, 3)."""

    video: Tensor
    poses: Tensor


def dance(
    *,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    out: str | os.PathLike[str],
    preset: str | None = None,
    precision: str = "auto",
    mark: bool = True,
) -> Path:
    """Let the target's person dance what the source's person dances, from files to a file.

    Args:
        source: a film of one person dancing, a second or longer.
        target: a film of another person who moves about, ten seconds or longer; minutes are better.
        out: the folder for everything that is made; a second call goes on with what is there.
        preset: the sizes and the length of training; the folder's own, if it has one, else as in
            :func:`vidgen_lite.training.preset_name`.
        precision: see :func:`vidgen_lite.training.make_accelerator`.
        mark: burn the word GENERATED into what was generated.

    Returns:
        The clip with source, poses and result side by side.

    Raises:
        ValueError: a film that can't be used, or a folder that is for something else.
        ImportError: the extra ``pose`` is not installed.
        FetchError: the detector's networks can't be fetched.
    """
    out, films = Path(out), {"source": Path(source), "target": Path(target)}
    opened = {role: open_film(role, path) for role, path in films.items()}
    target_hash, source_hash = (fingerprint(films[role]) for role in ("target", "source"))
    preset = begin(out, target=films["target"], target_hash=target_hash, preset=preset)
    side = max(MODELS["ts"][preset].size)
    here = out / "dances" / f"{films['source'].stem}-{source_hash[:8]}"

    persons = {}
    for stage, role, folder in ((1, "target", out / "target"), (2, "source", here)):
        known = ": done in an earlier call" if (folder / "person.npz").exists() else ""
        _say(stage, f"finding the person in {films[role].name} ({role}){known}")
        persons[role] = read_person(opened[role], folder, size=side)
    person, dancer = persons["target"], persons["source"]

    _say(3, "fitting the dancer's poses to where the target stood")
    poses = normalised(dancer, person, here / "normalised.png")
    for sheet in (out / "target" / "poses.png", here / "poses.png", here / "normalised.png"):
        print(f"      look at {sheet}")
    if (here / "painted.npz").exists():
        _say(4, "training and painting: done in an earlier call")
        with np.load(here / "painted.npz") as arrays:
            painted = Painted(*(torch.from_numpy(arrays[name]) for name in Painted._fields))
    else:
        print(
            "      Training comes next. If the figures are wrong, stop it (Ctrl-C) and film again."
        )
        accelerator = make_accelerator(precision)
        state, faces = train_both(person, preset, out, target_hash, accelerator)
        _say(5, "painting the dance")
        painted = paint(state, faces, poses, side)
        save(here / "painted.npz", **painted._asdict())
        accelerator.end_training()
    _say(6, "writing the clips")
    return write_clips(here, dancer, painted, mark=mark)


def begin(out: Path, *, target: Path, target_hash: str, preset: str | None) -> str:
    """See whom a folder is for, or begin one, and return its preset.

    Raises:
        ValueError: it is for another person or preset, or holds other files by our names.
    """
    told = out / "dance.json"
    if told.exists():
        job = json.loads(told.read_text())
        if job["target_sha256"] != target_hash:
            raise ValueError(
                f"out: expected a folder for {target.name}, or a new one; {out} was made for "
                f"another target ({job['target']})"
            )
        if preset is not None and preset_name(preset) != job["preset"]:
            raise ValueError(
                f"preset: expected {job['preset']!r}, with which {out} was begun, got {preset!r}; "
                "for another one, take a new folder"
            )
        return job["preset"]
    taken = [name for name in OURS if (out / name).exists()]
    if taken:
        raise ValueError(
            f"out: expected a new folder or one of an earlier call; {out / taken[0]} is there, and "
            "this command did not make it"
        )
    preset = preset_name(preset)
    out.mkdir(parents=True, exist_ok=True)
    job = {"target": target.name, "target_sha256": target_hash, "preset": preset}
    partial = out / ".dance.json.part"
    partial.write_text(json.dumps(job, indent=2))
    os.replace(partial, told)
    return preset


def normalised(dancer: Person, person: Person, sheet: Path) -> Tensor:
    """The dancer's poses (T, 18, 3) in pixels of the target's film.

    The sheet shows both: the dancer, and below the same poses over a frame of the target's.
    """
    poses = PoseNormalizer(centre=True).fit(dancer.poses, person.poses)(dancer.poses)
    at = moments(len(poses))
    room = person.clip[:, :1].expand(-1, len(at), -1, -1)
    upper = overlay(dancer.clip[:, at], dancer.poses[at])
    write_sheet(sheet, upper, overlay(room, poses[at]))
    return poses


def train_both(
    person: Person, preset: str, out: Path, data: str, accelerator: Accelerator
) -> tuple[State, State]:
    """Train both stages to the end, from their checkpoints if there are any, and return them."""
    settings, face_settings = MODELS["ts"][preset], MODELS["faces"][preset]
    footage = to_footage(person, settings.size)
    _say(4, f"training, stage 1: the whole frame, {settings.steps} steps")
    state = steps.new_state(settings)
    state.data = data
    records = steps.train(state, footage, network=_features(settings), accelerator=accelerator)
    resume(records, state, out / "training")
    _say(4, f"training, stage 2: the face, {face_settings.steps} steps")
    faces = face_steps.new_state(face_settings)
    faces.data = data
    resume(_face_records(state, faces, footage, accelerator), faces, out / "training_faces")
    return state, faces


def _face_records(
    state: State, faces: State, footage: Footage, accelerator: Accelerator
) -> Iterator[dict[str, float]]:
    """Stage 2's records. What it learns from is painted at the first one, if there is one to come:
    by then the checkpoint has been read.
    """
    from tqdm.auto import tqdm

    if faces.step >= faces.settings.steps:
        prepare(faces, accelerator)
        return
    tqdm.write("      painting the target's own film first, to see what its faces lack")
    painted = face_steps.paint_faces(state, footage, faces.settings)
    network = _features(faces.settings)
    yield from face_steps.train(faces, painted, network=network, accelerator=accelerator)


def to_footage(person: Person, size: tuple[int, int]) -> Footage:
    """Cut one long film into films of equal length, the last of which may overlap another."""
    frames = person.clip.shape[1]
    length = min(FRAMES, frames)
    # Each begins with the frame the one before ends with, so that no pair is lost.
    starts = [*range(0, frames - length, max(length - 1, 1)), frames - length]
    parts = [slice(i, i + length) for i in starts]
    # One by one: as floats, the drawings of a film of minutes would fill the memory.
    films = [film(*squeezed(person.clip[None, :, p], person.poses[None, p], size)) for p in parts]
    return Footage(*(torch.cat([getattr(f, name) for f in films])
                     for name in ("video", "skeleton", "pose")))  # fmt: skip


def paint(state: State, faces: State, poses: Tensor, side: int) -> Painted:
    """Let the target perform poses (T, 18, 3) in pixels of a square frame."""
    h, w = state.settings.size
    scale = poses.new_tensor([w / side, h / side, 1.0])
    done = transfer(state, poses * scale, faces=faces, progress=True)
    video = done.video
    if (h, w) != (side, side):  # what was squeezed to be painted is stretched to be seen
        video = F.interpolate(video.transpose(0, 1), (side, side), mode="bilinear").transpose(0, 1)
    return Painted(to_bytes(video), done.pose / scale)


def write_clips(folder: Path, dancer: Person, painted: Painted, *, mark: bool) -> Path:
    """Write the dance, and source, poses and dance side by side; those that are there stay."""
    side = painted.video.shape[-1]
    figures = to_bytes(draw_skeletons(painted.poses[None], (side, side))[0])
    end = ".mp4" if mark else "_unmarked.mp4"
    for name, films, told in (
        ("dance", [painted.video], DANCE),
        # The generated one last: the mark goes into the lower right corner.
        ("side_by_side", [dancer.clip, figures, painted.video], SIDE_BY_SIDE),
    ):
        path = folder / (name + end)
        if not path.exists():
            write_generated(path, _rows(films, path.name), fps=FPS, told=told, mark=mark)
        print(f"      {path}")
    return folder / ("side_by_side" + end)


def _rows(films: list[Tensor], name: str) -> Iterator[Tensor]:
    """Frames (H, W, 3) of films (3, T, S, S) beside each other, enlarged."""
    from tqdm.auto import tqdm

    scale = -(-SHOWN // films[0].shape[-1])
    for frames in tqdm(zip(*(one.unbind(1) for one in films), strict=True),
                       total=films[0].shape[1], desc=name, unit="frame"):  # fmt: skip
        row = torch.cat(frames, -1).permute(1, 2, 0)  # (S, n S, 3)
        yield row.repeat_interleave(scale, 0).repeat_interleave(scale, 1)


def _features(settings: Any) -> Any:
    """The network of L_P, trained before everything's eyes if it must be; None at weight 0."""
    if settings.perceptual_weight == 0:
        return None
    return load_perceptual(settings.features, steps=settings.feature_steps, progress=True)


def _say(stage: int, what: str) -> None:
    print(f"[{stage}/{STAGES}] {what}", flush=True)
