"""Lecture 4's networks and losses: the published sizes, what each sees, each term by its name."""

from __future__ import annotations

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite import skeleton
from vidgen_lite.everybody_dance_now import (
    MODELS,
    FaceDiscriminator,
    FaceGenerator,
    GlobalGenerator,
    LocalEnhancer,
    MultiscaleDiscriminator,
    PatchDiscriminator,
    UNetGenerator,
    enhanced,
    face_loss,
    feature_matching_loss,
    feed_back,
    new_state,
    perceptual_loss,
    pixel_loss,
    smooth_loss,
    stage_1_objective,
    stage_2_objective,
)
from vidgen_lite.everybody_dance_now.discriminator import features, scores
from vidgen_lite.everybody_dance_now.generator import mirrored
from vidgen_lite.layers import InstanceNorm, ToColours
from vidgen_lite.training import PRESETS


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def shapes(model: nn.Module, *inputs: Tensor) -> list[tuple[int, ...]]:
    """Output shapes (C, H, W) of the convolutions, in the order in which they are called."""
    found: list[tuple[int, ...]] = []
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _, __, out: found.append(tuple(out.shape[1:])))
    model(*inputs)
    return found


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Uniform noise in [-1, 1]."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# ---- Sizes: everything is made on the meta device, so the published networks cost no memory ------


def test_the_global_generator_has_the_published_layers():
    with torch.device("meta"):
        model = GlobalGenerator()
        picture = torch.empty(1, 3, 256, 512)
        found = shapes(model, picture, picture)
    assert found == [
        (64, 256, 512),
        (128, 128, 256),
        (256, 64, 128),
        (512, 32, 64),
        (1024, 16, 32),
        *[(1024, 16, 32)] * 18,  # nine residual blocks of two
        (512, 32, 64),
        (256, 64, 128),
        (128, 128, 256),
        (64, 256, 512),
        (3, 256, 512),
    ]
    assert count(model) == 182_452_675


def test_the_local_enhancer_has_the_published_layers():
    with torch.device("meta"):
        model = LocalEnhancer()
        picture = torch.empty(1, 3, 512, 1024)
        found = shapes(model, picture, picture)
    outer = [(32, 512, 1024), (64, 256, 512)]
    assert found[:2] == outer
    assert found[2] == (64, 256, 512)  # the global part, at half the size
    assert found[-9:-2] == [(64, 256, 512), *[(64, 256, 512)] * 6]  # its last, three blocks of two
    assert found[-2:] == [(32, 512, 1024), (3, 512, 1024)]
    assert len(found) == 2 + 27 + 6 + 2
    assert count(model) == 182_715_939


def test_the_discriminator_has_the_published_layers_at_three_scales():
    with torch.device("meta"):
        model = MultiscaleDiscriminator()
        films = torch.empty(1, 3, 2, 512, 1024)
        found = shapes(model, films, films)
    levels = [(64, 257, 513), (128, 129, 257), (256, 65, 129), (512, 66, 130), (1, 67, 131)]
    half = [(64, 129, 257), (128, 65, 129), (256, 33, 65), (512, 34, 66), (1, 35, 67)]
    quarter = [(64, 65, 129), (128, 33, 65), (256, 17, 33), (512, 18, 34), (1, 19, 35)]
    assert found == levels + half + quarter
    assert count(model) == 8_321_859


def test_the_face_networks_have_the_published_layers():
    with torch.device("meta"):
        generator, judge = FaceGenerator(), FaceDiscriminator()
        face = torch.empty(1, 3, 128, 128)
        made, judged = shapes(generator, face, face), shapes(judge, face, face)
    assert made == [
        (64, 128, 128),
        (128, 64, 64),
        (256, 32, 32),
        (512, 16, 16),
        *[(512, 16, 16)] * 10,  # five residual blocks of two
        (256, 32, 32),
        (128, 64, 64),
        (64, 128, 128),
        (3, 128, 128),
    ]
    assert count(generator) == 26_724_291
    assert judged == [(64, 65, 65), (128, 33, 33), (256, 17, 17), (512, 18, 18), (1, 19, 19)]
    assert count(judge) == 2_769_601


