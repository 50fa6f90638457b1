"""Lecture 2: the networks have the paper's sizes, and each player's step does what it says."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from vidgen_lite.scene_dynamics import (
    ActionClassifier,
    GeneratedVideo,
    ImageToVideoGenerator,
    OneStreamGenerator,
    Settings,
    VideoDiscriminator,
    VideoGenerator,
    accuracy,
    compose,
    discriminator_step,
    fine_tune,
    first_frame_loss,
    generator_objective,
    generator_step,
    mask_sparsity,
    new_state,
    sample,
    train,
)
from vidgen_lite.training import State, make_accelerator
from vidgen_lite.weights import initialise_by_fan_in


def tiny(**changes: object) -> Settings:
    """Settings under which a step takes a few hundredths of a second."""
    start = Settings(size=32, width=2, z_dim=4, batch_size=4, steps=4, norm="none")
    return dataclasses.replace(start, **changes)


def noise_clips(n: int = 6, seed: int = 0) -> Tensor:
    """Clips (n, 3, 16, 32, 32) of plain noise in [-1, 1]."""
    return torch.rand(n, 3, 16, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def bright_squares(n: int, seed: int = 0) -> Tensor:
    """Clips (n, 3, 16, 32, 32) that no untrained generator makes: a white square on black."""
    clips = torch.full((n, 3, 16, 32, 32), -0.9)
    generator = torch.Generator().manual_seed(seed)
    for clip, (y, x) in zip(clips, torch.randint(2, 16, (n, 2), generator=generator), strict=True):
        clip[:, :, y : y + 12, x : x + 12] = 0.9
    return clips


def weights(*models: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for model in models for parameter in model.parameters()]


def same(a: Iterable[Tensor], b: Iterable[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def forward_shapes(model: nn.Module, *inputs: Tensor) -> dict[str, tuple[int, ...]]:
    """The output shape of every innermost layer, without the batch axis, by its dotted name."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, layer in model.named_modules():
        if not list(layer.children()):
            layer.register_forward_hook(
                lambda _, __, output, name=name: shapes.__setitem__(name, tuple(output.shape[1:]))
            )
    model(*inputs)
    return shapes


def convolutions(shapes: dict[str, tuple[int, ...]], model: nn.Module, part: str) -> list[tuple]:
    """Output shapes of the (de)convolutions whose names start with ``part``, in order."""
    kinds = (nn.modules.conv._ConvNd, nn.modules.conv._ConvTransposeNd)
    return [
        shapes[name]
        for name, layer in model.named_modules()
        if name.startswith(part) and isinstance(layer, kinds)
    ]


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def arithmetic(*layers: tuple[int, int, int, bool]) -> int:
    """Parameters of (in, out, kernel values, with batch norm) layers, all of them with biases."""
    return sum(a * b * k + b + (2 * b if norm else 0) for a, b, k, norm in layers)


def chain(channels: list[int], kernel: int) -> list[tuple[int, int, int, bool]]:
    return [(a, b, kernel, True) for a, b in itertools.pairwise(channels)]


# ---- Sizes: everything is made on the meta device, so the paper's networks cost no memory --------

BACKGROUND = [(512, 4, 4), (256, 8, 8), (128, 16, 16), (64, 32, 32), (3, 64, 64)]
TRUNK = [(512, 2, 4, 4), (256, 4, 8, 8), (128, 8, 16, 16), (64, 16, 32, 32)]
FOREGROUND, MASK = [(3, 32, 64, 64)], [(1, 32, 64, 64)]


def head_shapes(shapes: dict[str, tuple[int, ...]]) -> list[tuple[int, ...]]:
    """What leaves the foreground's tanh and the mask's sigmoid."""
    return [shapes["foreground.1"], shapes["mask.1"]]


def test_the_two_stream_generator_has_the_papers_layers():
    with torch.device("meta"):
        model = VideoGenerator()
        shapes = forward_shapes(model, torch.empty(2, 100))
    assert convolutions(shapes, model, "background") == BACKGROUND
    assert convolutions(shapes, model, "trunk") == TRUNK
    assert head_shapes(shapes) == FOREGROUND + MASK
    assert count(model) == 16_245_383
    parts = (model.background, model.trunk, model.foreground, model.mask)
    assert [count(part) for part in parts] == [3_577_667, 12_651_328, 12_291, 4_097]


