"""Lecture 3's GAN: the published sizes, the losses by name, and each player's own step."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.data.fetch import FetchError
from vidgen_lite.gan_objective import discriminator_loss, generator_loss
from vidgen_lite.pose_futures.gan import (
    FrameGenerator,
    PoseGenerator,
    PoseVideoDiscriminator,
    stack_image,
)
from vidgen_lite.pose_futures.gan_presets import (
    GAN_MODELS,
    DrivenClips,
    copy_first_frame,
    driven_clips,
    foreground_error,
    in_between,
    paint_futures,
    to_bytes,
)
from vidgen_lite.pose_futures.gan_steps import (
    GANSettings,
    discriminator_objective,
    discriminator_step,
    draw_figures,
    generate,
    generator_objective,
    generator_step,
    learning_rate,
    new_state,
    pick,
    reconstruction_loss,
    split_batch,
    train,
    warmup_step,
)
from vidgen_lite.training import PRESETS, State, load_checkpoint, make_accelerator, save_checkpoint

SIZE = (16, 16, 32)


def tiny(**changes: object) -> GANSettings:
    """Settings under which a step takes a few hundredths of a second."""
    start = GANSettings(size=SIZE, width=2, discriminator_width=2, batch_size=4, steps=4)
    return dataclasses.replace(start, **changes)


VARIANTS = {
    "published": tiny(),
    "halves": tiny(halves=True),
    "steadied": tiny(
        norm="none",
        bottleneck_norm=False,
        r1_weight=1.0,
        r1_every=2,
        average_decay=0.9,
        dropout=0.0,
    ),
    "conditional": tiny(conditional=True, norm="none", r1_weight=1.0),
    "frames": tiny(generator="frames", mask_weight=1.0),
}


def noise_clips(n: int = 6, seed: int = 0) -> DrivenClips:
    """Films and skeletons of plain noise."""
    random = torch.Generator().manual_seed(seed)
    t, h, w = SIZE
    video, skeleton = (torch.rand(n, 3, t, h, w, generator=random) * 2 - 1 for _ in range(2))
    pose = torch.rand(n, t, 18, 3, generator=random) * 16
    pose[..., 2] = 1
    return DrivenClips(video, skeleton, pose, torch.ones(n, 1, t, h, w))


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def shapes(model: nn.Module, *inputs: Tensor) -> dict[str, tuple[int, ...]]:
    """Output shapes of the (de)convolutions without the batch axis, by the first part of a name."""
    found: dict[str, tuple[int, ...]] = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d):
            layer.register_forward_hook(
                lambda _, __, out, name=name: found.__setitem__(name, tuple(out.shape[1:]))
            )
    model(*inputs)
    return found


@pytest.fixture(scope="module")
def accelerator():
    return make_accelerator("no")


# ---- Sizes: everything is made on the meta device, so the published networks cost no memory ------


def test_the_generator_has_the_published_layers():
    with torch.device("meta"):
        model = PoseGenerator()
        found = shapes(model, torch.empty(2, 3, 32, 64, 80), torch.empty(2, 3, 64, 80))
    assert {name.split(".")[0]: shape for name, shape in found.items()} == {
        "e1": (32, 16, 32, 40),
        "e2": (64, 8, 16, 20),
        "e3": (128, 4, 8, 10),
        "e4": (256, 2, 4, 5),
        "e5": (256, 1, 1, 1),
        "d3": (256, 2, 4, 5),
        "d4": (128, 4, 8, 10),
        "d5": (64, 8, 16, 20),
        "d6": (32, 16, 32, 40),
        "d7": (3, 32, 64, 80),
    }
    assert count(model) == 28_732_931
    assert model.e5[1].kernel_size == (4, 6, 6)
    assert model.d3[1].kernel_size == (4, 6, 7)


def test_the_discriminator_has_the_published_layers_and_two_outputs():
    with torch.device("meta"):
        model = PoseVideoDiscriminator()
        video = torch.empty(2, 3, 32, 64, 80)
        found = list(shapes(model, video).values())
        assert model.two_outputs(video).shape == (2, 2)
        assert model(video).shape == (2,)
    assert found == [
        (128, 16, 32, 40),
        (256, 8, 16, 20),
        (512, 4, 8, 10),
        (1024, 2, 4, 5),
        (2, 1, 1, 1),
    ]
    assert count(model) == 44_152_194


def test_the_paper_settings_make_the_published_pair():
    with torch.device("meta"):
        state = new_state(GAN_MODELS["paper"])
    assert count(state.models["generator"]) == 28_732_931
    assert count(state.models["discriminator"]) == 44_152_194


def test_norms_and_dropout_stand_where_the_authors_code_has_them():
    model = PoseGenerator(width=2, size=SIZE)
    kinds = {name: [type(layer) for layer in getattr(model, name)] for name in ("e2", "d4", "d7")}
    assert isinstance(model.e1, nn.Conv3d)  # neither norm nor activation before it
    assert kinds["e2"] == [nn.LeakyReLU, nn.Conv3d, nn.BatchNorm3d]
    assert kinds["d4"] == [nn.ReLU, nn.ConvTranspose3d, nn.BatchNorm3d, nn.Dropout]
    assert kinds["d7"] == [nn.ReLU, nn.ConvTranspose3d, nn.Tanh]
    dropping = [
        n for n in ("d3", "d4", "d5", "d6") if any(m.p for m in _dropouts(getattr(model, n)))
    ]
    assert dropping == ["d3", "d4"]
    judge = PoseVideoDiscriminator(width=2, size=SIZE)
    level = [nn.Conv3d, nn.BatchNorm3d, nn.LeakyReLU]
    assert [type(layer) for layer in judge.features] == [nn.Conv3d, nn.LeakyReLU, *level * 3]
    assert {m.eps for m in judge.modules() if isinstance(m, nn.BatchNorm3d)} == {1e-3}


def _dropouts(model: nn.Module) -> list[nn.Dropout]:
    return [layer for layer in model.modules() if isinstance(layer, nn.Dropout)]


@pytest.mark.parametrize("size", [(16, 16, 16), (16, 48, 64), (32, 64, 80), (48, 32, 16)])
def test_both_networks_take_any_size_whose_sides_are_multiples_of_16(size: tuple):
    t, h, w = size
    with torch.device("meta"):
        film = torch.empty(2, 3, t, h, w)
        made = PoseGenerator(width=2, size=size)(film, film[:, :, 0])
        logits = PoseVideoDiscriminator(width=2, size=size)(made)
    assert made.shape == film.shape
    assert logits.shape == (2,)


@pytest.mark.parametrize("kind", [PoseGenerator, FrameGenerator, PoseVideoDiscriminator])
@pytest.mark.parametrize("size", [(16, 24, 32), (8, 16, 16), (16, 16), (16, 16, 16.0), (0, 16, 16)])
def test_another_size_is_refused(kind: type, size: tuple):
    with pytest.raises(ValueError, match="size: expected three multiples of 16"):
        kind(width=1, size=size)


def test_what_does_not_fit_is_named():
    film, image = torch.zeros(2, 3, *SIZE), torch.zeros(2, 3, *SIZE[1:])
    generator = PoseGenerator(width=1, size=SIZE)
    judge = PoseVideoDiscriminator(width=1, size=SIZE, conditional=True)
    with pytest.raises(ValueError, match=r"skeleton: expected \(B, 3, 16, 16, 32\), got"):
        generator(film[:, :, :8], image)
    with pytest.raises(ValueError, match=r"image: expected \(2, 3, 16, 32\), got \(1, 3, 16, 32\)"):
        generator(film, image[:1])
    with pytest.raises(ValueError, match="a conditional discriminator needs both"):
        judge(film)
    with pytest.raises(ValueError, match="norm: expected one of batch, none; got 'layer'"):
        PoseVideoDiscriminator(norm="layer")
    with pytest.raises(ValueError, match=r"clips\.video: expected \(N, 3, 16, 32, 32\), got"):
        next(train(new_state(tiny(size=(16, 32, 32))), noise_clips()))


def test_without_norm_at_the_bottleneck_only_its_two_numbers_a_channel_are_gone():
    with torch.device("meta"):
        whole, without = PoseGenerator(), PoseGenerator(bottleneck_norm=False)
    gone = set(whole.state_dict()) - set(without.state_dict())
    assert {name.split(".")[0] for name in gone} == {"e5"}
    assert sum(p.numel() for p in whole.parameters()) - 512 == sum(
        p.numel() for p in without.parameters()
    )


def test_both_learning_rates_fall_to_zero_over_the_run_if_told_to():
    settings = tiny(decay=True, steps=4, learning_rate=1e-3, discriminator_rate=1e-4)
    for model, rate in (("generator", 1e-3), ("discriminator", 1e-4)):
        assert learning_rate(settings, model, 0) == rate
        assert learning_rate(settings, model, 2) == pytest.approx(rate / 2)
        assert learning_rate(settings, model, 4) == pytest.approx(0)
        assert learning_rate(tiny(steps=4), model, 3) == 2e-4  # as published: constant
    state = new_state(settings)
    for _ in train(state, noise_clips(), accelerator=make_accelerator("no")):
        pass
    used = {name: o.param_groups[0]["lr"] for name, o in state.optimizers.items()}
    assert used["generator"] == pytest.approx(10 * used["discriminator"])
    assert used["generator"] == pytest.approx(learning_rate(settings, "generator", 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"halves": True, "batch_size": 3}, "batch_size: expected an even number to halve, got 3"),
        ({"norm": "batch", "r1_weight": 1.0}, "r1_weight: expected 0 with norm='batch', got 1.0"),
        ({"alpha": -1.0}, "alpha: expected a number at least 0, got -1.0"),
        ({"dropout": 1.0}, "dropout: expected a number at least 0 and below 1, got 1.0"),
        ({"steps": 0}, "steps: expected a positive integer, got 0"),
        ({"generator": "unet"}, "generator: expected one of film, frames; got 'unet'"),
        ({"warmup": 2.5}, "warmup: expected a positive integer, got 2.5"),
        ({"warmup": 2}, "warmup: expected 0 with generator='film', got 2"),
        ({"mask_weight": -1}, "mask_weight: expected a number at least 0, got -1"),
        ({"discriminator_rate": 0}, "discriminator_rate: expected a number above 0, got 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        tiny(**changes)


# ---- What the networks see -----------------------------------------------------------------------


def test_the_first_frame_is_repeated_for_every_moment_after_the_skeletons():
    clips = noise_clips(2)
    image = clips.video[:, :, 0]
    stacked = stack_image(clips.skeleton, image)
    assert torch.equal(stacked[:, :3], clips.skeleton)
    assert all(torch.equal(stacked[:, 3:, t], image) for t in range(SIZE[0]))


def test_the_generator_needs_both_the_skeletons_and_the_picture():
    torch.manual_seed(0)
    generator = PoseGenerator(width=2, size=SIZE).eval()
    clips = noise_clips(2)
    skeleton = clips.skeleton.requires_grad_()
    image = clips.video[:, :, 0].clone().requires_grad_()
    for gradient in torch.autograd.grad(
        generator(skeleton, image).square().sum(), (skeleton, image)
    ):
        assert gradient.abs().sum() > 0


def frames_of(clips: DrivenClips, times: list[int], model: FrameGenerator) -> Tensor:
    """What a frame generator paints of these frames alone, one for each film."""
    index = torch.arange(len(times))
    batch = pick(clips, index, times=torch.tensor(times)[:, None], limbs=True)
    return model(batch.figure, batch.image)


def test_a_frame_is_painted_from_its_own_skeleton_whatever_film_it_is_of():
    torch.manual_seed(0)
    model, clips = FrameGenerator(width=2, size=SIZE), noise_clips(2)
    whole = pick(clips, torch.arange(2), limbs=True)
    film = model(whole.figure, whole.image)
    assert film.shape == (2, 3, *SIZE)
    alone = frames_of(clips, [5, 9], model)
    torch.testing.assert_close(alone[0, :, 0], film[0, :, 5])
    torch.testing.assert_close(alone[1, :, 0], film[1, :, 9])


def test_a_closed_mask_shows_the_first_picture_and_an_open_one_hides_it():
    torch.manual_seed(0)
    model, clips = FrameGenerator(width=2, size=SIZE), noise_clips(2)
    for bias, hidden in ((-50.0, False), (50.0, True)):
        model.unet.last[-1].bias.data[3] = bias
        alone = frames_of(clips, [5, 9], model)
        still = torch.allclose(alone[:, :, 0], clips.video[:, :, 0])
        assert still != hidden
        assert model.mask.mean().item() == pytest.approx(float(hidden), abs=1e-6)


def test_limbs_of_the_frame_come_first_and_those_of_the_picture_behind():
    pose = noise_clips(1).pose
    figures = draw_figures(pose, SIZE[1:], limbs=True)
    assert figures.shape == (1, 34, *SIZE)
    assert torch.equal(figures[:, 17:, 3], figures[:, :17, 0])
    other = draw_figures(pose[:, 3:5], SIZE[1:], limbs=True, first=pose[:, 0])
    assert torch.equal(other, figures[:, :, 3:5])
    assert draw_figures(pose, SIZE[1:]).shape == (1, 3, *SIZE)


def test_only_the_conditional_discriminator_looks_at_skeletons_and_picture():
    torch.manual_seed(0)
    a, b = noise_clips(3), noise_clips(3, seed=1)
    pictures = a.video[:, :, 0], b.video[:, :, 0]
    plain = PoseVideoDiscriminator(width=2, size=SIZE)
    seeing = PoseVideoDiscriminator(width=2, size=SIZE, conditional=True)
    assert torch.equal(plain(a.video), plain(a.video, b.skeleton, pictures[1]))
    first = seeing(a.video, a.skeleton, pictures[0])
    assert not torch.equal(first, seeing(a.video, b.skeleton, pictures[0]))
    assert not torch.equal(first, seeing(a.video, a.skeleton, pictures[1]))


# ---- Losses --------------------------------------------------------------------------------------


def test_two_outputs_and_their_cross_entropy_are_one_logit_and_its_logistic_loss():
    torch.manual_seed(0)
    judge = PoseVideoDiscriminator(width=2, size=SIZE)
    video = noise_clips(5).video
    outputs, logits = judge.two_outputs(video) * 50, judge(video) * 50
    real, made = (torch.full((5,), label) for label in (0, 1))
    loss = discriminator_loss(logits, logits, kind="non_saturating")
    torch.testing.assert_close(F.cross_entropy(outputs, real), loss.real)
    torch.testing.assert_close(F.cross_entropy(outputs, made), loss.fake)
    torch.testing.assert_close(
        F.cross_entropy(outputs, real), generator_loss(logits, kind="non_saturating")
    )


def test_the_generators_loss_is_adversarial_plus_alpha_times_the_mean_difference():
    real = noise_clips(2).video
    fake = real + 0.25
    logits = torch.tensor([0.3, -1.2])
    loss = generator_objective(fake, logits, real, tiny(alpha=40.0))
    assert loss.reconstruction.item() == pytest.approx(0.25, abs=1e-6)
    assert loss.adversarial.item() == pytest.approx((1 + (-logits).exp()).log().mean().item())
    assert loss.total.item() == pytest.approx(loss.adversarial.item() + 10.0, rel=1e-6)
    alone = generator_objective(fake, logits, real, tiny(alpha=40.0, adversarial=0.0))
    assert alone.total.item() == pytest.approx(10.0, rel=1e-6)


def test_pixels_that_leave_the_first_frame_count_more_and_the_mean_weight_stays_one():
    real = torch.zeros(1, 3, 4, 2, 2)
    real[:, 1, 2, 0, 0] = 0.5
    real[:, :, 3, 1, 1] = 0.05  # too little to be motion
    image = real[:, :, 0]
    off = [real.clone() for _ in range(3)]
    off[0][:, :, 2, 0, 0] += 0.4  # where it moves
    off[1][:, :, 3, 1, 1] += 0.4  # where it stands still
    off[2] += 0.4  # everywhere
    moving, still, all_of_it = (reconstruction_loss(f, real, image, 3.0).item() for f in off)
    assert moving == pytest.approx(4 * still)
    assert all_of_it == pytest.approx(0.4)
    alike = [reconstruction_loss(fake, real, image, 0.0).item() for fake in off]
    assert alike == pytest.approx([0.4 / 16, 0.4 / 16, 0.4])
    last = real[:, :, 3:], image  # a frame alone is held against the same picture
    assert reconstruction_loss(off[1][:, :, 3:], *last, 3.0).item() == pytest.approx(0.1)
    for weight in (0.0, 3.0):
        settings = tiny(moving=weight)
        whole = generator_objective(off[0], torch.zeros(1), real, settings).reconstruction
        assert whole == reconstruction_loss(off[0], real, image, weight)


def test_the_discriminators_loss_calls_real_films_real_and_made_ones_made():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-1.0, 0.0, 3.0])
    loss = discriminator_objective(real, fake)
    assert loss.real.item() == pytest.approx((1 + (-real).exp()).log().mean().item())
    assert loss.fake.item() == pytest.approx((1 + fake.exp()).log().mean().item())
    assert loss.total == loss.real + loss.fake


def test_the_slides_halves_show_each_film_once_and_the_authors_batches_twice():
    batch = pick(noise_clips(6), torch.tensor([0, 5, 2, 3]))
    real, given = split_batch(batch, tiny(halves=True))
    assert torch.equal(torch.cat([real.video, given.video]), batch.video)
    assert torch.equal(torch.cat([real.skeleton, given.skeleton]), batch.skeleton)
    assert len(real.video) == len(given.video) == 2
    assert split_batch(batch, tiny()) == (batch, batch)


def test_the_picture_is_the_films_first_frame_and_bytes_are_scaled():
    clips = noise_clips(3)
    index = torch.tensor([2, 0])
    batch = pick(clips, index)
    assert torch.equal(batch.image, clips.video[index][:, :, 0])
    small = dataclasses.replace(clips, video=to_bytes(clips.video))
    torch.testing.assert_close(pick(small, index).video, batch.video, rtol=0, atol=1 / 254)


# ---- One step of each player ---------------------------------------------------------------------


def played(settings: GANSettings) -> tuple:
    """A fresh run, what both players are given, and what G makes of it."""
    state = new_state(settings)
    generator = state.models["generator"]
    batch = pick(noise_clips(4), torch.arange(4), limbs=generator.limbs)
    real, given = split_batch(batch, settings)
    return state, real, given, generator(given.figure, given.image)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_discriminators_step_does_not_reach_the_generator(settings, accelerator):
    state, real, given, fake = played(settings)
    generator, judge = state.models["generator"], state.models["discriminator"]
    before, judged = weights(generator), weights(judge)
    discriminator_step(state, real, given, fake, accelerator)
    assert same(weights(generator), before)
    assert all(p.grad is None for p in generator.parameters())
    assert not same(weights(judge), judged)
    assert fake.requires_grad  # and G can still learn from the same films
    generator_step(state, given, fake, accelerator)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_generators_step_leaves_the_discriminator_alone(settings, accelerator):
    state, _, given, fake = played(settings)
    generator, judge = state.models["generator"], state.models["discriminator"]
    before, judged = weights(generator), weights(judge)
    generator_step(state, given, fake, accelerator)
    assert same(weights(judge), judged)
    assert all(p.grad is None for p in judge.parameters())
    assert all(p.requires_grad for p in judge.parameters())
    assert not same(weights(generator), before)


def test_the_discriminator_learns_which_films_are_real(accelerator):
    settings = tiny(norm="none", discriminator_rate=2e-3, batch_size=4)
    state, real, given, fake = played(settings)
    judge = state.models["discriminator"]
    for _ in range(20):
        discriminator_step(state, real, given, fake, accelerator)
    with torch.no_grad():
        assert judge(real.video).min() > judge(fake).max()


def test_the_generator_learns_to_be_taken_for_real(accelerator):
    settings = tiny(norm="none", alpha=0.0, learning_rate=1e-3, dropout=0.0)
    state, real, given, fake = played(settings)
    for _ in range(10):
        discriminator_step(state, real, given, fake, accelerator)
    losses = []
    for _ in range(8):
        fake = state.models["generator"](given.figure, given.image)
        losses.append(generator_step(state, given, fake, accelerator)["g_adversarial"].item())
    assert losses[-1] < 0.98 * losses[0]


def test_the_reconstruction_term_brings_the_film_closer_to_the_real_one(accelerator):
    state, _, given, fake = played(tiny(dropout=0.0, learning_rate=5e-3))
    given = given._replace(video=torch.full_like(given.video, 0.5))
    losses = []
    for _ in range(15):
        losses.append(generator_step(state, given, fake, accelerator)["g_l1"].item())
        fake = state.models["generator"](given.figure, given.image)
    assert losses[-1] < 0.8 * losses[0]


def test_the_gradient_penalty_is_paid_every_so_many_steps_and_weighted_up(accelerator):
    gradients = {}
    for every, step in ((1, 0), (4, 0), (4, 1)):
        settings = tiny(norm="none", conditional=True, r1_weight=8.0, r1_every=every, dropout=0.0)
        state, real, given, fake = played(settings)
        state.step = step
        discriminator_step(state, real, given, fake, accelerator)
        parameters = state.models["discriminator"].parameters()
        gradients[every, step] = torch.cat([p.grad.flatten() for p in parameters])
    without, with_one, with_four = gradients[4, 1], gradients[1, 0], gradients[4, 0]
    assert (with_one - without).norm() > 1e-6
    torch.testing.assert_close(with_four - without, 4 * (with_one - without), rtol=1e-3, atol=1e-6)


# ---- The loop ------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_loop_yields_one_record_of_finite_losses_a_step(settings):
    state = new_state(settings)
    records = list(train(state, noise_clips()))
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert all(r.keys() == {"step", "d_real", "d_fake", "g_adversarial", "g_l1"} for r in records)
    assert all(torch.tensor(list(record.values())).isfinite().all() for record in records)


def test_in_the_warm_up_g_learns_from_single_frames_and_d_waits(monkeypatch):
    settings = tiny(
        generator="frames", warmup=3, warmup_frames=5, steps=5, batch_size=2, norm="none"
    )
    state, shapes_seen = new_state(settings), []

    def watched(*args: Any) -> dict[str, Tensor]:
        shapes_seen.append(tuple(args[1].video.shape[:3]))
        return warmup_step(*args)

    monkeypatch.setattr("vidgen_lite.pose_futures.gan_steps.warmup_step", watched)
    records = train(state, noise_clips())
    before = weights(state.models["discriminator"])
    learned = weights(state.models["generator"])
    assert [next(records).keys() for _ in range(3)] == [{"step", "g_l1"}] * 3
    assert shapes_seen == [(5, 3, 1)] * 3
    assert same(weights(state.models["discriminator"]), before)
    assert not same(weights(state.models["generator"]), learned)
    assert {"d_real", "g_adversarial"} < next(records).keys()
    assert not same(weights(state.models["discriminator"]), before)


def test_a_price_on_the_mask_closes_it():
    masks = []
    for price in (0.0, 300.0):
        settings = tiny(
            generator="frames", warmup=30, steps=30, mask_weight=price, learning_rate=0.01
        )
        state = new_state(settings)
        list(train(state, noise_clips()))
        masks.append(state.models["generator"].mask.mean().item())
    assert masks[1] < 0.7 * masks[0]


def test_rates_fall_to_zero_over_the_warm_up_and_again_over_the_game():
    settings = tiny(generator="frames", warmup=4, steps=8, decay=True, learning_rate=1.0)
    rates = [learning_rate(settings, "generator", step) for step in range(8)]
    assert rates[:4] == pytest.approx(rates[4:])
    assert rates[0] == 1
    assert rates[2] == pytest.approx(0.5)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_a_resumed_run_goes_on_to_the_same_bits(settings, tmp_path):
    whole = new_state(settings)
    records = list(train(whole, noise_clips()))
    begun = new_state(settings)
    first = [record for _, record in zip(range(2), train(begun, noise_clips()), strict=False)]
    save_checkpoint(tmp_path / "run.safetensors", begun)
    torch.manual_seed(99)  # dropout's random numbers come back with the checkpoint
    resumed = new_state(dataclasses.replace(settings))
    load_checkpoint(tmp_path / "run.safetensors", resumed)
    assert first + list(train(resumed, noise_clips())) == records
    for name, model in whole.models.items():
        assert same(weights(model), weights(resumed.models[name])), name


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    a, b, c = (new_state(tiny(seed=seed)).models["generator"] for seed in (3, 3, 4))
    assert same(weights(a), weights(b))
    assert not same(weights(a), weights(c))


def test_every_step_sees_other_films_and_both_players_the_same(monkeypatch):
    seen: list[Tensor] = []

    def step(state: State, *batches: object) -> dict[str, Tensor]:
        seen.append(batches[-3].video)
        return {"loss": torch.zeros(())}

    for player in ("discriminator_step", "generator_step"):
        monkeypatch.setattr(f"vidgen_lite.pose_futures.gan_steps.{player}", step)
    list(train(new_state(tiny()), noise_clips()))
    assert all(torch.equal(d, g) for d, g in zip(seen[0::2], seen[1::2], strict=True))
    assert len({tuple(video.flatten().tolist()) for video in seen}) == 4


def test_the_average_soon_forgets_the_untrained_weights():
    state = new_state(tiny(average_decay=0.999, steps=1))
    untrained = weights(state.models["generator"])
    list(train(state, noise_clips()))
    for old, new, mean in zip(
        untrained,
        weights(state.models["generator"]),
        weights(state.models["average"]),
        strict=True,
    ):
        torch.testing.assert_close(mean, 0.1 * old + 0.9 * new)


def test_an_uneven_share_of_the_batch_is_refused():
    fake = SimpleNamespace(
        num_processes=3, process_index=0, device=torch.device("cpu"), scaler=None
    )
    with pytest.raises(ValueError, match="batch_size: expected a multiple of 3 processes, got 4"):
        next(train(new_state(tiny()), noise_clips(), accelerator=fake))


def test_films_come_from_the_average_and_do_not_depend_on_their_batch():
    state = new_state(tiny(average_decay=0.5))
    clips = noise_clips(20)
    list(train(state, clips))
    films = generate(state, clips.pose, clips.video[:, :, 0])
    alone = generate(state, clips.pose[17:18], clips.video[17:18, :, 0])
    torch.testing.assert_close(alone, films[17:18], rtol=0, atol=1e-5)
    assert torch.equal(films, generate(state, clips.pose, clips.video[:, :, 0]))  # no dropout
    generator = state.models["average"].eval()
    figures = draw_figures(clips.pose[:4], SIZE[1:])
    torch.testing.assert_close(films[:4], generator(figures, clips.video[:4, :, 0]))
    assert not films.requires_grad
    assert films.abs().max() <= 1


# ---- Data and measures ---------------------------------------------------------------------------


def test_the_presets_are_the_courses_four():
    assert tuple(GAN_MODELS) == PRESETS


def test_straight_lines_lead_from_the_present_through_every_forecast_pose():
    random = torch.Generator().manual_seed(0)
    now, futures = torch.rand(18, 3, generator=random), torch.rand(4, 5, 18, 2, generator=random)
    poses = in_between(now, futures, 16)
    assert poses.shape == (4, 16, 18, 3)
    torch.testing.assert_close(poses[:, 0], now.expand(4, -1, -1))
    torch.testing.assert_close(poses[:, 3::3, :, :2], futures)
    torch.testing.assert_close(poses[:, 4, :, :2], futures[:, 0] * 2 / 3 + futures[:, 1] / 3)
    assert torch.equal(poses[..., 2], now[:, 2].expand(4, 16, -1))


def test_futures_become_one_film_each():
    state = new_state(tiny(size=(16, 16, 16)))
    image, now = torch.zeros(3, 16, 16), torch.rand(18, 3) * 16
    films = paint_futures(state, now, torch.rand(3, 5, 18, 2) * 16, image)
    assert films.shape == (3, 3, 16, 16, 16)
    assert not torch.equal(films[0], films[1])


def test_a_picture_of_another_size_is_squeezed_and_its_poses_with_it():
    state = new_state(tiny(size=(16, 16, 32)))
    small, now = torch.rand(3, 16, 32) * 2 - 1, torch.rand(18, 3) * 16
    futures = torch.rand(2, 5, 18, 2) * 16
    wanted = paint_futures(state, now, futures, small)
    large = small.repeat_interleave(4, 1).repeat_interleave(2, 2)  # 64 x 64
    stretch = torch.tensor([2.0, 4.0, 1.0])
    films = paint_futures(state, now * stretch, futures * stretch[:2], large)
    torch.testing.assert_close(films, wanted, atol=1e-4, rtol=0)


def test_the_foreground_error_counts_only_where_the_figure_is():
    truth = noise_clips(2).video
    mask = torch.zeros(2, 1, *SIZE)
    mask[:, :, :, :4] = 1
    film = truth + 0.5 * mask
    assert foreground_error(film, truth, mask) == pytest.approx(0.5, abs=1e-6)
    assert foreground_error(film, truth, 1 - mask) == 0
    assert foreground_error(film, truth, torch.ones_like(mask)) == pytest.approx(0.125, abs=1e-6)
    with pytest.raises(ValueError, match="mask: expected a figure somewhere, got zeros"):
        foreground_error(film, truth, torch.zeros_like(mask))
    with pytest.raises(ValueError, match="truth: expected"):
        foreground_error(film, truth[:1], mask)


def test_copying_the_first_frame_forecasts_that_nothing_moves():
    video = noise_clips(2).video
    still = copy_first_frame(video)
    assert still.shape == video.shape
    assert all(torch.equal(frame, video[:, :, 0]) for frame in still.unbind(2))


def _clips(split: str, size: tuple[int, int, int] = (16, 32, 32)) -> DrivenClips:
    try:
        return driven_clips(tiny(size=size, n_clips=4), split=split, seed=0)
    except FetchError as error:
        pytest.skip(f"motion capture is neither cached nor to be had: {error}")


def test_the_skeletons_lie_over_the_puppets_they_drive():
    clips = _clips("train")
    assert clips.video.shape == clips.skeleton.shape == (4, 3, 16, 32, 32)
    assert clips.video.dtype == clips.skeleton.dtype == torch.uint8
    drawn = clips.skeleton.amax(1, keepdim=True) > 128
    assert clips.mask[drawn].mean() > 0.8
    assert clips.mask[~drawn].mean() < 0.3


def test_a_film_that_is_not_square_has_its_skeletons_squeezed_with_it():
    clips = _clips("test", (16, 32, 48))
    assert clips.video.shape == clips.skeleton.shape == (4, 3, 16, 32, 48)
    drawn = clips.skeleton.amax(1, keepdim=True) > 128
    assert clips.mask[drawn].mean() > 0.8
    redrawn = to_bytes(draw_figures(clips.pose, (32, 48)))
    assert torch.equal(redrawn, clips.skeleton)


def test_training_and_test_films_show_other_motions():
    with pytest.raises(ValueError, match="split: expected one of train, test; got 'val'"):
        driven_clips(tiny(), split="val", seed=0)
    train_clips, test_clips = _clips("train"), _clips("test")
    assert not torch.equal(train_clips.pose, test_clips.pose)
    part = train_clips.subset(torch.tensor([1, 3]))
    assert torch.equal(part.pose, train_clips.pose[[1, 3]])
    assert len(part) == 2
