"""What each number of a results table says, shown on clips for which the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from vidgen_lite.metrics import (
    diversity,
    frechet_distance,
    mask_iou,
    motion_energy,
    mover,
    nearest_clips,
    still_flicker,
)


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def moving_square(n: int = 1, *, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """Black clips in which a white 4x4 square walks two pixels a frame; and its mask."""
    mask = torch.zeros(n, 1, 9, 16, 24)
    for t in range(9):
        mask[:, :, t, 6:10, 2 * t : 2 * t + 4] = 1
    video = (mask * 1.8 - 0.9).expand(-1, 3, -1, -1, -1)
    return video + noise * torch.randn(
        video.shape, generator=torch.Generator().manual_seed(1)
    ), mask


# ---- Fréchet distance ----------------------------------------------------------------------------


def exactly(mean: Tensor, spread: Tensor, random: torch.Generator, n: int = 40) -> Tensor:
    """Rows (n, D) whose mean and covariance are the wanted ones, not just nearly."""
    x = torch.randn(n, len(mean), generator=random, dtype=torch.float64)
    x = x - x.mean(0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T  # now white
    return x @ torch.linalg.cholesky(spread).T + mean


def covariance(d: int, random: torch.Generator) -> Tensor:
    root = torch.randn(d, d, generator=random, dtype=torch.float64)
    return root @ root.T + 0.1 * torch.eye(d, dtype=torch.float64)


def test_the_frechet_distance_of_a_set_to_itself_is_zero(random):
    features = torch.randn(30, 5, generator=random)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    shuffled = features[torch.randperm(30, generator=random)]
    assert frechet_distance(features, shuffled) == pytest.approx(0, abs=1e-6)


def test_the_frechet_distance_of_shifted_sets_is_the_squared_shift(random):
    features = torch.randn(30, 2, generator=random)
    assert frechet_distance(features, features + torch.tensor([3.0, 4.0])) == pytest.approx(25)


def test_the_frechet_distance_of_one_dimensional_gaussians_is_known(random):
    a, b = (
        exactly(torch.tensor([m], dtype=torch.float64), torch.tensor([[s**2]]).double(), random)
        for m, s in ((1.0, 2.0), (-1.0, 5.0))
    )
    assert frechet_distance(a, b) == pytest.approx((1 + 1) ** 2 + (2 - 5) ** 2)


def test_the_frechet_distance_agrees_with_a_matrix_square_root(random):
    d = 4
    means = torch.randn(2, d, generator=random, dtype=torch.float64)
    a, b = covariance(d, random), covariance(d, random)
    root = np.real(scipy.linalg.sqrtm((a @ b).numpy()))
    wanted = (means[0] - means[1]).square().sum().item()
    wanted += (a + b).trace().item() - 2 * np.trace(root)
    found = frechet_distance(exactly(means[0], a, random), exactly(means[1], b, random, n=25))
    assert found == pytest.approx(wanted, rel=1e-9)


def test_the_frechet_distance_is_symmetric_and_works_with_fewer_rows_than_columns(random):
    a, b = torch.randn(6, 20, generator=random), 2 * torch.randn(9, 20, generator=random)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))
    covariances = [np.cov(x.double().numpy().T) for x in (a, b)]
    root = np.linalg.eigvals(covariances[0] @ covariances[1])
    wanted = (a.double().mean(0) - b.double().mean(0)).square().sum().item()
    wanted += sum(np.trace(c) for c in covariances)
    wanted -= 2 * np.sqrt(np.clip(np.real(root), 0, None)).sum()
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-4)


def test_the_frechet_distance_is_never_negative(random):
    features = 1e4 + torch.randn(50, 8, generator=random)
    assert frechet_distance(features, features.flip(0)) >= 0


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(4, 3), r"b: expected \(M, 2\), got \(4, 3\)"),
        (torch.zeros(4), torch.zeros(4, 1), r"a: expected \(N, D\), got \(4,\)"),
        (torch.zeros(1, 2), torch.zeros(4, 2), "a, b: expected at least 2 rows each, got 1 and 4"),
        (torch.zeros(4, 2), torch.full((4, 2), math.nan), "b: expected finite features"),
        (torch.full((4, 2), math.inf), torch.zeros(4, 2), "a: expected finite features"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(a: Tensor, b: Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        frechet_distance(a, b)


# ---- Motion --------------------------------------------------------------------------------------


def still_clip() -> Tensor:
    """One random image held for eight frames (1, 3, 8, 6, 5), without a copy in memory."""
    image = torch.rand(1, 3, 1, 6, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return image.expand(-1, -1, 8, -1, -1)


def test_nothing_moves_in_a_still_clip():
    assert motion_energy(still_clip()) == 0
    assert still_flicker(still_clip()) == 0
    assert not mover(still_clip()).any()


def test_motion_energy_is_the_mean_change_of_a_pixel():
    ramp = torch.linspace(-1, 1, 9).view(1, 1, 9, 1, 1).expand(2, 3, 9, 4, 5)
    assert motion_energy(ramp) == pytest.approx(0.25)
    assert motion_energy(ramp.flip(2)) == pytest.approx(0.25)  # backwards is as much


def test_the_mover_is_the_moving_square_and_nothing_else():
    video, mask = moving_square(2)
    assert mover(video).shape == mask.shape
    assert torch.equal(mover(video), mask.bool())


def test_a_little_noise_is_no_mover():
    video, mask = moving_square(noise=0.02)
    assert torch.equal(mover(video), mask.bool())


def test_a_mover_that_stands_for_most_of_the_clip_is_missed_as_said():
    video, _ = moving_square()
    standing = torch.cat([video[:, :, :1].expand(-1, -1, 20, -1, -1), video], dim=2)
    assert not mover(standing)[:, :, 0].any()


def test_flicker_is_measured_where_nothing_moves():
    video, _ = moving_square()
    assert still_flicker(video) == 0
    assert motion_energy(video) > 0
    flickering = video.clone()
    flickering[:, :, ::2, :4] += 0.1  # rows that the square never touches
    rows = 4 / (16 - 4 * 20 / 24)  # their share of the still pixels: the square sweeps 4 x 20
    assert still_flicker(flickering) == pytest.approx(0.1 * rows, rel=1e-5)


def test_where_everything_moves_there_is_no_flicker_to_speak_of(random):
    assert math.isnan(still_flicker(torch.rand(1, 3, 8, 4, 4, generator=random) * 2 - 1))


@pytest.mark.parametrize("measure", [motion_energy, still_flicker, mover])
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 8, 4, 4), r"video: expected \(N, 3, T, H, W\), got \(3, 8, 4, 4\)"),
        ((2, 8, 3, 4, 4), r"video: expected \(N, 3, T, H, W\), got \(2, 8, 3, 4, 4\)"),
        ((2, 3, 1, 4, 4), "video: expected at least 2 frames, got 1"),
    ],
)
def test_a_video_of_another_shape_has_no_motion(measure, shape: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        measure(torch.zeros(shape))


# ---- Masks ---------------------------------------------------------------------------------------


def test_the_iou_of_a_mask_with_itself_is_one_and_with_its_opposite_zero():
    _, mask = moving_square()
    assert mask_iou(mask, mask) == 1
    assert mask_iou(mask, 1 - mask) == 0


def test_the_iou_counts_cells():
    mask, truth = torch.zeros(2, 1, 1, 2, 2), torch.zeros(2, 1, 1, 2, 2)
    mask[0, 0, 0, 0, :] = 0.6
    truth[0, 0, 0, :, 0] = 1
    truth[1, 0, 0, 0, 0] = 1
    assert mask_iou(mask, truth) == 1 / 4  # one cell in both, four in either
    assert mask_iou(mask - 0.2, truth) == 0  # cut at 1/2, nothing is left


def test_two_empty_masks_agree():
    empty = torch.zeros(1, 1, 2, 2, 2)
    assert mask_iou(empty, empty) == 1
    assert mask_iou(empty, empty + 1) == 0


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"truth: expected \(1, 1, 2, 2, 2\), got \(1, 2, 2, 2\)"):
        mask_iou(torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 2, 2, 2))


# ---- Diversity and memory ------------------------------------------------------------------------


def test_a_collapsed_set_has_no_diversity(random):
    row = torch.randn(1, 64, generator=random)
    assert diversity(row.expand(10, -1)) == 0
    many = 10 * torch.randn(1, 64, generator=random).expand(60, -1)
    assert diversity(many) == pytest.approx(0, abs=1e-2)


def test_diversity_is_the_mean_distance_of_two_different_rows():
    triangle = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert diversity(triangle) == pytest.approx((3 + 4 + 5) / 3)
    assert diversity(triangle[:2]) == pytest.approx(3)


@pytest.mark.parametrize("n", [0, 1])
def test_one_row_has_no_diversity_to_measure(n: int):
    with pytest.raises(ValueError, match=f"features: expected at least 2 rows, got {n}"):
        diversity(torch.zeros(n, 4))


@pytest.mark.parametrize("count", [5, 40])
def test_the_nearest_clip_of_a_copy_is_the_copied_one(count: int, random):
    clips = torch.rand(count, 3, 4, 6, 5, generator=random) * 2 - 1
    index, distance = nearest_clips(clips[[3, 1]], clips)
    assert index.tolist() == [3, 1]
    assert distance.max() < 1e-3


def test_the_distance_to_the_nearest_clip_is_a_root_mean_square(random):
    clips = torch.rand(6, 3, 4, 6, 5, generator=random) * 2 - 1
    index, distance = nearest_clips(clips[2:3] + 0.01, clips)
    assert index.tolist() == [2]
    assert distance.item() == pytest.approx(0.01, rel=1e-3)


def test_clips_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"clips: expected \(M, 3, 4, 6, 5\), got \(2, 3, 4, 6, 6"):
        nearest_clips(torch.zeros(1, 3, 4, 6, 5), torch.zeros(2, 3, 4, 6, 6))
