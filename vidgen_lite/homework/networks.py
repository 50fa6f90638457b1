"""What is asked of answers that work with networks: their losses, and which weights these move.

The networks are so small that their gradients can be written down.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Linear(nn.Module):
    """A network of one matrix, so small that its gradients can be written down."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Points (B, n) to points (B, m)."""
        return torch.tanh(x @ self.weight) * 3


def moves(loss: Tensor, model: Linear) -> Any:
    """The gradient of a loss in a network of one matrix; zeros if it is frozen."""
    if not loss.requires_grad:
        return "no gradient"
    if not model.weight.requires_grad:
        return torch.zeros_like(model.weight)
    (found,) = torch.autograd.grad(loss, [model.weight], retain_graph=True, allow_unused=True)
    return torch.zeros_like(model.weight) if found is None else found


def players(answer: Any, args: list[Any]) -> Any:
    """Two losses made from a tiny G and D, and whom each of them moves.

    ``args`` are G's matrix, D's matrix, and what the answer needs besides, such as real samples
    and noise; it is called with ``(generator, discriminator, *besides)`` and returns D's loss and
    G's loss.
    """
    generator, discriminator = Linear(args[0]), Linear(args[1])
    d_loss, g_loss = answer(generator, discriminator, *args[2:])

    return {
        "D's loss": d_loss,
        "G's loss": g_loss,
        "how D's loss moves D": moves(d_loss, discriminator),
        "how D's loss moves G": moves(d_loss, generator),
        "how G's loss moves G": moves(g_loss, generator),
    }


def face_stage(answer: Any, args: list[Any]) -> Any:
    """The two losses of a second stage, and which of its three tiny networks they move.

    ``args`` are the matrices of G, G_f and D_f, and what the answer needs besides; it is called
    with ``(painter, corrector, critic, *besides)`` and returns D_f's loss and G_f's loss.
    """
    painter, corrector, critic = (Linear(weight) for weight in args[:3])
    d_loss, f_loss = answer(painter, corrector, critic, *args[3:])
    return {
        "D_f's loss": d_loss,
        "G_f's loss": f_loss,
        "how D_f's loss moves D_f": moves(d_loss, critic),
        "how D_f's loss moves G_f": moves(d_loss, corrector),
        "how D_f's loss moves G": moves(d_loss, painter),
        "how G_f's loss moves G_f": moves(f_loss, corrector),
        "how G_f's loss moves G": moves(f_loss, painter),
    }


def replay(answer: Any, args: list[Any]) -> Any:
    """A loss made with a tiny decoder, and how it moves the memory that the decoder starts from.

    ``args`` are the decoder's matrix, the memory, and what was seen; the answer is called with
    ``(step, memory, seen)``, where ``step(read, memory)`` gives what is written, and a new memory.
    """
    weight, memory, seen = args
    memory.requires_grad_()

    def step(read: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        after = torch.tanh(memory @ weight + read)
        return 2 * after, after

    loss = answer(step, memory, seen)
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        return {"the loss": loss, "how it moves the memory": "no gradient"}
    (found,) = torch.autograd.grad(loss.sum(), [memory], allow_unused=True)
    moved = torch.zeros_like(memory) if found is None else found
    return {"the loss": loss, "how it moves the memory": moved}
