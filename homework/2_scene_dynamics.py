"""Homework 2, scene dynamics: the one source of notebook, checks, solution and rubric."""

# ruff: noqa: E501, F811, F821
# %% [markdown]
# # Homework 2: scene dynamics
#
# About three hours. You write five functions, none longer than fifteen lines; work out shapes by hand;
# bring a single picture to life, with one future and with many; and answer one question in words. The
# training takes less than half a minute, on two CPU cores and without a GPU.
#
# The [chapter](../../book/2_scene_dynamics.md) has all the theory. The letters here are its letters: $f$
# is the foreground, $b$ the background, $m$ the mask, and $G(z) = m \odot f + (1 - m) \odot b$. Clips have
# the axes (B, C, T, H, W).
#
# **How it works.** Write each answer into its own cell, below the line `# Answer 2.1`, and leave that
# line where it is. The cell after it checks what you wrote, as often as you like, and gives a hint. The
# checks are not the marks: your functions will be asked again with other numbers. Use `torch` freely; the
# functions of `vidgen_lite.scene_dynamics` that do nearly the same are not the answer, since each
# question has a twist that they lack.

# %%
# Setup
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from vidgen_lite import homework, scene_dynamics, show

# %% [markdown]
# ## 2.1 Several foregrounds
#
# *20 minutes, 4 points.* One mask tells two things apart. For two people who pass each other one would like
# two foregrounds, the nearer one over the farther one. So let there be $K$ of them. Start with the
# background and lay on one after the other, each by the formula of the chapter:
#
# $$
# x_0 = b, \qquad x_k = m_k \odot f_k + (1 - m_k) \odot x_{k-1}, \qquad G = x_K .
# $$
#
# A mask has one value for all three colours, and the background is one image for all frames.


# %% answer 2.1 | Several foregrounds | 4 points | code
def compose_layers(masks: Tensor, foregrounds: Tensor, background: Tensor) -> Tensor:
    """Lay K foregrounds over a background, the first one farthest away.

    Args:
        masks: (B, K, T, H, W) in [0, 1].
        foregrounds: (B, K, 3, T, H, W).
        background: (B, 3, H, W).

    Returns:
        Clips, (B, 3, T, H, W).
    """
    # BEGIN SOLUTION
    video = background.unsqueeze(2)
    for k in range(masks.shape[1]):
        mask = masks[:, k].unsqueeze(1)
        video = mask * foregrounds[:, k] + (1 - mask) * video
    return video
    # END SOLUTION


# %% probes 2.1
def probes(random):
    def case(b, k, t, h, w):
        return (
            random.uniform(b, k, t, h, w),
            random.normal(b, k, 3, t, h, w),
            random.normal(b, 3, h, w),
        )

    yield Probe("one foreground", case(1, 1, 2, 1, 2))
    yield Probe("two foregrounds, two clips", case(2, 2, 2, 1, 2))
    yield Probe("as many frames as colours", case(1, 1, 3, 2, 1))
    yield Probe("three foregrounds", case(1, 3, 1, 1, 2))


# %% mistake 2.1 | mask the wrong way round
# The mask is the wrong way round: where it is 1, the foreground is seen.
def compose_layers(masks, foregrounds, background):
    video = background.unsqueeze(2)
    for k in range(masks.shape[1]):
        mask = masks[:, k].unsqueeze(1)
        video = (1 - mask) * foregrounds[:, k] + mask * video
    return video


# %% mistake 2.1 | nearest first
# One foreground comes out right, several in the wrong order: the first lies farthest away, so it is laid on
# first and the last one covers it.
def compose_layers(masks, foregrounds, background):
    video = background.unsqueeze(2)
    for k in reversed(range(masks.shape[1])):
        mask = masks[:, k].unsqueeze(1)
        video = mask * foregrounds[:, k] + (1 - mask) * video
    return video


# %% mistake 2.1 | the masks are added
# The masks are added up here, as if no foreground ever covered another. The second one hides a part of the first
# as well as of the background.
def compose_layers(masks, foregrounds, background):
    front = (masks.unsqueeze(2) * foregrounds).sum(1)
    rest = 1 - masks.sum(1).unsqueeze(1)
    return front + rest * background.unsqueeze(2)


# %% mistake 2.1 | always over the bare background
# Each foreground was laid over the bare background, and only the last result is left. Lay it over what the ones
# before have made.
def compose_layers(masks, foregrounds, background):
    for k in range(masks.shape[1]):
        mask = masks[:, k].unsqueeze(1)
        video = mask * foregrounds[:, k] + (1 - mask) * background.unsqueeze(2)
    return video


# %% mistake 2.1 | background repeated over the colours
# The background's new axis is in the wrong place. It has no time, so its axis of size 1 belongs where clips have
# T: (B, 3, 1, H, W). With three frames the wrong one goes through without an error.
def compose_layers(masks, foregrounds, background):
    video = background.unsqueeze(1)
    for k in range(masks.shape[1]):
        mask = masks[:, k].unsqueeze(1)
        video = mask * foregrounds[:, k] + (1 - mask) * video
    return video


# %% mistake 2.1 | the colours of the mask
# Frames and colours have changed places in the mask: it has no axis of colours yet, so give it one of size 1, where
# clips have theirs.
def compose_layers(masks, foregrounds, background):
    video = background.unsqueeze(2)
    for k in range(masks.shape[1]):
        mask = masks[:, k].unsqueeze(2)
        video = mask * foregrounds[:, k] + (1 - mask) * video
    return video


# %% mistake 2.1 | a hard mask
# The mask was made hard, all or nothing. It is soft: it mixes, and a threshold has no gradient.
def compose_layers(masks, foregrounds, background):
    video = background.unsqueeze(2)
    for k in range(masks.shape[1]):
        video = torch.where(masks[:, k].unsqueeze(1) > 0.5, foregrounds[:, k], video)
    return video


# %% mistake 2.1 | only added
# What lies behind shines through at full strength. It is weighted too, by 1 minus the mask.
def compose_layers(masks, foregrounds, background):
    video = background.unsqueeze(2)
    for k in range(masks.shape[1]):
        video = masks[:, k].unsqueeze(1) * foregrounds[:, k] + video
    return video


