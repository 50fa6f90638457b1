"""Film the cast for the landing page: python book/figures/make_landing.py"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from vidgen_lite import show
from vidgen_lite.data.puppets import ACTIONS, CAST, FPS, SCENES, make_clips

STATIC = Path(__file__).resolve().parents[1] / "_static"
FRAMES, SIZE, COLUMNS = 64, 160, 4


def introduce(number: int) -> Tensor:
    """One member of the cast in a scene and an action of its own: (3, T, H, W) in [-1, 1]."""
    row, column = divmod(number, COLUMNS)
    clips = make_clips(
        1,
        seed=number,
        frames=FRAMES,
        size=SIZE,
        puppets=[CAST[number]],
        scenes=[SCENES[(column + 2 * row) % len(SCENES)]],
        actions=[ACTIONS[(number + row) % len(ACTIONS)]],
    )
    return clips.video[0]


def wall(films: list[Tensor]) -> Tensor:
    """Films side by side in rows, as (T, H, W, 3) uint8."""
    rows = [torch.cat(films[i : i + COLUMNS], dim=-1) for i in range(0, len(films), COLUMNS)]
    picture = torch.cat(rows, dim=-2).permute(1, 2, 3, 0)  # (T, H, W, 3)
    return ((picture + 1) * 127.5).round().to(torch.uint8)


if __name__ == "__main__":
    frames = wall([introduce(number) for number in range(len(CAST))])
    (STATIC / "cast.mp4").write_bytes(show.encode(frames, fps=FPS))
    Image.fromarray(frames[FRAMES // 2].numpy()).save(STATIC / "cast.jpg", quality=85)
