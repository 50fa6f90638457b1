"""Lecture 2's equations, those of its metrics included."""

import numpy as np
import torch

from ledger import Entry
from vidgen_lite import metrics, scene_dynamics
from vidgen_lite.scene_dynamics import GeneratedVideo, Settings

random = np.random.default_rng(2)
B, T, H, W = 2, 3, 4, 2
VIDEO = random.uniform(-1, 1, (B, 3, T, H, W))
IMAGE = random.uniform(-1, 1, (B, 3, H, W))
MASK = random.uniform(0.05, 0.95, (B, 1, T, H, W))
LOGITS = random.normal(0, 2, B)
# A metric is a number without a gradient. It is multiplied by a factor, whose gradient is the
# metric once more.
FACTOR = np.array(1.5)


def blend(m, f, b):
    """The composition, written cell by cell."""
    video = np.zeros_like(f)
    for n, c, t, h, w in np.ndindex(f.shape):
        m_ = m[n, 0, t, h, w]
        video[n, c, t, h, w] = m_ * f[n, c, t, h, w] + (1 - m_) * b[n, c, h, w]
    return video


def log_sigmoid(s):
    return -np.log(1 + np.exp(-s))


def objective(function, logits, mask, video, image):
    """The total of both cases of the equation: from noise, and from an image."""
    real = torch.stack([image] * T, dim=2)
    fake = GeneratedVideo(video, None, mask, None)
    noise = Settings(model="two-stream", mask_penalty=0.1)
    conditional = Settings(model="conditional", first_frame=10.0, mask_penalty=0.1)
    return torch.stack([function(fake, logits, real, s).total for s in (noise, conditional)])


def objective_again(logits, mask, video, image):
    adversarial = -log_sigmoid(logits).sum() / B
    first = np.abs(video[:, :, 0] - image).mean((1, 2, 3)).sum() / B
    return np.stack([adversarial + 0.1 * np.abs(mask).mean(), adversarial + 10 * first])


def frechet(a, b, factor):
    """From the covariances and the eigenvalues of their product."""
    mean = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real).sum()
    return factor * (mean @ mean + np.trace(cov_a) + np.trace(cov_b) - 2 * root)


LEDGER = {
    "eq:two-stream": Entry(
        function=scene_dynamics.compose,
        computed=lambda function, m, f, b: function(m, f, b),
        recomputed=blend,
        inputs={"m": MASK, "f": VIDEO, "b": IMAGE},
    ),
    "eq:mask-sparsity": Entry(
        function=scene_dynamics.mask_sparsity,
        computed=lambda function, m: function(m),
        recomputed=lambda m: np.abs(m).sum() / (B * T * H * W),
        inputs={"m": MASK},
    ),
    "eq:first-frame": Entry(
        function=scene_dynamics.first_frame_loss,
        computed=lambda function, video, image: function(video, image),
        recomputed=lambda video, image: (
            sum(np.abs(video[i][:, 0] - image[i]).mean() for i in range(B)) / B
        ),
        inputs={"video": VIDEO, "image": IMAGE},
    ),
    "eq:vgan-generator": Entry(
        function=scene_dynamics.generator_objective,
        computed=objective,
        recomputed=objective_again,
        inputs={"logits": LOGITS, "mask": MASK, "video": VIDEO, "image": IMAGE},
    ),
    "eq:frechet": Entry(
        function=metrics.frechet_distance,
        computed=lambda function, a, b, factor: factor * function(a, b),
        recomputed=frechet,
        inputs={
            "a": random.normal(0, 1, (9, 3)),
            "b": random.normal(0.5, 2, (7, 3)),
            "factor": FACTOR,
        },
        fixed=frozenset({"a", "b"}),
    ),
    "eq:motion-energy": Entry(
        function=metrics.motion_energy,
        computed=lambda function, x, factor: factor * function(x),
        recomputed=lambda x, factor: (
            factor
            * sum(
                np.abs(x[i, :, t + 1] - x[i, :, t]).mean() for i in range(B) for t in range(T - 1)
            )
            / (B * (T - 1))
        ),
        inputs={"x": VIDEO, "factor": FACTOR},
        fixed=frozenset({"x"}),
    ),
}