# %% mistake 2.1 | the arguments are overwritten | names: changes the tensors
def compose_layers(masks, foregrounds, background):
    foregrounds *= masks.unsqueeze(2)
    video = background.unsqueeze(2)
    for k in range(masks.shape[1]):
        video = foregrounds[:, k] + (1 - masks[:, k].unsqueeze(1)) * video
    return video


# %% alternative 2.1 | how much of each layer is seen, in float64 and without a loop
def compose_layers(masks, foregrounds, background):
    open_above = (
        torch.cat([1 - masks.double(), torch.ones_like(masks[:, :1])], 1).flip(1).cumprod(1).flip(1)
    )
    front = (open_above[:, 1:] * masks).unsqueeze(2) * foregrounds
    return front.sum(1) + open_above[:, :1] * background.unsqueeze(2)


# %% alternative 2.1 | interpolation
def compose_layers(masks, foregrounds, background):
    video = background.unsqueeze(2).expand_as(foregrounds[:, 0])
    for mask, foreground in zip(masks.unbind(1), foregrounds.unbind(1), strict=True):
        video = torch.lerp(video, foreground, mask.unsqueeze(1).expand_as(video))
    return video


# %% [markdown]
# ## 2.2 Shapes by hand
#
# *15 minutes, 3 points, on paper.* Wide-screen clips: a generator like the chapter's, but with a first kernel of
# another shape. All kernels, strides and paddings are given in the order time, height, width; one number stands
# for all three axes.
#
# * **a** The code has 100 numbers, a map of 1×1×1. The first transposed convolution makes 512 channels, with
#   kernel (3, 4, 6), stride 1 and padding 0. What shape comes out?
# * **b** From there: 256 channels, kernel 4, stride 2, padding 1.
# * **c** From **b**'s result: 128 channels, kernel (3, 4, 4), stride (1, 2, 2), padding 1.
# * **d** From **b**'s result again: 128 channels, kernel 3, stride 2, padding 1.
# * **e** How many weights has the layer of **b**, biases included?
#
# Shapes are (channels, frames, height, width).

# %% answer 2.2 | Shapes by hand | 3 points | value
# BEGIN SOLUTION: shapes = {"a": ..., "b": ..., "c": ..., "d": ..., "e": ...}  # e.g. "a": (1, 2, 3, 4)
shapes = {
    "a": (512, 3, 4, 6),
    "b": (256, 6, 8, 12),
    "c": (128, 6, 16, 24),
    "d": (128, 11, 15, 23),
    "e": 8_388_864,
}
# END SOLUTION


# %% probes 2.2
def probes(random):
    right = {
        "a": (512, 3, 4, 6),
        "b": (256, 6, 8, 12),
        "c": (128, 6, 16, 24),
        "d": (128, 11, 15, 23),
        "e": 512 * 256 * 4**3 + 256,
    }
    for key, value in right.items():
        yield Probe(f"the answer {key}", (key,), "item", share=0.2, expected={"secret": value})


# %% mistake 2.2 | the formula of a convolution
# Some results come out smaller than what goes in. That is the formula of a convolution; here it runs the other way, and
# the stride multiplies.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 1, 2, 3), "c": (128, 1, 1, 1), "d": (128, 1, 1, 2), "e": 8_388_864
}  # fmt: skip

# %% mistake 2.2 | padding forgotten
# Is the padding missing? A transposed convolution cuts it off, at both ends of each axis.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 8, 10, 14), "c": (128, 10, 22, 30), "d": (128, 17, 21, 29), "e": 8_388_864
}  # fmt: skip

# %% mistake 2.2 | padding at one end
# The padding was cut off once. It is cut off at both ends of each axis.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 7, 9, 13), "c": (128, 8, 19, 27), "d": (128, 14, 18, 26), "e": 8_388_864
}  # fmt: skip

# %% mistake 2.2 | padding added
# The padding was added. That is what a convolution does; a transposed one cuts it off.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 10, 12, 16), "c": (128, 14, 26, 34), "d": (128, 23, 27, 35), "e": 8_388_864
}  # fmt: skip

# %% mistake 2.2 | always doubled
# Stride 2 alone does not double. It does so with kernel 4 and padding 1, and the kernel here is 3.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 6, 8, 12), "c": (128, 6, 16, 24), "d": (128, 12, 16, 24), "e": 8_388_864
}  # fmt: skip

# %% mistake 2.2 | time doubled with the rest
# The frames were doubled along with the pixels. Along time, this layer has kernel 3 and stride 1.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 6, 8, 12), "c": (128, 12, 16, 24), "d": (128, 11, 15, 23), "e": 8_388_864
}  # fmt: skip

# %% mistake 2.2 | minus one forgotten
# There is one stride too many: n stamps lie n − 1 strides apart, from the first to the last.
shapes = {
    "a": (512, 4, 5, 7), "b": (256, 10, 12, 16), "c": (128, 11, 26, 34), "d": (128, 21, 25, 33), "e": 8_388_864
}  # fmt: skip

# %% mistake 2.2 | channels last
# The numbers may be right, but not their order: channels, frames, height, width.
shapes = {
    "a": (3, 4, 6, 512), "b": (6, 8, 12, 256), "c": (6, 16, 24, 128), "d": (11, 15, 23, 128), "e": 8_388_864
}  # fmt: skip

# %% mistake 2.2 | biases forgotten
# The biases are missing: one for each channel that comes out.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 6, 8, 12), "c": (128, 6, 16, 24), "d": (128, 11, 15, 23), "e": 8_388_608
}  # fmt: skip

# %% mistake 2.2 | a flat kernel
# The kernel was taken for a flat one. It is a cube with three sides of 4.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 6, 8, 12), "c": (128, 6, 16, 24), "d": (128, 11, 15, 23), "e": 2_097_408
}  # fmt: skip

