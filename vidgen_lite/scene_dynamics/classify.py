"""What the discriminator learned: its features, with a new head, put to naming actions.

The paper fine-tunes D on UCF101's labels (section 4.3): D has seen millions of clips without a
label, and a few labels go further on its features than on a fresh network.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.scene_dynamics.networks import VideoDiscriminator
from vidgen_lite.training import step_generator


class ActionClassifier(nn.Module):
    """The discriminator's levels with a K-way head in place of real or fake.

    Args:
        discriminator: its levels are taken over as they are, trained or fresh. Copy it first
            (``copy.deepcopy``) if it is still needed: fine-tuning changes them.
        n_actions: K.
        dropout: share of the last map's values dropped in training.

    Raises:
        ValueError: n_actions below 1.
    """

    def __init__(
        self, *, discriminator: VideoDiscriminator, n_actions: int, dropout: float = 0.5
    ) -> None:
        super().__init__()
        expect_positive("n_actions", n_actions)
        self.features = discriminator.features
        self.dropout = nn.Dropout(dropout)
        device = next(discriminator.parameters()).device
        self.head = nn.Conv3d(discriminator.channels[-1], n_actions, (2, 4, 4), device=device)

    def forward(self, video: Tensor) -> Tensor:
        """Score each action for clips (B, 3, T, H, W) in [-1, 1]; returns logits (B, K)."""
        return self.head(self.dropout(self.features(video))).flatten(1)


def fine_tune(
    classifier: ActionClassifier,
    clips: Tensor,
    actions: Tensor,
    *,
    steps: int,
    batch_size: int = 16,
    learning_rate: float = 2e-4,
    seed: int = 0,
) -> Iterator[dict[str, float]]:
    """Train every layer on labelled clips; yields a record with the loss a step.

    Args:
        classifier: changed in place, on the device where it is.
        clips: (N, 3, T, H, W) in [-1, 1], on any device: batches go to the classifier's.
        actions: their labels, (N,) int64, on any device.
        steps: how many batches.
        batch_size: clips a batch, drawn with replacement.
        learning_rate: Adam's; beta1 is 0.5 as in the paper.
        seed: of the batches; dropout draws from torch's global numbers.

    Raises:
        ValueError: clips and labels do not agree in number.
    """
    n = expect_shape("clips", clips, "N 3 T H W")["N"]
    expect_shape("actions", actions, f"{n}")
    device = next(classifier.parameters()).device
    optimizer = torch.optim.Adam(classifier.parameters(), learning_rate, (0.5, 0.999))
    classifier.train()
    for step in range(steps):
        index = torch.randint(n, (batch_size,), generator=step_generator(seed, step))
        batch, labels = (tensor[index.to(tensor.device)].to(device) for tensor in (clips, actions))
        loss = F.cross_entropy(classifier(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield {"step": step + 1, "loss": loss.item()}


@torch.no_grad()
def accuracy(classifier: ActionClassifier, clips: Tensor, actions: Tensor) -> float:
    """The share of clips (N, 3, T, H, W) whose action (N,) is named right; on any device."""
    device = next(classifier.parameters()).device
    training = classifier.training
    classifier.eval()
    found = torch.cat([classifier(part.to(device)).argmax(1) for part in clips.split(128)])
    classifier.train(training)
    return (found == actions.to(device)).float().mean().item()
