"""Weights before training: how they are drawn, and how they lie in memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def channels_last(network: nn.Module) -> None:
    """Lay 3-D kernels out with the channels last, on which convolutions are faster."""
    for weight in network.parameters():
        if weight.ndim == 5:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)


@torch.no_grad()
def initialise(network: nn.Module) -> None:
    """Draw weights as the authors of VGAN and Pose-GAN do: N(0, 0.01), in batch norm N(1, 0.02)."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.conv._ConvNd):
            layer.weight.normal_(0, 0.01)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.weight.normal_(1, 0.02)
            layer.bias.zero_()


@torch.no_grad()
def initialise_by_fan_in(network: nn.Module) -> None:
    """Draw weights so that each level passes its input's size on (He et al., 2015)."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.conv._ConvNd):
            # Behind spectral norm, ``weight`` is computed from the true one at every look.
            wrapped: Any = getattr(layer, "parametrizations", None)
            weight = wrapped.weight.original if wrapped else layer.weight
            nn.init.kaiming_normal_(weight, 0.2, nonlinearity="leaky_relu")
            if layer.bias is not None:
                layer.bias.zero_()
