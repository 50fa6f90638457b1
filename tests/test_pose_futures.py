"""Lecture 3, the first half: velocities, the Pose-VAE, its losses, and best of n."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgen_lite import pose_futures, skeleton
from vidgen_lite.data.actions import act
from vidgen_lite.data.motion import Motion
from vidgen_lite.data.tracks import Tracks, make_tracks
from vidgen_lite.pose_futures import (
    MODELS,
    PoseVAE,
    VAESettings,
    best_of_n_curve,
    best_of_n_error,
    direction_magnitude_to_velocity,
    evaluate,
    gaussian_kl,
    reparameterise,
    vae_samples,
    vae_steps,
    velocity_to_direction_magnitude,
)
from vidgen_lite.pose_futures.presets import between
from vidgen_lite.pose_futures.vae import Future
from vidgen_lite.pose_futures.vae_parts import velocities
from vidgen_lite.training import load_checkpoint, save_checkpoint

TINY = VAESettings(
    size=(64, 64),
    width=16,
    image_width=1,
    z_dim=4,
    batch_size=8,
    steps=6,
    pose_weight=1.0,
    bone_weight=1.0,
)


def motion(action: str) -> Motion:
    made = act(action, frames=60, fps=16, generator=torch.Generator().manual_seed(0))
    return Motion(made.directions, made.root, 16.0, action)


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return make_tracks(24, seed=0, motions=[motion("walk"), motion("dance"), motion("jump")])


def net(**options) -> PoseVAE:
    torch.manual_seed(0)
    small = {"width": 16, "image_width": 1, "z_dim": 5, "size": (64, 64)}
    return PoseVAE(**(small | options))


# ---- Velocities ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(-6, 0.5), st.booleans())
def test_direction_and_magnitude_can_be_turned_back(seed, power, one_side_still):
    velocity = torch.randn(3, 18, 2, generator=torch.Generator().manual_seed(seed)) * 10**power
    if one_side_still:
        velocity[..., 1] = 0
    back = direction_magnitude_to_velocity(*velocity_to_direction_magnitude(velocity))
    assert torch.allclose(back, velocity, rtol=1e-4, atol=1e-7)


def test_standing_still_has_no_direction_and_comes_back_as_standing_still():
    still = torch.zeros(2, 18, 2, requires_grad=True)
    direction, magnitude = velocity_to_direction_magnitude(still)
    assert (direction == 0).all()
    assert torch.allclose(magnitude, torch.tensor(-1.0))
    assert (direction_magnitude_to_velocity(direction, magnitude) == 0).all()


def test_the_constants_are_the_papers():
    velocity = torch.zeros(18, 2)
    velocity[3, 0], velocity[7, 1] = 0.2, -0.4
    direction, magnitude = velocity_to_direction_magnitude(velocity)
    assert direction[3, 0] == pytest.approx(5.0)
    assert direction[7, 1] == pytest.approx(-5.0)
    assert magnitude[0].item() == pytest.approx((math.exp(0.2) - 1.1) / 0.1, abs=1e-5)
    assert magnitude[1].item() == pytest.approx((math.exp(0.4) - 1.1) / 0.1, abs=1e-5)


def test_a_negative_length_counts_as_standing_still():
    direction = torch.ones(18, 2)
    assert (direction_magnitude_to_velocity(direction, torch.tensor([-1.5, -9.0])) == 0).all()


def test_velocities_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"velocity: expected \(…, J, 2\), got \(18, 3\)"):
        velocity_to_direction_magnitude(torch.zeros(18, 3))
    with pytest.raises(ValueError, match=r"magnitude: expected \(4, 2\), got \(2,\)"):
        direction_magnitude_to_velocity(torch.zeros(4, 18, 2), torch.zeros(2))


# ---- The network at the paper's size -------------------------------------------------------------


@pytest.fixture(scope="module")
def paper() -> dict[str, PoseVAE]:
    with torch.device("meta"):
        return {form: PoseVAE(form=form) for form in ("slides", "code")}


def test_the_image_branch_has_the_papers_levels(paper):
    x = torch.zeros(1, 6, 240, 320, device="meta")
    shapes = []
    for layer in paper["slides"].image.features:
        x = layer(x)
        if isinstance(layer, torch.nn.Conv2d | torch.nn.MaxPool2d):
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (32, 60, 80), (32, 29, 39), (128, 29, 39), (128, 14, 19),
        (192, 14, 19), (192, 14, 19), (128, 14, 19), (128, 6, 9),
    ]  # fmt: skip
    assert tuple(paper["slides"].image.head.linear.weight.shape) == (1024, 6912)


def test_the_recurrent_parts_have_the_papers_sizes(paper):
    network = paper["slides"]
    assert (network.past_encoder.input_size, network.past_encoder.hidden_size) == (2048, 1024)
    for decoder in (network.past_decoder, network.future_decoder):
        lstm = decoder.lstm
        assert (lstm.input_size, lstm.hidden_size, lstm.num_layers) == (108, 1024, 2)
        assert (decoder.direction.out_features, decoder.magnitude.out_features) == (36, 2)
    assert network.past_reader.join.linear.in_features == 162
    assert network.future_decoder.code.linear.in_features == 20  # all of z at every step


def test_form_code_repeats_inputs_and_gives_a_step_four_numbers(paper):
    network = paper["code"]
    assert network.future_encoder.hidden[0].in_features == 10 * 180 + 100 * 10 + 2048 == 4848
    assert network.future_encoder.hidden[0].out_features == 512
    assert network.future_decoder.code.linear.in_features == 4


def test_the_whole_network_runs_at_the_papers_size(paper):
    past = torch.zeros(2, 3, 18, 3, device="meta")
    future = torch.zeros(2, 5, 18, 3, device="meta")
    for network in paper.values():
        memory = network.encode_past(past, torch.zeros(2, 6, 240, 320, device="meta"))
        assert tuple(memory.hidden.shape) == tuple(memory.cell.shape) == (2, 2, 1024)
        steps = network.decode(memory, torch.zeros(2, 20, device="meta"), future)
        mean, log_variance = network.posterior(memory, future, steps)
        assert tuple(mean.shape) == tuple(log_variance.shape) == (2, 20)
        assert tuple(network.replay_past(memory).direction.shape) == (2, 2, 18, 2)


# ---- What each part may see ----------------------------------------------------------------------


def test_samples_are_futures_in_pixels_and_the_same_codes_give_the_same_ones(tracks):
    network = net()
    first, again = (
        network.sample(
            tracks.past[0], tracks.image[0], 7, generator=torch.Generator().manual_seed(3)
        )
        for _ in range(2)
    )
    assert first.shape == (7, 5, 18, 2)
    assert torch.equal(first, again)
    assert not torch.allclose(first[0], first[1])
    assert network.training  # as it was


def test_a_sample_does_not_depend_on_its_neighbours(tracks):
    network, z = net(), torch.randn(4, 2, 5)
    together = network.imagine(tracks.past[:4], tracks.image[:4], z)
    alone = network.imagine(tracks.past[2:3], tracks.image[2:3], z[2:3])
    assert torch.allclose(together[2:3], alone, atol=1e-4)


def test_sampling_walks_from_the_present_by_its_own_velocities(tracks):
    network = net().eval()
    past, image = tracks.past[:3], tracks.image[:3]
    memory = network.encode_past(past, network.picture(past[:, -1], image))
    future = network.decode_freely(memory, torch.randn(3, 5), past[:, -1])
    walked = direction_magnitude_to_velocity(*future.steps).cumsum(1) * 64 + past[:, -1:, :, :2]
    assert torch.allclose(future.poses, walked, atol=1e-3)


def test_each_steps_share_of_z_is_its_own_in_form_code_and_all_of_z_in_form_slides(tracks):
    z = torch.zeros(1, 10)
    other = z.clone()
    other[0, 8:] = 3.0  # the last step's two numbers
    for form, same in (("code", True), ("slides", False)):
        network = net(form=form, z_dim=10)
        a, b = (network.imagine(tracks.past[:1], tracks.image[:1], x[None]) for x in (z, other))
        assert torch.equal(a[:, :, :4], b[:, :, :4]) is same
        assert not torch.equal(a[:, :, 4], b[:, :, 4])


@pytest.mark.parametrize(("form", "reads"), [("slides", True), ("code", False)])
def test_only_form_slides_shows_the_future_poses_to_the_posterior(form, reads, tracks):
    network = net(form=form).eval()
    memory = network.encode_past(
        tracks.past[:4], network.picture(tracks.past[:4, -1], tracks.image[:4])
    )
    steps = velocities(tracks.step_ends[:4, 2:], size=(64, 64))
    a, _ = network.posterior(memory, tracks.future[:4], steps)
    b, _ = network.posterior(memory, tracks.future[:4] + 5, steps)
    assert torch.equal(a, b) is not reads


def test_the_past_decoder_knows_the_past_from_h_alone(tracks):
    """Its inputs are zeros: a gradient reaches the picture only through H_t."""
    network = net()
    picture = network.picture(tracks.past[:4, -1], tracks.image[:4]).requires_grad_()
    memory = network.encode_past(tracks.past[:4], picture)
    network.replay_past(memory).direction.square().sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0
    cut = type(memory)(memory.hidden.detach(), memory.cell.detach())
    once, twice = network.replay_past(cut), network.replay_past(cut)
    assert torch.equal(once.direction, twice.direction)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width: expected a positive integer"),
        ({"form": "paper"}, "form: expected one of slides, code; got 'paper'"),
        ({"size": (32, 64)}, r"size: expected at least 59 pixels a side, got \(32, 64\)"),
        ({"form": "code", "z_dim": 8}, "z_dim: expected a multiple of 5 steps, got 8"),
    ],
)
def test_networks_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        net(**options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": "paper"}, "form: expected one of slides, code; got 'paper'"),
        ({"model": "gan"}, "model: expected one of vae, regressor; got 'gan'"),
        ({"steps": 0}, "steps: expected a positive integer, got 0"),
        ({"kl_weight": -1}, "kl_weight: expected a number at least 0, got -1"),
        ({"learning_rate": 0}, "learning_rate: expected a number above 0, got 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)


def test_a_past_of_another_shape_is_named(tracks):
    with pytest.raises(ValueError, match=r"past: expected \(3, 18, 3\), got \(22, 18, 3\)"):
        net().sample(tracks.pose[0], tracks.image[0], 2)
    with pytest.raises(ValueError, match=r"image: expected \(3, 64, 64\)"):
        net().sample(tracks.past[0], tracks.image[0, :, :60], 2)


# ---- Losses and training -------------------------------------------------------------------------


def test_the_kl_is_zero_for_the_prior_and_agrees_with_torch():
    assert (gaussian_kl(torch.zeros(3, 4), torch.zeros(3, 4)) == 0).all()
    mean, log_variance = torch.randn(3, 4), torch.randn(3, 4)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(q, torch.distributions.Normal(0, 1))
    assert torch.allclose(gaussian_kl(mean, log_variance), expected, atol=1e-5)


def test_a_reparameterised_code_lets_the_gradient_through():
    mean = torch.zeros(2, 3, requires_grad=True)
    log_variance = torch.full((2, 3), math.log(4.0), requires_grad=True)
    z = reparameterise(mean, log_variance, torch.ones(2, 3))
    assert torch.allclose(z, torch.tensor(2.0))
    z.sum().backward()
    assert torch.allclose(mean.grad, torch.ones(2, 3))
    assert torch.allclose(log_variance.grad, torch.ones(2, 3))  # sigma noise / 2


def test_the_terms_of_the_loss_add_up_to_the_total(tracks):
    state = vae_steps.new_state(replace(TINY, kl_weight=0.3, pose_weight=0.7))
    picture = state.models["vae"].picture(tracks.past[:8, -1], tracks.image[:8])
    loss = vae_steps.forward_loss(
        state, tracks.past[:8], tracks.future[:8], picture, torch.randn(8, 4)
    )
    total = loss.direction + loss.magnitude + loss.past + 0.3 * loss.kl + 0.7 * loss.pose
    assert torch.allclose(loss.total, total)


class Walker:
    """In the place of the network: goes one way with the code 0, another with 1."""

    def __init__(self, *poses):
        self.poses = poses

    def decode_freely(self, memory, z, now):
        return Future(steps=None, poses=self.poses[int(z)])


def test_without_a_teacher_joints_must_arrive_and_imagined_limbs_keep_their_lengths(tracks):
    true = tracks.future[:4]
    off, large = true[..., :2] + 6.4, true[..., :2] * 1.5  # off by a tenth of the picture, twice
    strict = replace(TINY, bone_weight=2.0)
    free = replace(TINY, bone_weight=0.0)

    def error(reached, imagined, settings_):
        walker = Walker(reached, imagined)
        return vae_steps.free_run_error(walker, None, 0, 1, true[:, 0], true, settings_)

    assert error(off, off, free).item() == pytest.approx(2.0, rel=1e-3)
    assert error(true[..., :2], large, free) == 0
    assert error(true[..., :2], off, strict).item() == pytest.approx(0, abs=1e-6)
    lengths = evaluate.bone_lengths(true[..., :2] / 6.4)
    expected = 2 * (0.5 * lengths).square().mean()
    assert error(true[..., :2], large, strict).item() == pytest.approx(expected.item(), rel=1e-3)
    assert error(off, off, replace(TINY, pose_weight=0.0)) is None


def test_the_kl_weight_warms_up():
    warm = replace(TINY, kl_weight=2.0, kl_warmup=10)
    weights = [vae_steps.kl_weight(warm, step) for step in (0, 4, 9, 500)]
    assert weights == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert vae_steps.kl_weight(TINY, 0) == TINY.kl_weight


def test_training_brings_the_loss_down(tracks):
    state = vae_steps.new_state(replace(TINY, steps=50, learning_rate=5e-3, kl_weight=1e-3))
    records = list(vae_steps.train(state, tracks))
    assert [record["step"] for record in records] == list(range(1, 51))
    assert {"total", "direction", "magnitude", "past", "kl", "pose"} < records[0].keys()
    first, last = (sum(r["total"] for r in part) / 5 for part in (records[:5], records[-5:]))
    assert last < 0.7 * first


def test_a_run_stopped_and_resumed_ends_as_one_that_never_was(tracks, tmp_path):
    whole = vae_steps.new_state(TINY)
    list(vae_steps.train(whole, tracks))
    begun = vae_steps.new_state(TINY)
    for record in vae_steps.train(begun, tracks):
        if record["step"] == 3:
            break
    save_checkpoint(tmp_path / "half", begun)
    resumed = vae_steps.new_state(TINY)
    load_checkpoint(tmp_path / "half", resumed)
    list(vae_steps.train(resumed, tracks))
    for a, b in zip(whole.models["vae"].parameters(), resumed.models["vae"].parameters(),
                    strict=True):  # fmt: skip
        assert torch.equal(a, b)


def test_the_regressor_has_one_future_and_no_kl(tracks):
    state = vae_steps.new_state(replace(TINY, model="regressor", steps=2))
    records = list(vae_steps.train(state, tracks))
    assert "kl" not in records[0]
    samples = vae_samples.sample(state, tracks.subset([0, 1]), 3)
    assert torch.equal(samples[:, 0], samples[:, 2])
    assert all(p.grad is None for p in state.models["vae"].future_encoder.parameters())


def test_the_vaes_samples_differ_and_come_in_the_same_order_for_more(tracks):
    state, few = vae_steps.new_state(TINY), tracks.subset([0, 1])
    three, five = vae_samples.sample(state, few, 3), vae_samples.sample(state, few, 5)
    assert three.shape == (2, 3, 5, 18, 2)
    assert torch.allclose(three, five[:, :3], atol=1e-4)
    assert not torch.allclose(three[:, 0], three[:, 1])


def test_the_mean_future_is_the_one_at_the_middle_of_the_prior(tracks):
    state, few = vae_steps.new_state(TINY), tracks.subset([0, 1])
    expected = state.models["vae"].imagine(few.past, few.image, torch.zeros(2, 1, 4))[:, 0]
    assert torch.equal(vae_samples.mean_future(state, few), expected)


def test_pictures_of_another_size_are_refused(tracks):
    state = vae_steps.new_state(replace(TINY, size=(64, 80)))
    with pytest.raises(ValueError, match=r"tracks.image: expected \(N, 3, 64, 80\)"):
        next(vae_steps.train(state, tracks))


# ---- Best of n and the baselines -----------------------------------------------------------------


def test_best_of_n_takes_the_nearest_of_the_first_n():
    truth = torch.zeros(1, 5, 18, 2)
    samples = torch.stack([truth[0] + away for away in (2.0, 3.0, 1.0)])[None]
    assert best_of_n_error(samples, truth, n=1).item() == pytest.approx(8.0)  # 2² + 2²
    assert best_of_n_error(samples, truth, n=2).item() == pytest.approx(8.0)
    assert best_of_n_error(samples, truth).item() == pytest.approx(2.0)
    assert best_of_n_curve(samples, truth).tolist() == pytest.approx([8.0, 8.0, 2.0])


def test_best_of_n_is_chosen_for_each_example_and_for_its_whole_future():
    truth = torch.zeros(2, 2, 1, 2)
    samples = torch.ones(2, 2, 2, 1, 2)
    samples[0, 0], samples[1, 1] = 0.0, 0.0
    assert best_of_n_error(samples, truth).item() == 0
    samples = torch.ones(1, 2, 2, 1, 2)
    samples[0, 0, 0], samples[0, 1, 1] = 0.0, 0.0  # each is right at one step only
    assert best_of_n_error(samples, truth[:1]).item() == pytest.approx(1.0)


def test_more_samples_than_there_are_cannot_be_asked_for():
    with pytest.raises(ValueError, match="n: expected at most 3 samples, got 4"):
        best_of_n_error(torch.zeros(2, 3, 5, 18, 2), torch.zeros(2, 5, 18, 2), n=4)
    with pytest.raises(ValueError, match=r"truth: expected \(2, 5, 18, 2\)"):
        best_of_n_error(torch.zeros(2, 3, 5, 18, 2), torch.zeros(2, 4, 18, 2))


def test_constant_velocity_is_right_for_a_body_that_glides(tracks):
    pose = tracks.pose[:2, :1].repeat(1, 22, 1, 1)
    pose[..., 0] += torch.arange(22.0)[:, None]
    gliding = replace(tracks.subset([0, 1]), pose=pose)
    truth = gliding.future[..., :2]
    assert best_of_n_error(evaluate.constant_velocity(gliding)[:, None], truth) < 1e-6
    still = evaluate.standing_still(gliding)
    assert best_of_n_error(still[:, None], truth).item() == pytest.approx(99.0)  # mean (3k)²


def test_the_nearest_neighbour_of_a_training_track_is_itself_wherever_it_stands(tracks):
    pose = tracks.pose.clone()
    pose[..., 0] += 7
    moved = replace(tracks, pose=pose)
    found = evaluate.nearest_neighbour(moved, tracks, k=3)
    assert found.shape == (24, 3, 5, 18, 2)
    assert torch.allclose(found[:, 0], moved.future[..., :2], atol=1e-3)


def test_bones_of_a_body_that_swells_grow(tracks):
    now = tracks.past[:4, -1, :, :2]
    same = now[:, None, None].repeat(1, 2, 5, 1, 1)
    assert evaluate.bone_growth(same, now).item() == pytest.approx(0, abs=1e-5)
    assert evaluate.bone_growth(1.2 * same, now).item() == pytest.approx(0.2, abs=1e-4)
    assert evaluate.bone_change(0.9 * same, now).item() == pytest.approx(0.1, abs=1e-4)


def test_active_dimensions_are_those_above_a_hundredth_of_a_nat():
    assert evaluate.active_dimensions(torch.tensor([0.0, 0.009, 0.011, 3.0])) == 2


def test_clusters_are_of_the_samples_that_move_most():
    now = torch.zeros(18, 2)
    ways = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1], [1, 1]])
    lively = ways.repeat(4, 1)[:, None, None] * 10 + torch.zeros(20, 5, 18, 2)
    idle = torch.randn(180, 5, 18, 2, generator=torch.Generator().manual_seed(0)) * 0.1
    found = evaluate.clusters(torch.cat([idle, lively]), now, k=5, share=0.1)
    assert found.shape == (5, 5, 18, 2)
    assert (found.abs().amax((1, 2, 3)) == 10).all()


# ---- Presets and pictures ------------------------------------------------------------------------


def test_every_model_has_every_preset_and_the_regressor_differs_in_z_alone():
    for name in ("vae", "regressor"):
        assert list(MODELS[name]) == ["smoke", "laptop", "gpu", "paper"]
    for preset, of_vae in MODELS["vae"].items():
        assert MODELS["regressor"][preset] == replace(of_vae, model="regressor")


def test_the_papers_preset_is_the_authors():
    paper = MODELS["vae"]["paper"]
    assert (paper.width, paper.z_dim, paper.batch_size, paper.steps) == (1024, 20, 32, 80_000)
    assert paper.kl_weight == pytest.approx(2.5e-4 * 32)
    assert (paper.kl_warmup, paper.pose_weight, paper.learning_rate) == (0, 0.0, 1e-3)


def test_between_two_step_ends_joints_go_straight():
    ends = torch.arange(3.0)[None, :, None, None].expand(1, 3, 18, 2) * 3
    assert between(ends, 3)[0, :, 0, 0].tolist() == pytest.approx([0, 1, 2, 3, 4, 5, 6])


def test_films_of_futures_begin_with_the_true_one(tracks):
    films = pose_futures.future_films(tracks, 0, tracks.future[:2, ..., :2])
    assert films.shape == (3, 3, 22, 64, 64)
    true = skeleton.draw(tracks.step_ends[0], height=64, width=64).transpose(0, 1)
    assert torch.allclose(films[0, :, ::3], true, atol=1e-4)
    assert torch.allclose(films[1, :, ::3], true, atol=1e-4)  # this sample is the truth
    assert not torch.allclose(films[2, :, 9:], films[1, :, 9:])


def test_a_run_leaves_pictures(tracks, tmp_path):
    state = pose_futures.new_state(TINY)
    pose_futures.write_samples(state, tracks, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"samples.png", "samples.mp4"}


def test_other_data_than_there_are_is_refused():
    with pytest.raises(ValueError, match="--data: expected one of mocap; got 'street'"):
        pose_futures.load_data(TINY, "street")
