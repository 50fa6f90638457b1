"""The losses of Goodfellow et al. (2014) and Mao et al. (2017), and the R1 penalty.

Pure functions of the discriminator's logits: its last layer has no sigmoid, D(x) = sigmoid(s), so
that no logarithm of a rounded-off probability is ever taken.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vidgen_lite.checks import expect_choice

KINDS = ("minimax", "non_saturating", "least_squares")


class DiscriminatorLoss(NamedTuple):
    """What the discriminator minimises, term by term; ``total`` is ``real + fake``. Scalars."""

    total: Tensor
    real: Tensor
    fake: Tensor


def value(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The value of the game: D makes it large, G makes it small.

    Equation: eq:gan-value

    Args:
        real_logits: the discriminator's logits on data, any shape, usually (B,) or (B, 1).
        fake_logits: its logits on generated samples, any shape.

    Returns:
        A scalar, at most 0; -log 4 when D answers 1/2 everywhere.

    Raises:
        TypeError: a logit argument is not a floating-point tensor.
        ValueError: a logit argument is empty.
    """
    real_logits = _expect_logits("real_logits", real_logits)
    fake_logits = _expect_logits("fake_logits", fake_logits)
    # log D(x) = -softplus(-s) and log(1 - D(x)) = -softplus(s), finite for every finite s.
    return -F.softplus(-real_logits).mean() - F.softplus(fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, *, kind: str) -> DiscriminatorLoss:
    """The discriminator's loss, to be minimised.

    ``minimax`` and ``non_saturating`` differ only in the generator's loss: for the discriminator
    both are the negative value of the game. ``least_squares`` reads the logits as plain scores
    with targets 1 (real) and 0 (fake).

    Equation: eq:discriminator-loss
    Equation: eq:least-squares-discriminator

    Args:
        real_logits: the discriminator's output on data, any shape, usually (B,) or (B, 1).
        fake_logits: its output on generated samples (detached from the generator), any shape.
        kind: one of ``KINDS``.

    Returns:
        The named terms, each a mean over all logits. Half-precision logits are summed in float32.

    Raises:
        TypeError: a logit argument is not a floating-point tensor.
        ValueError: an unknown kind, or a logit argument is empty.
    """
    expect_choice("kind", kind, KINDS)
    real_logits = _expect_logits("real_logits", real_logits)
    fake_logits = _expect_logits("fake_logits", fake_logits)
    if kind == "least_squares":
        real = 0.5 * (real_logits - 1).square().mean()
        fake = 0.5 * fake_logits.square().mean()
    else:
        real = F.softplus(-real_logits).mean()  # -log D(x)
        fake = F.softplus(fake_logits).mean()  # -log(1 - D(G(z)))
    return DiscriminatorLoss(total=real + fake, real=real, fake=fake)


def generator_loss(fake_logits: Tensor, *, kind: str) -> Tensor:
    """The generator's loss, to be minimised: one term, so a scalar.

    Equation: eq:generator-minimax
    Equation: eq:generator-non-saturating
    Equation: eq:least-squares-generator

    Args:
        fake_logits: the discriminator's output on generated samples, any shape.
        kind: one of ``KINDS``; ``minimax`` is at most 0, the other two are at least 0.

    Raises:
        TypeError: ``fake_logits`` is not a floating-point tensor.
        ValueError: an unknown kind, or ``fake_logits`` is empty.
    """
    expect_choice("kind", kind, KINDS)
    fake_logits = _expect_logits("fake_logits", fake_logits)
    if kind == "minimax":
        return -F.softplus(fake_logits).mean()  # log(1 - D(G(z)))
    if kind == "non_saturating":
        return F.softplus(-fake_logits).mean()  # -log D(G(z))
    return 0.5 * (fake_logits - 1).square().mean()


def r1_penalty(real_logits: Tensor, reals: Tensor) -> Tensor:
    """The squared norm of the discriminator's gradient at the data, averaged over the batch.

    Add ``0.5 * gamma * r1_penalty(...)`` to the discriminator's loss (Mescheder et al. 2018).
    The result can be differentiated once more.

    The gradient is that of the sum of all logits. Where D judges each sample alone, this is each
    sample's own. Where it looks at the batch, a sample's gradient also holds what it does to the
    logits of the others: with batch statistics through one number that all of them see, so that the
    penalty also asks this number to change gently; with batch normalisation through every layer,
    which is why lecture 2's settings refuse the two together.

    Equation: eq:r1

    Args:
        real_logits: the discriminator's logits on ``reals``, any shape.
        reals: the data, (B, ...), with ``requires_grad`` set before the discriminator saw it.

    Returns:
        A scalar, at least 0.

    Raises:
        TypeError: an argument is not a floating-point tensor.
        ValueError: an argument is empty, or the logits do not depend on ``reals``.
    """
    _expect_logits("real_logits", real_logits)
    _expect_logits("reals", reals)
    gradient = None
    if reals.requires_grad and real_logits.requires_grad:
        (gradient,) = torch.autograd.grad(
            real_logits.sum(), reals, create_graph=True, allow_unused=True
        )
    if gradient is None:
        raise ValueError(
            "reals: expected the tensor that real_logits was computed from, "
            "with requires_grad=True before that"
        )
    return _at_least_float32(gradient).flatten(1).square().sum(1).mean()


def _expect_logits(name: str, logits: Tensor) -> Tensor:
    """The logits in at least float32, or an error that names them."""
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
        raise TypeError(f"{name}: expected a floating-point torch.Tensor, got {kind}")
    if logits.numel() == 0:
        raise ValueError(f"{name}: expected at least one value, got shape {tuple(logits.shape)}")
    return _at_least_float32(logits)


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
