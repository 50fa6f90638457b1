"""Lecture 1: the losses, what they come to when D is perfect, and the GAN in the plane."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import matplotlib
import pytest
import torch
from torch import nn

from vidgen_lite import gan_objective
from vidgen_lite.gan_objective import KINDS, Settings
from vidgen_lite.training import load_checkpoint, save_checkpoint

matplotlib.use("Agg")
LOG4 = math.log(4)


def slope(loss, logit: float, dtype: torch.dtype = torch.float32) -> float:
    """The derivative of a loss of one logit."""
    s = torch.tensor([logit], dtype=dtype, requires_grad=True)
    loss(s).backward()
    return s.grad.item()


# ---- Losses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("logit", [-100.0, 100.0])
def test_losses_and_gradients_are_right_at_logits_of_a_hundred(kind, logit, dtype):
    s = torch.tensor([[logit]], dtype=dtype, requires_grad=True)
    sure = {True: 100.0, False: 0.0}  # softplus(100) and softplus(-100), to float32's last digit
    loss = gan_objective.discriminator_loss(s, s, kind=kind)
    g = gan_objective.generator_loss(s, kind=kind)
    if kind == "least_squares":
        expected = {"real": (logit - 1) ** 2 / 2, "fake": logit**2 / 2, "g": (logit - 1) ** 2 / 2}
        slopes = {"d": 2 * logit - 1, "g": logit - 1}
    else:
        expected = {"real": sure[logit < 0], "fake": sure[logit > 0]}
        minimax = kind == "minimax"
        expected["g"] = -expected["fake"] if minimax else expected["real"]
        slopes = {"d": math.copysign(1, logit)}
        slopes["g"] = -float(logit > 0) if minimax else -float(logit < 0)
    measured = {"real": loss.real.item(), "fake": loss.fake.item(), "g": g.item()}
    assert measured == pytest.approx(expected, abs=1e-30)
    assert loss.total.item() == pytest.approx(expected["real"] + expected["fake"])
    (d_slope,) = torch.autograd.grad(loss.total, s)
    (g_slope,) = torch.autograd.grad(g, s)
    assert d_slope.item() == pytest.approx(slopes["d"], rel=0.01)  # bfloat16 has 8 bits
    assert g_slope.item() == pytest.approx(slopes["g"], rel=0.01, abs=1e-30)
    assert loss.total.dtype == g.dtype == torch.float32


def test_against_a_confident_discriminator_only_the_minimax_generator_learns_nothing():
    slopes = {
        kind: abs(slope(lambda s, k=kind: gan_objective.generator_loss(s, kind=k), -30.0))
        for kind in KINDS
    }
    assert slopes["minimax"] < 1e-12
    assert slopes["non_saturating"] == pytest.approx(1)
    assert slopes["least_squares"] == pytest.approx(31)


def test_where_d_is_undecided_minimax_and_non_saturating_agree():
    for kind in ("minimax", "non_saturating"):
        assert slope(lambda s, k=kind: gan_objective.generator_loss(s, kind=k), 0.0) == -0.5


def test_the_discriminator_minimises_minus_the_value_and_minimax_minimises_its_second_half():
    real, fake = torch.randn(7), torch.randn(5, 1)
    loss = gan_objective.discriminator_loss(real, fake, kind="minimax")
    torch.testing.assert_close(gan_objective.value(real, fake), -loss.total)
    torch.testing.assert_close(gan_objective.generator_loss(fake, kind="minimax"), -loss.fake)
    assert gan_objective.discriminator_loss(real, fake, kind="non_saturating") == loss


def test_a_mean_over_a_batch_is_the_mean_of_its_halves():
    # What several processes rely on: each computes its share, and the shares are averaged.
    real, fake = torch.randn(8, 1), torch.randn(8, 1)
    for kind in KINDS:
        whole = gan_objective.discriminator_loss(real, fake, kind=kind).total
        halves = [
            gan_objective.discriminator_loss(real[part], fake[part], kind=kind).total
            for part in (slice(4), slice(4, 8))
        ]
        torch.testing.assert_close(whole, sum(halves) / 2)


def test_an_undecided_discriminator_is_worth_minus_log_4():
    assert gan_objective.value(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(-LOG4)


def test_r1_is_the_hand_computed_squared_gradient():
    # s(x) = x . x has the gradient 2 x, so the penalty is the mean of 4 x . x = 4 (5 + 25) / 2.
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert gan_objective.r1_penalty((x**2).sum(1), x).item() == 60


def test_r1_takes_any_shape_of_samples_and_can_be_trained_through():
    clips = torch.randn(2, 3, 4, 5, 6, requires_grad=True)
    critic = nn.Conv3d(3, 1, (4, 5, 6))
    penalty = gan_objective.r1_penalty(critic(clips).flatten(), clips)
    torch.testing.assert_close(penalty, critic.weight.square().sum())
    penalty.backward()
    torch.testing.assert_close(critic.weight.grad, 2 * critic.weight.detach())


# ---- A perfect discriminator ---------------------------------------------------------------------


def grid_densities(distance: float) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Two Gaussians in one dimension on a grid, and the grid's cell."""
    x = torch.linspace(-20, 20, 4001, dtype=torch.float64)
    cell = (x[1] - x[0]).item()
    made = [gan_objective.Mixture(((m,),), 1.0).density(x[:, None]) for m in (0.0, distance)]
    return made[0], made[1], cell


