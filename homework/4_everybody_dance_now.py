"""Homework 4, Everybody Dance Now: the one source of notebook, checks, solution and rubric."""

# ruff: noqa: B905, E501, F811, F821
# %% [markdown]
# # Homework 4: Everybody Dance Now
#
# About three hours. You write five functions, none longer than fifteen lines; find out by experiment what
# freezing a network does and does not do; and answer one question in words. Nothing here trains for longer than
# a few seconds, on two CPU cores and without a GPU.
#
# The chapter has all the theory. The letters here are its letters: $x_t$ is the stick figure of moment $t$, $y_t$ the film's
# frame, $G(x_t)$ the painted frame, and the index $F$ means: cut out at the face.
#
# **How it works.** Write each answer into its own cell, below the line `# Answer 4.1`, and leave that
# line where it is. The cell after it checks what you wrote, as often as you like, and gives a hint. The
# checks are not the marks: your functions will be asked again with other numbers. Use `torch` freely; the
# functions of `vidgen_lite.everybody_dance_now` that do nearly the same are not the answer, since each
# question has a twist that they lack.

# %%
# Setup
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite import homework

# %% [markdown]
# ## 4.1 Two poses and two frames
#
# *20 minutes, 4 points.* In $L_{smooth}$ the discriminator judges two moments at once:
#
# $$
# \mathbb{E}\,\log D(x_t, x_{t+1}, y_t, y_{t+1})
#   + \mathbb{E}\,\log\bigl(1 - D(x_t, x_{t+1}, G(x_t), G(x_{t+1}))\bigr).
# $$
#
# $D$ is a convolutional network, so the four pictures are laid on each other as channels, in the order of the formula.
# Write what makes $D$'s two inputs from a whole film of $T$ frames: every pair of **neighbouring** frames is one example.


# %% answer 4.1 | Two poses and two frames | 4 points | code
def smooth_inputs(poses: Tensor, frames: Tensor, painted: Tensor) -> tuple[Tensor, Tensor]:
    """What D is shown of a film: its real pairs and its painted ones.

    Args:
        poses: stick figures x_1 ... x_T, (T, P, H, W).
        frames: y_1 ... y_T, (T, C, H, W).
        painted: G(x_1) ... G(x_T), (T, C, H, W).

    Returns:
        Real and painted inputs, each (T - 1, 2 P + 2 C, H, W).
    """
    # BEGIN SOLUTION
    figures = torch.cat([poses[:-1], poses[1:]], 1)
    real = torch.cat([figures, frames[:-1], frames[1:]], 1)
    fake = torch.cat([figures, painted[:-1], painted[1:]], 1)
    return real, fake
    # END SOLUTION


# %% probes 4.1
def probes(random):
    yield Probe(
        "two frames",
        (random.normal(2, 1, 1, 2), random.normal(2, 1, 1, 2), random.normal(2, 1, 1, 2)),
    )
    yield Probe(
        "four frames",
        (random.normal(4, 1, 1, 1), random.normal(4, 1, 1, 1), random.normal(4, 1, 1, 1)),
    )
    yield Probe(
        "figures of one channel, frames of three",
        (random.normal(3, 1, 1, 2), random.normal(3, 3, 1, 2), random.normal(3, 3, 1, 2)),
    )


# %% mistake 4.1 | moment by moment
# The order is moment by moment: figure and frame, then the next figure and frame. The formula has both figures first.
def smooth_inputs(poses, frames, painted):
    real = torch.cat([poses[:-1], frames[:-1], poses[1:], frames[1:]], 1)
    return real, torch.cat([poses[:-1], painted[:-1], poses[1:], painted[1:]], 1)


# %% mistake 4.1 | frames first
# The frames stand before the figures. In the formula the figures come first.
def smooth_inputs(poses, frames, painted):
    figures = torch.cat([poses[:-1], poses[1:]], 1)
    real = torch.cat([frames[:-1], frames[1:], figures], 1)
    return real, torch.cat([painted[:-1], painted[1:], figures], 1)


# %% mistake 4.1 | the later moment first
# Time runs backwards: t + 1 stands before t.
def smooth_inputs(poses, frames, painted):
    figures = torch.cat([poses[1:], poses[:-1]], 1)
    real = torch.cat([figures, frames[1:], frames[:-1]], 1)
    return real, torch.cat([figures, painted[1:], painted[:-1]], 1)


# %% mistake 4.1 | a real frame before a painted one
# The painted input begins with a real frame, and D would only have to judge a seam. Both of its frames are painted.
def smooth_inputs(poses, frames, painted):
    figures = torch.cat([poses[:-1], poses[1:]], 1)
    real = torch.cat([figures, frames[:-1], frames[1:]], 1)
    return real, torch.cat([figures, frames[:-1], painted[1:]], 1)


# %% mistake 4.1 | the first frame follows the last
# The film was bent into a ring: the last frame is paired with the first, which is no neighbour. T frames have T − 1 pairs.
def smooth_inputs(poses, frames, painted):
    after = [v.roll(-1, 0) for v in (poses, frames, painted)]
    figures = torch.cat([poses, after[0]], 1)
    return torch.cat([figures, frames, after[1]], 1), torch.cat([figures, painted, after[2]], 1)


