"""Draw the figures of chapter 2 from the networks and puppets themselves.

    python book/figures/make_2_scene_dynamics.py [NAME ...]

Every tensor shape, kernel and parameter count in a drawing is read off the library's networks,
which run on torch's meta device for it; every picture in a drawing is a puppet film. The same
library gives the same files, byte for byte.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

import drawing
import numpy as np
import solutions
import torch
from drawing import (
    CODE,
    GREEN,
    GREY,
    INK,
    MADE,
    MASK,
    MOVING,
    PURPLE,
    REAL,
    SOFT,
    STILL,
    WHITE,
    Stage,
    arrow,
    badge,
    canvas,
    kernels,
    label,
    lane,
    parameters,
    picture,
    save,
    sheets,
    side_of,
    stages,
    times,
    unit,
    write,
)  # fmt: skip
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from vidgen_lite.data.puppets import SCENES, PuppetClips, make_clips
from vidgen_lite.metrics import (
    diversity,
    frechet_distance,
    motion_energy,
    nearest_clips,
    still_flicker,
)
from vidgen_lite.scene_dynamics import (
    ImageToVideoGenerator,
    VideoDiscriminator,
    VideoGenerator,
    compose,
)

drawing.chapter("2_scene_dynamics")


@functools.cache
def generator() -> VideoGenerator:
    return VideoGenerator().to("meta")


def code(*ones: int) -> Tensor:
    return torch.empty(2, generator().z_dim, *ones, device="meta")


@functools.cache
def film(scene: int = 0, pan: float = 0.0) -> PuppetClips:
    """One walker before one scene; the camera may pan."""
    chosen = SCENES[scene : scene + 1]
    return make_clips(1, seed=5, frames=32, size=64, actions=["walk"], scenes=chosen, pan=pan)


def still(t: int) -> dict[str, Tensor]:
    """Frame t of the film and what it is made of, each (3 or 1, H, W) in [0, 1]."""
    m, x, b = film().mask[0, :, t], unit(film().video[0, :, t]), unit(film().background[0])
    # Solve x = m f + (1 - m) b for f; where f is not seen it may be anything, here it is plain.
    f = ((x - (1 - m) * b) / m.clamp(min=0.02)).clamp(0, 1)
    f = torch.where(m < 0.02, torch.tensor([0.94, 0.72, 0.62])[:, None, None], f)
    assert (m * f + (1 - m) * b - x).abs().max() < 0.02
    return {"m": m, "f": f, "b": b, "x": x}


# The figures


def one_stream(name: str, levels: list[Stage], colour: str, front: Tensor) -> None:
    """From a code to a picture or a clip, level by level."""
    axes, y, xs = canvas(316), 172, [158, 268, 380, 502, 636]
    kernels(axes, [(66, 186), (200, 696)], 48, levels)
    badge(axes, 56, y, "z", SOFT)
    arrow(axes, (84, y), (xs[0] - 23, y))
    lane(axes, xs, y, levels, colour, front, below=250)
    write(axes, 56, 250, str(generator().z_dim), 22, weight="bold")
    write(axes, 56, 276, "numbers", 19, color=SOFT)
    save(axes, f"2_{name}")


def background() -> None:
    levels, _ = stages(generator().background, code(1, 1))
    one_stream("background", levels, STILL, still(16)["b"])


def foreground() -> None:
    trunk, hidden = stages(generator().trunk, code(1, 1, 1))
    head, _ = stages(generator().foreground, hidden)
    one_stream("foreground", trunk + head, MOVING, still(16)["f"])


def two_heads() -> None:
    trunk, hidden = stages(generator().trunk, code(1, 1, 1))
    axes, y = canvas(350), 165
    for x, level in zip((32, 88, 160, 258), trunk, strict=True):
        sheets(axes, x, y, side_of(level), level.shape[1], MOVING)
    write(axes, 150, 252, "the trunk, shared", 20, color=SOFT)
    write(axes, 150, 280, f"ends with {times(trunk[-1].shape)}", 19, color=SOFT)
    ends = {"Tanh": "tanh: −1 to 1", "Sigmoid": "sigmoid: 0 to 1"}
    for part, letter, word, y_head, colour in (
        (generator().foreground, "f", "foreground f", 92, MOVING),
        (generator().mask, "m", "mask m", 258, MASK),
    ):
        head = stages(part, hidden)[0][0]
        arrow(axes, (314, y), (378, y_head))
        sheets(axes, 440, y_head, 92, head.shape[1], colour, still(16)[letter])
        write(axes, 518, y_head - 32, word, 21, ha="left", weight="bold")
        write(axes, 518, y_head - 2, times(head.shape), 20, ha="left", color=SOFT)
        write(axes, 518, y_head + 26, ends[head.after[-1]], 19, ha="left", color=SOFT)
    save(axes, "2_two_heads")


def two_stream() -> None:
    g, parts = generator(), still(16)
    axes = canvas(610)
    badge(axes, 44, 240, "z", SOFT)
    for network, z, y, colour, word, share in (
        (g.trunk, code(1, 1, 1), 150, MOVING, "foreground, 3-D", (g.trunk, g.foreground, g.mask)),
        (g.background, code(1, 1), 350, STILL, "background, 2-D", (g.background,)),
    ):
        levels, _ = stages(network, z)
        arrow(axes, (72, 240), (106, y))
        lane(axes, [130, 206, 290, 386], y, levels[:4], colour)
        write(axes, 260, y - 84, word, 21, weight="bold")
        write(axes, 260, y + 72, f"{parameters(*share)} weights", 19, color=SOFT)
    for letter, y, source, count, colour in (
        ("f", 80, 150, 32, MOVING), ("m", 212, 150, 32, MASK), ("b", 350, 350, 1, STILL),
    ):  # fmt: skip
        sheets(axes, 572, y, 92, count, colour, parts[letter])
        arrow(axes, (442 if count > 1 else 428, source), (504, y))
        write(axes, 656, y, letter, 26, weight="bold", style="italic")
    write(axes, 572, 414, "one image for all frames", 19, color=SOFT)
    row = (("m", 56), ("⊙", 115), ("f", 174), ("+ (1 −", 268), ("m", 362), (")", 414), ("⊙", 440),
           ("b", 500), ("=", 569), ("x", 640))  # fmt: skip
    for word, x in row:
        if word in parts:
            picture(axes, x, 500, 84, parts[word])
        name = {"x": "G(z)"}.get(word, word)
        high, size = (566, 22) if word in parts else (500, 26)
        style = {"style": "italic", "weight": "bold"} if word in parts else {}
        write(axes, x, high, name, size, **style)
    save(axes, "2_two_stream")


def composition() -> None:
    axes, side = canvas(650), 124
    names = {"m": "mask", "f": "foreground", "b": "background", "x": "the clip"}
    for i, (letter, word) in enumerate(names.items()):
        y = 108 + i * 146 + (10 if letter == "x" else 0)
        write(axes, 84, y - 14, "G(z)" if letter == "x" else letter, 26, style="italic",
              weight="bold")  # fmt: skip
        write(axes, 84, y + 18, word, 20, color=SOFT)
        for j, t in enumerate((0, 10, 20, 31)):
            picture(axes, 234 + j * 136, y, side, still(t)[letter])
            if i == 0:
                write(axes, 234 + j * 136, 24, f"frame {t + 1}", 19, color=SOFT)
    axes.plot([20, 700], [478, 478], color=GREY, lw=1.5)
    save(axes, "2_composition")


def two_explanations() -> None:
    parts = still(16)
    noise = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    anything = noise.repeat_interleave(8, 1).repeat_interleave(8, 2) * 0.5 + 0.4
    lazy = {"m": torch.ones_like(parts["m"]), "f": parts["x"], "b": anything, "x": parts["x"]}
    axes = canvas(366)
    for y, word, shown in ((112, "wanted", parts), (276, "lazy", lazy)):
        write(axes, 30, y, word, 21, rotation=90, weight="bold")
        for letter, x in zip("mfbx", (122, 266, 410, 614), strict=True):
            picture(axes, x, y, 112, shown[letter])
            frame = Rectangle((x - 56, y - 56), 112, 112, fc="none", ec=GREY, lw=1, zorder=4)
            axes.add_patch(frame)
            if shown is parts:
                name = "G(z)" if letter == "x" else letter
                write(axes, x, 32, name, 22, style="italic", weight="bold")
        arrow(axes, (484, y), (542, y))
    save(axes, "2_two_explanations")


def slices() -> None:
    """Where the pixels of one row go in time, for a still and a panning camera."""
    axes, row, side, top = canvas(330), 38, 206, 58
    pictures = {
        "one frame": unit(film(3).video[0, :, 16]),
        "still camera": unit(film(3).video[0, :, :, row]),  # (3, T, W)
        "panning camera": unit(film(3, pan=0.35).video[0, :, :, row]),
    }
    for x, (word, image) in zip((118, 356, 594), pictures.items(), strict=True):
        picture(axes, x, top + side / 2, side, image)
        write(axes, x, 30, word, 20, weight="bold")
    level = top + side * (row + 0.5) / 64
    axes.plot([15, 221], [level, level], color=MADE, lw=3, ls=(0, (4, 2)), zorder=5)
    write(axes, 118, 296, "the marked row…", 19, color=SOFT)
    write(axes, 475, 296, "…in frames 1 (top) to 32 (bottom)", 19, color=SOFT)
    for x in (237, 475):
        arrow(axes, (x, top + 4), (x, top + side - 4), color=INK)
    save(axes, "2_slices")


def transposed() -> None:
    """A transposed convolution in one dimension, read off its own matrix."""
    layer = nn.ConvTranspose1d(1, 1, 4, stride=2, padding=1, bias=False)
    layer.weight.data = torch.arange(1.0, 5.0).reshape(1, 1, 4)
    taps = torch.cat([layer(row[None, None]) for row in torch.eye(4)])[:, 0].int()  # (in, out)
    axes, top, low = canvas(300), 56, 244
    at_in = [200 + 128 * i for i in range(4)]
    at_out = [136 + 64 * (j + 0.5) for j in range(taps.shape[1])]
    for i, j in torch.nonzero(taps).tolist():
        tap = int(taps[i, j])
        colour = PURPLE if tap % 2 else GREEN
        axes.plot([at_in[i], at_out[j]], [top + 22, low - 22], color=colour, lw=3, zorder=1)
        badge(axes, (at_in[i] + at_out[j]) / 2, (top + low) / 2, str(tap), colour, 13, size=18)
    for xs, y, name in ((at_in, top, "in"), (at_out, low, "out")):
        for i, x in enumerate(xs):
            axes.add_patch(Rectangle((x - 24, y - 22), 48, 44, fc=WHITE, ec=INK, lw=1.6, zorder=2))
            write(axes, x, y, str(i + 1), 20, zorder=4)
        write(axes, 66, y, f"{name}: {len(xs)}", 21, weight="bold")
    save(axes, "2_transposed")


def discriminator() -> None:
    d = VideoDiscriminator().to("meta")
    clip = torch.empty(2, 3, 32, 64, 64, device="meta")
    body, hidden = stages(d.features, clip)
    head, _ = stages(nn.Sequential(d.head), hidden)
    axes, y, xs = canvas(316), 172, [256, 374, 476, 564]
    sheets(axes, 84, y, 92, 32, CODE, still(16)["x"])
    label(axes, 84, 250, tuple(clip.shape[1:]))
    arrow(axes, (150, y), (xs[0] - side_of(body[0]) / 2 - 16, y))
    lane(axes, xs, y, body, "#a9c4de", below=250)
    kernels(axes, [(140, 552), (580, 690)], 48, body + head, "conv")
    arrow(axes, (592, y), (620, y))
    badge(axes, 648, y, "D", REAL)
    write(axes, 648, 250, str(head[0].shape[0]), 22, weight="bold")
    write(axes, 648, 276, "logit", 19, color=SOFT)
    save(axes, "2_discriminator")


def conditional() -> None:
    g = ImageToVideoGenerator().to("meta")
    picture_in = torch.empty(2, 3, g.size, g.size, device="meta")
    encoder, hidden = stages(g.encoder, picture_in)
    flat, _ = stages(g.background, hidden)
    trunk, deep = stages(g.trunk, hidden.unsqueeze(2))
    f, m = (stages(part, deep)[0][0] for part in (g.foreground, g.mask))
    axes, parts, given = canvas(740), still(16), still(0)["x"]
    from_map = f"from the map {times(encoder[-1].shape)}"
    for y, word, more in (
        (30, "encoder", ""), (262, "background", from_map), (496, "foreground and mask", from_map),
    ):  # fmt: skip
        write(axes, 24, y, word, 21, weight="bold", ha="left")
        write(axes, 700, y, more, 19, color=SOFT, ha="right")
    picture(axes, 84, 110, 92, given)
    label(axes, 84, 182, tuple(picture_in.shape[1:]))
    xs = [244, 376, 504, 632]
    arrow(axes, (136, 110), (xs[0] - side_of(encoder[0]) / 2 - 6, 110))
    lane(axes, xs, 110, encoder, CODE, below=182)
    lane(axes, [110, 244, 394, 560], 340, flat, STILL, parts["b"], below=412)
    lane(axes, [62, 162, 268, 384, 516], 582, [*trunk, f], MOVING, parts["f"], below=660)
    sheets(axes, 650, 582, 92, m.shape[1], MASK, parts["m"])
    label(axes, 650, 660, m.shape)
    save(axes, "2_conditional")


def batch_norm() -> None:
    """Two invented batches before and after each is normalised by its own statistics."""
    random = torch.Generator().manual_seed(0)
    norm = nn.BatchNorm1d(1, affine=False)
    real = 1.2 + 1.0 * torch.randn(40_000, 1, generator=random)
    fake = -0.9 + 0.45 * torch.randn(40_000, 1, generator=random)
    axes = canvas(290)
    panels = {"before": (real, fake), "after batch norm": (norm(real), norm(fake))}
    for left, (word, pair) in zip((30, 380), panels.items(), strict=True):
        for values, colour in zip(pair, (REAL, MADE), strict=True):
            height, edges = np.histogram(values.numpy(), bins=60, range=(-4, 4))
            x = left + 310 * ((edges[:-1] + edges[1:]) / 2 + 4) / 8
            y = 220 - 140 * height / height.max()
            axes.fill_between(x, 220, y, color=colour, alpha=0.35, lw=0)
            axes.plot(x, y, color=colour, lw=2.5)
        axes.plot([left, left + 310], [220, 220], color=INK, lw=1.5)
        write(axes, left + 155, 38, word, 21, weight="bold")
    write(axes, 185, 256, "a batch of real clips", 20, color=REAL, weight="bold")
    write(axes, 535, 256, "a batch of generated clips", 20, color=MADE, weight="bold")
    save(axes, "2_batch_norm")


SCORES: dict[str, Callable[[Tensor, Tensor, Tensor], float]] = {
    "Fréchet,\nframes": lambda v, held_out, _: frechet_distance(small(v), small(held_out)),
    "Fréchet,\nchanges": lambda v, held_out, _: frechet_distance(
        small(change(v)), small(change(held_out))
    ),
    "motion\nenergy": lambda v, *_: motion_energy(v),
    "still\nflicker": lambda v, *_: still_flicker(v),
    "diversity": lambda v, *_: diversity(small(v)),
    "nearest\nclip": lambda v, _, training: nearest_clips(v, training)[1].mean().item(),
}


def spoilt_films(seed: int) -> dict[str, list[float]]:
    """What each number says of puppet films that were spoilt in a known way."""
    training, held_out, new = (
        make_clips(128, seed=3 * seed + i, frames=16, size=32).video for i in range(3)
    )
    random = torch.Generator().manual_seed(seed)
    energy = change(new).abs().mean((1, 2, 3, 4))
    typical = int((energy - energy.mean()).abs().argmin())
    rows = {
        "new, true": new,
        "copied": training,
        "frozen": new[:, :, :1].expand_as(new),
        "shuffled": new[:, :, torch.randperm(16, generator=random)],
        "noisy": (new + 0.1 * torch.randn(new.shape, generator=random)).clamp(-1, 1),
        "all alike": new[typical].expand_as(new),
    }
    return {
        name: [score(v, held_out, training) for score in SCORES.values()]
        for name, v in rows.items()
    }


def metrics() -> None:
    """Those numbers over several draws, each as a multiple of what new, true films get."""
    draws = [spoilt_films(seed) for seed in range(8)]
    mean = {name: np.mean([draw[name] for draw in draws], 0) for name in draws[0]}
    axes, xs = canvas(420), [182 + 97 * j for j in range(len(SCORES))]
    for x, name in zip(xs, SCORES, strict=True):
        write(axes, x, 44, name, 19)
    for i, (name, values) in enumerate(mean.items()):
        y = 112 + 52 * i
        write(axes, 122, y, name, 20, ha="right")
        for x, ratio in zip(xs, values / mean["new, true"], strict=True):
            seen = not 2 / 3 < ratio < 3 / 2
            axes.add_patch(Rectangle((x - 46, y - 24), 93, 48, fc=MADE if seen else WHITE))
            number = f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"
            style = {"color": WHITE, "weight": "bold"} if seen else {}
            write(axes, x, y, number, 20, **style)
    save(axes, "2_metrics")


def small(video: Tensor) -> Tensor:
    """Features of every fourth frame: the frame shrunk to 4x4. (N, 3, T, H, W) -> (N T/4, 48)."""
    frames = video[:, :, ::4].transpose(1, 2).flatten(0, 1)
    return nn.functional.adaptive_avg_pool2d(frames, 4).flatten(1)


def change(video: Tensor) -> Tensor:
    return video[:, :, 1:] - video[:, :, :-1]


def flicker() -> None:
    """Under the exercise: a pixel that a last level makes of a still map."""
    pixels = solutions.run("2_scene_dynamics", "vgan-solution-flicker")["pixels"]
    axes, low, high = canvas(350), 270, 106
    values = torch.stack(list(pixels.values()))
    heights = low - (low - high) * (values - values.min()) / (values.max() - values.min())
    xs = [90 + 38 * t for t in range(values.shape[1])]
    for (name, ys), colour, mark in zip(
        zip(pixels, heights, strict=True), (MADE, GREEN), ("o-", "s--"), strict=True
    ):
        axes.plot(xs, ys, mark, color=colour, lw=2.5, ms=8, label=name)
    for t in (0, len(xs) // 2 - 1, len(xs) - 1):
        write(axes, xs[t], 312, f"frame {t + 1}", 19, color=SOFT)
    write(axes, 40, (low + high) / 2, "one pixel", 20, rotation=90)
    axes.legend(loc="upper center", fontsize=19, frameon=False, labelcolor=INK)
    save(axes, "2_flicker")


def split() -> None:
    """Under the exercise: one film taken apart by gradient descent, at three prices."""
    program = solutions.run("2_scene_dynamics", "vgan-solution-split")
    true = program["film"]
    rows = {"true": (true.mask, None, true.background)}
    rows |= {f"λ = {price}": program["split"](true.video, price) for price in (0, 0.01, 1)}
    axes, t = canvas(626), 16
    for x, word in zip((204, 346, 488), ("mask", "background", "clip"), strict=True):
        write(axes, x, 28, word, 21, weight="bold")
    for i, (name, (mask, foreground, background)) in enumerate(rows.items()):
        y = 114 + 144 * i
        clip = true.video if foreground is None else compose(mask, foreground, background)
        shown = mask[0, :, t], unit(background[0]), unit(clip[0, :, t])
        for x, image in zip((204, 346, 488), shown, strict=True):
            picture(axes, x, y, 128, image)
        write(axes, 72, y, name, 21, weight="bold")
        write(axes, 640, y - 18, f"mean {mask.mean():.2f}", 19)
        if foreground is not None:
            write(axes, 640, y + 16, f"IoU {program['overlap'](mask):.2f}", 19)
    save(axes, "2_split")


FIGURES = {
    f.__name__: f
    for f in (
        background, foreground, two_heads, two_stream, composition, two_explanations, slices,
        transposed, discriminator, conditional, batch_norm, metrics, flicker, split,
    )
}  # fmt: skip

if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or FIGURES:
        FIGURES[chosen]()
