"""Clear errors at the library's public borders.

Each function raises one ``ValueError`` or ``TypeError`` that names the argument, what came and
what was expected, so that a wrong shape is not met three calls later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch


def expect_shape(name: str, value: Any, shape: str) -> dict[str, int]:
    """Check a tensor's shape and return the sizes of its named axes.

    ``shape`` lists the axes, separated by spaces: a number is a fixed size, a word a free one
    (the same word must have the same size wherever it stands), e.g. ``"B 3 T H W"``.

    Raises:
        TypeError: ``value`` is not a tensor.
        ValueError: e.g. ``poses: expected (T, 18, 3), got (18, 3)``.
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
    axes = shape.split()
    sizes: dict[str, int] = {}
    fits = len(axes) == value.ndim and all(
        size == int(axis) if axis.isdigit() else sizes.setdefault(axis, size) == size
        for axis, size in zip(axes, value.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name}: expected {_tuple(axes)}, got {_tuple(value.shape)}")
    return sizes


def _tuple(items: Iterable[object]) -> str:
    """As Python writes a tuple, names of axes without quotation marks: ``(4,)``, ``(T, 18, 3)``."""
    words = [str(item) for item in items]
    return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"


def expect_range(name: str, value: torch.Tensor, low: float, high: float) -> None:
    """Check that every value is finite and lies in [low, high].

    Raises:
        ValueError: e.g. ``video: expected values in [-1, 1], got [0, 255]``.
    """
    if value.numel() == 0:
        return
    least, most = (bound.item() for bound in value.aminmax())
    if not (low <= least and most <= high):
        raise ValueError(
            f"{name}: expected values in [{low:g}, {high:g}], got [{least:g}, {most:g}]"
        )


def expect_positive(name: str, value: Any) -> None:
    """Check that a setting is a positive whole number.

    Raises:
        ValueError: e.g. ``width: expected a positive integer, got 0``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: expected a positive integer, got {value!r}")


def expect_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
) -> None:
    """Check that a setting is a finite number between bounds.

    Raises:
        ValueError: e.g. ``mask_start: expected a number above 0 and below 1, got 1.0``.
    """
    fits = isinstance(value, int | float) and math.isfinite(value)
    fits = fits and (above is None or value > above) and (below is None or value < below)
    if not (fits and (at_least is None or value >= at_least)):
        bounds = {"above": above, "at least": at_least, "below": below}
        told = " and ".join(f"{word} {b:g}" for word, b in bounds.items() if b is not None)
        raise ValueError(f"{name}: expected a number {told}, got {value!r}")


def expect_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Check that a setting is one of the named choices.

    Raises:
        ValueError: e.g. ``kind: expected one of minimax, least_squares; got 'wasserstein'``.
    """
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}; got {value!r}")