# %% mistake 4.1 | every other pair
# The pairs do not overlap, so half of them are missing: (1, 2), (3, 4), and no (2, 3). Every frame but the last begins a pair.
def smooth_inputs(poses, frames, painted):
    figures = torch.cat([poses[:-1:2], poses[1::2]], 1)
    real = torch.cat([figures, frames[:-1:2], frames[1::2]], 1)
    return real, torch.cat([figures, painted[:-1:2], painted[1::2]], 1)


# %% mistake 4.1 | laid along the batch
# The pictures were joined along the first axis, as more examples. They belong on each other, along the axis of channels.
def smooth_inputs(poses, frames, painted):
    figures = torch.cat([poses[:-1], poses[1:]], 0)
    real = torch.cat([figures.expand(-1, frames.shape[1], -1, -1), frames[:-1], frames[1:]], 0)
    return real, torch.cat(
        [figures.expand(-1, frames.shape[1], -1, -1), painted[:-1], painted[1:]], 0
    )


# %% mistake 4.1 | painted and real exchanged
# The two inputs come back in the wrong order: the real one first.
def smooth_inputs(poses, frames, painted):
    figures = torch.cat([poses[:-1], poses[1:]], 1)
    real = torch.cat([figures, frames[:-1], frames[1:]], 1)
    return torch.cat([figures, painted[:-1], painted[1:]], 1), real


# %% mistake 4.1 | one figure only
# Only one figure is there. D must see both, or it can't tell a right movement from a smooth one.
def smooth_inputs(poses, frames, painted):
    real = torch.cat([poses[:-1], frames[:-1], frames[1:]], 1)
    return real, torch.cat([poses[:-1], painted[:-1], painted[1:]], 1)


# %% alternative 4.1 | a loop over moments
def smooth_inputs(poses, frames, painted):
    def film(shown):
        return [
            torch.cat([poses[t], poses[t + 1], shown[t], shown[t + 1]])
            for t in range(len(poses) - 1)
        ]

    return torch.stack(film(frames)), torch.stack(film(painted))


# %% [markdown]
# ## 4.2 Feature matching
#
# *25 minutes, 4 points.* Painted frames should look to $D$ as the real ones do, not only in its verdict but on all levels
# below it. Each of $K$ discriminators $D_k$ gives a list of maps, level by level, and **its last map is the verdict**,
# which is no feature. With $N_k$ levels before the verdict,
#
# $$
# L_{FM} = \frac{1}{K} \sum_{k=1}^{K} \sum_{i=1}^{N_k} \overline{\bigl| D_k^{(i)}(\text{real}) - D_k^{(i)}(\text{painted}) \bigr|},
# $$
#
# where the bar is a mean over the map. The real maps are a target that stands still: no gradient goes there.


# %% answer 4.2 | Feature matching | 4 points | code
def feature_matching(real: list[list[Tensor]], painted: list[list[Tensor]]) -> Tensor:
    """How differently the discriminators see real and painted frames.

    Args:
        real: for each discriminator its maps, level by level, the verdict last.
        painted: likewise.

    Returns:
        A scalar.
    """
    # BEGIN SOLUTION
    total = torch.zeros(())
    for levels in zip(real, painted, strict=True):
        for target, made in zip(*(maps[:-1] for maps in levels), strict=True):
            total = total + (target.detach() - made).abs().mean()
    return total / len(real)
    # END SOLUTION


# %% probes 4.2
def probes(random):
    def maps(*shapes):
        return [random.normal(*shape) for shape in (*shapes, (1, 1))]

    one, two = [(2, 3)], [(2, 3), (4,)]
    yield Probe("one discriminator, one level", ([maps(*one)], [maps(*one)]))
    yield Probe("one discriminator, two levels", ([maps(*two)], [maps(*two)]))
    yield Probe("two discriminators", ([maps(*two), maps(*two)], [maps(*two), maps(*two)]))
    yield Probe(
        "discriminators of different depth", ([maps(*one), maps(*two)], [maps(*one), maps(*two)])
    )
    yield Probe("its gradient", ([maps(*two)], [maps(*two)]), "gradient")


# %% mistake 4.2 | the verdict is compared too
# The verdicts are compared too. They are D's last maps, and the game itself is played with them; leave them out here.
def feature_matching(real, painted):
    return sum(
        (a.detach() - b).abs().mean() for r, p in zip(real, painted) for a, b in zip(r, p)
    ) / len(real)


# %% mistake 4.2 | squared
# The differences are squared. The bars mean absolute values.
def feature_matching(real, painted):
    return sum(
        (a.detach() - b).square().mean()
        for r, p in zip(real, painted)
        for a, b in zip(r[:-1], p[:-1])
    ) / len(real)


# %% mistake 4.2 | summed over the map
# A map's differences are summed. The bar is a mean, so that large maps do not count for more.
def feature_matching(real, painted):
    return sum(
        (a.detach() - b).abs().sum() for r, p in zip(real, painted) for a, b in zip(r[:-1], p[:-1])
    ) / len(real)


