"""Four still scenes painted by formula: smooth, distinct, and quieter than the puppets' clothes.

A scene is a function of world coordinates: x runs from 0 to 1 across the picture (and beyond it
on both sides, for a camera that pans), y from 0 at the top to 1 at the bottom. Colours are in
[0, 1] while painting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vidgen_lite.checks import expect_positive

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """A named view. ``paint(x, y)`` maps (…,) coordinates to (…, 3) colours in [0, 1]."""

    name: str
    paint: Callable[[Tensor, Tensor], Tensor]

    def view(
        self, *, size: int, shift: Tensor | float = 0.0, device: str | torch.device = "cpu"
    ) -> Tensor:
        """Look at the scene.

        Args:
            size: height and width in pixels.
            shift: how far the camera has moved to the right, in picture widths; a number, or (T,).
            device: where to paint.

        Returns:
            (3, size, size), or (T, 3, size, size) for a (T,) shift; float32 in [-1, 1].
        """
        expect_positive("size", size)
        grid = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) / size
        shift = torch.as_tensor(shift, dtype=torch.float32, device=device)
        x = grid + shift[..., None, None]
        y = grid[:, None].expand_as(x + grid[:, None])
        painted = self.paint(x.expand_as(y), y)  # (…, H, W, 3)
        return painted.movedim(-1, -3).clamp(0, 1).mul(2).sub(1).contiguous()


def _colour(like: Tensor, colour: Colour) -> Tensor:
    return like.new_tensor(colour).expand(*like.shape, 3)


def _over(below: Tensor, colour: Colour | Tensor, cover: Tensor) -> Tensor:
    top = below.new_tensor(colour) if isinstance(colour, tuple) else colour
    return below + cover.clamp(0, 1)[..., None] * (top - below)


def _fade(top: Colour, bottom: Colour, y: Tensor, start: float, stop: float) -> Tensor:
    weight = ((y - start) / (stop - start)).clamp(0, 1)
    return _over(_colour(y, top), bottom, weight)


def _edge(distance: Tensor, softness: float = 0.02) -> Tensor:
    """1 where ``distance`` is positive, 0 where negative, soft in between."""
    return (0.5 + distance / softness).clamp(0, 1)


def _disc(x: Tensor, y: Tensor, at: tuple[float, float], radii: tuple[float, float]) -> Tensor:
    """Cover of a soft ellipse."""
    away = (((x - at[0]) / radii[0]) ** 2 + ((y - at[1]) / radii[1]) ** 2).sqrt()
    return _edge((1 - away) * min(radii), 0.03)


def _meadow(x: Tensor, y: Tensor) -> Tensor:
    sky = _fade((0.46, 0.74, 0.95), (0.86, 0.95, 0.98), y, 0.0, 0.6)
    for cx, cy in ((0.18, 0.17), (0.86, 0.25), (1.55, 0.18), (-0.5, 0.22)):
        for dx, dy, r in ((-0.09, 0.02, 0.06), (0.0, 0.0, 0.085), (0.1, 0.02, 0.06)):
            sky = _over(sky, (1.0, 1.0, 1.0), 0.85 * _disc(x, y, (cx + dx, cy + dy), (r * 1.3, r)))
    far = 0.50 - 0.07 * (5.0 * x + 0.6).sin() - 0.02 * (11.0 * x).sin()
    scene = _over(sky, (0.62, 0.80, 0.58), _edge(y - far))
    near = 0.62 + 0.05 * (4.0 * x - 0.8).sin()
    grass = _fade((0.60, 0.80, 0.38), (0.40, 0.66, 0.28), y, 0.6, 1.0)
    grass = grass * (1 + 0.045 * (26 * y + 3 * (5 * x).sin()).sin())[..., None]
    return _over(scene, grass, _edge(y - near))


def _beach(x: Tensor, y: Tensor) -> Tensor:
    sky = _fade((0.98, 0.80, 0.62), (1.0, 0.93, 0.80), y, 0.0, 0.42)
    sky = _over(sky, (1.0, 0.98, 0.82), _disc(x, y, (0.78, 0.2), (0.11, 0.11)))
    sea = _fade((0.12, 0.56, 0.72), (0.45, 0.84, 0.82), y, 0.42, 0.70)
    sea = sea * (1 + 0.07 * (60 * y * (1.6 - y) + 2 * (7 * x).sin()).sin())[..., None]
    scene = _over(sky, sea, _edge(y - 0.42, 0.015))
    shore = 0.70 + 0.025 * (6.5 * x).sin() + 0.012 * (15 * x + 1).sin()
    sand = _fade((0.93, 0.83, 0.62), (0.86, 0.72, 0.49), y, 0.7, 1.0)
    sand = sand * (1 + 0.03 * (9 * x + 14 * y).sin() * (17 * y - 6 * x).sin())[..., None]
    scene = _over(scene, (0.97, 0.98, 0.95), _edge(y - shore + 0.035, 0.03))
    return _over(scene, sand, _edge(y - shore))


def _stage(x: Tensor, y: Tensor) -> Tensor:
    folds = 0.5 + 0.5 * (30 * x + 0.8 * (4 * y).sin()).sin()
    curtain = _over(_colour(x, (0.27, 0.09, 0.19)), (0.44, 0.15, 0.27), folds)
    curtain = curtain * (1.0 - 0.35 * (y - 0.1).clamp(0, 1))[..., None]
    glow = (1 - (((x - 0.5) / 0.42) ** 2 + ((y - 0.42) / 0.5) ** 2).sqrt()).clamp(0, 1)
    curtain = _over(curtain, (0.85, 0.52, 0.50), 0.75 * glow)
    gold = _edge(0.085 + 0.025 * (19 * x).sin().abs() - y, 0.02)
    curtain = _over(curtain, (0.80, 0.60, 0.28), gold)
    boards = _fade((0.42, 0.27, 0.17), (0.62, 0.42, 0.26), y, 0.76, 1.0)
    away = (x - 0.5) / (y - 0.55).clamp(min=0.1)
    boards = boards * (0.95 + 0.07 * (11 * away).sin())[..., None]
    pool = (1 - (((x - 0.5) / 0.5) ** 2 + ((y - 0.9) / 0.13) ** 2)).clamp(0, 1)
    boards = _over(boards, (0.93, 0.78, 0.56), 0.6 * pool)
    return _over(curtain, boards, _edge(y - 0.76, 0.015))


def _city(x: Tensor, y: Tensor) -> Tensor:
    scene = _fade((0.22, 0.20, 0.46), (0.95, 0.58, 0.50), y, 0.0, 0.66)
    scene = _over(scene, (1.0, 0.95, 0.80), _disc(x, y, (0.24, 0.16), (0.065, 0.065)))
    blocks = (
        (-0.42, 0.13, 0.3),
        (-0.12, 0.14, 0.42),
        (0.1, 0.11, 0.34),
        (0.36, 0.12, 0.46),
        (0.62, 0.12, 0.40),
        (0.88, 0.12, 0.24),
        (1.15, 0.13, 0.38),
        (1.42, 0.12, 0.3),
    )
    for centre, half, top in blocks:
        house = torch.minimum(_edge(half - (x - centre).abs()), _edge(y - top))
        wall = _fade((0.30, 0.26, 0.47), (0.42, 0.32, 0.50), y, 0.3, 0.75)
        lit = (47 * (x - centre)).cos() * (50 * (y - top) - 2.6).cos()
        seen = _edge(lit - 0.45, 0.6) * _edge(half - 0.03 - (x - centre).abs(), 0.02)
        wall = _over(wall, (0.98, 0.80, 0.42), 0.8 * seen * _edge(y - top - 0.03, 0.02))
        scene = _over(scene, wall, house)
    road = _fade((0.50, 0.46, 0.56), (0.36, 0.34, 0.46), y, 0.76, 1.0)
    scene = _over(scene, (0.62, 0.57, 0.64), _edge(y - 0.74))
    return _over(scene, road, _edge(y - 0.79))


SCENES = (
    Scene("meadow", _meadow),
    Scene("beach", _beach),
    Scene("stage", _stage),
    Scene("city evening", _city),
)
