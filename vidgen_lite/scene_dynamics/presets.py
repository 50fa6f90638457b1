"""The runs of this lecture at each preset, their data, and the clips they leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vidgen_lite.data.puppets import CAST, SCENES, PuppetClips, make_clips
from vidgen_lite.scene_dynamics.steps import Settings, sample
from vidgen_lite.training import State, to_float

# What lets a GAN learn in minutes: no batch norm in D but a gradient penalty on real clips, a look
# at the whole batch, averaged weights, and clips of a quarter of the paper's area and half its
# frames. Chosen by eye after nine short trials of one seed each that changed several settings at
# once: it works on the puppets, but each setting's share is not measured. The paper's own choices
# are the defaults of Settings.
LAPTOP = Settings(
    size=32,
    width=16,
    norm="none",
    batch_statistics=True,
    r1_weight=10.0,
    r1_every=4,
    average_decay=0.998,
    mask_penalty=0.04,
    mask_start=0.8,
    batch_size=16,
    steps=6_000,
    learning_rate=7e-4,
)
SMOKE = replace(LAPTOP, width=4, n_clips=32, batch_size=4, steps=12, average_decay=0.5)
GPU = replace(LAPTOP, size=64, width=48, batch_size=32, steps=20_000, average_decay=0.999)
PAPER = Settings()


def _conditional(settings: Settings, *, width: int, steps: int) -> Settings:
    return replace(settings, model="conditional", all_frames=50.0, width=width, steps=steps)


TWO_STREAM = {"smoke": SMOKE, "laptop": LAPTOP, "gpu": GPU, "paper": PAPER}
MODELS: dict[str, dict[str, Settings]] = {
    "two-stream": TWO_STREAM,
    "one-stream": {name: replace(s, model="one-stream") for name, s in TWO_STREAM.items()},
    "conditional": {
        "smoke": _conditional(SMOKE, width=2, steps=12),
        "laptop": _conditional(LAPTOP, width=8, steps=2_000),
        "gpu": _conditional(GPU, width=24, steps=10_000),
        "paper": replace(PAPER, model="conditional", batch_size=32),
    },
}
# Two streams on real street clips, in half the steps. A walker crosses much ground, and a mask that
# costs little lets the background draw him and the foreground paint the ground back over him: with
# a penalty of 0.2 it did, with 0.6 and with 1 it did not (one seed, about 1,200 steps each).
STREET = {
    name: replace(s, steps=s.steps // 2, mask_penalty=0.6, mask_start=0.5)
    for name, s in TWO_STREAM.items()
} | {"paper": PAPER}

MOVING = ("walk", "squat", "jump", "dance")  # actions that move the whole body
DATA = ("puppets", "street")  # or a folder of films


def puppet_clips(
    settings: Settings, *, seed: int, n: int | None = None, actions: Sequence[str] = MOVING
) -> PuppetClips:
    """Make this lecture's puppet clips: three puppets before two scenes, 8 frames a second.

    Few puppets and scenes but endlessly many movements: a small network gets sharp on what there
    is. At 16 frames a second a puppet would hardly move within a short clip, and the background
    stream could draw it; for the same reason nobody waves, which moves an arm and no more.

    Args:
        settings: their size and number of clips are what counts.
        seed: other seeds make other clips.
        n: how many, if not ``settings.n_clips``.
        actions: what the puppets do.
    """
    clips = make_clips(
        settings.n_clips if n is None else n,
        seed=seed,
        frames=settings.size,
        size=settings.size,
        actions=actions,
        puppets=CAST[:3],
        scenes=SCENES[:2],
    )
    half = {name: getattr(clips, name)[:, :, ::2] for name in ("video", "mask")} | {
        name: getattr(clips, name)[:, ::2] for name in ("pose", "face_box")
    }
    return replace(clips, **half)


def walkers(settings: Settings, split: str) -> Tensor:
    """This lecture's street clips: the four views with most pedestrians, and their mirror images.

    Args:
        settings: their size is what counts.
        split: ``train`` or ``test``, apart in time.

    Returns:
        (N, 3, T, H, W) in [-1, 1], 10 frames a second.

    Raises:
        FetchError: the film can't be fetched.
    """
    from vidgen_lite.data.video import street_clips

    frames, mirror = settings.size // 2, split == "train"
    return street_clips(split, size=settings.size, frames=frames, positions=4, mirror=mirror)


def load_data(settings: Settings, name: str | None = None) -> Tensor:
    """Load the clips to train on, (N, 3, T, H, W) in [-1, 1] or uint8.

    Args:
        settings: their size is what counts.
        name: ``puppets`` (the default), ``street``, or a folder of video files.

    Raises:
        ValueError: neither of the two, nor a folder.
        FetchError: street clips that can't be fetched.
    """
    size, frames = settings.size, settings.size // 2
    if name is None or name == "puppets":
        return puppet_clips(settings, seed=0).video
    if name == "street":
        return walkers(settings, "train")
    from vidgen_lite.data.video import ClipFolder

    if not Path(name).is_dir():
        raise ValueError(f"data: expected {', '.join(DATA)} or a folder, got {name!r}")
    folder = ClipFolder(name, size=size, frames=frames)
    return torch.stack([folder[i] for i in range(len(folder))])


def write_samples(state: State, data: Tensor, out: Path) -> None:
    """Write what the generator makes of eight fixed codes: a film and a filmstrip.

    Args:
        state: a trained run.
        data: what it was trained on; the conditional model goes on from the first frames of these.
        out: the folder for ``samples.mp4`` and ``samples.png``.
    """
    from vidgen_lite.show import contact_sheet, write_film

    settings = state.settings
    if settings.model == "conditional":
        code = to_images(to_float(data[:8]))
    else:
        code = torch.randn(8, settings.z_dim, generator=torch.Generator().manual_seed(1))
    video = sample(state, code).video.cpu()
    contact_sheet(out / "samples.png", video)
    write_film(out / "samples.mp4", video)


def to_images(clips: Tensor) -> Tensor:
    """The first frame of each clip: (N, 3, T, H, W) -> (N, 3, H, W)."""
    return clips[:, :, 0]