# %% mistake 4.2 | not divided by K
# The sum over the discriminators is not divided by their number K.
def feature_matching(real, painted):
    return sum(
        (a.detach() - b).abs().mean() for r, p in zip(real, painted) for a, b in zip(r[:-1], p[:-1])
    )


# %% mistake 4.2 | levels averaged
# The levels of a discriminator are averaged. The formula sums them.
def feature_matching(real, painted):
    means = [
        sum((a.detach() - b).abs().mean() for a, b in zip(r[:-1], p[:-1])) / len(r[:-1])
        for r, p in zip(real, painted)
    ]
    return sum(means) / len(real)


# %% mistake 4.2 | the target moves
# The value is right, but a gradient goes to the real maps as well. They are a target: detach them.
def feature_matching(real, painted):
    return sum(
        (a - b).abs().mean() for r, p in zip(real, painted) for a, b in zip(r[:-1], p[:-1])
    ) / len(real)


# %% mistake 4.2 | the painted maps detached
# The painted maps are detached, and the real ones are not: nothing would teach G. It is the other way round.
def feature_matching(real, painted):
    return sum(
        (a - b.detach()).abs().mean() for r, p in zip(real, painted) for a, b in zip(r[:-1], p[:-1])
    ) / len(real)


# %% mistake 4.2 | the difference of the means
# The mean is taken before the absolute value, so that differences of both signs cancel. First the absolute value, then the mean.
def feature_matching(real, painted):
    return sum(
        (a.detach() - b).mean().abs() for r, p in zip(real, painted) for a, b in zip(r[:-1], p[:-1])
    ) / len(real)


# %% mistake 4.2 | the first discriminator only
# Only one of the discriminators is compared.
def feature_matching(real, painted):
    return sum((a.detach() - b).abs().mean() for a, b in zip(real[0][:-1], painted[0][:-1]))


# %% alternative 4.2 | with l1_loss, in float64
def feature_matching(real, painted):
    with torch.no_grad():
        wanted = [[m.double() for m in maps[:-1]] for maps in real]
    scales = [
        torch.stack([F.l1_loss(b.double(), a) for a, b in zip(w, p)]).sum()
        for w, p in zip(wanted, painted)
    ]
    return torch.stack(scales).mean()


# %% [markdown]
# ## 4.3 Pose normalisation
#
# *30 minutes, 4 points.* The source is a child far from the camera, the target a tall woman close to it. Let $a$ be the height in
# the picture of the source's ankles in a frame, and let far and close be where the ankles of each of the two have been. With
#
# $$
# u = \frac{a - s_{far}}{s_{close} - s_{far}}, \qquad
# a' = t_{far} + u\,(t_{close} - t_{far}), \qquad
# c = c_{far} + u\,(c_{close} - c_{far}),
# $$
#
# the ankles come to stand at $a'$, and the body is scaled by $c$ **about its own ankles of that frame**. The scales are ratios of
# heights: $c_{close} = h^t_{close} / h^s_{close}$, and likewise for far. The $x$ of the ankles stays. The lines run on beyond both ends:
# $u$ is not cut off.


# %% answer 4.3 | Pose normalisation | 4 points | code
def normalise(
    joints: Tensor,
    ankles: Tensor,
    source: Tensor,
    target: Tensor,
    source_heights: Tensor,
    target_heights: Tensor,
) -> Tensor:
    """A source's poses, where the target would stand.

    Args:
        joints: (T, J, 2), x and y in pixels.
        ankles: their place in each frame, (T, 2), x and y.
        source, target: y of the ankles far and close, (2,): first far, then close.
        source_heights, target_heights: height of the body far and close, (2,).

    Returns:
        (T, J, 2).
    """
    # BEGIN SOLUTION
    share = (ankles[:, 1] - source[0]) / (source[1] - source[0])
    moved = torch.stack([ankles[:, 0], torch.lerp(target[0], target[1], share)], 1)
    far, close = target_heights / source_heights
    scale = torch.lerp(far, close, share)
    return moved[:, None] + scale[:, None, None] * (joints - ankles[:, None])
    # END SOLUTION


# %% probes 4.3
def probes(random):
    def case(
        ys, source=(100.0, 200.0), target=(150.0, 230.0), heights=((60.0, 120.0), (90.0, 150.0))
    ):
        ankles = torch.stack([random.normal(len(ys), scale=40.0), torch.tensor(ys)], 1)
        joints = ankles[:, None] - random.uniform(len(ys), 2, 2) * 80
        numbers = [torch.tensor(n) for n in (source, target, *heights)]
        return joints, ankles, *numbers

    yield Probe("the ankles at the far end", case([100.0]))
    yield Probe("the ankles at the close end", case([200.0]))
    yield Probe(
        "a source like the target",
        case([130.0], (100.0, 200.0), (100.0, 200.0), ((60.0, 120.0), (60.0, 120.0))),
    )
    yield Probe("three frames, in between", case([120.0, 150.0, 190.0]))
    yield Probe("beyond both ends", case([80.0, 230.0]), share=0.25)


