"""Pictures of the game: what D believes, and where it sends G's samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vidgen_lite.gan_objective.losses import generator_loss
from vidgen_lite.gan_objective.plane import Discriminator2D, Mixture
from vidgen_lite.gan_objective.steps import noise
from vidgen_lite.training import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REAL, MADE = "#2f6ea5", "#d9572b"  # data are blue and what G makes is orange, throughout the book


def draw_game(
    axes: Axes,
    state: State,
    data: Mixture,
    *,
    samples: int = 400,
    arrows: int = 60,
    reach: float = 3,
) -> None:
    """Draw one moment of a GAN in the plane.

    The ground is D(x), blue where D says real and orange where it says generated. Blue rings are
    the data's density, dots are G's samples, and arrows show which way the generator's loss pushes
    them: minus its gradient at the sample, the longest drawn with half a unit.

    Args:
        axes: where to draw.
        state: a run whose samples are points of the plane.
        data: the density to imitate.
        samples: dots.
        arrows: how many dots get an arrow.
        reach: the picture shows [-reach, reach] along both axes.
    """
    device = next(state.models["generator"].parameters()).device
    line = torch.linspace(-reach, reach, 121)
    grid = torch.cartesian_prod(line, line)  # (121 * 121, 2), the first axis is x
    z = noise(state.settings, samples, torch.Generator().manual_seed(7)).to(device)
    with torch.no_grad():
        x = state.models["generator"](z)
        belief = _judge(state, grid.to(device), x).sigmoid().view(121, 121).T.cpu()
    x.requires_grad_()
    loss = generator_loss(_judge(state, x, x), kind=state.settings.kind)
    (gradient,) = torch.autograd.grad(loss, x)
    x, push = x.detach().cpu(), -gradient[:arrows].cpu()
    push = push / (2 * push.norm(dim=1).max() + 1e-30)
    axes.imshow(
        belief.numpy(), origin="lower", extent=(-reach, reach, -reach, reach), vmin=0, vmax=1,
        cmap=_belief_colours(), interpolation="bilinear",
    )  # fmt: skip
    density = data.density(grid).view(121, 121).T
    axes.contour(
        line.numpy(), line.numpy(), density.numpy(), levels=[density.max().item() / 10],
        colors=REAL, linewidths=1.2,
    )  # fmt: skip
    x, push = x.numpy(), push.numpy()
    axes.plot(x[:, 0], x[:, 1], ".", color=MADE, markersize=3)
    axes.quiver(
        x[:arrows, 0], x[:arrows, 1], push[:, 0], push[:, 1], angles="xy", scale_units="xy",
        scale=1, width=0.005, color="#16263d",
    )  # fmt: skip
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])


def _judge(state: State, x: Tensor, company: Tensor) -> Tensor:
    """D's logits on x, seen among G's samples where D looks at the whole batch."""
    discriminator = state.models["discriminator"]
    if isinstance(discriminator, Discriminator2D):
        return discriminator(x, company=company)
    return discriminator(x)


def _belief_colours() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("belief", ["#f3c9ae", "#fbf8f2", "#b9d4e8"])