@pytest.mark.parametrize("model", [VideoGenerator(width=2), ImageToVideoGenerator(width=2)])
def test_foreground_and_mask_drawn_at_once_are_what_each_head_draws_alone(model):
    seen = {}
    model.trunk.register_forward_hook(lambda _, __, hidden: seen.update(hidden=hidden))
    codes = torch.randn(3, 100) if isinstance(model, VideoGenerator) else torch.randn(3, 3, 64, 64)
    clip = model(codes)
    torch.testing.assert_close(clip.foreground, model.foreground(seen["hidden"]))
    torch.testing.assert_close(clip.mask, model.mask(seen["hidden"]))


def test_the_one_stream_generator_is_the_foreground_stream_alone():
    with torch.device("meta"):
        model = OneStreamGenerator()
        shapes = forward_shapes(model, torch.empty(2, 100))
    assert convolutions(shapes, model, "") == TRUNK + FOREGROUND
    assert count(model) == 12_663_619


def test_the_discriminator_has_the_papers_layers_and_one_logit():
    with torch.device("meta"):
        model = VideoDiscriminator()
        shapes = forward_shapes(model, torch.empty(2, 3, 32, 64, 64))
        logits = model(torch.empty(2, 3, 32, 64, 64))
    assert convolutions(shapes, model, "features") == TRUNK[::-1]
    assert convolutions(shapes, model, "head") == [(1, 1, 1, 1)]
    assert logits.shape == (2,)
    assert count(model) == 11_041_473


def test_the_conditional_pair_has_the_sizes_of_the_authors_code():
    with torch.device("meta"):
        model = ImageToVideoGenerator()
        shapes = forward_shapes(model, torch.empty(2, 3, 64, 64))
        discriminator = VideoDiscriminator(width=128)
    encoder = [(128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4)]
    assert convolutions(shapes, model, "encoder") == encoder
    assert convolutions(shapes, model, "background") == [*encoder[-2::-1], (3, 64, 64)]
    trunk = [(1024, 2, 4, 4), (512, 4, 8, 8), (256, 8, 16, 16), (128, 16, 32, 32)]
    assert convolutions(shapes, model, "trunk") == trunk
    assert head_shapes(shapes) == FOREGROUND + MASK

    up = [1024, 512, 256, 128]
    heads = arithmetic((128, 3, 64, False), (128, 1, 64, False))
    wanted = {
        "encoder": arithmetic((3, 128, 16, False), *chain(up[::-1], 16)),
        "background": arithmetic(*chain(up, 16), (128, 3, 16, False)),
        "foreground": arithmetic((1024, 1024, 2, True), *chain(up, 64)) + heads,
    }
    found = {
        "encoder": count(model.encoder),
        "background": count(model.background),
        "foreground": count(model.trunk) + count(model.foreground) + count(model.mask),
    }
    assert found == wanted
    # Rounded as the fact sheet gives them, in millions.
    assert [round(n / 1e6, 1) for n in found.values()] == [11.0, 11.0, 46.2]
    assert round(count(model) / 1e6, 1) == 68.2
    down = arithmetic((3, 128, 64, False), *chain(up[::-1], 64), (1024, 1, 32, False))
    assert count(discriminator) == down


def test_the_paper_settings_make_the_paper_pair():
    for model, generator, discriminator in (
        ("two-stream", 16_245_383, 11_041_473),
        ("one-stream", 12_663_619, 11_041_473),
    ):
        with torch.device("meta"):
            state = new_state(Settings(model=model))
        assert count(state.models["generator"]) == generator
        assert count(state.models["discriminator"]) == discriminator


def test_the_conditional_settings_give_both_players_the_same_channels():
    with torch.device("meta"):
        state = new_state(Settings(model="conditional"))
    assert state.models["discriminator"].channels == [128, 256, 512, 1024]
    assert state.models["generator"].encoder[0].out_channels == 128


@pytest.mark.parametrize(("size", "frames"), [(32, 16), (64, 32), (128, 64)])
def test_a_clip_is_half_as_long_as_it_is_wide_at_every_size(size: int, frames: int):
    with torch.device("meta"):
        fake = VideoGenerator(width=2, z_dim=5, size=size)(torch.empty(2, 5))
        future = ImageToVideoGenerator(width=2, size=size)(torch.empty(2, 3, size, size))
        logits = VideoDiscriminator(width=2, size=size)(fake.video)
    for clip in (fake, future):
        assert clip.video.shape == clip.foreground.shape == (2, 3, frames, size, size)
        assert clip.mask.shape == (2, 1, frames, size, size)
        assert clip.background.shape == (2, 3, size, size)
    assert logits.shape == (2,)