# %% mistake 4.3 | scaled about the corner
# The joints are scaled about the picture's corner. Scale what they are away from the ankles, and then add where the ankles come to be.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 1] - source[0]) / (source[1] - source[0])
    far, close = target_heights / source_heights
    scale = torch.lerp(far, close, share)[:, None, None]
    shift = torch.stack(
        [torch.zeros_like(share), torch.lerp(target[0], target[1], share) - ankles[:, 1]], 1
    )
    return scale * joints + shift[:, None]


# %% mistake 4.3 | far and close exchanged
# Far and close have changed places: at the far end, u must be 0.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 1] - source[1]) / (source[0] - source[1])
    moved = torch.stack([ankles[:, 0], torch.lerp(target[0], target[1], share)], 1)
    far, close = target_heights / source_heights
    return moved[:, None] + torch.lerp(far, close, share)[:, None, None] * (
        joints - ankles[:, None]
    )


# %% mistake 4.3 | the scale upside down
# The scale is upside down: a target that is taller than the source makes the body larger.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 1] - source[0]) / (source[1] - source[0])
    moved = torch.stack([ankles[:, 0], torch.lerp(target[0], target[1], share)], 1)
    far, close = source_heights / target_heights
    return moved[:, None] + torch.lerp(far, close, share)[:, None, None] * (
        joints - ankles[:, None]
    )


# %% mistake 4.3 | moved and not scaled
# The body is moved and keeps its size. The scale c is missing.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 1] - source[0]) / (source[1] - source[0])
    moved = torch.stack([ankles[:, 0], torch.lerp(target[0], target[1], share)], 1)
    return moved[:, None] + joints - ankles[:, None]


# %% mistake 4.3 | scaled and not moved
# The body is scaled about its ankles, but these stay where the source's were. They belong at a'.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 1] - source[0]) / (source[1] - source[0])
    far, close = target_heights / source_heights
    return ankles[:, None] + torch.lerp(far, close, share)[:, None, None] * (
        joints - ankles[:, None]
    )


# %% mistake 4.3 | heights mixed before the ratio
# At both ends this is right. In between, the two heights were mixed first and then divided; the formula mixes the two ratios.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 1] - source[0]) / (source[1] - source[0])
    moved = torch.stack([ankles[:, 0], torch.lerp(target[0], target[1], share)], 1)
    scale = torch.lerp(*target_heights, share) / torch.lerp(*source_heights, share)
    return moved[:, None] + scale[:, None, None] * (joints - ankles[:, None])


# %% mistake 4.3 | the first frame's ankles
# The first frame comes out right, and the others are scaled about the first frame's ankles. Each frame has its own.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 1] - source[0]) / (source[1] - source[0])
    moved = torch.stack([ankles[:, 0], torch.lerp(target[0], target[1], share)], 1)
    far, close = target_heights / source_heights
    return moved[:, None] + torch.lerp(far, close, share)[:, None, None] * (
        joints - ankles[:1, None]
    )


# %% mistake 4.3 | cut off at the ends
# Beyond the ends, u was cut off to 0 and 1. Here the lines run on.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = ((ankles[:, 1] - source[0]) / (source[1] - source[0])).clamp(0, 1)
    moved = torch.stack([ankles[:, 0], torch.lerp(target[0], target[1], share)], 1)
    far, close = target_heights / source_heights
    return moved[:, None] + torch.lerp(far, close, share)[:, None, None] * (
        joints - ankles[:, None]
    )


# %% mistake 4.3 | (y, x)
# The coordinates were taken in the order (y, x): u is worked out from the ankles' x. In a pose, x comes first.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 0] - source[0]) / (source[1] - source[0])
    moved = torch.stack([torch.lerp(target[0], target[1], share), ankles[:, 1]], 1)
    far, close = target_heights / source_heights
    return moved[:, None] + torch.lerp(far, close, share)[:, None, None] * (
        joints - ankles[:, None]
    )


# %% mistake 4.3 | one scale for all
# The scale of the close end is used everywhere. It changes with u, from c_far to c_close.
def normalise(joints, ankles, source, target, source_heights, target_heights):
    share = (ankles[:, 1] - source[0]) / (source[1] - source[0])
    moved = torch.stack([ankles[:, 0], torch.lerp(target[0], target[1], share)], 1)
    return moved[:, None] + target_heights[1] / source_heights[1] * (joints - ankles[:, None])


# %% alternative 4.3 | a loop over frames
def normalise(joints, ankles, source, target, source_heights, target_heights):
    done = []
    for pose, (x, y) in zip(joints.double(), ankles.double()):
        u = (y - source[0]) / (source[1] - source[0])
        c = (1 - u) * target_heights[0] / source_heights[0] + u * target_heights[
            1
        ] / source_heights[1]
        a = (1 - u) * target[0] + u * target[1]
        done.append(torch.stack([x + c * (pose[:, 0] - x), a + c * (pose[:, 1] - y)], 1))
    return torch.stack(done)


