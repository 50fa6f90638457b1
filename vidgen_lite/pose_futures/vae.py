"""Pose-VAE: a picture and a short past of poses in, several futures of the body out.

The slides' five parts: the past encoder (with the image branch) sums up what was seen in H_t; the
past decoder must replay the past from it; the future encoder Q, used in training only, looks at
the true future and names the z that would give it; the future decoder turns z and H_t into
velocities, step by step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidgen_lite import skeleton
from vidgen_lite.checks import expect_choice, expect_positive, expect_shape
from vidgen_lite.pose_futures.vae_parts import (
    JOINTS,
    FutureEncoder,
    ImageBranch,
    Memory,
    StepDecoder,
    StepReader,
    Steps,
    velocities,
)
from vidgen_lite.pose_futures.velocities import direction_magnitude_to_velocity

FORMS = ("slides", "code")
MEAN = (0.407, 0.456, 0.482)  # of the authors' pictures, whose values are in [0, 1]


class Future(NamedTuple):
    """A forecast: its velocities, and the poses they lead to, (B, K, 18, 2) in pixels."""

    steps: Steps
    poses: Tensor


class PoseVAE(nn.Module):
    """The five parts together (paper section 3; layers and sizes from the authors' code).

    Args:
        width: of the LSTMs and of the image's vector; 1024 is the authors'.
        z_dim: length of z.
        form: ``slides``: every step of the decoder sees all of z, and Q reads poses too. ``code``:
            as in the authors' code, a step sees its own share of z, and Q no poses.
        past_steps, future_steps: how many steps are seen and forecast.
        size: (height, width) of the picture in pixels.
        image_width: channels of the image branch's first level; width / 32 if not given.

    Raises:
        ValueError: a size that is not positive, an unknown form, a picture below 59 pixels, or
            (form ``code``) a z that the steps can't share.
    """

    def __init__(
        self,
        *,
        width: int = 1024,
        z_dim: int = 20,
        form: str = "slides",
        past_steps: int = 2,
        future_steps: int = 5,
        size: tuple[int, int] = (240, 320),
        image_width: int | None = None,
    ) -> None:
        super().__init__()
        image_width = max(width // 32, 1) if image_width is None else image_width
        sizes = {
            "width": width,
            "z_dim": z_dim,
            "image_width": image_width,
            "past_steps": past_steps,
            "future_steps": future_steps,
        }
        for name, value in sizes.items():
            expect_positive(name, value)
        expect_choice("form", form, FORMS)
        if min(size) < 59:
            raise ValueError(f"size: expected at least 59 pixels a side, got {size}")
        if form == "code" and z_dim % future_steps:
            raise ValueError(f"z_dim: expected a multiple of {future_steps} steps, got {z_dim}")
        self.z_dim, self.form, self.size = z_dim, form, size
        self.past_steps, self.future_steps = past_steps, future_steps
        self.image = ImageBranch(width=image_width, out=width, size=size)
        self.past_reader = StepReader(width)
        self.past_encoder = nn.LSTM(2 * width, width, 2, batch_first=True)
        self.past_decoder = StepDecoder(width=width)
        self.future_encoder = FutureEncoder(width=width, z_dim=z_dim, form=form, steps=future_steps)
        z_step = z_dim if form == "slides" else z_dim // future_steps
        self.future_decoder = StepDecoder(width=width, z_step=z_step)

    def picture(self, now: Tensor, image: Tensor) -> Tensor:
        """What the image branch reads: (B, 6, H, W), the image and a drawing of the pose now.

        Args:
            now: (B, 18, 3) in pixels. image: (B, 3, H, W) in [-1, 1].
        """
        height, width = self.size
        n = expect_shape("now", now, f"B {JOINTS} 3")["B"]
        expect_shape("image", image, f"{n} 3 {height} {width}")
        drawn = skeleton.draw(now, height=height, width=width)
        mean = image.new_tensor(MEAN * 2)[:, None, None]
        return (torch.cat([image, drawn], 1) + 1) / 2 - mean

    def encode_past(self, past: Tensor, picture: Tensor) -> Memory:
        """H_t from the step ends up to now (B, past + 1, 18, 3) and :meth:`picture`'s answer."""
        expect_shape("past", past, f"B {self.past_steps + 1} {JOINTS} 3")
        steps = velocities(past, size=self.size)
        read = self.past_reader(self.in_fractions(past[:, 1:]), steps)  # (B, past, width)
        seen = self.image(picture)[:, None].expand_as(read)
        _, after = self.past_encoder(torch.cat([read, seen], -1))
        return Memory(*after)

    def replay_past(self, memory: Memory) -> Steps:
        """The past steps, the latest first, from nothing but H_t."""
        return self.past_decoder(memory, None, None, self.past_steps)[0]

    def posterior(self, memory: Memory, future: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        """Q's mean and log variance (B, z_dim), given the future poses (B, M, 18, 3) in pixels."""
        return self.future_encoder(memory, self.in_fractions(future), steps)

    def decode(self, memory: Memory, z: Tensor, starts: Tensor) -> Steps:
        """Teacher-forced: each step is told the true pose it starts from (B, M, 18, 3)."""
        poses = self.in_fractions(starts)
        return self.future_decoder(memory, self._code(z), poses, self.future_steps)[0]

    def decode_freely(self, memory: Memory, z: Tensor, now: Tensor) -> Future:
        """Each step starts where the one before it led; ``now`` is the pose at t (B, 18, 3)."""
        code, pose, seen = self._code(z), self.in_fractions(now)[..., :2], now[..., 2:]
        seen = (seen >= skeleton.SEEN).to(pose)
        steps, poses = [], []
        for k in range(self.future_steps):
            start = torch.cat([pose, seen], -1)[:, None]  # (B, 1, 18, 3)
            step, memory = self.future_decoder(memory, code[:, k : k + 1], start, 1)
            pose = pose + direction_magnitude_to_velocity(*step)[:, 0]
            steps.append(step)
            poses.append(pose)
        joined = Steps(*(torch.cat(part, 1) for part in zip(*steps, strict=True)))
        return Future(joined, torch.stack(poses, 1) * pose.new_tensor(self.size[::-1]))

    @torch.no_grad()
    def imagine(self, past: Tensor, image: Tensor, z: Tensor) -> Tensor:
        """A future for every code of every past; no posterior, and no batch statistics.

        Args:
            past: (B, past + 1, 18, 3) in pixels, the poses where steps end, the last one now.
            image: (B, 3, H, W) in [-1, 1], the pictures now.
            z: (B, n, z_dim).

        Returns:
            (B, n, future_steps, 18, 2) in pixels.
        """
        batch, n = expect_shape("z", z, f"B n {self.z_dim}").values()
        training = self.training
        self.eval()  # batch norm's running means: a future may not depend on its neighbours
        try:
            once = self.encode_past(past, self.picture(past[:, -1], image))
            memory = Memory(*(part.repeat_interleave(n, 1) for part in once))
            now = past[:, -1].repeat_interleave(n, 0)  # (B n, 18, 3)
            return self.decode_freely(memory, z.flatten(0, 1), now).poses.unflatten(0, (batch, n))
        finally:
            self.train(training)

    def sample(
        self, past: Tensor, image: Tensor, n: int = 1, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Imagine n futures of one past, with z from N(0, I).

        Args:
            past: (past + 1, 18, 3) in pixels. image: (3, H, W) in [-1, 1].
            n: how many.
            generator: of the codes, on the CPU; torch's global numbers if not given.

        Returns:
            (n, future_steps, 18, 2) in pixels.

        Raises:
            ValueError: a shape does not fit, or n below 1.
        """
        expect_positive("n", n)
        expect_shape("past", past, f"{self.past_steps + 1} {JOINTS} 3")
        expect_shape("image", image, f"3 {self.size[0]} {self.size[1]}")
        z = torch.randn(1, n, self.z_dim, generator=generator).to(past)
        return self.imagine(past[None], image[None], z)[0]

    def in_fractions(self, poses: Tensor) -> Tensor:
        """Pixels to fractions of the picture, and confidence to 0 or 1, as the networks read."""
        places = poses[..., :2] / poses.new_tensor(self.size[::-1])
        return torch.cat([places, (poses[..., 2:] >= skeleton.SEEN).to(places)], -1)

    def _code(self, z: Tensor) -> Tensor:
        """What each step sees of z: (B, z_dim) -> (B, M, z_step)."""
        if self.form == "slides":
            return z[:, None].expand(-1, self.future_steps, -1)
        return z.unflatten(1, (self.future_steps, -1))