# %% mistake 2.2 | a bias for each input
# There is one bias for each channel that comes out, not for each that goes in.
shapes = {
    "a": (512, 3, 4, 6), "b": (256, 6, 8, 12), "c": (128, 6, 16, 24), "d": (128, 11, 15, 23), "e": 8_389_120
}  # fmt: skip

# %% alternative 2.2 | lists and tensors
shapes = {
    "a": [512, 3, 4, 6],
    "b": torch.tensor([256, 6, 8, 12]),
    "c": (128, 6, 16, 24),
    "d": [128, 11, 15, 23],
    "e": torch.tensor(8_388_864),
}

# %% [markdown]
# ## 2.3 Shapes by code
#
# *20 minutes, 3 points.* Now let a function do it, for a whole stack of transposed 3-D convolutions. It should
# also notice a stack that can't work: where padding eats up an axis, nothing is left of the clip.


# %% answer 2.3 | Shapes by code | 3 points | code
def shapes_after(size, layers):
    """The shape after each layer of a stack of transposed 3-D convolutions.

    Args:
        size: what goes into the first layer: frames, height, width.
        layers: for each layer (channels, kernel, stride, padding). Each of the last three is a
            list of three numbers, for time, height and width, or one number for all three.

    Returns:
        A list with (channels, frames, height, width) for each layer.

    Raises:
        ValueError: an axis comes out with less than one value.
    """
    # BEGIN SOLUTION
    shapes = []
    for channels, *settings in layers:
        kernel, stride, padding = ([s] * 3 if isinstance(s, int) else s for s in settings)
        size = [(size[i] - 1) * stride[i] - 2 * padding[i] + kernel[i] for i in range(3)]
        if min(size) < 1:
            raise ValueError(f"layers: expected at least one value along each axis, got {size}")
        shapes.append((channels, *size))
    return shapes
    # END SOLUTION


# %% probes 2.3
def probes(random):
    def number(low, high):
        return random.whole(low, high)

    kernel = [number(2, 3), number(4, 5), number(6, 7)]
    first, level = [64, kernel, 1, 0], [32, 4, 2, 1]
    yield Probe("one layer", ([1, 1, 1], [first]))
    size = [number(2, 4), number(5, 7), number(8, 10)]
    yield Probe("a level that doubles", (size, [level]))
    yield Probe("kernel 5, stride 3, padding 1", (size, [[16, 5, 3, 1]]))
    yield Probe("three layers, one after the other", ([1, 1, 1], [first, level, [16, 3, 2, 1]]))
    own = [8, [3, 4, 5], [1, 2, 3], [1, 1, 2]]
    yield Probe("an own setting for each axis", (size, [own]))
    yield Probe("padding that leaves nothing", ([1, 4, 4], [[8, 4, 2, 2]]), "refuses", share=0.25)


# %% mistake 2.3 | the formula of a convolution
# This is the formula of a convolution, which makes maps smaller. Here it runs the other way: the stride multiplies.
def shapes_after(size, layers):
    shapes = []
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v for v in settings)
        size = [(size[i] + 2 * p[i] - k[i]) // s[i] + 1 for i in range(3)]
        shapes.append((channels, *size))
    return shapes


# %% mistake 2.3 | padding at one end
# The padding is cut off at both ends of each axis.
def shapes_after(size, layers):
    shapes = []
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v for v in settings)
        size = [(size[i] - 1) * s[i] - p[i] + k[i] for i in range(3)]
        if min(size) < 1:
            raise ValueError(size)
        shapes.append((channels, *size))
    return shapes


# %% mistake 2.3 | padding added
# Here padding makes the output larger. In a transposed convolution it is cut off.
def shapes_after(size, layers):
    shapes = []
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v for v in settings)
        size = [(size[i] - 1) * s[i] + 2 * p[i] + k[i] for i in range(3)]
        shapes.append((channels, *size))
    return shapes


# %% mistake 2.3 | minus one forgotten
# There is one stride too many along each axis: n stamps lie n − 1 strides apart, from the first to the last.
def shapes_after(size, layers):
    shapes = []
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v for v in settings)
        size = [size[i] * s[i] - 2 * p[i] + k[i] for i in range(3)]
        shapes.append((channels, *size))
    return shapes


# %% mistake 2.3 | always doubled
# With stride s the size is multiplied by s only if kernel and padding happen to fit: kernel 4, stride 2 and padding 1 do,
# others do not.
def shapes_after(size, layers):
    shapes = []
    for channels, kernel, stride, _ in layers:
        grown = kernel if stride == 1 else stride
        grown = [grown] * 3 if isinstance(grown, int) else grown
        size = [n * g for n, g in zip(size, grown, strict=True)]
        shapes.append((channels, *size))
    return shapes


# %% mistake 2.3 | each layer from the start
# A single layer is right, a stack is not: each layer must start from what the one before has made.
def shapes_after(size, layers):
    shapes = []
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v for v in settings)
        out = [(size[i] - 1) * s[i] - 2 * p[i] + k[i] for i in range(3)]
        if min(out) < 1:
            raise ValueError(out)
        shapes.append((channels, *out))
    return shapes


# %% mistake 2.3 | axes in reverse
# The axes of kernel, stride and padding are taken in reverse. They come as time, height, width, like those of the size.
def shapes_after(size, layers):
    shapes = []
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v[::-1] for v in settings)
        size = [(size[i] - 1) * s[i] - 2 * p[i] + k[i] for i in range(3)]
        if min(size) < 1:
            raise ValueError(size)
        shapes.append((channels, *size))
    return shapes


# %% mistake 2.3 | channels last
# The channels come last here. As everywhere in this course, they come first.
def shapes_after(size, layers):
    shapes = []
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v for v in settings)
        size = [(size[i] - 1) * s[i] - 2 * p[i] + k[i] for i in range(3)]
        if min(size) < 1:
            raise ValueError(size)
        shapes.append((*size, channels))
    return shapes


# %% mistake 2.3 | only the last shape
# Only one shape comes back. Asked is a list with one for each layer.
def shapes_after(size, layers):
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v for v in settings)
        size = [(size[i] - 1) * s[i] - 2 * p[i] + k[i] for i in range(3)]
        if min(size) < 1:
            raise ValueError(size)
        shape = (channels, *size)
    return shape


