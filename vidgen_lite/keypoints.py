"""A small network that finds the 18 joints in a picture.

It reads poses back from made films, which tells whether a generator painted the pose that it was
told to paint. Each joint has a heat-map; the joint's place is the mean place under it
(soft-argmax: Sun et al., "Integral Human Pose Regression", 2018), which is finer than the map's
pixels and lets the gradient through.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.skeleton import JOINTS, SEEN, heatmaps
from vidgen_lite.training import step_generator, to_float

STRIDE = 8  # the picture's sides are multiples of this
SCALE = 2.0  # side of a map's pixel in pixels of the picture


class KeypointNetwork(nn.Module):
    """Picture in, 18 places out: convolutions down to an eighth of the side and up to a half.

    Args:
        width: channels at half the picture's side.

    Raises:
        ValueError: a width below 1.
    """

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        expect_positive("width", width)
        w = width
        self.to_half = _level(3, w, stride=2)
        self.to_quarter = _level(w, 2 * w, stride=2)
        self.to_eighth = nn.Sequential(_level(2 * w, 4 * w, stride=2), _level(4 * w, 4 * w))
        self.back_to_quarter = _level(6 * w, 2 * w)
        self.back_to_half = _level(3 * w, w)
        self.head = nn.Conv2d(w, len(JOINTS), 1)

    def heatmaps(self, frames: Tensor) -> Tensor:
        """Where each joint may be: (B, 18, H/2, W/2), each map summing to 1."""
        return self.log_heatmaps(frames).exp()

    def log_heatmaps(self, frames: Tensor) -> Tensor:
        """The logarithm of :meth:`heatmaps`."""
        sizes = expect_shape("frames", frames, "B 3 H W")
        if sizes["H"] % STRIDE or sizes["W"] % STRIDE:
            raise ValueError(
                f"frames: expected height and width to be multiples of {STRIDE}, "
                f"got {tuple(frames.shape)}"
            )
        half = self.to_half(frames)  # (B, w, H/2, W/2)
        quarter = self.to_quarter(half)  # (B, 2w, H/4, W/4)
        up = F.interpolate(self.to_eighth(quarter), scale_factor=2.0)
        up = self.back_to_quarter(torch.cat([up, quarter], 1))  # (B, 2w, H/4, W/4)
        up = self.back_to_half(torch.cat([F.interpolate(up, scale_factor=2.0), half], 1))
        scores: Tensor = self.head(up)  # (B, 18, H/2, W/2)
        return scores.flatten(2).log_softmax(2).view_as(scores)

    def forward(self, frames: Tensor) -> Tensor:
        """Find the joints in frames (B, 3, H, W) in [-1, 1]; sides are multiples of 8.

        Returns:
            (B, 18, 2): x, y in pixels of the frame, pixel centres at +0.5.
        """
        return soft_argmax(self.heatmaps(frames), scale=SCALE)


def soft_argmax(heatmaps: Tensor, *, scale: float = 1.0) -> Tensor:
    """The mean place under each map.

    Args:
        heatmaps: (..., H, W), each map summing to 1.
        scale: side of a map's pixel in pixels of the picture.

    Returns:
        (..., 2): x, y in pixels of the picture.
    """
    h, w = heatmaps.shape[-2:]
    rows = (torch.arange(h, device=heatmaps.device) + 0.5) * scale
    columns = (torch.arange(w, device=heatmaps.device) + 0.5) * scale
    x = (heatmaps.sum(-2) * columns).sum(-1)
    y = (heatmaps.sum(-1) * rows).sum(-1)
    return torch.stack([x, y], -1)


def _level(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride, 1), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)
    )


def train_keypoints(
    network: KeypointNetwork,
    frames: Tensor,
    poses: Tensor,
    *,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    noise: float = 0.1,
    seed: int = 0,
) -> Iterator[dict[str, float]]:
    """Train on frames whose poses are known; yields a record a step.

    The loss is ``error``, the mean distance in pixels, plus ``map``, which asks each heat-map to
    be a spot round its joint. The distance alone is slow to begin: a map that is grey all over
    has its mean in the middle, and hardly a pixel that could be blamed for it.

    Args:
        network: changed in place; left in ``eval`` mode at the end.
        frames: (N, 3, H, W), float in [-1, 1] or uint8.
        poses: (N, 18, 3): x, y in pixels and confidence. Joints below a confidence of 0.1 teach
            nothing.
        steps: how many batches.
        batch_size: frames a batch, drawn with replacement.
        learning_rate: Adam's at the start; it falls to zero along half a cosine.
        noise: standard deviation of what is added to the pixels, so that a made film's small
            flaws do not confuse the network.
        seed: of the batches and the noise.

    Raises:
        ValueError: frames and poses do not agree in number.
    """
    n = expect_shape("frames", frames, "N 3 H W")["N"]
    expect_shape("poses", poses, f"{n} 18 3")
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    network.train()
    for step in range(steps):
        random = step_generator(seed, step)
        index = torch.randint(n, (batch_size,), generator=random)
        batch = to_float(frames[index])
        batch = batch + noise * torch.randn(batch.shape, generator=random)
        maps, wanted = network.log_heatmaps(batch.to(device)), poses[index].to(device)
        error = pose_error(soft_argmax(maps.exp(), scale=SCALE), wanted)
        spots = map_error(maps, wanted)
        loss = error + spots
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield {"step": step + 1, "error": error.item(), "map": spots.item()}
    network.eval()


def map_error(log_maps: Tensor, poses: Tensor, *, sigma: float = 1.0) -> Tensor:
    """The mean cross-entropy between heat-maps and spots round the true joints.

    Args:
        log_maps: (B, 18, H, W), from :meth:`KeypointNetwork.log_heatmaps`.
        poses: (B, 18, 3): x, y in pixels of the picture, and confidence; joints below a confidence
            of 0.1 do not count.
        sigma: standard deviation of a spot in pixels of the map.

    Returns:
        A scalar in nats.
    """
    b, h, w = (expect_shape("log_maps", log_maps, "B 18 H W")[axis] for axis in "BHW")
    expect_shape("poses", poses, f"{b} 18 3")
    seen = poses[..., 2] >= SEEN
    places = torch.cat([poses[..., :2] / SCALE, torch.ones_like(poses[..., 2:])], -1)
    spots = heatmaps(places, height=h, width=w, sigma=sigma)[seen]  # (seen joints, H, W)
    spots = spots / spots.sum((-2, -1), keepdim=True).clamp(min=1e-6)
    return -(spots * log_maps[seen]).sum((-2, -1)).mean()


def pose_error(joints: Tensor, poses: Tensor) -> Tensor:
    """The mean distance between joints found and true, over the joints that are there to be seen.

    Args:
        joints: (..., 18, 2) or (..., 18, 3): x, y in pixels; a third number is not looked at.
        poses: the truth, (..., 18, 3), in pixels; joints below a confidence of 0.1 do not count.

    Returns:
        A scalar in pixels.

    Raises:
        ValueError: the shapes do not fit, or no joint is seen.
    """
    if joints.shape[:-1] != poses.shape[:-1] or poses.shape[-2:] != (len(JOINTS), 3):
        raise ValueError(
            f"joints, poses: expected (…, 18, 2) and (…, 18, 3), "
            f"got {tuple(joints.shape)} and {tuple(poses.shape)}"
        )
    seen = poses[..., 2] >= SEEN
    if not seen.any():
        raise ValueError("poses: expected at least one joint with a confidence of 0.1 or more")
    # Where nothing is seen the place may be anything, even nowhere; keep it out of the gradient.
    gap = (joints[..., :2] - poses[..., :2])[seen]
    return (gap.square().sum(-1) + 1e-6).sqrt().mean()


@torch.no_grad()
def read_poses(network: KeypointNetwork, video: Tensor) -> Tensor:
    """Find the joints in every frame of films.

    Args:
        network: trained.
        video: (N, 3, T, H, W), float in [-1, 1] or uint8.

    Returns:
        (N, T, 18, 2): x, y in pixels.
    """
    n, t = video.shape[0], video.shape[2]
    device = next(network.parameters()).device
    frames = video.transpose(1, 2).flatten(0, 1)  # (N T, 3, H, W)
    training = network.training
    network.eval()
    found = []
    for part in frames.split(256):
        found.append(network(to_float(part).to(device)).cpu())
    network.train(training)
    return torch.cat(found).view(n, t, len(JOINTS), 2)
