"""Velocities split into where to and how far, as the authors' code feeds them to its networks.

The velocity of a step is the pose at its end minus the pose at its start, in fractions of the
picture. The 18 x's and the 18 y's are split apart, each into a direction (a vector of 18 numbers
of fixed length) and a magnitude (one number).
"""

from __future__ import annotations

import torch
from torch import Tensor

DIRECTION_SCALE = 5.0  # length of a direction vector
MAGNITUDE_MEAN, MAGNITUDE_SPREAD = 1.1, 0.1  # of exp(length), to bring it near zero and one


def velocity_to_direction_magnitude(velocity: Tensor) -> tuple[Tensor, Tensor]:
    """Split velocities into direction and magnitude, the x's and the y's each on their own.

    With n the Euclidean norm of the J x's (or y's), direction = 5 v / n and
    magnitude = (exp(n) - 1.1) / 0.1; a body that stands still has direction 0.

    Equation: eq:direction-magnitude

    Args:
        velocity: (…, J, 2) in fractions of the picture a step.

    Returns:
        direction (…, J, 2) and magnitude (…, 2).

    Raises:
        ValueError: another shape.
    """
    _expect_pairs("velocity", velocity, "(…, J, 2)", ndim=2)
    length = velocity.norm(dim=-2)  # (…, 2)
    safe = torch.where(length > 0, length, torch.ones_like(length))
    direction = DIRECTION_SCALE * velocity / safe.unsqueeze(-2)
    # expm1, because exp would round a slow movement away.
    magnitude = (torch.expm1(length) - (MAGNITUDE_MEAN - 1)) / MAGNITUDE_SPREAD
    return direction, magnitude


def direction_magnitude_to_velocity(direction: Tensor, magnitude: Tensor) -> Tensor:
    """Undo :func:`velocity_to_direction_magnitude`, also for what a network predicted.

    A magnitude below that of standing still (-1) counts as standing still. (The authors' code
    stops at -2 instead, a slightly negative length.) The direction is taken as it is: one that
    is not of length 5 makes the movement longer or shorter.

    Args:
        direction: (…, J, 2).
        magnitude: (…, 2).

    Returns:
        velocity (…, J, 2) in fractions of the picture a step.

    Raises:
        ValueError: the shapes do not fit.
    """
    _expect_pairs("direction", direction, "(…, J, 2)", ndim=2)
    expected = (*direction.shape[:-2], 2)
    if tuple(magnitude.shape) != expected:
        raise ValueError(f"magnitude: expected {expected}, got {tuple(magnitude.shape)}")
    still = (1 - MAGNITUDE_MEAN) / MAGNITUDE_SPREAD
    grown = MAGNITUDE_SPREAD * magnitude.clamp(min=still) + (MAGNITUDE_MEAN - 1)
    return direction / DIRECTION_SCALE * torch.log1p(grown.clamp(min=0)).unsqueeze(-2)


def _expect_pairs(name: str, value: Tensor, shape: str, *, ndim: int) -> None:
    if value.ndim < ndim or value.shape[-1] != 2:
        raise ValueError(f"{name}: expected {shape}, got {tuple(value.shape)}")