def test_batch_norm_stands_where_the_papers_code_has_it():
    generator, discriminator = VideoGenerator(width=2), VideoDiscriminator(width=2)
    norms = (nn.BatchNorm2d, nn.BatchNorm3d)
    kinds = [type(layer) for layer in discriminator.features]
    level = [nn.Conv3d, nn.BatchNorm3d, nn.LeakyReLU]
    assert kinds == [nn.Conv3d, nn.LeakyReLU, *level * 3]  # none after the first convolution
    assert {m.eps for m in discriminator.modules() if isinstance(m, norms)} == {1e-3}
    assert {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)} == {
        0.2
    }
    assert {m.eps for m in generator.modules() if isinstance(m, norms)} == {1e-5}
    assert [type(layer) for layer in generator.background[-2:]] == [nn.ConvTranspose2d, nn.Tanh]
    assert isinstance(generator.foreground[-1], nn.Tanh)
    assert isinstance(generator.mask[-1], nn.Sigmoid)


# ---- Composition ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts() -> tuple[Tensor, Tensor, Tensor]:
    """A mask, a foreground and a background."""
    random = torch.Generator().manual_seed(0)
    mask = torch.rand(2, 1, 4, 6, 5, generator=random)
    foreground = torch.rand(2, 3, 4, 6, 5, generator=random) * 2 - 1
    background = torch.rand(2, 3, 6, 5, generator=random) * 2 - 1
    return mask, foreground, background


def test_a_video_is_mask_times_foreground_plus_the_rest_of_the_background(parts):
    mask, foreground, background = parts
    video = compose(*parts)
    n, c, t, y, x = 1, 2, 3, 4, 0
    m = mask[n, 0, t, y, x].item()
    wanted = m * foreground[n, c, t, y, x].item() + (1 - m) * background[n, c, y, x].item()
    assert video[n, c, t, y, x].item() == pytest.approx(wanted, abs=1e-6)
    assert video.abs().max() <= 1


def test_a_mask_of_zeros_shows_the_background_in_every_frame(parts):
    mask, foreground, background = parts
    video = compose(torch.zeros_like(mask), foreground, background)
    assert all(torch.equal(frame, background) for frame in video.unbind(2))


def test_a_mask_of_ones_shows_the_foreground(parts):
    mask, foreground, background = parts
    assert torch.equal(compose(torch.ones_like(mask), foreground, background), foreground)


@pytest.mark.parametrize(
    ("changed", "shape", "message"),
    [
        ("mask", (2, 3, 4, 6, 5), "mask: expected (B, 1, T, H, W), got (2, 3, 4, 6, 5)"),
        ("mask", (2, 1, 6, 5), "mask: expected (B, 1, T, H, W), got (2, 1, 6, 5)"),
        ("foreground", (2, 3, 5, 6, 5), "foreground: expected (2, 3, 4, 6, 5), got"),
        ("background", (2, 3, 4, 6, 5), "background: expected (2, 3, 6, 5), got (2, 3, 4, 6, 5)"),
        ("background", (1, 3, 6, 5), "background: expected (2, 3, 6, 5), got (1, 3, 6, 5)"),
    ],
)
def test_parts_that_do_not_fit_are_named(parts, changed: str, shape: tuple, message: str):
    given = dict(zip(("mask", "foreground", "background"), parts, strict=True))
    given[changed] = torch.zeros(shape)
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the text is compared below)
        compose(**given)
    assert message in str(error.value)


@pytest.mark.parametrize("model", ["two-stream", "conditional"])
def test_a_generated_clip_is_composed_of_the_parts_it_names(model: str):
    generator = new_state(tiny(model=model)).models["generator"]
    given = torch.randn(3, 4) if model == "two-stream" else noise_clips(3)[:, :, 0]
    clip = generator(given)
    assert torch.equal(clip.video, compose(clip.mask, clip.foreground, clip.background))
    assert clip.video.abs().max() <= 1
    assert clip.foreground.abs().max() <= 1
    assert clip.background.abs().max() <= 1
    assert 0 < clip.mask.min() <= clip.mask.max() < 1


def test_the_one_stream_generator_names_no_parts():
    clip = OneStreamGenerator(width=2, z_dim=4, size=32)(torch.randn(2, 4))
    assert clip.video.shape == (2, 3, 16, 32, 32)
    assert clip[1:] == (None, None, None)


def test_one_code_drives_both_streams():
    torch.manual_seed(0)
    generator = VideoGenerator(width=8, z_dim=4, size=32)
    z = torch.randn(4, 4, requires_grad=True)
    for name in ("background", "foreground", "mask"):
        (gradient,) = torch.autograd.grad(getattr(generator(z), name).sum(), z)
        assert gradient.abs().sum() > 0, name