def test_no_discriminator_beats_the_optimal_one():
    p, q, cell = grid_densities(1.5)
    best = gan_objective.optimal_discriminator(p, q)

    def worth(d):
        return ((p * d.log() + q * (1 - d).log()).sum() * cell).item()

    torch.testing.assert_close(best, p / (p + q))
    wave = 0.1 * torch.linspace(0, 50, len(p), dtype=torch.float64).sin()
    for other in (best.clamp(0.05, 0.95), (best.logit() + wave).sigmoid(), torch.full_like(p, 0.5)):
        assert worth(other) < worth(best)


def test_a_discriminator_trained_on_samples_comes_to_the_optimal_one():
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    data = gan_objective.Mixture(((-1.0,), (1.0,)), 0.5)
    other = gan_objective.Mixture(((0.5,),), 1.0)
    d = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    adam = torch.optim.Adam(d.parameters(), 1e-2)
    for _ in range(300):
        real, fake = data.sample(512, random), other.sample(512, random)
        loss = gan_objective.discriminator_loss(d(real), d(fake), kind="minimax").total
        adam.zero_grad()
        loss.backward()
        adam.step()
    x = torch.linspace(-4, 4, 401)[:, None]
    p, q = data.density(x), other.density(x)
    error = (d(x).sigmoid().flatten() - gan_objective.optimal_discriminator(p, q)).abs()
    assert (error * (p + q)).sum() / (p + q).sum() < 0.05


def test_where_nothing_has_density_the_optimal_discriminator_shrugs():
    p, q = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    assert gan_objective.optimal_discriminator(p, q).tolist() == [1, 0, 0.5]


def test_jensen_shannon_is_symmetric_and_runs_from_0_to_log_2():
    p, q, cell = grid_densities(2.0)
    between = gan_objective.jensen_shannon(p, q, cell=cell)
    torch.testing.assert_close(between, gan_objective.jensen_shannon(q, p, cell=cell))
    assert 0 < between < math.log(2)
    assert gan_objective.jensen_shannon(p, p, cell=cell) == 0
    apart = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert gan_objective.jensen_shannon(*apart).item() == pytest.approx(math.log(2))


def test_the_game_is_worth_minus_log_4_to_a_perfect_generator_and_0_to_a_hopeless_one():
    p, _, cell = grid_densities(0.0)
    assert gan_objective.optimal_value(p, p, cell=cell).item() == pytest.approx(-LOG4)
    apart = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert gan_objective.optimal_value(*apart).item() == pytest.approx(0)