def test_the_paper_settings_make_the_published_networks():
    with torch.device("meta"):
        first = new_state(MODELS["ts"]["paper"])
        second = new_state(MODELS["faces"]["paper"])
        local = new_state(enhanced(MODELS["ts"]["paper"]))
    sizes = [count(state.models[name])
             for state in (first, second) for name in ("generator", "discriminator")]  # fmt: skip
    assert sizes == [182_452_675, 8_321_859, 26_724_291, 2_769_601]
    assert count(local.models["generator"]) == 182_715_939
    assert local.settings.size == (512, 1024)
    assert local.settings.perceptual_weight == 10
    with pytest.raises(ValueError, match="settings: expected a global generator of an even width"):
        enhanced(local.settings)


def test_a_patch_is_seventy_pixels_wide():
    field, step = 1, 1
    for layer in PatchDiscriminator(c_in=3, width=1).modules():
        if isinstance(layer, nn.Conv2d):
            field, step = field + (layer.kernel_size[0] - 1) * step, step * layer.stride[0]
    assert field == 70


def test_norms_stand_where_the_authors_code_has_them():
    model = GlobalGenerator(width=2, downsamplings=1, blocks=1)
    assert [type(layer) for layer in model.features] == [
        nn.ReflectionPad2d, nn.Conv2d, InstanceNorm, nn.ReLU,
        nn.Conv2d, InstanceNorm, nn.ReLU,
        type(model.features[7]),
        nn.ConvTranspose2d, InstanceNorm, nn.ReLU,
    ]  # fmt: skip
    block = [nn.ReflectionPad2d, nn.Conv2d, InstanceNorm]
    assert [type(layer) for layer in model.features[7].change] == [*block, nn.ReLU, *block]
    assert [type(layer) for layer in model.to_rgb] == [nn.ReflectionPad2d, ToColours, nn.Tanh]
    for norm, kind in (("instance", InstanceNorm), ("batch", nn.BatchNorm2d)):
        levels = [
            list(level) for level in PatchDiscriminator(c_in=3, width=2, norm=norm).levels[:4]
        ]
        kinds = [[type(layer) for layer in level] for level in levels]
        assert kinds == [[nn.Conv2d, nn.LeakyReLU], *[[nn.Conv2d, kind, nn.LeakyReLU]] * 3]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_the_courses_four_presets(model: str):
    assert tuple(MODELS[model]) == PRESETS


def test_frame_by_frame_is_the_same_run_without_a_memory():
    import dataclasses

    for name in PRESETS:
        ts, fbf = MODELS["ts"][name], MODELS["fbf"][name]
        assert fbf == dataclasses.replace(ts, temporal=False)


# ---- What the networks see -----------------------------------------------------------------------

SMALL = {"width": 3, "downsamplings": 1, "blocks": 1}


def generator(**changes: bool) -> GlobalGenerator:
    torch.manual_seed(0)
    return GlobalGenerator(**SMALL, **changes)


def test_no_previous_frame_is_a_picture_of_zeros():
    model, pose = generator(), noise(2, 3, 8, 8)
    assert torch.equal(model(pose), model(pose, torch.zeros_like(pose)))
    assert not torch.equal(model(pose), model(pose, torch.ones_like(pose)))


def test_a_residual_block_adds_and_ends_without_a_relu():
    block = GlobalGenerator(**SMALL).features[7]
    x = noise(1, 6, 4, 4)
    torch.testing.assert_close(block(x) - x, block.change(x))
    assert block(x).min() < 0


