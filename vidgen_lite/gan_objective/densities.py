"""What a perfect discriminator makes of the losses, computed for densities on a grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def optimal_discriminator(p: Tensor, q: Tensor) -> Tensor:
    """The discriminator that no other one beats, for densities p of the data and q of G.

    Equation: eq:optimal-discriminator

    Args:
        p: the data's density at any points, at least 0.
        q: the generator's density at the same points, at least 0.

    Returns:
        D*(x) in [0, 1], of p's shape; 1/2 where neither has any density (there every answer is as
        good).

    Raises:
        TypeError: a density is not a floating-point tensor.
        ValueError: the shapes differ, or a density is negative or not finite.
    """
    _expect_densities(p, q, cell=None)
    nowhere = p + q == 0
    return torch.where(nowhere, 0.5, p / torch.where(nowhere, 1, p + q))


def jensen_shannon(p: Tensor, q: Tensor, *, cell: float = 1.0) -> Tensor:
    """The Jensen-Shannon divergence of two densities on a grid.

    Equation: eq:jensen-shannon

    Args:
        p: one density at the grid's cells, any shape; ``(p * cell).sum()`` is 1 within 1 %.
        q: the other one, of the same shape.
        cell: the length (area, volume) of a cell.

    Returns:
        A scalar in nats, from 0 (equal) to log 2 (no common support).

    Raises:
        TypeError: a density is not a floating-point tensor.
        ValueError: the shapes differ, or a density is negative, not finite or not normalised.
    """
    _expect_densities(p, q, cell=cell)
    middle = (p + q) / 2
    middle = torch.where(middle == 0, 1, middle)
    # xlogy: 0 log 0 is 0
    divergence = torch.special.xlogy(p, p / middle) + torch.special.xlogy(q, q / middle)
    return 0.5 * divergence.sum() * cell


def optimal_value(p: Tensor, q: Tensor, *, cell: float = 1.0) -> Tensor:
    """What the game is worth to G when D is perfect: the value at D*.

    Equation: eq:optimal-value

    Arguments and errors are those of :func:`jensen_shannon`. Returns a scalar from -log 4 to 0.
    """
    return 2 * jensen_shannon(p, q, cell=cell) - math.log(4)


def pearson_chi_square(p: Tensor, q: Tensor, *, cell: float = 1.0) -> Tensor:
    """Pearson's chi-square between p + q and 2 q: what least squares measures at its optimum.

    Equation: eq:pearson

    Arguments and errors are those of :func:`jensen_shannon`. Returns a scalar from 0 to 2.
    """
    _expect_densities(p, q, cell=cell)
    nowhere = p + q == 0
    return ((p - q).square() / torch.where(nowhere, 1, p + q)).sum() * cell


def _expect_densities(p: Tensor, q: Tensor, *, cell: float | None) -> None:
    """Two densities of one shape, at least 0; of total 1 too where a cell size is given."""
    for name, density in (("p", p), ("q", q)):
        if not isinstance(density, Tensor) or not density.is_floating_point():
            kind = density.dtype if isinstance(density, Tensor) else type(density).__name__
            raise TypeError(f"{name}: expected a floating-point torch.Tensor, got {kind}")
        if not (density.isfinite().all() and (density >= 0).all()):
            raise ValueError(f"{name}: expected finite densities of at least 0")
        total = 1 if cell is None else density.sum().item() * cell
        if abs(total - 1) > 0.01:
            raise ValueError(f"{name}: expected a density of total 1, got {total:.4g}")
    if p.shape != q.shape:
        raise ValueError(f"q: expected p's shape {tuple(p.shape)}, got {tuple(q.shape)}")