# %% [markdown]
# ## 4.4 The face residual
#
# *25 minutes, 4 points.* The face network does not paint a face. It says what must be **added** to the one that $G$ has painted:
# the new face is $G(x)_F + r$. Write what puts the residuals into the frames: each frame has a face at a place of its own. Colours
# go from −1 to 1, so the sum is cut off there, inside the face; everything around stays as it is. A gradient must flow to the residual, and the painted
# frames you are given must not change.


# %% answer 4.4 | The face residual | 4 points | code
def add_residual(painted: Tensor, residual: Tensor, corners: Tensor) -> Tensor:
    """Painted frames with their faces corrected.

    Args:
        painted: G(x), (B, C, H, W), from -1 to 1.
        residual: r, (B, C, h, w), any numbers.
        corners: of the faces, (B, 2), whole numbers: row and column of the corner at the top left.

    Returns:
        (B, C, H, W), from -1 to 1.
    """
    # BEGIN SOLUTION
    result = painted.clone()
    h, w = residual.shape[-2:]
    for i, (top, left) in enumerate(corners.tolist()):
        face = painted[i, :, top : top + h, left : left + w]
        result[i, :, top : top + h, left : left + w] = (face + residual[i]).clamp(-1, 1)
    return result
    # END SOLUTION


# %% probes 4.4
def probes(random):
    def case(corners, size, scale=0.3):
        painted = random.uniform(len(corners), 1, 4, 4) - 0.5
        return (
            painted,
            random.normal(len(corners), 1, *size, scale=scale).clamp(-0.4, 0.4),
            torch.tensor(corners),
        )

    yield Probe("one frame, the face in its corner", case([[0, 0]], (2, 2)))
    yield Probe("a face elsewhere", case([[2, 1]], (2, 3)))
    yield Probe("two frames, two places", case([[0, 2], [1, 0]], (2, 2)))
    painted, residual, corners = case([[1, 2]], (2, 2))
    yield Probe("a residual that leaves the range", (painted, residual * 8, corners))
    yield Probe("its gradient", case([[1, 0]], (2, 2)), "gradient")


# %% mistake 4.4 | replaced
# The residual has taken the face's place. It is added to what G has painted there.
def add_residual(painted, residual, corners):
    result, (h, w) = painted.clone(), residual.shape[-2:]
    for i, (top, left) in enumerate(corners.tolist()):
        result[i, :, top : top + h, left : left + w] = residual[i].clamp(-1, 1)
    return result


# %% mistake 4.4 | in place | names: changes the tensors|RuntimeError
def add_residual(painted, residual, corners):
    h, w = residual.shape[-2:]
    for i, (top, left) in enumerate(corners.tolist()):
        painted[i, :, top : top + h, left : left + w] += residual[i]
    return painted.clamp(-1, 1)


# %% mistake 4.4 | column and row
# Row and column have changed places. A corner is (row, column).
def add_residual(painted, residual, corners):
    result, (h, w) = painted.clone(), residual.shape[-2:]
    for i, (left, top) in enumerate(corners.tolist()):
        face = painted[i, :, top : top + h, left : left + w]
        result[i, :, top : top + h, left : left + w] = (
            face + residual[i, :, : face.shape[1], : face.shape[2]]
        ).clamp(-1, 1)
    return result


# %% mistake 4.4 | not cut off
# The sum leaves the range of colours. Cut it off at −1 and 1.
def add_residual(painted, residual, corners):
    result, (h, w) = painted.clone(), residual.shape[-2:]
    for i, (top, left) in enumerate(corners.tolist()):
        result[i, :, top : top + h, left : left + w] += residual[i]
    return result


# %% mistake 4.4 | the residual is cut off
# The residual itself was cut off, and not the sum. A residual may be as large as 2: from −1 to 1.
def add_residual(painted, residual, corners):
    result, (h, w) = painted.clone(), residual.shape[-2:]
    for i, (top, left) in enumerate(corners.tolist()):
        result[i, :, top : top + h, left : left + w] += residual[i].clamp(-1, 1)
    return result


# %% mistake 4.4 | one place for all frames
# All faces are put where the first frame's is. Each frame has a corner of its own.
def add_residual(painted, residual, corners):
    result, (h, w) = painted.clone(), residual.shape[-2:]
    top, left = corners[0].tolist()
    result[:, :, top : top + h, left : left + w] = (
        result[:, :, top : top + h, left : left + w] + residual
    ).clamp(-1, 1)
    return result


# %% mistake 4.4 | no gradient for the residual
# The values are right, but the residual gets no gradient: it was detached, and the face network would learn nothing.
def add_residual(painted, residual, corners):
    result, (h, w) = painted.clone(), residual.shape[-2:]
    for i, (top, left) in enumerate(corners.tolist()):
        face = painted[i, :, top : top + h, left : left + w]
        result[i, :, top : top + h, left : left + w] = (face + residual[i].detach()).clamp(-1, 1)
    return result


# %% mistake 4.4 | subtracted
# The residual is subtracted. It is what must be added.
def add_residual(painted, residual, corners):
    result, (h, w) = painted.clone(), residual.shape[-2:]
    for i, (top, left) in enumerate(corners.tolist()):
        face = painted[i, :, top : top + h, left : left + w]
        result[i, :, top : top + h, left : left + w] = (face - residual[i]).clamp(-1, 1)
    return result