@pytest.mark.parametrize("local", [False, True])
def test_frames_feed_back(local: bool):
    torch.manual_seed(0)
    model = (
        LocalEnhancer(width=2, downsamplings=1, blocks=1, global_blocks=1) if local else generator()
    )
    skeletons = noise(2, 3, 3, 8, 8)
    first = model(skeletons[:, :, 0])
    second = model(skeletons[:, :, 1], first)
    third = model(skeletons[:, :, 2], second)
    film = feed_back(model, skeletons)
    torch.testing.assert_close(film, torch.stack([first, second, third], 2))
    torch.testing.assert_close(feed_back(model, skeletons[:, :, 1:], first), film[:, :, 1:])


def test_the_second_frames_loss_reaches_the_first_call():
    model = generator()
    skeletons = noise(1, 3, 2, 8, 8).requires_grad_()
    (gradient,) = torch.autograd.grad(
        feed_back(model, skeletons)[:, :, 1].square().sum(), skeletons
    )
    assert gradient[:, :, 0].abs().max() > 1e-6


def test_without_memory_frames_are_painted_each_by_itself():
    model = generator(temporal=False)
    skeletons = noise(2, 3, 3, 8, 8)
    film = feed_back(model, skeletons)
    for t in range(3):
        torch.testing.assert_close(film[:, :, t], model(skeletons[:, :, t]), rtol=1e-4, atol=1e-5)
    assert model.features[1].in_channels == 3


def test_the_enhancer_adds_the_coarse_features_of_the_halved_picture():
    torch.manual_seed(0)
    model = LocalEnhancer(width=2, downsamplings=1, blocks=1, global_blocks=1)
    pose, previous = noise(1, 3, 8, 8), noise(1, 3, 8, 8, seed=1)
    picture = torch.cat([pose, previous], 1)
    half = F.avg_pool2d(picture, 3, 2, 1, count_include_pad=False)
    made = model.to_rgb(model.up(model.down(picture) + model.coarse(half)))
    torch.testing.assert_close(model(pose, previous), made)