# %% mistake 2.3 | nothing is refused
# The shapes are right. But a size of 0 or less is no clip: raise a ValueError as soon as one comes out.
def shapes_after(size, layers):
    shapes = []
    for channels, *settings in layers:
        k, s, p = ([v] * 3 if isinstance(v, int) else v for v in settings)
        size = [(size[i] - 1) * s[i] - 2 * p[i] + k[i] for i in range(3)]
        shapes.append((channels, *size))
    return shapes


# %% alternative 2.3 | let torch do it, without computing anything
def shapes_after(size, layers):
    maps, shapes = torch.empty(1, 1, *size, device="meta"), []
    for channels, kernel, stride, padding in layers:
        layer = nn.ConvTranspose3d(maps.shape[1], channels, kernel, stride, padding, device="meta")
        maps = layer(maps)
        if maps.numel() == 0:
            raise ValueError("layers: nothing is left of the clip")
        shapes.append(tuple(maps.shape[1:]))
    return shapes


# %% alternative 2.3 | tensors that repeat over the axes
def shapes_after(size, layers):
    n, shapes = torch.as_tensor(size), []
    for channels, *settings in layers:
        kernel, stride, padding = (torch.as_tensor(s).expand(3) for s in settings)
        n = (n - 1) * stride - 2 * padding + kernel
        if not (n > 0).all():
            raise ValueError("layers: nothing is left of the clip")
        shapes.append([channels, *n])
    return shapes


# %% [markdown]
# ## 2.4 A stamp that loops
#
# *30 minutes, 4 points.* The chapter calls a transposed convolution a stamp: each input places the whole kernel,
# scaled by its value, on the output; the next input does so $s$ places further on; where stamps overlap they
# add up; and $p$ values are cut off at each end. Cutting is wrong for clips that **loop**, such as a flame that plays on and on.
# There, what leaves at one end should come in at the other.
#
# Write that, along time alone. Input $t$ places tap $j$ of the kernel at frame $s\,t - p + j$, where frames are
# counted from 0 and around: after the last frame comes the first. The output has $s$ times as many frames as the input.
# If the kernel is longer than the whole clip, it goes round more than once.


