"""Each model's runs at each preset, what they learn from, and what they leave to look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vidgen_lite.checks import expect_choice
from vidgen_lite.everybody_dance_now import face_steps, steps
from vidgen_lite.everybody_dance_now.face_steps import Faces, paint_faces
from vidgen_lite.everybody_dance_now.footage import Footage, balance_footage, puppet_footage
from vidgen_lite.everybody_dance_now.settings import FaceSettings, Settings
from vidgen_lite.everybody_dance_now.transfer import transfer
from vidgen_lite.training import State, load_checkpoint, to_float

if TYPE_CHECKING:
    from accelerate import Accelerator

LAPTOP = Settings(
    size=(64, 64),
    generator="unet",
    width=24,
    discriminator_width=16,
    scales=2,
    feature_weight=5.0,
    perceptual_weight=5.0,
    pixel_weight=200.0,
    figure_weight=8.0,
    mask_weight=4.0,
    warmup=12_000,
    features="puppets",
    average_decay=0.99,
    n_clips=2_000,
    batch_size=4,
    steps=13_500,
    learning_rate=2e-3,
)
TEMPORAL: dict[str, Settings] = {
    "smoke": replace(
        LAPTOP,
        size=(32, 32),
        width=4,
        downsamplings=2,
        discriminator_width=4,
        warmup=2,
        n_clips=6,
        batch_size=2,
        steps=6,
        feature_steps=2,
    ),
    "laptop": LAPTOP,
    "gpu": replace(
        LAPTOP,
        size=(128, 128),
        generator="global",
        width=48,
        downsamplings=3,
        blocks=6,
        discriminator_width=48,
        scales=3,
        feature_weight=10 / 3,
        warmup=0,
        n_clips=600,
        batch_size=8,
        steps=15_000,
        learning_rate=5e-4,
    ),
    "paper": Settings(),
}
LAPTOP_FACES = FaceSettings(
    face_size=24,
    generator="unet",
    width=32,
    downsamplings=2,
    discriminator_width=16,
    perceptual_weight=10.0,
    pixel_weight=60.0,
    features="puppets",
    average_decay=0.99,
    batch_size=16,
    steps=2_500,
    learning_rate=2e-3,
)
FACES: dict[str, FaceSettings] = {
    "smoke": replace(
        LAPTOP_FACES,
        face_size=8,
        width=4,
        discriminator_width=4,
        batch_size=4,
        steps=6,
        feature_steps=2,
    ),
    "laptop": LAPTOP_FACES,
    "gpu": replace(
        LAPTOP_FACES,
        face_size=48,
        generator="global",
        width=48,
        downsamplings=3,
        blocks=3,
        discriminator_width=32,
        steps=8_000,
    ),
    "paper": FaceSettings(face_size=64),  # a quarter of 256; 128 after the local enhancer
}

# FBF is the same run without its memory: G reads no last frame, D judges single frames.
MODELS: dict[str, dict[str, Any]] = {
    "ts": TEMPORAL,
    "fbf": {name: replace(s, temporal=False) for name, s in TEMPORAL.items()},
    "faces": FACES,
}
DATA = ("puppets", "balance")


def enhanced(settings: Settings) -> Settings:
    """The settings of the stage that follows the global one: twice the size, local enhancer.

    lambda_P is doubled, as in the authors' code. Make its state with
    ``new_state``, and let its generator ``start_from`` the trained global one.

    Raises:
        ValueError: an odd width, or settings that are enhanced already.
    """
    if settings.generator != "global" or settings.width % 2:
        raise ValueError(
            "settings: expected a global generator of an even width, "
            f"got {settings.generator!r} of width {settings.width}"
        )
    return replace(
        settings,
        size=(2 * settings.size[0], 2 * settings.size[1]),
        generator="local",
        width=settings.width // 2,
        perceptual_weight=2 * settings.perceptual_weight,
    )


def new_state(settings: Settings | FaceSettings) -> State:
    """Make the networks and optimisers of a run of either stage."""
    if isinstance(settings, FaceSettings):
        return face_steps.new_state(settings)
    return steps.new_state(settings)


def load_data(settings: Settings | FaceSettings, name: str = "puppets") -> Footage | Faces:
    """Load what a model trains on: footage for stage 1, faces for stage 2.

    Args:
        settings: their sizes and number of films are what counts.
        name: for stage 1, ``puppets`` or ``balance``; for stage 2, the folder of a run of stage 1,
            whose faces are to be corrected.

    Raises:
        ValueError: another name; a folder without a finished run of stage 1.
        FetchError, ImportError: see ``footage``.
    """
    if isinstance(settings, FaceSettings):
        state, footage = load_stage_1(name)
        return paint_faces(state, footage, settings)
    expect_choice("--data", name, DATA)
    if name == "balance":
        return balance_footage(settings, split="train")
    return puppet_footage(settings, split="train", progress=True)


def load_stage_1(folder: str | Path) -> tuple[State, Footage]:
    """A trained run of stage 1 and its footage, from what the command line left in a folder.

    Raises:
        ValueError: the folder holds no finished run of stage 1.
    """
    told = Path(folder) / "settings.json"
    if not told.exists():
        raise ValueError(
            "--data: faces learn from a run of stage 1: train model ts or fbf first, then give "
            f"its folder; there is none in {str(folder)!r}"
        )
    saved = json.loads(told.read_text())
    names = {f.name for f in fields(Settings)}
    if not names <= saved.keys():
        raise ValueError(f"--data: expected a run of stage 1, got another one in {str(folder)!r}")
    chosen = {name: saved[name] for name in names} | {"size": tuple(saved["size"])}
    settings = Settings(**chosen)
    state = steps.new_state(settings)
    load_checkpoint(Path(folder) / "checkpoint.safetensors", state)
    footage = load_data(settings, saved["data"])
    assert isinstance(footage, Footage)
    return state, footage


def train(
    state: State, data: Any, *, accelerator: Accelerator | None = None
) -> Iterator[dict[str, float]]:
    """Train a run of either stage; see ``steps.train`` and ``face_steps.train``."""
    if isinstance(state.settings, FaceSettings):
        return face_steps.train(state, data, accelerator=accelerator)
    return steps.train(state, data, accelerator=accelerator)


def write_samples(state: State, data: Any, out: Path) -> None:
    """Write what a run makes of its data, over the real thing: a film and a filmstrip.

    Stage 1 paints the first dances, up to four of them. Stage 2 shows faces as they were painted,
    corrected and real.
    """
    from vidgen_lite.show import contact_sheet, write_film

    if isinstance(state.settings, FaceSettings):
        video = _face_films(state, data)
    else:
        dances = data.subset(slice(0, 4))
        made = transfer(state, dances.pose).video
        video = torch.cat([made, to_float(dances.video)])
    contact_sheet(out / "samples.png", video)
    write_film(out / "samples.mp4", video, columns=max(len(video) // 2, 1))


@torch.no_grad()
def _face_films(state: State, faces: Faces) -> torch.Tensor:
    """Sixteen faces, one after the other: painted, corrected, real: (3, 3, 16, S, S)."""
    from vidgen_lite.everybody_dance_now.face import corrected_face

    generator: Any = state.models.get("average", state.models["generator"])
    device = next(generator.parameters()).device
    some = Faces(*(to_float(kind[:16]) for kind in faces))
    better = corrected_face(generator, some.figure.to(device), some.painted.to(device)).cpu()
    return torch.stack([some.painted, better.clamp(-1, 1), some.real]).transpose(1, 2)
