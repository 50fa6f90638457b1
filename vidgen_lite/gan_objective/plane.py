"""Points of the plane: data whose density is known, two small networks, and what was found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidgen_lite.checks import expect_number, expect_positive, expect_shape


@dataclass(frozen=True)
class Mixture:
    """Round Gaussians of equal weight.

    Attributes:
        centres: their means, each a tuple of coordinates.
        spread: their standard deviation, the same for all and along all axes.

    Raises:
        ValueError: there is no centre, or the spread is not above 0.
    """

    centres: tuple[tuple[float, ...], ...]
    spread: float

    def __post_init__(self) -> None:
        if not self.centres:
            raise ValueError("centres: expected at least one, got none")
        expect_number("spread", self.spread, above=0)

    def sample(self, n: int, random: torch.Generator) -> Tensor:
        """Draw n points, (n, dimensions), from these random numbers."""
        centres = torch.tensor(self.centres)
        chosen = torch.randint(len(centres), (n,), generator=random)
        return centres[chosen] + self.spread * torch.randn(n, centres.shape[1], generator=random)

    def density(self, points: Tensor) -> Tensor:
        """The density at points of shape (..., dimensions), as (...)."""
        centres = torch.tensor(self.centres).to(points)
        squared = (points[..., None, :] - centres).square().sum(-1)  # (..., modes)
        scale = (2 * math.pi * self.spread**2) ** (centres.shape[1] / 2)
        return torch.exp(-squared / (2 * self.spread**2)).mean(-1) / scale


def ring(n_modes: int = 8, *, radius: float = 2.0, spread: float = 0.05) -> Mixture:
    """Gaussians evenly spaced on a circle: the test for mode collapse of Metz et al. (2017)."""
    expect_positive("n_modes", n_modes)
    angles = [2 * math.pi * k / n_modes for k in range(n_modes)]
    return Mixture(tuple((radius * math.cos(a), radius * math.sin(a)) for a in angles), spread)


class Coverage(NamedTuple):
    """How samples lie on a mixture.

    ``good`` is the share of samples within four standard deviations of a centre, ``modes`` how many
    centres have at least a quarter of their fair share of the samples as near as that.
    """

    modes: int
    good: float


def coverage(samples: Tensor, target: Mixture) -> Coverage:
    """Count the modes found and the share of good samples; ``samples`` is (n, dimensions)."""
    expect_shape("samples", samples, f"n {len(target.centres[0])}")
    distances = torch.cdist(samples, torch.tensor(target.centres).to(samples))  # (n, modes)
    nearest, mode = distances.min(1)
    good = nearest < 4 * target.spread
    counts = torch.bincount(mode[good], minlength=len(target.centres))
    enough = len(samples) / len(target.centres) / 4
    return Coverage(modes=int((counts >= enough).sum()), good=good.float().mean().item())


class Generator2D(nn.Module):
    """Noise (B, z_dim) to points of the plane (B, 2): two hidden layers."""

    def __init__(self, *, z_dim: int = 2, width: int = 64) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.layers = nn.Sequential(
            nn.Linear(z_dim, width), nn.ReLU(),
            nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 2),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        expect_shape("z", z, f"B {self.z_dim}")
        return self.layers(z)


class Discriminator2D(nn.Module):
    """Points of the plane (B, 2) to logits (B, 1): two hidden layers.

    With ``batch_statistics`` each point is judged together with the standard deviation of the whole
    batch along both axes, so that D can tell a batch that is all alike; the idea, on feature maps,
    is section 3 of Karras et al. (2018).
    """

    def __init__(self, *, width: int = 64, batch_statistics: bool = False) -> None:
        super().__init__()
        self.batch_statistics = batch_statistics
        self.layers = nn.Sequential(
            nn.Linear(4 if batch_statistics else 2, width), nn.LeakyReLU(0.2),
            nn.Linear(width, width), nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor, *, company: Tensor | None = None) -> Tensor:
        """Judge points (B, 2); the batch they are seen in is x itself, or ``company`` (N, 2)."""
        expect_shape("x", x, "B 2")
        if self.batch_statistics:
            company = x if company is None else company
            spread = company.var(0, unbiased=False).add(1e-8).sqrt()  # (2,)
            x = torch.cat([x, spread.expand_as(x)], dim=1)  # (B, 4)
        return self.layers(x)