# %% alternative 4.4 | padded residuals
def add_residual(painted, residual, corners):
    (height, width), (h, w) = painted.shape[-2:], residual.shape[-2:]
    padded = [
        F.pad(r, (left, width - w - left, top, height - h - top))
        for r, (top, left) in zip(residual, corners.tolist())
    ]
    return (painted + torch.stack(padded)).clamp(-1, 1)


# %% [markdown]
# ## 4.5 The second stage
#
# *30 minutes, 4 points.* In the second stage $G$ is done, and is frozen. The face network $G_f$ and the face discriminator $D_f$ play a game of their own.
# With $p = G(x)$ the painted face, and $r = G_f(x, p)$,
#
# $$
# \begin{aligned}
# L_{D} &= \mathbb{E}\bigl[-\log D_f(x, y)\bigr] + \mathbb{E}\bigl[-\log (1 - D_f(x, p + r))\bigr], \\
# L_{G_f} &= \mathbb{E}\bigl[-\log D_f(x, p + r)\bigr] + \lambda\, \overline{|p + r - y|}.
# \end{aligned}
# $$
#
# $L_D$ moves $D_f$ alone, and $L_{G_f}$ reaches $G_f$, through $D_f$ too; no loss moves $G$. (That $L_{G_f}$ leaves gradients in $D_f$ is fine here.) A face is a row of numbers, two
# things that a network sees are joined by `torch.cat([a, b], 1)`, and $D_f$ says logits.


# %% answer 4.5 | The second stage | 4 points | code
def face_stage(
    painter: nn.Module, corrector: nn.Module, critic: nn.Module, x: Tensor, y: Tensor, weight: float
) -> tuple[Tensor, Tensor]:
    """The losses of the second stage's players on one batch.

    Args:
        painter: G, frozen: figures (B, n) to faces (B, n).
        corrector: G_f: figures and painted faces (B, 2 n) to residuals (B, n).
        critic: D_f: figures and faces (B, 2 n) to logits (B, 1).
        x: figures, (B, n).
        y: real faces, (B, n).
        weight: lambda.

    Returns:
        The loss of D_f and the loss of G_f, two scalars.
    """
    # BEGIN SOLUTION
    painted = painter(x).detach()
    face = painted + corrector(torch.cat([x, painted], 1))
    on_real = critic(torch.cat([x, y], 1))
    on_fake = critic(torch.cat([x, face.detach()], 1))
    d_loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    game = F.softplus(-critic(torch.cat([x, face], 1))).mean()
    return d_loss, game + weight * (face - y).abs().mean()
    # END SOLUTION


# %% probes 4.5
def probes(random):
    def case(batch, weight):
        networks = (
            random.normal(2, 2),
            random.normal(4, 2, scale=0.5),
            random.normal(4, 1, scale=0.5),
        )
        return (*networks, random.normal(batch, 2), random.normal(batch, 2), weight)

    yield Probe("the game alone (weight 0)", case(3, 0.0), "face_stage")
    yield Probe("three faces", case(3, 2.0), "face_stage")
    yield Probe("five faces", case(5, 10.0), "face_stage")


# %% mistake 4.5 | the painter is not frozen
# G's weights are moved too. In the second stage it is frozen: cut its result off from it.
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter(x)
    face = painted + corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(-critic(torch.cat([x, y], 1))).mean()
        + F.softplus(critic(torch.cat([x, face.detach()], 1))).mean()
    )
    return d_loss, F.softplus(-critic(torch.cat([x, face], 1))).mean() + weight * (
        face - y
    ).abs().mean()


# %% mistake 4.5 | eval for frozen
# G's weights are moved too. In the second stage it is frozen: cut its result off from it.
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter.eval()(x)
    face = painted + corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(-critic(torch.cat([x, y], 1))).mean()
        + F.softplus(critic(torch.cat([x, face.detach()], 1))).mean()
    )
    return d_loss, F.softplus(-critic(torch.cat([x, face], 1))).mean() + weight * (
        face - y
    ).abs().mean()


# %% mistake 4.5 | no detach in L_D
# L_D moves G_f. While D_f learns, the corrected faces must be cut off from the network that corrected them.
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter(x).detach()
    face = painted + corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(-critic(torch.cat([x, y], 1))).mean()
        + F.softplus(critic(torch.cat([x, face], 1))).mean()
    )
    return d_loss, F.softplus(-critic(torch.cat([x, face], 1))).mean() + weight * (
        face - y
    ).abs().mean()


# %% mistake 4.5 | everything frozen
# Nothing reaches G_f: with G frozen, the corrector was frozen as well. Only what G gives is cut off.
def face_stage(painter, corrector, critic, x, y, weight):
    with torch.no_grad():
        painted = painter(x)
        face = painted + corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(-critic(torch.cat([x, y], 1))).mean()
        + F.softplus(critic(torch.cat([x, face], 1))).mean()
    )
    return d_loss, F.softplus(-critic(torch.cat([x, face], 1))).mean() + weight * (
        face - y
    ).abs().mean()


