"""Two of torch's layers once more, the same numbers in about half the time on a processor.

On a GPU both are torch's own.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_positive

EPS = 1e-5


class ToColours(nn.Conv2d):
    """A convolution with few outputs, row by row.

    Three outputs leave most of a processor's lanes idle. So a kernel of k x k is taken as k kernels
    of 1 x k, all run at once: k times as many outputs, each of which is then moved by its row and
    added up.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, H, W) to (B, c_out, H - k + 1, W - k + 1)."""
        if x.device.type != "cpu":
            return super().forward(x)
        (c_out, c_in, k, _), height = self.weight.shape, x.shape[2] - self.weight.shape[2] + 1
        rows = self.weight.permute(2, 0, 1, 3).reshape(k * c_out, c_in, 1, k)
        found = F.conv2d(x, rows).unflatten(1, (k, c_out))  # (B, k, c_out, H, W - k + 1)
        picture = found[:, 0, :, :height]
        for row in range(1, k):
            picture = picture + found[:, row, :, row : row + height]
        return picture if self.bias is None else picture + self.bias[:, None, None]


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps), each channel of each picture by itself."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x - x.mean((2, 3), keepdim=True)
        length = torch.linalg.vector_norm(y, dim=(2, 3), keepdim=True)  # (B, C, 1, 1)
        rate = (length.square_().div_(y.shape[2] * y.shape[3]) + EPS).rsqrt_()
        y.mul_(rate)
        ctx.save_for_backward(y, rate)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,), (y, rate) = gradients, ctx.saved_tensors
        # What would move the mean or the spread is taken out: the output has neither.
        along = (gradient * y).mean((2, 3), keepdim=True)
        flat = gradient - gradient.mean((2, 3), keepdim=True)
        return torch.addcmul(flat, y, along, value=-1).mul_(rate)


class InstanceNorm(nn.Module):
    """Give every channel of every picture mean 0 and variance 1; it has no weights.

    What follows must not work in place: the output is kept for the gradient.

    Args:
        channels: of the pictures; only checked.

    Raises:
        ValueError: a count below 1, or pictures (B, C, H, W) of one pixel or other channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        expect_positive("channels", channels)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        if x.ndim != 4 or x.shape[1] != self.channels or x.shape[2] * x.shape[3] < 2:
            raise ValueError(
                f"x: expected (B, {self.channels}, H, W) of at least 2 pixels, got {tuple(x.shape)}"
            )
        if x.device.type != "cpu":
            return F.instance_norm(x, eps=EPS)  # one kernel on a GPU
        return _Normalise.apply(x)