def test_the_same_picture_always_gives_the_same_future():
    generator = ImageToVideoGenerator(width=2, size=32).eval()
    image = noise_clips(1)[:, :, 0]
    assert torch.equal(generator(image).video, generator(image).video)


# ---- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [VideoGenerator, OneStreamGenerator])
@pytest.mark.parametrize("shape", [(100,), (2, 99), (2, 100, 1, 1), (100, 2)])
def test_a_code_of_another_shape_is_refused(kind: type, shape: tuple):
    with torch.device("meta"):
        generator = kind()
        code = torch.empty(shape)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        generator(code)
    assert str(error.value) == f"z: expected (B, 100), got {shape}"


def test_a_code_that_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match=r"z: expected a torch\.Tensor, got list"):
        VideoGenerator(width=1, z_dim=2, size=32)([[0.0, 0.0]])


def test_an_image_or_clip_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"image: expected \(B, 3, 32, 32\), got \(1, 3, 64, 64\)"):
        ImageToVideoGenerator(width=1, size=32)(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match=r"video: expected \(B, 3, 16, 32, 32\), got \(1, 3, 32,"):
        VideoDiscriminator(width=1, size=32)(torch.zeros(1, 3, 32, 32, 32))
    with pytest.raises(ValueError, match=r"clips: expected \(N, 3, 16, 32, 32\), got \(4, 16, 32"):
        next(train(new_state(tiny()), torch.zeros(4, 16, 32, 32, 3)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VideoGenerator(size=48), "size: expected one of 32, 64, 128, got 48"),
        (lambda: VideoGenerator(width=0), "width: expected a positive integer, got 0"),
        (lambda: OneStreamGenerator(z_dim=-1), "z_dim: expected a positive integer, got -1"),
        (lambda: ImageToVideoGenerator(width=1.5), "width: expected a positive integer, got 1.5"),
        (lambda: VideoDiscriminator(norm="layer"), "norm: expected one of batch, none, spectral"),
        (
            lambda: ActionClassifier(
                discriminator=VideoDiscriminator(width=1, size=32), n_actions=0
            ),
            "n_actions: expected a positive integer, got 0",
        ),
    ],
)
def test_a_setting_that_no_network_has_is_refused(make, message: str):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        make()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "three-stream"}, "model: expected one of two-stream, one-stream"),
        ({"norm": "layer"}, "norm: expected one of batch, none, spectral; got 'layer'"),
        ({"mask_start": 1.0}, "mask_start: expected a number above 0 and below 1, got 1.0"),
        ({"mask_start": 0}, "mask_start: expected a number above 0 and below 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected a number above 0, got 0.0"),
        ({"average_decay": 1.0}, "average_decay: expected a number at least 0 and below 1"),
        ({"beta1": -0.1}, "beta1: expected a number at least 0 and below 1, got -0.1"),
        ({"r1_weight": -1}, "r1_weight: expected a number at least 0, got -1"),
        ({"mask_penalty": -1}, "mask_penalty: expected a number at least 0, got -1"),
        *(
            ({name: 0}, f"{name}: expected a positive integer, got 0")
            for name in ("width", "z_dim", "r1_every", "n_clips", "batch_size", "steps")
        ),
        ({"norm": "batch", "r1_weight": 1.0}, "r1_weight: expected 0 with norm='batch', got 1.0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_before_anything_is_made(changes, message: str):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        tiny(**changes)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("clips", "error", "message"),
    [
        (torch.zeros(0, 3, 16, 32, 32), ValueError, "clips: expected at least one, got none"),
        (noise_clips().add(1).mul(127.5), ValueError, r"clips: expected values in \[-1, 1\], got"),
        (noise_clips() / 0, ValueError, r"clips: expected values in \[-1, 1\], got"),
        (
            noise_clips().long(),
            TypeError,
            r"expected floats in \[-1, 1\] or uint8, got torch.int64",
        ),
    ],
)
def test_clips_that_teach_nothing_right_are_refused(clips: Tensor, error: type, message: str):
    state = new_state(tiny())
    with pytest.raises(error, match=message):
        next(train(state, clips))
    assert state.step == 0


