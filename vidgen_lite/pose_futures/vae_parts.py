"""The parts of the Pose-VAE: image branch, readers of poses, step decoder, future encoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidgen_lite import skeleton
from vidgen_lite.pose_futures.velocities import (
    velocity_to_direction_magnitude,
)

JOINTS = len(skeleton.JOINTS)
EMBED = 3 * JOINTS  # 54: what each small input becomes before an LSTM reads it
REPEAT_DIRECTION, REPEAT_MAGNITUDE = 10, 100  # form "code": repeating an input weights it up


class Steps(NamedTuple):
    """Velocities of K steps, as the networks read and write them.

    Attributes:
        direction: (B, K, 18, 2). magnitude: (B, K, 2).
    """

    direction: Tensor
    magnitude: Tensor


class Memory(NamedTuple):
    """H_t: what an LSTM of two layers remembers; hidden and cell are (2, B, width)."""

    hidden: Tensor
    cell: Tensor


def velocities(poses: Tensor, *, size: tuple[int, int]) -> Steps:
    """The steps between poses (B, K + 1, 18, 2 or 3) in pixels of a (height, width) picture."""
    scale = poses.new_tensor([size[1], size[0]])
    velocity = poses[..., :2].diff(dim=1) / scale
    return Steps(*velocity_to_direction_magnitude(velocity))


class Normed(nn.Module):
    """Linear, then batch norm over every row of every step: (…, n_in) -> (…, n_out)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return self.norm(y.reshape(-1, y.shape[-1])).reshape(y.shape)


class ImageBranch(nn.Module):
    """Picture and drawn pose to one vector: five convolutions, each conv, ReLU, batch norm.

    Args:
        width: channels of the first level; 32 is the authors'.
        out: length of the vector.
        size: (height, width) of the picture, at least 59 pixels each.
    """

    def __init__(self, *, width: int, out: int, size: tuple[int, int]) -> None:
        super().__init__()
        w = width
        self.features = nn.Sequential(
            *self._level(6, w, 7, stride=4, pool=True),
            *self._level(w, 4 * w, 5, pool=True),
            *self._level(4 * w, 6 * w, 3),
            *self._level(6 * w, 6 * w, 3),
            *self._level(6 * w, 4 * w, 3, pool=True),
            nn.Flatten(),
        )
        height, length = (_reduced(side) for side in size)
        self.head = Normed(4 * w * height * length, out)

    @staticmethod
    def _level(
        c_in: int, c_out: int, kernel: int, *, stride: int = 1, pool: bool = False
    ) -> list[nn.Module]:
        padding = 2 if kernel > 3 else 1
        convolution = nn.Conv2d(c_in, c_out, kernel, stride, padding)
        level: list[nn.Module] = [convolution, nn.ReLU(inplace=True), nn.BatchNorm2d(c_out)]
        return [*level, nn.MaxPool2d(3, 2)] if pool else level

    def forward(self, picture: Tensor) -> Tensor:
        """Read (B, 6, H, W): RGB and a drawing of the pose, in [0, 1] less their mean."""
        return self.head(self.features(picture))  # (B, out)


def _reduced(side: int) -> int:
    """What is left of a side after the image branch's strides and pools."""
    left = (side + 4 - 7) // 4 + 1
    for _ in range(3):
        left = (left - 3) // 2 + 1
    return left


class StepReader(nn.Module):
    """Poses, directions and magnitudes of K steps to one vector a step."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.pose, self.direction = Normed(3 * JOINTS, EMBED), Normed(2 * JOINTS, EMBED)
        self.magnitude, self.join = Normed(2, EMBED), Normed(3 * EMBED, out)

    def forward(self, poses: Tensor, steps: Steps) -> Tensor:
        parts = [self.pose(poses.flatten(2)), self.direction(steps.direction.flatten(2))]
        return self.join(torch.cat([*parts, self.magnitude(steps.magnitude)], -1))  # (B, K, out)


class StepDecoder(nn.Module):
    """Poses (and some of z) in, velocities out, a step at a time, from what H_t remembers.

    Args:
        width: of the LSTM.
        z_step: how many numbers of z a step sees; 0 for the past decoder, whose inputs are zero.
    """

    def __init__(self, *, width: int, z_step: int = 0) -> None:
        super().__init__()
        self.code = Normed(z_step, EMBED) if z_step else None
        self.pose = Normed(3 * JOINTS, EMBED) if z_step else None
        self.lstm = nn.LSTM(2 * EMBED, width, 2, batch_first=True)
        self.direction, self.magnitude = nn.Linear(width, 2 * JOINTS), nn.Linear(width, 2)

    def forward(
        self, memory: Memory, code: Tensor | None, poses: Tensor | None, steps: int
    ) -> tuple[Steps, Memory]:
        """Decode ``steps`` steps: code (B, K, z_step) and start poses (B, K, 18, 3), or zeros."""
        if self.code is None or self.pose is None:
            inputs = memory.hidden.new_zeros(memory.hidden.shape[1], steps, 2 * EMBED)
        else:
            assert code is not None
            assert poses is not None
            inputs = torch.cat([self.code(code), self.pose(poses.flatten(2))], -1)  # (B, K, 108)
        out, after = self.lstm(inputs, tuple(memory))  # (B, K, width)
        direction = self.direction(out).unflatten(-1, (JOINTS, 2))
        return Steps(direction, self.magnitude(out)), Memory(*after)


class FutureEncoder(nn.Module):
    """Q: the mean and log variance of z, given H_t and the true future.

    Form ``slides``: an LSTM that starts from H_t and reads poses and velocities. Form ``code``:
    as in the authors' code, a network of two layers that reads velocities and H_t, no poses.
    """

    def __init__(self, *, width: int, z_dim: int, form: str, steps: int) -> None:
        super().__init__()
        self.form = form
        n_in = 2 * width
        if form == "slides":
            self.reader = StepReader(width)
            self.lstm = nn.LSTM(width, width, 2, batch_first=True)
        else:
            self.direction = Normed(2 * JOINTS * steps, 2 * JOINTS * steps)
            self.magnitude = Normed(2 * steps, 2 * steps)
            n_in += 2 * JOINTS * steps * REPEAT_DIRECTION + 2 * steps * REPEAT_MAGNITUDE
        self.hidden = nn.Sequential(nn.Linear(n_in, width // 2), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(width // 2, z_dim), nn.Linear(width // 2, z_dim)

    def forward(self, memory: Memory, poses: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        """Look at M future steps: poses (B, M, 18, 3) at their ends; two (B, z_dim)."""
        if self.form == "slides":
            _, (seen, _) = self.lstm(self.reader(poses, steps), tuple(memory))
            read = flat(seen)
        else:
            direction = self.direction(steps.direction.flatten(1)).repeat(1, REPEAT_DIRECTION)
            magnitude = self.magnitude(steps.magnitude.flatten(1)).repeat(1, REPEAT_MAGNITUDE)
            read = torch.cat([direction, magnitude, flat(memory.hidden)], -1)
        hidden = self.hidden(read)
        return self.mean(hidden), self.log_variance(hidden)


def flat(hidden: Tensor) -> Tensor:
    """Both layers side by side: (2, B, width) -> (B, 2 width)."""
    return hidden.transpose(0, 1).flatten(1)