# %% answer 2.4 | A stamp that loops | 4 points | code
def loop_stamp(x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
    """A transposed convolution along a time that goes in a circle.

    Args:
        x: (T,), one value a frame.
        kernel: (k,), its taps.
        stride: s, how far apart stamps lie.
        padding: p, how many frames before its place a stamp begins.

    Returns:
        (s T,); a gradient flows from it to x and to the kernel.
    """
    # BEGIN SOLUTION
    start = stride * torch.arange(len(x)) - padding
    out = x.new_zeros(stride * len(x))
    for j, tap in enumerate(kernel):
        out = out.index_add(0, (start + j) % len(out), tap * x)
    return out
    # END SOLUTION


# %% probes 2.4
def probes(random):
    taps = torch.tensor([1.0, 2.0, 3.0, 4.0])
    yield Probe("a single 1 in the middle", (torch.tensor([0.0, 1.0, 0.0, 0.0]), taps, 2, 1))
    yield Probe("a single 1 at the end", (torch.tensor([0.0, 0.0, 0.0, 1.0]), taps, 2, 1))
    yield Probe("kernel 4, stride 2, padding 1", (random.normal(5), random.normal(4), 2, 1))
    yield Probe("kernel 5, stride 1, padding 2", (random.normal(6), random.normal(5), 1, 2))
    yield Probe("kernel 2, stride 3, padding 0", (random.normal(3), random.normal(2), 3, 0))
    yield Probe(
        "a kernel longer than the clip", (random.normal(2), random.normal(9), 2, 1), share=0.25
    )
    yield Probe("its gradient", (random.normal(3), random.normal(4), 2, 1), "gradient", share=0.25)


# %% mistake 2.4 | kernel backwards
# The taps stand in reverse order: that is what a convolution does with a flipped kernel. A stamp is not flipped: a single 1
# leaves the kernel as it is.
def loop_stamp(x, kernel, stride, padding):
    out = x.new_zeros(stride * len(x))
    for t in range(len(x)):
        for j in range(len(kernel)):
            out[(stride * t - padding + j) % len(out)] += kernel[-1 - j] * x[t]
    return out


# %% mistake 2.4 | the last stamp wins
# Where stamps overlap, the later one has wiped out the earlier. They add up. (If you add with `out[index] += ...`: an index that
# occurs twice counts once.)
def loop_stamp(x, kernel, stride, padding):
    out = x.new_zeros(stride * len(x))
    for t in range(len(x)):
        for j in range(len(kernel)):
            out[(stride * t - padding + j) % len(out)] = kernel[j] * x[t]
    return out


# %% mistake 2.4 | one index twice
# Where stamps overlap, the later one has wiped out the earlier. They add up. (If you add with `out[index] += ...`: an index that
# occurs twice counts once.)
def loop_stamp(x, kernel, stride, padding):
    out = x.new_zeros(stride * len(x))
    t, j = torch.meshgrid(torch.arange(len(x)), torch.arange(len(kernel)), indexing="ij")
    out[((stride * t - padding + j) % len(out)).flatten()] += torch.outer(x, kernel).flatten()
    return out


# %% mistake 2.4 | cut off at the ends
# What leaves at one end is lost. In a loop it comes in again at the other.
def loop_stamp(x, kernel, stride, padding):
    n = stride * len(x)
    out = x.new_zeros(n)
    for t in range(len(x)):
        for j in range(len(kernel)):
            if 0 <= (place := stride * t - padding + j) < n:
                out[place] += kernel[j] * x[t]
    return out


# %% mistake 2.4 | padding forgotten
# Everything lies p frames too late: the padding is missing.
def loop_stamp(x, kernel, stride, padding):
    out = x.new_zeros(stride * len(x))
    for t in range(len(x)):
        for j in range(len(kernel)):
            out[(stride * t + j) % len(out)] += kernel[j] * x[t]
    return out


# %% mistake 2.4 | padding the wrong way
# Everything lies 2p frames too late: with padding a stamp begins earlier, not later.
def loop_stamp(x, kernel, stride, padding):
    out = x.new_zeros(stride * len(x))
    for t in range(len(x)):
        for j in range(len(kernel)):
            out[(stride * t + padding + j) % len(out)] += kernel[j] * x[t]
    return out


# %% mistake 2.4 | stride left out
# The stamps lie one frame apart. They should lie s apart.
def loop_stamp(x, kernel, stride, padding):
    out = x.new_zeros(stride * len(x))
    for t in range(len(x)):
        for j in range(len(kernel)):
            out[(t - padding + j) % len(out)] += kernel[j] * x[t]
    return out


# %% mistake 2.4 | frames repeated
# Here each input is repeated s times before the kernel comes. A stamp is placed once for each input, every s frames.
def loop_stamp(x, kernel, stride, padding):
    x = x.repeat_interleave(stride)
    out = torch.zeros_like(x)
    for j in range(len(kernel)):
        out = out + kernel[j] * x.roll(j - padding)
    return out


# %% mistake 2.4 | an ordinary transposed convolution
# This is an ordinary transposed convolution: as long as its formula says, and cut off at the ends. Here the output has s T
# frames, and what leaves at one end comes in at the other.
def loop_stamp(x, kernel, stride, padding):
    return F.conv_transpose1d(x[None, None], kernel[None, None], stride=stride, padding=padding)[
        0, 0
    ]


# %% mistake 2.4 | once around and no further
# A long kernel is lost after one round. What leaves again must come in again; a remainder (%) sees to that.
def loop_stamp(x, kernel, stride, padding):
    n = stride * len(x)
    out = x.new_zeros(n)
    for t in range(len(x)):
        for j in range(len(kernel)):
            place = stride * t - padding + j
            place = place + n if place < 0 else place - n if place >= n else place
            if place < n:
                out[place] += kernel[j] * x[t]
    return out


# %% mistake 2.4 | no gradient | names: gradient
def loop_stamp(x, kernel, stride, padding):
    out = torch.zeros(stride * len(x))
    for t in range(len(x)):
        for j in range(len(kernel)):
            out[(stride * t - padding + j) % len(out)] += kernel[j].item() * x[t].item()
    return out


# %% alternative 2.4 | an ordinary transposed convolution, wound up
def loop_stamp(x, kernel, stride, padding):
    n = stride * len(x)
    line = F.conv_transpose1d(x[None, None], kernel[None, None], stride=stride)[0, 0]
    line = F.pad(line, (0, -len(line) % n))
    return line.reshape(-1, n).sum(0).roll(-padding)


# %% alternative 2.4 | a matrix, in float64
def loop_stamp(x, kernel, stride, padding):
    matrix = torch.zeros(stride * len(x), len(x), dtype=torch.float64)
    for t in range(len(x)):
        for j in range(len(kernel)):
            matrix[(stride * t - padding + j) % len(matrix), t] += kernel[j]
    return matrix @ x.double()


# %% [markdown]
# ## 2.5 The sparsity term, for clips of any length
#
# *25 minutes, 4 points.* The generator's loss is
#
# $$
# L_G = -\frac{1}{B} \sum_{i=1}^{B} \log D\big(G(z_i)\big) + \lambda_m\, \mathcal{L}_m(m),
# $$
#
# and $\mathcal{L}_m$ is the mask's mean. Now let the clips of a batch have different lengths. To fit into one
# tensor they are filled up at the end, and what the mask is there means nothing. So take the mean over **each clip's own
# frames** first, and then over the clips: a short clip counts as much as a long one.
#
# It must stay exact at logits of ±200, and a gradient must flow to the logits and to the mask.


# %% answer 2.5 | The sparsity term, for clips of any length | 4 points | code
def generator_loss(fake_logits: Tensor, mask: Tensor, lengths: Tensor, weight: float) -> Tensor:
    """The non-saturating loss of G plus the weighted mean of the mask.

    Args:
        fake_logits: D's logits on the generated clips, (B,).
        mask: m, (B, 1, T, H, W) in [0, 1].
        lengths: how many frames of each clip count, (B,), from 1 to T.
        weight: lambda.

    Returns:
        A scalar, to be minimised.
    """
    # BEGIN SOLUTION
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return F.softplus(-fake_logits).mean() + weight * each.mean()
    # END SOLUTION


# %% probes 2.5
def probes(random):
    def case(lengths, frames, weight):
        b = len(lengths)
        return random.normal(b), random.uniform(b, 1, frames, 2, 2), torch.tensor(lengths), weight

    yield Probe("without the penalty (weight = 0)", case([2, 1], 2, 0.0))
    yield Probe("clips of full length", case([3, 3], 3, 0.5))
    logits, mask, lengths, weight = case([1, 3], 3, 0.5)
    mask = torch.cat([mask[:, :, :1] * 0, mask[:, :, 1:] * 0 + 1], 2)
    yield Probe("closed in the first frame, open in the rest", (logits, mask, lengths, weight))
    yield Probe("three lengths", case([4, 2, 1], 4, 2.0))
    logits, mask, lengths, weight = case([2, 1], 2, 0.1)
    large = torch.tensor([200.0, -200.0])
    yield Probe("logits of ±200", (large, mask, lengths, weight), share=0.25)
    yield Probe("its gradient", case([2, 1], 2, 0.5), "gradient", share=0.25)


# %% mistake 2.5 | sum for mean
# The mask is summed over its pixels. The penalty is a mean: then it does not grow with the size of a clip, and never exceeds λ.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.sum(dim=(1, 3, 4)) * counts).sum(1)
    return F.softplus(-fake_logits).mean() + weight * each.mean()


# %% mistake 2.5 | filled-up frames counted
# The frames that only fill up are counted too. A clip's own frames come first, as many as its length says.
def generator_loss(fake_logits, mask, lengths, weight):
    return F.softplus(-fake_logits).mean() + weight * mask.mean()


# %% mistake 2.5 | divided by all frames
# The frames that only fill up are left out of the sum, but still counted in what it is divided by.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).mean(1)
    return F.softplus(-fake_logits).mean() + weight * each.mean()


# %% mistake 2.5 | one mean over all frames
# All frames of all clips went into one mean, so that long clips count more. Each clip has a mean of its own; then comes the mean
# over the clips.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).sum() / lengths.sum()
    return F.softplus(-fake_logits).mean() + weight * each


# %% mistake 2.5 | one frame too many
# One frame too many is counted: of a clip of length n, the frames 0 to n − 1.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) <= lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).sum(1) / counts.sum(1)
    return F.softplus(-fake_logits).mean() + weight * each.mean()


# %% mistake 2.5 | the background made scarce
# The penalty falls when the mask opens: here the background is made scarce, not the foreground.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = ((1 - mask).mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return F.softplus(-fake_logits).mean() + weight * each.mean()


# %% mistake 2.5 | the penalty subtracted
# The penalty has the wrong sign: it must raise the loss where the mask is open.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return F.softplus(-fake_logits).mean() - weight * each.mean()


# %% mistake 2.5 | squares
# The mask is squared. The term is an L1 norm: an open pixel costs its value, whatever that is.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.square().mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return F.softplus(-fake_logits).mean() + weight * each.mean()


# %% mistake 2.5 | G plays for D
# The first term is small where D recognises the clips: here G helps D. Its clips want the label "real".
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return F.softplus(fake_logits).mean() + weight * each.mean()


# %% mistake 2.5 | the minimax loss
# The first term is the minimax loss, which hardly pushes where D is sure. Asked is the non-saturating one, −log D.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return -F.softplus(fake_logits).mean() + weight * each.mean()


# %% mistake 2.5 | logarithm of a sigmoid
# At −200 the sigmoid is rounded to 0, and its logarithm is infinite. Find a function that has the logarithm already in it.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return -fake_logits.sigmoid().log().mean() + weight * each.mean()


# %% mistake 2.5 | the mask detached
# The value is right, but no gradient reaches the mask: it was cut off on the way, and the penalty would do nothing.
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.detach().mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return F.softplus(-fake_logits).mean() + weight * each.mean()


# %% mistake 2.5 | not reduced | names: not reduced
def generator_loss(fake_logits, mask, lengths, weight):
    counts = torch.arange(mask.shape[2]) < lengths[:, None]
    each = (mask.mean(dim=(1, 3, 4)) * counts).sum(1) / lengths
    return F.softplus(-fake_logits) + weight * each


# %% alternative 2.5 | clip by clip, with the library's losses
def generator_loss(fake_logits, mask, lengths, weight):
    each = [
        scene_dynamics.mask_sparsity(m[None, :, :n]) for m, n in zip(mask, lengths, strict=True)
    ]
    entropy = F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
    return entropy + weight * sum(each) / len(each)


# %% alternative 2.5 | a weight for each frame, in float64
def generator_loss(fake_logits, mask, lengths, weight):
    b, _, t, h, w = mask.shape
    share = (torch.arange(t)[None] < lengths[:, None]).double() / (lengths[:, None] * b * h * w)
    penalty = torch.einsum("bcthw,bt->", mask.double(), share)
    return weight * penalty - F.logsigmoid(fake_logits.double()).mean()


# %% [markdown]
# ## 2.6 A picture comes to life
#
# *25 minutes, 4 points.* Can we generate a video from a single image? Here is the simplest way that can
# work: **let the image itself be the background.** A network then looks at the image and gives, for each later frame,
# a mask and a foreground, both before they are squashed. The clip starts with the image, exactly,
# whatever the network says; so it need not be punished for another start.
#
# Write what comes after the network. Mask and foreground go through the functions that the chapter gives them, and then
# into its formula.


# %% answer 2.6 | A picture comes to life | 4 points | code
def animate(image: Tensor, mask_logits: Tensor, paint: Tensor) -> Tensor:
    """A clip that starts with the image and goes on over it.

    Args:
        image: (B, 3, H, W) in [-1, 1].
        mask_logits: the masks of frames 2 to T before they are squashed, (B, 1, T - 1, H, W).
        paint: the foregrounds of frames 2 to T before they are squashed, (B, 3, T - 1, H, W).

    Returns:
        (B, 3, T, H, W) in [-1, 1].
    """
    # BEGIN SOLUTION
    still = image.unsqueeze(2)
    mask = torch.sigmoid(mask_logits)
    later = mask * torch.tanh(paint) + (1 - mask) * still
    return torch.cat([still, later], dim=2)
    # END SOLUTION


# %% probes 2.6
def probes(random):
    def case(b, t, h, w):
        image = random.uniform(b, 3, h, w) * 2 - 1
        return image, random.normal(b, 1, t, h, w, scale=2), random.normal(b, 3, t, h, w, scale=2)

    yield Probe("a clip of three frames", case(1, 2, 1, 2))
    yield Probe("two images", case(2, 1, 2, 1))
    yield Probe("three later frames", case(1, 3, 1, 2))
    yield Probe("its gradient", case(1, 1, 1, 2), "gradient", share=0.25)


# %% mistake 2.6 | mask not squashed
# The mask goes in as it is. It needs a sigmoid to lie between 0 and 1.
def animate(image, mask_logits, paint):
    still = image.unsqueeze(2)
    later = mask_logits * torch.tanh(paint) + (1 - mask_logits) * still
    return torch.cat([still, later], dim=2)


# %% mistake 2.6 | paint not squashed
# The foreground goes in as it is. It needs a tanh, or colours leave the range from −1 to 1.
def animate(image, mask_logits, paint):
    still, mask = image.unsqueeze(2), torch.sigmoid(mask_logits)
    return torch.cat([still, mask * paint + (1 - mask) * still], dim=2)


# %% mistake 2.6 | a sigmoid for the paint
# The foreground goes through a sigmoid, so that it can't be darker than middle grey. Colours lie from −1 to 1: that is a tanh.
def animate(image, mask_logits, paint):
    still, mask = image.unsqueeze(2), torch.sigmoid(mask_logits)
    return torch.cat([still, mask * torch.sigmoid(paint) + (1 - mask) * still], dim=2)


# %% mistake 2.6 | a tanh for the mask
# The mask goes through a tanh, so that it can be negative. It lies from 0 to 1: that is a sigmoid.
def animate(image, mask_logits, paint):
    still, mask = image.unsqueeze(2), torch.tanh(mask_logits)
    return torch.cat([still, mask * torch.tanh(paint) + (1 - mask) * still], dim=2)


# %% mistake 2.6 | mask the wrong way round
# The mask is the wrong way round: where it is 1, the foreground is seen.
def animate(image, mask_logits, paint):
    still, mask = image.unsqueeze(2), torch.sigmoid(mask_logits)
    return torch.cat([still, (1 - mask) * torch.tanh(paint) + mask * still], dim=2)


# %% mistake 2.6 | the image left out
# The clip is one frame too short: the image itself is its first.
def animate(image, mask_logits, paint):
    still, mask = image.unsqueeze(2), torch.sigmoid(mask_logits)
    return mask * torch.tanh(paint) + (1 - mask) * still


# %% mistake 2.6 | the image at the end
# The image comes last. A clip begins with it.
def animate(image, mask_logits, paint):
    still, mask = image.unsqueeze(2), torch.sigmoid(mask_logits)
    return torch.cat([mask * torch.tanh(paint) + (1 - mask) * still, still], dim=2)


# %% mistake 2.6 | joined along the colours
# The frames are joined along the colours. They belong one after the other along time, axis 2.
def animate(image, mask_logits, paint):
    still, mask = image.unsqueeze(2), torch.sigmoid(mask_logits)
    later = mask * torch.tanh(paint) + (1 - mask) * still
    return torch.cat([still.expand_as(later), later], dim=1)


# %% mistake 2.6 | over the frame before
# The first later frame is right, the next are not: each was laid over the frame before it. The background is the image, in
# all frames.
def animate(image, mask_logits, paint):
    frames, mask = [image], torch.sigmoid(mask_logits)
    for t in range(mask.shape[2]):
        frames.append(mask[:, :, t] * torch.tanh(paint[:, :, t]) + (1 - mask[:, :, t]) * frames[-1])
    return torch.stack(frames, dim=2)


# %% mistake 2.6 | the image repeated over the colours
# The image's new axis is in the wrong place: it is time that it lacks, (B, 3, 1, H, W).
def animate(image, mask_logits, paint):
    still, mask = image.unsqueeze(1), torch.sigmoid(mask_logits)
    later = mask * torch.tanh(paint) + (1 - mask) * still
    return torch.cat([image.unsqueeze(2), later], dim=2)


# %% mistake 2.6 | cut off from the network | names: gradient
def animate(image, mask_logits, paint):
    with torch.no_grad():
        still, mask = image.unsqueeze(2), torch.sigmoid(mask_logits)
        return torch.cat([still, mask * torch.tanh(paint) + (1 - mask) * still], dim=2)


# %% alternative 2.6 | a mask that is shut in the first frame
def animate(image, mask_logits, paint):
    mask = F.pad(torch.sigmoid(mask_logits), (0, 0, 0, 0, 1, 0))
    paint = F.pad(torch.tanh(paint), (0, 0, 0, 0, 1, 0))
    return scene_dynamics.compose(mask, paint, image)


# %% alternative 2.6 | frame by frame, in float64
def animate(image, mask_logits, paint):
    frames = [image.double()]
    for t in range(mask_logits.shape[2]):
        mask = 1 / (1 + torch.exp(-mask_logits[:, :, t].double()))
        frames.append(image + mask * (paint[:, :, t].double().tanh() - image))
    return torch.stack(frames, dim=2)


# %% [markdown]
# ## 2.7 One image, one future?
#
# *25 minutes, 3 points.* A world that is small enough to learn in seconds: a white ball on a plain ground.
# In the image it lies still, and nothing tells whether it will go up, down, to the left or to the right. Each
# happens as often as the others.

# %%
# Setup: the world, and a network that brings its pictures to life with your `animate`
WAYS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # what is added to row and column in each frame
SIZE, FRAMES = 12, 4


def films(n, generator=None):
    """Films of a ball, (n, 3, FRAMES, SIZE, SIZE), and where it starts, (n, 2)."""
    ground = torch.rand(n, 3, 1, 1, 1, generator=generator) - 1
    video = ground.repeat(1, 1, FRAMES, SIZE, SIZE)
    starts = torch.randint(4, 8, (n, 2), generator=generator)
    ways = torch.randint(4, (n,), generator=generator)
    for film, (row, column), way in zip(video, starts.tolist(), ways.tolist(), strict=True):
        for t in range(FRAMES):
            y, x = row + WAYS[way][0] * t, column + WAYS[way][1] * t
            film[:, t, y - 1 : y + 2, x - 1 : x + 2] = 1
    return video, starts


class Animator(nn.Module):
    """From an image and noise z (B, 4) to a clip."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(7, 24, 5, padding=2), nn.ReLU(),
            nn.Conv2d(24, 24, 5, padding=2), nn.ReLU(),
            nn.Conv2d(24, 4 * (FRAMES - 1), 5, padding=2),
        )  # fmt: skip

    def forward(self, image, z):
        maps = torch.cat([image, z[:, :, None, None].expand(-1, -1, SIZE, SIZE)], 1)
        drawn = self.layers(maps).unflatten(1, (4, FRAMES - 1))
        return animate(image, drawn[:, :1], drawn[:, 1:])


def train_animator(noise, tries, steps=200):
    """Train with squared error. Of several tries, only the one nearest to the truth counts."""
    torch.manual_seed(0)
    model, batch = Animator(), 32
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in tqdm(range(steps), desc=f"noise {noise}, tries {tries}"):
        real, _ = films(batch)
        image, z = real[:, :, 0], noise * torch.randn(tries, batch, 4)
        if tries > 1:
            with torch.no_grad():
                errors = torch.stack(
                    [(model(image, one) - real).square().mean((1, 2, 3, 4)) for one in z]
                )
            z = z[errors.argmin(0), torch.arange(batch)][None]
        loss = (model(image, z[0]) - real).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


@torch.no_grad()
def balls(model, noise, n=200):
    """How white the last frame is at each of the four places of the ball, (n, 4).

    0 is the ground's own colour, 1 is the ball's.
    """
    generator = torch.Generator().manual_seed(1)
    real, starts = films(n, generator)
    image = real[:, :, 0]
    last = model(image, noise * torch.randn(n, 4, generator=generator))[:, :, -1]
    white = (last - image[:, :, :1, :1]) / (1 - image[:, :, :1, :1])
    found = torch.empty(n, 4)
    for i, (row, column) in enumerate(starts.tolist()):
        for k, way in enumerate(WAYS):
            y, x = row + way[0] * (FRAMES - 1), column + way[1] * (FRAMES - 1)
            found[i, k] = white[i, :, y - 1 : y + 2, x - 1 : x + 2].mean()
    return found


# %%
show.filmstrip(films(4)[0], frames=FRAMES)
# %% [markdown]
# Train three animators: **(1)** without noise (`noise=0, tries=1`), **(2)** with noise (`noise=1, tries=1`), and
# **(3)** with noise and eight tries (`noise=1, tries=8`). Look at what they make, with other noise for the same image too.
# For each, give one number: in the last frame, how white is the **whitest** of the four places, as a mean over the
# images? (`balls` measures all four.)

# %% answer 2.7 | One image, one future? | 3 points | value
# BEGIN SOLUTION: whiteness = ...  # three numbers: without noise, with noise, with noise and eight tries
whiteness = []
for noise, tries in ((0, 1), (1, 1), (1, 8)):
    model = train_animator(noise, tries)
    whiteness.append(balls(model, noise).amax(1).mean().item())
# END SOLUTION


# %% probes 2.7
def probes(random):
    bands = [(0.12, 0.45), (0.12, 0.45), (0.6, 1.05)]
    yield Probe("three numbers", measure="value", expected=[{"between": b} for b in bands])


# %% mistake 2.7 | the mean over the four places
# This is the mean over all four places, which says nothing: one white ball and four faint ones have the same. Take the
# largest of the four first.
whiteness = [0.24, 0.24, 0.23]

# %% mistake 2.7 | one place for all images
# One of the four places was chosen after the mean over the images was taken. The largest of the four is another one in each image:
# take it first.
whiteness = [0.26, 0.26, 0.3]

# %% mistake 2.7 | the first frame
# A number of 1 without noise can't be: is that the first frame, where the ball is the image's own? Asked is the last.
whiteness = [1.0, 1.0, 1.0]

# %% mistake 2.7 | in another order
# With eight tries, the ball should be whiter than without noise: are the three in the order of the question?
whiteness = [0.83, 0.27, 0.27]

# %% mistake 2.7 | in per cent
# These are per cent. Asked are numbers from 0 (ground) to 1 (ball).
whiteness = [28.0, 30.0, 86.0]

# %% alternative 2.7 | a tensor
whiteness = torch.tensor([0.27, 0.3, 0.86])

# %% [markdown]
# ## 2.8 Can we generate a video from a single image?
#
# *20 minutes, 5 points, marked by a person.* In about 200 words: **(a)** Explain your three numbers. What does the first
# animator show in its last frame, and why is that the best answer to its loss? Why does noise alone change nothing? What do
# several tries change? **(b)** Your animator has $b$ = the image. Where must the mask be open although
# nothing is there any more, and what can this design never show? **(c)** VGAN's conditional
# generator has a discriminator in place of several tries, and no noise. Which part of the trouble does a discriminator cure, and
# which not? **(d)** Name two things other than noise that can settle which future it will be, with a work for each.

# %% answer 2.8 | Can we generate a video from a single image? | 5 points | text
# BEGIN SOLUTION: answer_2_8 = """ """
answer_2_8 = """
(a) The first animator shows four faint balls at once, each about a quarter white. Squared error is least for the mean of
all futures, and the mean of four equally likely ones is a quarter of each. With noise the loss is still an expectation
over all futures for every z, so the best answer does not depend on z, and the network learns to ignore it. With several tries only
the nearest counts: a clip that commits itself to one future is right in some tries and not punished in the others, so
different z learn different futures, and the ball is white.

(b) Where the ball lay in the image: there the foreground has to paint ground over it in all later frames. It can't show what the
image does not hold and f does not invent, such as what lies behind the ball, and it can't move the camera, since b would have to
change everywhere.

(c) A discriminator cures blur: four faint balls never occur in real films, so they are recognised. It does not bring back
the choice. Without noise there is one clip for an image, at best one sharp future out of four.

(d) A driving video (Siarohin et al., first-order motion, 2019); poses (Walker et al., The Pose Knows, 2017, and Chan et
al., Everybody Dance Now, 2019). A learned latent code is a prior that one samples from, so it is noise again, only with meaning.
"""
# END SOLUTION


# %% probes 2.8
def probes(random):
    yield Probe("at least 80 words", (80,), "words", expected=True)


# %% rubric 2.8
# * 1 point: four faint balls, or blur, as the mean of the futures, which squared error prefers.
# * 1 point: noise alone leaves the best answer the same for every z; several tries let a clip commit itself to one future.
# * 1 point: the mask is open where the mover was in the image; and one limit that holds (what is hidden behind it, a camera that
#   moves).
# * 1 point: a discriminator is against blur, not for choice; without noise there is one future for an image.
# * 1 point: two of driving video, poses, text, a sketched path, a clip's past, each with a work. (A learned latent code counts
#   if it is said how it is more than noise.)

# %% [markdown]
# ## Hand in
#
# `progress` shows how far you are, `submit` writes one file with all answers. Run all cells once from the
# top before you do.

# %%
homework.progress(2)

# %%
homework.submit(2)