# %% mistake 4.5 | the critic cut off
# Only the L1 term moves G_f. Its way through D_f was cut off: a frozen critic's weights stand still, but gradients pass through it.
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter(x).detach()
    face = painted + corrector(torch.cat([x, painted], 1))
    on_fake = critic(torch.cat([x, face.detach()], 1))
    d_loss = F.softplus(-critic(torch.cat([x, y], 1))).mean() + F.softplus(on_fake).mean()
    return d_loss, F.softplus(-on_fake).mean() + weight * (face - y).abs().mean()


# %% mistake 4.5 | the residual for the face
# D_f is shown the residual alone. It judges the whole face, p + r.
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter(x).detach()
    r = corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(-critic(torch.cat([x, y], 1))).mean()
        + F.softplus(critic(torch.cat([x, r.detach()], 1))).mean()
    )
    return d_loss, F.softplus(-critic(torch.cat([x, r], 1))).mean() + weight * (
        painted + r - y
    ).abs().mean()


# %% mistake 4.5 | frames before figures
# What D_f sees stands in the wrong order: the figure first, then the face.
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter(x).detach()
    face = painted + corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(-critic(torch.cat([y, x], 1))).mean()
        + F.softplus(critic(torch.cat([face.detach(), x], 1))).mean()
    )
    return d_loss, F.softplus(-critic(torch.cat([face, x], 1))).mean() + weight * (
        face - y
    ).abs().mean()


# %% mistake 4.5 | labels exchanged
# D_f's loss has its labels exchanged: it is small where D_f calls corrected faces real.
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter(x).detach()
    face = painted + corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(critic(torch.cat([x, y], 1))).mean()
        + F.softplus(-critic(torch.cat([x, face.detach()], 1))).mean()
    )
    return d_loss, F.softplus(-critic(torch.cat([x, face], 1))).mean() + weight * (
        face - y
    ).abs().mean()


# %% mistake 4.5 | G_f plays for D_f
# G_f's loss is small where D_f recognises its faces: here it helps D_f. Its faces want the label "real".
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter(x).detach()
    face = painted + corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(-critic(torch.cat([x, y], 1))).mean()
        + F.softplus(critic(torch.cat([x, face.detach()], 1))).mean()
    )
    return d_loss, F.softplus(critic(torch.cat([x, face], 1))).mean() + weight * (
        face - y
    ).abs().mean()


# %% mistake 4.5 | in the wrong order
# The two losses come back in the wrong order: D_f's first, then G_f's.
def face_stage(painter, corrector, critic, x, y, weight):
    painted = painter(x).detach()
    face = painted + corrector(torch.cat([x, painted], 1))
    d_loss = (
        F.softplus(-critic(torch.cat([x, y], 1))).mean()
        + F.softplus(critic(torch.cat([x, face.detach()], 1))).mean()
    )
    return F.softplus(-critic(torch.cat([x, face], 1))).mean() + weight * (
        face - y
    ).abs().mean(), d_loss


# %% alternative 4.5 | frozen weights, and cross-entropy
def face_stage(painter, corrector, critic, x, y, weight):
    painter.requires_grad_(False)
    entropy = F.binary_cross_entropy_with_logits
    painted = painter(x)
    face = painted + corrector(torch.cat([x, painted], 1))
    a, b, c = (critic(torch.cat([x, f], 1)) for f in (y, face.detach(), face))
    d_loss = entropy(a, torch.ones_like(a)) + entropy(b, torch.zeros_like(b))
    return d_loss, entropy(c, torch.ones_like(c)) + weight * F.l1_loss(face, y)


# %% [markdown]
# ## 4.6 What freezing means
#
# *25 minutes, 3 points.* A network can be "frozen" in several ways, and they are not the same. Here are a generator and a critic that has a batch
# normalisation, and a function that makes them, takes one step of *the generator's* loss with an optimiser that holds **both** networks' weights, and
# counts how many entries of each `state_dict` have changed.


# %%
# Setup: two networks, and what one step changes
def what_changes(freeze=lambda critic: critic, between=lambda fake: fake):
    """Freeze a new critic, take a step of G's loss, and count the entries that changed.

    Args:
        freeze: what to do with the critic before the step.
        between: what to do with the generated samples before the critic sees them.

    Returns:
        Numbers of changed entries: of the generator's 2, and of the critic's 8.
    """
    torch.manual_seed(0)
    generator = nn.Linear(2, 3)
    critic = nn.Sequential(
        nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1)
    )
    networks = generator, critic
    before = [{k: v.clone() for k, v in network.state_dict().items()} for network in networks]
    optimizer = torch.optim.SGD([p for network in networks for p in network.parameters()], 0.1)
    freeze(critic)
    loss = F.softplus(-critic(between(generator(torch.randn(16, 2))))).mean()
    if loss.requires_grad:
        loss.backward()
        optimizer.step()
    return tuple(
        sum(not torch.equal(old[k], v) for k, v in network.state_dict().items())
        for old, network in zip(before, networks, strict=True)
    )


