"""The choices of a run of either stage; the defaults are the authors' code's."""

from __future__ import annotations

from dataclasses import dataclass

from vidgen_lite.checks import expect_choice, expect_number, expect_positive
from vidgen_lite.everybody_dance_now.discriminator import NORMS
from vidgen_lite.everybody_dance_now.losses import KINDS
from vidgen_lite.everybody_dance_now.perceptual import KINDS as FEATURES

GENERATORS = ("global", "local", "unet")
FACE_GENERATORS = ("global", "unet")


@dataclass(frozen=True)
class Settings:
    """The choices of one run of stage 1. The defaults are the authors' code's, global stage.

    Attributes:
        size: height and width of the frames; multiples of 2 to the number of downsamplings, one
            more for the local enhancer.
        temporal: G reads its last frame, and D judges two frames together. Without it this is FBF,
            frame by frame: G reads the figure alone, and D judges every frame by itself.
        generator: ``global``; ``local``, with the local enhancer around it; or ``unet``, which is
            not the paper's and learns in minutes.
        width: channels of G at full size; with ``local``, those of the enhancer.
        downsamplings: of the global generator, or of the U-Net.
        blocks: residual blocks of the global generator.
        enhancer_blocks: residual blocks of the local enhancer.
        discriminator_width: channels of each D_k's first level.
        scales: how many D_k.
        loss: ``least_squares`` as trained, ``log`` as written.
        feature_weight: lambda_FM, for each scale: the authors' 10, divided among them.
        perceptual_weight: lambda_P, for each frame. At 0 no features are needed.
        pixel_weight: of the mean |G(x) - y|; not in the paper.
        figure_weight: pixels near the stick figure count 1 + so many times in that mean, all
            others once. Not in the paper.
        mask_weight: of the mean of a U-Net's mask, as in lecture 2: it opens no farther than it
            has to, also round poses that it never learned from.
        mirror: a U-Net trains on half of every batch in a mirror, for a target who was filmed too
            briefly to show both sides in every pose. Not in the paper.
        warmup: for so many of the steps G learns from that mean alone, and D not at all. Frames
            come one by one, each after a picture of zeros. Not in the paper.
        features: what L_P looks at, one of ``perceptual.KINDS``.
        feature_steps: how long ``puppets`` features are trained.
        average_decay: how slowly the averaged generator follows, 0 for no average.
        n_clips: how many puppet films to learn from, where puppets are the data.
        batch_size: pairs a step, in the warm-up single frames, over all processes.
        steps: how many steps a run takes.
        decay: whether the rates fall to 0, along a line, over the second half of the warm-up and
            again of the game.
        learning_rate: Adam's, for G and for D.
        beta1: Adam's first momentum.
        seed: of weights and batches.
    """

    size: tuple[int, int] = (256, 512)
    temporal: bool = True
    generator: str = "global"
    width: int = 64
    downsamplings: int = 4
    blocks: int = 9
    enhancer_blocks: int = 3
    discriminator_width: int = 64
    scales: int = 3
    loss: str = "least_squares"
    feature_weight: float = 10 / 3
    perceptual_weight: float = 5.0
    pixel_weight: float = 0.0
    figure_weight: float = 0.0
    mask_weight: float = 0.0
    mirror: bool = False
    warmup: int = 0
    features: str = "vgg19"
    feature_steps: int = 1_500
    average_decay: float = 0.0
    n_clips: int = 1_000
    batch_size: int = 1
    steps: int = 500_000
    decay: bool = True
    learning_rate: float = 2e-4
    beta1: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        expect_choice("generator", self.generator, GENERATORS)
        expect_choice("loss", self.loss, KINDS)
        expect_choice("features", self.features, FEATURES)
        for name in (
            "width", "downsamplings", "blocks", "enhancer_blocks", "discriminator_width", "scales",
            "feature_steps", "n_clips", "batch_size", "steps",
        ):  # fmt: skip
            expect_positive(name, getattr(self, name))
        for name in (
            "feature_weight", "perceptual_weight", "pixel_weight", "figure_weight", "mask_weight",
        ):  # fmt: skip
            expect_number(name, getattr(self, name), at_least=0)
        for name in ("average_decay", "beta1"):
            expect_number(name, getattr(self, name), at_least=0, below=1)
        expect_number("learning_rate", self.learning_rate, above=0)
        if self.warmup:
            expect_positive("warmup", self.warmup)
            if not self.pixel_weight:
                told = f"warmup: expected 0 with pixel_weight=0, got {self.warmup}"
                raise ValueError(f"{told}: G would learn nothing")
        if self.mirror and self.generator != "unet":
            told = f"mirror: expected False with generator={self.generator!r}"
            raise ValueError(f"{told}, which has no limbs to exchange")
        least = 2 ** (self.downsamplings + (self.generator == "local"))
        fits = [isinstance(side, int) and side % least == 0 for side in self.size]
        if len(fits) != 2 or not all(fits) or min(self.size) < 2 * least:
            raise ValueError(
                f"size: expected height and width as multiples of {least}, at least {2 * least}, "
                f"got {self.size!r}"
            )