def test_pearson_is_the_least_squares_value_at_its_best_scores():
    # With targets -1 (fake), 1 (real), and 0 for the generator; see the chapter.
    p, q, cell = grid_densities(1.0)
    score = (p - q) / (p + q)
    both = (0.5 * (p + q) * score**2).sum() * cell
    pearson = gan_objective.pearson_chi_square(p, q, cell=cell)
    torch.testing.assert_close(2 * both, pearson)
    # With the targets that the library uses, 0, 1 and 1.
    score = gan_objective.optimal_discriminator(p, q)
    both = (0.5 * (p + q) * (score - 1) ** 2).sum() * cell
    torch.testing.assert_close(both, 0.25 + pearson / 8)


# ---- Bad input -----------------------------------------------------------------------------------

GOOD = torch.zeros(3)
HALF = torch.tensor([0.5, 0.5])
BAD_CALLS = {
    "kind: expected one of minimax, non_saturating, least_squares; got 'wasserstein'": (
        lambda: gan_objective.discriminator_loss(GOOD, GOOD, kind="wasserstein")
    ),
    "kind: expected one of minimax, non_saturating, least_squares; got 'hinge'": (
        lambda: gan_objective.generator_loss(GOOD, kind="hinge")
    ),
    "fake_logits: expected at least one value, got shape (0, 1)": (
        lambda: gan_objective.value(GOOD, torch.zeros(0, 1))
    ),
    "reals: expected the tensor that real_logits was computed from": (
        lambda: gan_objective.r1_penalty(GOOD, GOOD)
    ),
    "q: expected p's shape (2,), got (3,)": (
        lambda: gan_objective.optimal_discriminator(HALF, GOOD)
    ),
    "p: expected finite densities of at least 0": (
        lambda: gan_objective.optimal_discriminator(-HALF, HALF)
    ),
    "q: expected a density of total 1, got 2": (
        lambda: gan_objective.jensen_shannon(HALF, 2 * HALF)
    ),
    "n_modes: expected a positive integer, got 0": lambda: gan_objective.ring(0),
    "steps: expected a positive integer, got -1": lambda: Settings(steps=-1),
    "kind: expected one of minimax, non_saturating, least_squares; got 'gan'": (
        lambda: Settings(kind="gan")
    ),
    "z: expected (B, 2), got (4, 3)": lambda: gan_objective.Generator2D()(torch.zeros(4, 3)),
    "x: expected (B, 2), got (4, 3)": lambda: gan_objective.Discriminator2D()(torch.zeros(4, 3)),
    "samples: expected (n, 2), got (5, 3)": (
        lambda: gan_objective.coverage(torch.zeros(5, 3), gan_objective.ring())
    ),
    "n_modes: expected a positive integer, got -1": lambda: Settings(n_modes=-1),
    "generator_rate: expected a number above 0, got 0": lambda: Settings(generator_rate=0),
    "discriminator_rate: expected a number above 0, got -1": (
        lambda: Settings(discriminator_rate=-1)
    ),
    "r1_weight: expected a number at least 0, got -0.5": lambda: Settings(r1_weight=-0.5),
    "average_decay: expected a number at least 0 and below 1, got 1": (
        lambda: Settings(average_decay=1)
    ),
    "beta1: expected a number at least 0 and below 1, got nan": lambda: Settings(beta1=math.nan),
    "centres: expected at least one, got none": lambda: gan_objective.Mixture((), 0.1),
    "spread: expected a number above 0, got 0": lambda: gan_objective.Mixture(((0.0,),), 0),
    "data: expected one of ring; got 'street'": (
        lambda: gan_objective.load_data(Settings(), "street")
    ),
}


@pytest.mark.parametrize("message", BAD_CALLS)
def test_bad_input_is_named(message: str):
    with pytest.raises(ValueError, match=r"^.") as caught:
        BAD_CALLS[message]()
    assert message in str(caught.value)


@pytest.mark.parametrize(("logits", "got"), [([1.0], "list"), (torch.ones(2).int(), "torch.int32")])
def test_logits_that_are_none_are_named(logits, got):
    with pytest.raises(TypeError) as caught:
        gan_objective.discriminator_loss(logits, GOOD, kind="minimax")
    assert str(caught.value) == f"real_logits: expected a floating-point torch.Tensor, got {got}"


def test_an_independent_tensor_is_no_data_for_r1():
    logits = nn.Linear(2, 1)(torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"^reals: expected the tensor that real_logits"):
        gan_objective.r1_penalty(logits, torch.zeros(3, 2, requires_grad=True))