def test_the_enhancer_takes_over_a_trained_global_generator():
    coarse = GlobalGenerator(width=4, downsamplings=1, blocks=1)
    model = LocalEnhancer(width=2, downsamplings=1, blocks=1, global_blocks=1)
    model.start_from(coarse)
    for mine, theirs in zip(model.coarse.parameters(), coarse.features.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    with pytest.raises(ValueError, match="generator: expected twice this one's width"):
        model.start_from(GlobalGenerator(width=6, downsamplings=1, blocks=1))


def test_the_place_of_a_limb_need_not_pass_through_the_smallest_picture():
    torch.manual_seed(0)
    model = UNetGenerator(size=(16, 16), width=2, downsamplings=2)
    for parameter in model.unet.middle.parameters():
        parameter.detach().zero_()
    one, other = noise(1, 17, 16, 16), noise(1, 17, 16, 16, seed=1)
    assert model(one).shape == (1, 3, 16, 16)
    assert (model(one) - model(other)).abs().mean() > 0.01


def test_the_unet_widens_eight_times_at_most_and_may_do_without_memory():
    model = UNetGenerator(size=(64, 64), width=2, downsamplings=5, temporal=False)
    found = shapes(model, noise(1, 17, 64, 64))
    assert [c for c, _, _ in found] == [2, 4, 8, 16, 16, 16, 16, 16, 16, 8, 4, 2, 2, 4]
    assert min(h for _, h, _ in found) == 2
    with pytest.raises(ValueError, match="pose: expected height and width to be multiples of 32"):
        model(noise(1, 17, 32, 48))
    with pytest.raises(ValueError, match=r"pose: expected \(B, 17, 64, 64\)"):
        model(noise(1, 17, 64, 96))
    with pytest.raises(ValueError, match=r"pose: expected \(B, 17, H, W\)"):
        model(noise(1, 3, 64, 64))
    with pytest.raises(ValueError, match="width: expected a positive integer, got 0"):
        UNetGenerator(size=(64, 64), width=0)


def test_far_from_the_stick_figure_the_unet_shows_the_room_and_nothing_else():
    torch.manual_seed(0)
    model = UNetGenerator(size=(64, 64), width=2, downsamplings=2, temporal=False)
    rooms = noise(5, 3, 64, 64)
    model.guess_background(rooms, -torch.ones(5, 3, 64, 64))
    figure = -torch.ones(2, 17, 64, 64)
    figure[1, 4, 20:40, 30] = 1.0
    nobody, somebody = model(figure)
    assert torch.equal(nobody, rooms.median(0).values)
    reached = (somebody - nobody).abs().amax(0) > 0
    assert reached[20, 30]
    assert not reached[:12].any(), "an eighth of the height is 8 pixels"
    assert not reached[:, 39:].any()


def test_the_room_is_guessed_from_frames_without_the_figure_and_filled_in_behind_it():
    model = UNetGenerator(size=(64, 64), width=2, downsamplings=2)
    wall = torch.linspace(-0.5, 0.5, 64).expand(3, 64, 64)
    frames, figures = wall.repeat(5, 1, 1, 1), -torch.ones(5, 3, 64, 64)
    frames[:, :, 20:40, 28:33] = 1.0  # somebody, at the same place in all frames
    figures[:, :, 20:40, 30] = 1.0
    frames[:3, :, 50, 10] = 1.0  # and a foot, in most of them
    figures[:3, :, 50, 10] = 1.0
    model.guess_background(frames, figures)
    assert (model.background[0] - wall).abs().max() < 0.15
    assert torch.equal(model.background[0, :, 50, 10], wall[:, 50, 10])


def test_the_room_learns_nothing_from_where_somebody_may_stand():
    torch.manual_seed(0)
    model = UNetGenerator(size=(32, 32), width=2, downsamplings=2, temporal=False)
    figure = -torch.ones(1, 17, 32, 32)
    figure[0, 4, 10:20, 15] = 1.0
    (gradient,) = torch.autograd.grad(model(figure).sum(), model.background)
    assert gradient[0, :, 10:20, 14:17].abs().max() == 0
    assert (gradient[0, :, :, :8] == 1).all()


def test_what_a_mirrored_limb_learns_is_learned_for_the_other_side():
    torch.manual_seed(0)
    sizes = {"size": (32, 32), "width": 2, "downsamplings": 2}
    plain, model = UNetGenerator(**sizes), UNetGenerator(**sizes, mirror=True)
    model.load_state_dict(plain.state_dict())
    figures, last = noise(3, 17, 32, 32), noise(3, 3, 32, 32, seed=1)
    turned = plain(mirrored(figures), last.flip(-1)).flip(-1)
    straight = plain(figures, last)
    torch.testing.assert_close(model(figures, last), torch.cat([straight[:2], turned[2:]]))
    with torch.no_grad():
        torch.testing.assert_close(model(figures, last), straight)


def test_a_mirrored_drawing_is_the_drawing_of_the_mirrored_pose():
    random = torch.Generator().manual_seed(0)
    pose = torch.cat([32 * torch.rand(4, 18, 2, generator=random), torch.ones(4, 18, 1)], -1)
    drawn = skeleton.draw_limbs(pose, height=32, width=32)
    expected = skeleton.draw_limbs(skeleton.mirror(pose, 32), height=32, width=32)
    torch.testing.assert_close(mirrored(drawn), expected, atol=1e-4, rtol=0)


def test_the_discriminator_sees_both_poses_then_both_frames():
    torch.manual_seed(0)
    model = MultiscaleDiscriminator(width=2, scales=2)
    x, y = noise(2, 3, 2, 32, 32), noise(2, 3, 2, 32, 32, seed=1)
    picture = torch.cat([x[:, :, 0], x[:, :, 1], y[:, :, 0], y[:, :, 1]], 1)
    half = F.avg_pool2d(picture, 3, 2, 1, count_include_pad=False)
    maps = model(x, y)
    for found, judge, seen in zip(maps, model.scales, (picture, half), strict=True):
        for mine, wanted in zip(found, judge(seen), strict=True):
            torch.testing.assert_close(mine, wanted)
    assert [len(some) for some in features(maps)] == [4, 4]
    assert [tuple(score.shape) for score in scores(maps)] == [(2, 1, 7, 7), (2, 1, 5, 5)]


def test_the_face_networks_need_both_the_figure_and_the_face():
    torch.manual_seed(0)
    pose, face = noise(2, 3, 16, 16).requires_grad_(), noise(2, 3, 16, 16, seed=1).requires_grad_()
    for model in (FaceGenerator(width=2, downsamplings=1, blocks=1), FaceDiscriminator(width=2)):
        for gradient in torch.autograd.grad(model(pose, face).square().sum(), (pose, face)):
            assert gradient.abs().max() > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GlobalGenerator(width=0), "width: expected a positive integer, got 0"),
        (lambda: LocalEnhancer(blocks=0), "blocks: expected a positive integer, got 0"),
        (lambda: MultiscaleDiscriminator(scales=0), "scales: expected a positive integer, got 0"),
        (lambda: FaceDiscriminator(norm="layer"), "norm: expected one of instance, batch; got 'la"),
        (
            lambda: generator()(torch.zeros(1, 3, 7, 8)),
            "pose: expected height and width to be multiples of 2 and at least 4, got (1, 3, 7, 8)",
        ),
        (
            lambda: generator()(torch.zeros(1, 3, 2, 8)),
            "pose: expected height and width to be multiples of 2 and at least 4, got (1, 3, 2, 8)",
        ),
        (
            lambda: generator()(torch.zeros(2, 3, 8, 8), torch.zeros(1, 3, 8, 8)),
            "previous: expected (2, 3, 8, 8), got (1, 3, 8, 8)",
        ),
        (
            lambda: feed_back(generator(), torch.zeros(1, 3, 8, 8)),
            "skeletons: expected (B, C, T, H, W), got (1, 3, 8, 8)",
        ),
        (
            lambda: MultiscaleDiscriminator(width=1)(*[torch.zeros(1, 3, 1, 16, 16)] * 2),
            "skeletons: expected (B, 3, 2, H, W), got (1, 3, 1, 16, 16)",
        ),
        (
            lambda: FaceGenerator(width=1)(*[torch.zeros(1, 3, 24, 20)] * 2),
            "pose: expected sides that are multiples of 8 and at least 16, got (1, 3, 24, 20)",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


# ---- Two layers that are torch's own in less time ------------------------------------------------


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_our_instance_norm_is_torchs_gradient_included(order: torch.memory_format):
    x = (noise(2, 3, 5, 7) * 4 + 1).contiguous(memory_format=order).requires_grad_()
    weights = noise(2, 3, 5, 7, seed=1)
    (ours,) = torch.autograd.grad((InstanceNorm(3)(x) * weights).sum(), x)
    (theirs,) = torch.autograd.grad((nn.InstanceNorm2d(3)(x) * weights).sum(), x)
    torch.testing.assert_close(InstanceNorm(3)(x), nn.InstanceNorm2d(3)(x), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert torch.autograd.gradcheck(InstanceNorm(3), x.detach().double().requires_grad_())
    with pytest.raises(ValueError, match=r"x: expected \(B, 3, H, W\) of at least 2 pixels, got"):
        InstanceNorm(3)(noise(2, 3, 1, 1))


def test_our_convolution_to_colours_is_torchs_gradient_included():
    torch.manual_seed(0)
    ours, theirs = ToColours(4, 3, 7), nn.Conv2d(4, 3, 7)
    theirs.load_state_dict(ours.state_dict())
    x = noise(2, 4, 12, 15).requires_grad_()
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    weights = noise(2, 3, 6, 9, seed=1)
    found, wanted = (
        torch.autograd.grad((layer(x) * weights).sum(), (x, *layer.parameters()))
        for layer in (ours, theirs)
    )
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


# ---- Losses --------------------------------------------------------------------------------------


def test_the_smooth_loss_is_the_games_value_with_logarithms():
    real, fake = [noise(2, 1, 3, 3)], [noise(2, 1, 3, 3, seed=1)]
    loss = smooth_loss(real, fake, kind="log")
    value = torch.sigmoid(real[0]).log().mean() + (1 - torch.sigmoid(fake[0])).log().mean()
    assert loss.discriminator.item() == pytest.approx(-value.item(), rel=1e-5)
    assert loss.generator.item() == pytest.approx(
        -torch.sigmoid(fake[0]).log().mean().item(), rel=1e-5
    )
    assert loss.discriminator == loss.real + loss.fake


def test_the_smooth_loss_as_trained_halves_the_discriminators_squares_only():
    real, fake = [torch.tensor([0.5, 2.0])], [torch.tensor([-1.0, 0.0])]
    loss = smooth_loss(real, fake, kind="least_squares")
    assert loss.real.item() == pytest.approx(0.5 * (0.25 + 1) / 2)
    assert loss.fake.item() == pytest.approx(0.5 * 1 / 2)
    assert loss.generator.item() == pytest.approx((4 + 1) / 2)
    best = smooth_loss([torch.ones(3)], [torch.zeros(3)])
    assert best.discriminator == 0


def test_scales_are_summed_each_with_its_own_mean():
    real = [torch.zeros(1, 1, 4, 4), torch.full((1, 1, 2, 2), 3.0)]
    fake = [torch.full((1, 1, 4, 4), 2.0), torch.zeros(1, 1, 2, 2)]
    loss = smooth_loss(real, fake)
    assert loss.real.item() == pytest.approx(0.5 * 1 + 0.5 * 4)
    assert loss.fake.item() == pytest.approx(0.5 * 4)
    assert loss.generator.item() == pytest.approx(1 + 1)


def test_the_face_loss_is_the_same_game_with_one_judge():
    real, fake = noise(2, 1, 3, 3), noise(2, 1, 3, 3, seed=1)
    for kind in ("log", "least_squares"):
        assert face_loss(real, fake, kind=kind) == smooth_loss([real], [fake], kind=kind)


def test_features_match_where_the_maps_are_equal_and_the_target_gets_no_gradient():
    real = [[noise(1, 2, 4, 4).requires_grad_(), noise(1, 3, 2, 2)], [noise(1, 2, 2, 2)]]
    assert feature_matching_loss(real, real).total == 0
    fake = [[real[0][0].detach() + 0.5, real[0][1] - 0.25], [real[1][0] + 1]]
    fake[0][0].requires_grad_()
    loss = feature_matching_loss(real, fake)
    assert [scale.item() for scale in loss.scales] == pytest.approx([0.75, 1.0], rel=1e-5)
    assert loss.total.item() == pytest.approx(1.75, rel=1e-5)
    loss.total.backward()
    assert real[0][0].grad is None
    assert fake[0][0].grad.abs().sum() > 0


def test_the_perceptual_loss_weighs_its_levels():
    real = [noise(1, 2, 4, 4), noise(1, 3, 2, 2)]
    fake = [real[0] + 0.5, real[1] - 1.0]
    loss = perceptual_loss(real, fake, (0.25, 2.0))
    assert [level.item() for level in loss.levels] == pytest.approx([0.5, 1.0], rel=1e-5)
    assert loss.total.item() == pytest.approx(0.125 + 2.0, rel=1e-5)


def test_the_pixel_loss_is_a_plain_mean_unless_the_figure_counts_for_more():
    real, skeleton = torch.zeros(1, 3, 2, 64, 64), -torch.ones(1, 3, 2, 64, 64)
    skeleton[:, 1, :, :, 30] = 1.0  # one green line, and two pixels on either side: 5 of 64 columns
    fake = real.clone()
    fake[..., 28:33] = 0.5
    assert pixel_loss(real, fake, skeleton).item() == pytest.approx(0.5 * 5 / 64)
    heavy = pixel_loss(real, fake, skeleton, figure_weight=8.0).item()
    assert heavy == pytest.approx(0.5 * 9 * 5 / (9 * 5 + 59))
    elsewhere = torch.full_like(real, 0.5).where(fake == 0, real)
    rest = pixel_loss(real, elsewhere, skeleton, figure_weight=8.0).item()
    assert rest == pytest.approx(0.5 - heavy)


def test_the_pixel_loss_of_a_frame_that_shows_nobody_is_the_plain_mean():
    real, fake = noise(1, 3, 2, 8, 8), noise(1, 3, 2, 8, 8, seed=1)
    nobody = -torch.ones_like(real)
    torch.testing.assert_close(
        pixel_loss(real, fake, nobody, figure_weight=8.0), (real - fake).abs().mean()
    )
    with pytest.raises(ValueError, match="skeleton: "):
        pixel_loss(real, fake, nobody[:, :, :1], figure_weight=8.0)


def test_the_whole_objective_of_stage_1_is_the_weighted_sum_of_all_its_terms():
    game = smooth_loss([torch.zeros(2)], [torch.full((2,), 3.0)])  # G's part: 4
    matching = feature_matching_loss([[torch.zeros(2)]], [[torch.full((2,), 0.5)]])
    seen = [perceptual_loss([torch.zeros(2)], [torch.full((2,), x)], [1.0]) for x in (0.1, 0.3)]
    weights = {"feature_weight": 10.0, "perceptual_weight": 5.0, "pixel_weight": 2.0}
    loss = stage_1_objective(game, matching, seen, torch.tensor(0.25), **weights)
    terms = [loss.smooth, loss.feature_matching, loss.perceptual, loss.pixels]
    assert [term.item() for term in terms] == pytest.approx([4.0, 0.5, 0.4, 0.25], rel=1e-5)
    assert loss.total.item() == pytest.approx(4 + 10 * 0.5 + 5 * 0.4 + 2 * 0.25, rel=1e-5)
    without = stage_1_objective(game, matching, [], torch.tensor(0.25), **weights)
    assert without.perceptual == 0


def test_the_whole_objective_of_stage_2_is_the_face_game_and_what_is_seen():
    game = face_loss(torch.zeros(2), torch.full((2,), 3.0))
    seen = perceptual_loss([torch.zeros(2)], [torch.full((2,), 0.3)], [1.0])
    weights = {"perceptual_weight": 10.0, "pixel_weight": 2.0}
    loss = stage_2_objective(game, seen, torch.tensor(0.25), **weights)
    assert loss.total.item() == pytest.approx(4 + 10 * 0.3 + 2 * 0.25, rel=1e-5)
    assert stage_2_objective(game, None, torch.tensor(0.25), **weights).perceptual == 0


def test_half_precision_scores_are_summed_in_full():
    many = torch.full((1, 1, 300, 300), 3.0, dtype=torch.bfloat16)
    assert smooth_loss([many], [many]).generator.dtype == torch.float32
    assert math.isclose(smooth_loss([many], [many]).generator.item(), 4.0)
    map_ = [torch.ones(1, 2, 3, 3, dtype=torch.float16)]
    assert perceptual_loss(map_, map_, [1.0]).total.dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: smooth_loss([torch.zeros(2)], [torch.zeros(2)], kind="hinge"),
            "kind: expected one of log, least_squares; got 'hinge'",
        ),
        (
            lambda: smooth_loss([torch.zeros(2)] * 2, [torch.zeros(2)]),
            "fake_scores: expected as many as real_scores, at least one, got 1 and 2",
        ),
        (lambda: smooth_loss([], []), "fake_scores: expected as many as real_scores, at least one"),
        (lambda: face_loss(torch.zeros(0), torch.zeros(2)), "scores: expected at least one value"),
        (
            lambda: feature_matching_loss([[torch.zeros(2, 3)]], [[torch.zeros(1, 3)]]),
            "fake: expected (2, 3), got (1, 3)",
        ),
        (
            lambda: perceptual_loss([torch.zeros(2)], [torch.zeros(2)], [1.0, 1.0]),
            "weights: expected as many as real, at least one, got 2 and 1",
        ),
    ],
)  # fmt: skip
def test_losses_of_what_does_not_fit_are_refused(call, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