# ---- Start ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["two-stream", "one-stream", "conditional"])
def test_weights_start_as_in_the_authors_code(model: str):
    state = new_state(Settings(model=model, size=32, width=8))
    for network in state.models.values():
        for layer in network.modules():
            if isinstance(layer, nn.modules.conv._ConvNd):
                weight = layer.weight
                n = weight.numel()
                assert weight.std().item() == pytest.approx(0.01, rel=6 / n**0.5)
                assert abs(weight.mean().item()) < 0.01 * 6 / n**0.5
                assert (layer.bias == 0).all()
            elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
                n = layer.weight.numel()
                assert abs(layer.weight.mean().item() - 1) < 0.02 * 6 / n**0.5
                assert layer.weight.std().item() == pytest.approx(0.02, rel=4 / n**0.5)
                assert (layer.bias == 0).all()


@pytest.mark.parametrize("size", [32, 64])
def test_without_batch_norm_a_clip_does_not_fade_on_its_way_through_the_discriminator(size: int):
    """Weights of the authors' 0.01 would shrink it by about a hundred and leave no gradient."""
    discriminator = new_state(tiny(norm="none", width=16, size=size)).models["discriminator"]
    clips = torch.randn(2, 3, size // 2, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ratio = discriminator.features(clips).square().mean() / clips.square().mean()
    assert 0.2 < ratio < 5


@pytest.mark.parametrize("model", ["two-stream", "conditional"])
@pytest.mark.parametrize("start", [0.5, 0.9])
def test_the_mask_starts_where_it_is_told_to(model: str, start: float):
    settings = tiny(model=model, mask_start=start)
    generator = new_state(settings).models["generator"]
    assert generator(given(settings, noise_clips(2))).mask.mean().item() == pytest.approx(
        start, abs=0.02
    )


@pytest.mark.parametrize("model", ["two-stream", "one-stream", "conditional"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(model: str):
    a, b, c = (new_state(tiny(model=model, seed=seed)) for seed in (3, 3, 4))
    for name, network in a.models.items():
        assert same(weights(network), weights(b.models[name]))
        assert not same(weights(network), weights(c.models[name]))


@pytest.mark.parametrize("norm", ["none", "spectral"])
def test_without_batch_norm_the_weights_pass_their_inputs_size_on(norm):
    torch.manual_seed(0)
    model = VideoDiscriminator(width=8, norm=norm)
    initialise_by_fan_in(model)
    layer = model.features[2]  # 8 channels of 4 x 4 x 4 in
    weight = layer.parametrizations.weight.original if norm == "spectral" else layer.weight
    slope_gain = (2 / (1 + 0.2**2)) ** 0.5
    assert weight.std().item() == pytest.approx(slope_gain / (8 * 64) ** 0.5, rel=0.05)


def test_the_average_starts_as_the_generator_and_takes_no_gradient():
    state = new_state(tiny(average_decay=0.9))
    assert same(weights(state.models["average"]), weights(state.models["generator"]))
    assert not any(p.requires_grad for p in state.models["average"].parameters())
    assert "average" not in new_state(tiny(average_decay=0.0)).models


# ---- One step of each player ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def accelerator():
    return make_accelerator("no")


VARIANTS = {
    "published": tiny(norm="batch"),
    "steadied": tiny(r1_weight=1.0, average_decay=0.9, batch_statistics=True),
    "spectral": tiny(norm="spectral"),
    "one stream": tiny(model="one-stream"),
    "conditional": tiny(model="conditional", norm="batch"),
}


def given(settings: Settings, real: Tensor) -> Tensor:
    """What G starts from: codes, or the real clips' first frames."""
    if settings.model == "conditional":
        return real[:, :, 0]
    return torch.randn(len(real), settings.z_dim, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_discriminators_step_leaves_the_generator_alone(settings: Settings, accelerator):
    state = new_state(settings)
    generator, discriminator = state.models["generator"], state.models["discriminator"]
    before, judge = weights(generator), weights(discriminator)
    real = noise_clips(4)
    discriminator_step(state, real, given(settings, real), accelerator)
    assert same(weights(generator), before)
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.requires_grad for p in generator.parameters())
    assert not same(weights(discriminator), judge)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_generators_step_leaves_the_discriminator_alone(settings: Settings, accelerator):
    state = new_state(settings)
    generator, discriminator = state.models["generator"], state.models["discriminator"]
    before, judge = weights(generator), weights(discriminator)
    real = noise_clips(4)
    generator_step(state, real, given(settings, real), accelerator)
    assert same(weights(discriminator), judge)
    assert all(p.grad is None for p in discriminator.parameters())
    assert all(p.requires_grad for p in discriminator.parameters())
    assert not same(weights(generator), before)
    assert all(p.grad is not None for p in generator.parameters())


def test_the_discriminator_learns_that_real_clips_are_real(accelerator):
    """A swap of the labels, in the loss or in the step, turns this margin's sign."""
    state = new_state(tiny(learning_rate=2e-3, batch_size=8))
    real, code = bright_squares(8), torch.randn(8, 4)
    generator, discriminator = state.models["generator"], state.models["discriminator"]

    def margin() -> float:
        with torch.no_grad():
            return (discriminator(real).mean() - discriminator(generator(code).video).mean()).item()

    before = margin()
    for _ in range(20):
        discriminator_step(state, real, code, accelerator)
    with torch.no_grad():
        assert discriminator(real).mean() > 0.2
        assert discriminator(generator(code).video).mean() < -0.2
    assert margin() > before + 0.5


def test_the_generator_learns_to_be_taken_for_real(accelerator):
    state = new_state(tiny(learning_rate=2e-3, batch_size=8, mask_penalty=0.0))
    real, code = bright_squares(8), torch.randn(8, 4)
    generator, discriminator = state.models["generator"], state.models["discriminator"]
    for _ in range(8):
        discriminator_step(state, real, code, accelerator)
    with torch.no_grad():
        before = discriminator(generator(code).video).mean()
    for _ in range(8):
        generator_step(state, real, code, accelerator)
    with torch.no_grad():
        assert discriminator(generator(code).video).mean() > before + 0.1


def test_the_mask_penalty_alone_shrinks_the_mask(accelerator):
    sizes = {}
    for penalty in (0.0, 100.0):
        state = new_state(tiny(learning_rate=2e-3, mask_penalty=penalty))
        code = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
        for _ in range(10):
            generator_step(state, noise_clips(4), code, accelerator)
        sizes[penalty] = state.models["generator"](code).mask.mean().item()
    assert sizes[100.0] < sizes[0.0] - 0.02


def test_the_first_frame_term_draws_the_future_to_its_picture(accelerator):
    state = new_state(tiny(model="conditional", learning_rate=2e-3))
    real = bright_squares(4)
    losses = [
        generator_step(state, real, real[:, :, 0], accelerator)["g_first_frame"].item()
        for _ in range(8)
    ]
    assert losses[-1] < 0.9 * losses[0]


def test_a_term_with_no_part_in_the_model_is_zero():
    real, logits = noise_clips(2), torch.tensor([0.3, -0.2])
    clip = VideoGenerator(width=1, z_dim=2, size=32)(torch.randn(2, 2))
    bare = GeneratedVideo(clip.video, None, None, None)
    two, one, future = (
        generator_objective(fake, logits, real, tiny(model=model, all_frames=2.0))
        for fake, model in ((clip, "two-stream"), (bare, "one-stream"), (clip, "conditional"))
    )
    assert two.mask == mask_sparsity(clip.mask)
    assert two.first_frame == two.all_frames == 0
    assert two.total == two.adversarial + 0.1 * two.mask
    assert one.total == one.adversarial
    assert future.mask == 0  # the authors' conditional code has no mask penalty
    assert future.first_frame == first_frame_loss(clip.video, real[:, :, 0])
    wanted = future.adversarial + 10 * future.first_frame + 2 * future.all_frames
    assert torch.isclose(future.total, wanted)


def test_the_gradient_penalty_is_paid_every_so_many_steps_and_weighted_up(accelerator):
    """r1_every changes when the penalty is computed, not how much of it there is in all."""
    gradients = {}
    for every, step in ((1, 0), (4, 0), (4, 1)):
        state = new_state(tiny(r1_weight=8.0, r1_every=every))
        state.step = step
        real = noise_clips(4)
        discriminator_step(state, real, given(state.settings, real), accelerator)
        parameters = state.models["discriminator"].parameters()
        gradients[every, step] = torch.cat([p.grad.flatten() for p in parameters])
    without, with_one, with_four = gradients[4, 1], gradients[1, 0], gradients[4, 0]
    assert (with_one - without).norm() > 1e-6
    torch.testing.assert_close(with_four - without, 4 * (with_one - without), rtol=1e-3, atol=1e-6)


def test_batch_statistics_tell_a_batch_of_equals_from_a_mixed_one():
    torch.manual_seed(0)
    discriminator = VideoDiscriminator(width=2, size=32, norm="none", batch_statistics=True)
    blind = VideoDiscriminator(width=2, size=32, norm="none")
    clips = noise_clips(3)
    equal = clips[:1].expand(3, -1, -1, -1, -1)
    # The first clip is in both batches: only what stands beside it differs.
    assert discriminator(clips)[0] != discriminator(equal)[0]
    torch.testing.assert_close(blind(clips)[0], blind(equal)[0])


# ---- The loop ------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_loop_yields_one_record_of_finite_losses_a_step(settings: Settings):
    state = new_state(settings)
    records = list(train(state, noise_clips()))
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert state.step == 4
    extra = {"two-stream": {"g_mask"}, "one-stream": set(), "conditional": {"g_first_frame"}}
    names = {"step", "d_real", "d_fake", "g_adversarial"} | extra[settings.model]
    assert all(record.keys() == names for record in records)
    assert all(torch.tensor(list(record.values())).isfinite().all() for record in records)


def batches(monkeypatch, settings: Settings, processes: int = 1, index: int = 0) -> list[Tensor]:
    """What the two players are given at each step: the clips, D's codes, and G's."""
    seen: list[Tensor] = []

    def step(state: State, real: Tensor, code: Tensor, accelerator: object) -> dict[str, Tensor]:
        seen.extend([real, code])
        return {"loss": torch.zeros(())}

    for player in ("discriminator_step", "generator_step"):
        monkeypatch.setattr(f"vidgen_lite.scene_dynamics.steps.{player}", step)
    process = SimpleNamespace(
        num_processes=processes, process_index=index, device=torch.device("cpu"),
        scaler=None, reduce=lambda values, reduction: values,
    )  # fmt: skip
    list(train(new_state(settings), noise_clips(), accelerator=process))
    return seen


def test_every_step_sees_other_clips_and_each_player_other_codes(monkeypatch):
    clips, d_codes, _, g_codes = (batches(monkeypatch, tiny(steps=5))[i::4] for i in range(4))
    codes = [tuple(code.flatten().tolist()) for code in d_codes + g_codes]
    assert len(set(codes)) == 10
    assert len({tuple(batch.flatten().tolist()) for batch in clips}) == 5


def test_both_players_see_the_same_real_clips_in_a_step(monkeypatch):
    seen = batches(monkeypatch, tiny())
    assert same(seen[0::4], seen[2::4])
    conditional = batches(monkeypatch, tiny(model="conditional"))
    for real, image in zip(conditional[0::2], conditional[1::2], strict=True):
        assert torch.equal(image, real[:, :, 0])


def test_two_processes_see_the_two_halves_of_one_processs_batch(monkeypatch):
    whole = batches(monkeypatch, tiny())
    halves = [batches(monkeypatch, tiny(), 2, index) for index in range(2)]
    assert same(whole, (torch.cat(pair) for pair in zip(*halves, strict=True)))


def test_whole_numbers_from_0_to_255_and_their_floats_are_the_same_data():
    bytes_ = (noise_clips() * 127.5 + 127.5).round().to(torch.uint8)
    floats = bytes_.float() / 127.5 - 1
    a, b = new_state(tiny()), new_state(tiny())
    assert list(train(a, bytes_)) == list(train(b, floats))


def test_the_average_soon_forgets_the_untrained_weights():
    state = new_state(tiny(average_decay=0.999, steps=1))
    untrained = weights(state.models["generator"])
    list(train(state, noise_clips(8)))
    trained, average = weights(state.models["generator"]), weights(state.models["average"])
    for old, new, mean in zip(untrained, trained, average, strict=True):
        if new.is_floating_point():
            torch.testing.assert_close(mean, 0.1 * old + 0.9 * new)


def test_samples_come_from_the_average_and_do_not_depend_on_their_batch():
    state = new_state(tiny(average_decay=0.5))
    list(train(state, noise_clips()))
    code = torch.randn(3, 4)
    clips = sample(state, code)
    torch.testing.assert_close(sample(state, code[:1]).video, clips.video[:1])
    average = copy.deepcopy(state.models["average"]).eval()
    assert torch.equal(clips.video, average(code).video)
    assert not clips.video.requires_grad
    assert state.models["average"].training  # as it was


def test_samples_come_from_the_generator_where_nothing_is_averaged():
    state = new_state(tiny())
    code = torch.randn(2, 4)
    generator = copy.deepcopy(state.models["generator"]).eval()
    assert torch.equal(sample(state, code).video, generator(code).video)


def test_an_uneven_share_of_the_batch_is_refused():
    fake = SimpleNamespace(
        scaler=None, num_processes=3, process_index=0, device=torch.device("cpu")
    )
    fake.prepare_optimizer = lambda optimizer: optimizer
    with pytest.raises(ValueError, match="batch_size: expected a multiple of 3 processes, got 4"):
        next(train(new_state(tiny()), noise_clips(), accelerator=fake))


# ---- What the discriminator learned --------------------------------------------------------------


@pytest.mark.parametrize("norm", ["batch", "none", "spectral"])
def test_the_classifier_takes_over_the_discriminators_levels(norm: str):
    state: State = new_state(tiny(norm=norm, batch_statistics=True))
    list(train(state, noise_clips()))
    discriminator = state.models["discriminator"]
    classifier = ActionClassifier(discriminator=discriminator, n_actions=5, dropout=0.0).eval()
    assert same(weights(classifier.features), weights(discriminator.features))
    clips = noise_clips(3)
    features = discriminator.eval().features(clips)
    wanted = torch.einsum("bcthw,kcthw->bk", features, classifier.head.weight)
    torch.testing.assert_close(classifier(clips), wanted + classifier.head.bias)
    assert classifier(clips).shape == (3, 5)


def test_the_classifier_drops_features_in_training_only():
    discriminator = VideoDiscriminator(width=4, size=32, norm="none")
    classifier = ActionClassifier(discriminator=discriminator, n_actions=2)
    clips = noise_clips(2)
    torch.manual_seed(0)
    assert not torch.equal(classifier(clips), classifier(clips))
    classifier.eval()
    assert torch.equal(classifier(clips), classifier(clips))
    assert classifier.dropout.p == 0.5


def test_fine_tuning_changes_every_layer_and_yields_a_loss_a_step():
    classifier = ActionClassifier(
        discriminator=VideoDiscriminator(width=2, size=32, norm="none"), n_actions=2
    )
    before = weights(classifier)
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    records = list(fine_tune(classifier, noise_clips(), labels, steps=3, batch_size=4))
    assert [record["step"] for record in records] == [1, 2, 3]
    assert all(0 < record["loss"] < 10 for record in records)
    assert not any(torch.equal(a, b) for a, b in zip(before, weights(classifier), strict=True))


def test_fine_tuning_is_the_same_for_a_seed():
    def tuned() -> list[dict[str, float]]:
        torch.manual_seed(0)
        discriminator = VideoDiscriminator(width=2, size=32, norm="none")
        classifier = ActionClassifier(discriminator=discriminator, n_actions=2)
        return list(fine_tune(classifier, noise_clips(4), torch.tensor([0, 1, 1, 0]), steps=2))

    assert tuned() == tuned()


def test_measuring_the_accuracy_midway_does_not_change_the_training():
    def tuned(measured: bool) -> list[float]:
        torch.manual_seed(0)
        discriminator = VideoDiscriminator(width=2, size=32, norm="none")
        classifier = ActionClassifier(discriminator=discriminator, n_actions=2)
        clips, labels = noise_clips(4), torch.tensor([0, 1, 1, 0])
        losses = []
        for record in fine_tune(classifier, clips, labels, steps=3, batch_size=4):
            losses.append(record["loss"])
            if measured:
                accuracy(classifier, clips, labels)
        return losses

    assert tuned(measured=True) == tuned(measured=False)


def test_labels_that_are_not_one_a_clip_are_refused():
    discriminator = VideoDiscriminator(width=2, size=32, norm="none")
    classifier = ActionClassifier(discriminator=discriminator, n_actions=2)
    with pytest.raises(ValueError, match=r"actions: expected \(6,\), got \(5,\)"):
        next(fine_tune(classifier, noise_clips(6), torch.zeros(5, dtype=torch.int64), steps=1))


def test_clips_and_labels_go_to_the_classifiers_device():
    """The meta device stands for a GPU: it computes nothing, but takes no tensor of another."""
    with torch.device("meta"):
        discriminator = VideoDiscriminator(width=2, size=32, norm="none")
    classifier = ActionClassifier(discriminator=discriminator, n_actions=2)
    assert classifier.head.weight.device.type == "meta"
    labels = torch.zeros(4, dtype=torch.int64)
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta"):
        next(fine_tune(classifier, noise_clips(4), labels, steps=1, batch_size=2))
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta"):
        accuracy(classifier, noise_clips(4), labels)


def test_accuracy_is_the_share_of_clips_that_are_named_right():
    discriminator = VideoDiscriminator(width=2, size=32, norm="none")
    classifier = ActionClassifier(discriminator=discriminator, n_actions=3)
    with torch.no_grad():
        classifier.head.weight.zero_()
        classifier.head.bias.copy_(torch.tensor([0.0, 2.0, 1.0]))  # always the action 1
    assert accuracy(classifier, noise_clips(4), torch.tensor([1, 1, 0, 1])) == 0.75