# ---- The GAN in the plane ------------------------------------------------------------------------


def test_the_ring_is_where_its_density_says():
    data = gan_objective.ring(5, radius=1.0, spread=0.1)
    points = data.sample(1000, torch.Generator().manual_seed(0))
    assert points.shape == (1000, 2)
    found = gan_objective.coverage(points, data)
    assert found.modes == 5
    assert found.good > 0.99  # all but e^-8 of a Gaussian lies within four deviations
    line = torch.linspace(-2, 2, 401)
    total = data.density(torch.cartesian_prod(line, line)).sum() * (line[1] - line[0]) ** 2
    assert total.item() == pytest.approx(1, abs=1e-3)


def test_collapsed_and_scattered_samples_are_told_from_good_ones():
    data = gan_objective.ring(8)
    one_mode = torch.tensor(data.centres[:1]).repeat(100, 1)
    assert gan_objective.coverage(one_mode, data) == (1, 1.0)
    assert gan_objective.coverage(torch.zeros(100, 2), data) == (0, 0.0)
    few = torch.tensor(data.centres)[[0] * 97 + [1, 2, 3]]  # three modes with one sample each
    assert gan_objective.coverage(few, data) == (1, 1.0)


SHORT = Settings(steps=6, width=8, batch_size=16, r1_weight=0.1, discriminator_steps=2)


def weights(state) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, model in state.models.items()
        for key, value in model.state_dict().items()
    }


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def run(settings: Settings):
    state = gan_objective.new_state(settings)
    records = list(gan_objective.train(state, gan_objective.load_data(settings)))
    return state, records


def test_a_seed_gives_one_run_and_another_seed_another():
    (one, records), (again, same_records) = run(SHORT), run(SHORT)
    other, _ = run(dataclasses.replace(SHORT, seed=1))
    assert same(weights(one), weights(again))
    assert records == same_records
    assert not same(weights(one), weights(other))