@dataclass(frozen=True)
class FaceSettings:
    """The choices of one run of stage 2. The defaults are the authors' code's.

    Attributes:
        face_size: side of a face in pixels; a multiple of 2 to the number of downsamplings.
        generator: ``global``, as published, or ``unet``, which learns in minutes.
        width: channels of G_f at full size.
        downsamplings, blocks: of G_f; a U-Net has no residual blocks.
        discriminator_width: channels of D_f's first level.
        norm: D_f's: ``batch`` as published, or ``instance``.
        loss: ``least_squares`` as trained, ``log`` as written.
        perceptual_weight: lambda_P. At 0 no features are needed. (In the authors' code each of a
            pair's two faces has a weight of 5, and its adversarial term one of 1/2.)
        pixel_weight: of the mean |G(x)_F + r - y_F|; not in the paper.
        features: what L_P looks at, one of ``perceptual.KINDS``.
        feature_steps: how long ``puppets`` features are trained.
        average_decay: how slowly the averaged G_f follows, 0 for no average.
        batch_size: faces a step, over all processes.
        steps: how many steps a run takes.
        decay: whether the rates fall to 0, along a line, over the second half of the steps.
        learning_rate: Adam's, for G_f and for D_f.
        beta1: Adam's first momentum.
        seed: of weights and batches.
    """

    face_size: int = 128
    generator: str = "global"
    width: int = 64
    downsamplings: int = 3
    blocks: int = 5
    discriminator_width: int = 64
    norm: str = "batch"
    loss: str = "least_squares"
    perceptual_weight: float = 10.0
    pixel_weight: float = 0.0
    features: str = "vgg19"
    feature_steps: int = 1_500
    average_decay: float = 0.0
    batch_size: int = 2
    steps: int = 50_000
    decay: bool = True
    learning_rate: float = 2e-4
    beta1: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        expect_choice("generator", self.generator, FACE_GENERATORS)
        expect_choice("norm", self.norm, NORMS)
        expect_choice("loss", self.loss, KINDS)
        expect_choice("features", self.features, FEATURES)
        for name in (
            "face_size", "width", "downsamplings", "blocks", "discriminator_width",
            "feature_steps", "batch_size", "steps",
        ):  # fmt: skip
            expect_positive(name, getattr(self, name))
        for name in ("perceptual_weight", "pixel_weight"):
            expect_number(name, getattr(self, name), at_least=0)
        for name in ("average_decay", "beta1"):
            expect_number(name, getattr(self, name), at_least=0, below=1)
        expect_number("learning_rate", self.learning_rate, above=0)
        least = 2**self.downsamplings
        if self.face_size % least or self.face_size < 2 * least:
            raise ValueError(
                f"face_size: expected a multiple of {least}, at least {2 * least}, "
                f"got {self.face_size}"
            )