# %% [markdown]
# How many entries change, in the generator and in the critic, if the critic
#
# * **a** is left as it is,
# * **b** has `requires_grad_(False)`,
# * **c** is in `eval()`,
# * **d** has both,
# * **e** is left as it is, and the samples are detached before it sees them?
#
# Guess first, then try. Write pairs, (generator, critic).

# %% answer 4.6 | What freezing means | 3 points | value
# BEGIN SOLUTION: changed = {"a": ..., "b": ..., "c": ..., "d": ..., "e": ...}  # pairs such as (1, 4)
changed = {
    "a": what_changes(),
    "b": what_changes(lambda critic: critic.requires_grad_(False)),
    "c": what_changes(lambda critic: critic.eval()),
    "d": what_changes(lambda critic: critic.requires_grad_(False).eval()),
    "e": what_changes(between=lambda fake: fake.detach()),
}
# END SOLUTION


# %% probes 4.6
def probes(random):
    right = {"a": (2, 8), "b": (2, 3), "c": (2, 5), "d": (2, 0), "e": (0, 8)}
    for key, value in right.items():
        yield Probe(f"the answer {key}", (key,), "item", share=0.2, expected={"secret": value})


# %% mistake 4.6 | requires_grad freezes everything
# Even without gradients, a batch normalisation that is in training mode notes the mean and variance of what passes through it.
changed = {"a": (2, 8), "b": (2, 0), "c": (2, 5), "d": (2, 0), "e": (0, 8)}

# %% mistake 4.6 | eval freezes the weights
# eval() only changes how layers such as batch normalisation behave. The weights still learn.
changed = {"a": (2, 8), "b": (2, 3), "c": (2, 0), "d": (2, 0), "e": (0, 8)}

# %% mistake 4.6 | a frozen critic teaches nothing
# A gradient passes through a frozen critic to the generator: its weights stand still, and it still says in which direction to go.
changed = {"a": (2, 8), "b": (0, 3), "c": (2, 5), "d": (0, 0), "e": (0, 8)}

# %% mistake 4.6 | detach freezes the critic
# Detached is what the critic sees, not the critic. It learns, and the generator does not.
changed = {"a": (2, 8), "b": (2, 3), "c": (2, 5), "d": (2, 0), "e": (2, 0)}

# %% mistake 4.6 | weights only
# Only weights were counted. The mean, the variance and the counter of a batch normalisation are entries too.
changed = {"a": (2, 5), "b": (2, 0), "c": (2, 5), "d": (2, 0), "e": (0, 5)}

# %% mistake 4.6 | critic first
# The pairs are (generator, critic), in this order.
changed = {"a": (8, 2), "b": (3, 2), "c": (5, 2), "d": (0, 2), "e": (8, 0)}

# %% alternative 4.6 | lists
changed = {"a": [2, 8], "b": [2, 3], "c": [2, 5], "d": [2, 0], "e": [0, 8]}

# %% [markdown]
# ## 4.7 In words
#
# *25 minutes, 4 points, marked by a person.* In about 150 words: **(a)** Why does $D$ see two poses and two frames, and what would a generator get away with if it saw the two
# frames without the poses, or only one frame? **(b)** Why is $G$ frozen in the second stage, and why is a residual easier to learn than a face? **(c)** Somebody makes a film of a person
# who has never danced so. Name one thing that the method still gives away, and one thing that must be settled before such a film is made.

# %% answer 4.7 | In words | 4 points | text
# BEGIN SOLUTION: answer_4_7 = """ """
answer_4_7 = """
(a) A single frame says nothing of movement: G could paint each frame well and differently, and the film would flicker. Two frames show
whether clothes and background stay the same from one moment to the next. Without the poses, G could paint two smooth frames of some other
movement, or the same frame twice; with them, D can ask whether the change of the frames is that of the figures.

(b) The face is a small part of the frame. If G went on learning, the face's loss would pull at weights that paint everything
else, and what the face network corrects would be another picture at every step. Frozen, it is a fixed thing to
correct. A residual starts at zero, where the face is as good as G's, and has only the details to learn.

(c) The film shows seams: shadows that do not follow, textures that swim, hands that melt; a detector that sees
several frames finds them. Before anything else, the consent of the person who is shown, for this film and this use.
"""
# END SOLUTION


# %% probes 4.7
def probes(random):
    yield Probe("at least 80 words", (80,), "words", expected=True)


# %% rubric 4.7
# * 1 point: two frames against flicker: one frame says nothing of how things go on.
# * 1 point: the poses, so that the movement is the right one and not only a smooth one.
# * 1 point: G frozen, so that the face's loss does not spoil the rest (or: so that what is corrected stands still); a residual
#   begins at G's own face and holds only details.
# * 1 point: one trace that holds (shadows, swimming textures, hands, flicker), and the consent of the person shown.

# %% [markdown]
# ## Hand in
#
# `progress` shows how far you are, `submit` writes one file with all answers. Run all cells once from the
# top before you do.

# %%
homework.progress(4)

# %%
homework.submit(4)