def test_a_record_names_its_step_and_losses():
    _, records = run(SHORT)
    assert [record["step"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[0].keys() == {"step", "d_real", "d_fake", "d_r1", "g"}


@pytest.mark.parametrize("killed_after", [1, 4])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path, killed_after: int):
    whole, records = run(SHORT)
    data = gan_objective.load_data(SHORT)
    first = gan_objective.new_state(SHORT)
    for record in gan_objective.train(first, data):
        if record["step"] == killed_after:
            break
    save_checkpoint(tmp_path / "run.safetensors", first)
    resumed = gan_objective.new_state(dataclasses.replace(SHORT))
    load_checkpoint(tmp_path / "run.safetensors", resumed)
    assert list(gan_objective.train(resumed, data)) == records[killed_after:]
    assert same(weights(resumed), weights(whole))


def test_each_step_moves_its_own_player_only():
    from vidgen_lite.training import make_accelerator

    state = gan_objective.new_state(SHORT)
    accelerator = make_accelerator("no")
    real, z = torch.randn(16, 2), torch.randn(16, 2)

    def moved(step, *batch) -> set[str]:
        before = weights(state)
        step(state, *batch, accelerator)
        return {
            key.split(".")[0] for key, value in weights(state).items()
            if not torch.equal(before[key], value)
        }  # fmt: skip

    assert moved(gan_objective.discriminator_step, real, z) == {"discriminator"}
    assert moved(gan_objective.generator_step, z) == {"generator", "average"}
    # D was frozen for G's step only, and G's step left no gradient in it for D's next one.
    assert all(p.requires_grad for p in state.models["discriminator"].parameters())


def fresh_step():
    """A fresh run, one batch of data and noise, and what runs steps."""
    from vidgen_lite.training import make_accelerator

    random = torch.Generator().manual_seed(0)
    real, z = (torch.randn(16, 2, generator=random) for _ in range(2))
    return gan_objective.new_state(SHORT), real, z, make_accelerator("no")


def test_no_players_gradient_reaches_the_other():
    state, real, z, accelerator = fresh_step()
    gan_objective.discriminator_step(state, real, z, accelerator)
    assert all(p.grad is None for p in state.models["generator"].parameters())
    state, real, z, accelerator = fresh_step()
    gan_objective.generator_step(state, z, accelerator)
    assert all(p.grad is None for p in state.models["discriminator"].parameters())


def test_the_discriminator_goes_down_its_loss_plus_half_gamma_times_r1():
    state, real, z, accelerator = fresh_step()
    gan_objective.discriminator_step(state, real, z, accelerator)
    taken = [p.grad for p in state.models["discriminator"].parameters()]
    same_start, real, z, _ = fresh_step()
    d, real = same_start.models["discriminator"], real.requires_grad_()
    logits, fake = d(real), same_start.models["generator"](z)
    loss = gan_objective.discriminator_loss(logits, d(fake), kind=SHORT.kind).total
    total = loss + 0.5 * SHORT.r1_weight * gan_objective.r1_penalty(logits, real)
    wanted = torch.autograd.grad(total, list(d.parameters()), materialize_grads=True)
    torch.testing.assert_close(taken, list(wanted))


def test_every_step_sees_new_data_and_new_noise():
    seen = []

    class Watched:
        def sample(self, n, random):
            seen.append(torch.randn(n, 2, generator=random))
            return seen[-1]

    list(gan_objective.train(gan_objective.new_state(SHORT), Watched()))
    assert len(seen) == SHORT.steps * SHORT.discriminator_steps
    assert len({batch.sum().item() for batch in seen}) == len(seen)


def test_batch_statistics_let_d_tell_a_crowd_from_copies():
    torch.manual_seed(0)
    d = gan_objective.Discriminator2D(batch_statistics=True)
    crowd = torch.randn(64, 2)
    copies = crowd[:1].repeat(64, 1)
    assert (d(crowd)[0] - d(copies)[0]).abs() > 1e-3  # the very same point, in other company
    torch.testing.assert_close(d(crowd[:5], company=crowd), d(crowd)[:5])
    plain = gan_objective.Discriminator2D()
    torch.testing.assert_close(plain(crowd)[0], plain(copies)[0])


def test_any_differentiable_pair_can_be_trained():
    class Pictures:
        def sample(self, n, random):
            return torch.randn(n, 1, 4, 4, generator=random)

    pair = {
        "generator": nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (1, 4, 4))),
        "discriminator": nn.Sequential(nn.Flatten(), nn.Linear(16, 1)),
    }
    state = gan_objective.new_state(SHORT, **pair)
    assert len(list(gan_objective.train(state, Pictures()))) == 6
    assert gan_objective.sample(state, 3).shape == (3, 1, 4, 4)


def test_samples_are_the_averaged_generators_and_repeatable():
    state, _ = run(SHORT)
    assert torch.equal(gan_objective.sample(state, 5), gan_objective.sample(state, 5))
    one, other = (gan_objective.sample(state, 5, model=m) for m in ("average", "generator"))
    assert not torch.equal(one, other)


def test_a_few_hundred_steps_bring_samples_onto_the_ring():
    settings = Settings(steps=400)
    state, _ = run(settings)
    x = gan_objective.sample(state, 1000, model="generator")
    radius = x.norm(dim=1)
    assert (radius - 2).abs().mean() < 0.5  # untrained, it is 1.9
    assert x.mean(0).norm() < 1


def test_a_run_leaves_a_picture_of_its_samples(tmp_path: Path):
    gan_objective.write_samples(gan_objective.new_state(SHORT), gan_objective.ring(), tmp_path)
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_every_preset_can_be_started():
    for settings in gan_objective.MODELS["ring"].values():
        assert gan_objective.new_state(settings).settings == settings


# ---- Pictures ------------------------------------------------------------------------------------


def test_a_moment_of_the_game_can_be_drawn():
    import matplotlib.pyplot as plt

    from vidgen_lite.gan_objective.draw import draw_game

    for batch_statistics in (False, True):
        settings = dataclasses.replace(SHORT, batch_statistics=batch_statistics)
        figure, axes = plt.subplots()
        draw_game(axes, gan_objective.new_state(settings), gan_objective.ring())
        figure.canvas.draw()
        plt.close(figure)
