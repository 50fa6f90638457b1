"""What each number of lecture 4's tables says, on films for which the answer is known."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vidgen_lite.everybody_dance_now.evaluate import (
    body_boxes,
    change_error,
    flicker,
    missed_joints,
    over_boxes,
    perceptual_distance,
    pose_distance,
    read_joints,
    ssim,
)
from vidgen_lite.everybody_dance_now.face import face_boxes
from vidgen_lite.everybody_dance_now.losses import perceptual_loss
from vidgen_lite.everybody_dance_now.nearest import nearest_film, nearest_frames, pose_gaps
from vidgen_lite.everybody_dance_now.perceptual import PuppetFeatures, blur
from vidgen_lite.everybody_dance_now.tables import (
    PAPER_CROPS,
    PAPER_MISSED,
    PAPER_POSES,
    TRUTH,
    compare,
    table,
)
from vidgen_lite.keypoints import SCALE, KeypointNetwork, soft_argmax


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Uniform noise in [-1, 1]."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def standing(*shape: int, x: float = 16.0, y: float = 6.0, step: float = 1.0) -> Tensor:
    """Poses (*shape, 18, 3) of joints on a line downwards, all of them sure."""
    pose = torch.ones(18, 3)
    pose[:, 0], pose[:, 1] = x, y + step * torch.arange(18)
    return pose.expand(*shape, 18, 3).clone()


# ---- Structural similarity -----------------------------------------------------------------------


def plain_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """From the formula, window by window, for one frame (C, H, W) in float64."""
    away = np.arange(11) - 5
    window = np.exp(-(away[:, None] ** 2 + away**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for x, y in zip(a, b, strict=True):
        for i in range(x.shape[0] - 10):
            for j in range(x.shape[1] - 10):
                p, q = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
                m, n = (window * p).sum(), (window * q).sum()
                v, w = (window * (p - m) ** 2).sum(), (window * (q - n) ** 2).sum()
                covariance = (window * (p - m) * (q - n)).sum()
                c, d = 0.0004, 0.0036
                likeness = (2 * m * n + c) * (2 * covariance + d)
                values.append(likeness / ((m * m + n * n + c) * (v + w + d)))
    return float(np.mean(values))


def test_ssim_is_the_formula_window_by_window():
    a = noise(2, 3, 13, 17)
    b = (0.7 * a + 0.3 * noise(2, 3, 13, 17, seed=1)).clamp(-1, 1)
    wanted = [
        plain_ssim(*pair) for pair in zip(a.double().numpy(), b.double().numpy(), strict=True)
    ]
    assert ssim(a, b).tolist() == pytest.approx(wanted, abs=1e-6)
    assert 0.3 < wanted[0] < 0.95


def test_ssim_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = noise(3, 20, 24), noise(3, 20, 24, seed=1)
    wanted = metrics.structural_similarity(
        a.double().numpy(),
        b.double().numpy(),
        channel_axis=0,
        data_range=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(a[None], b[None]).item() == pytest.approx(wanted, abs=1e-6)


def test_ssim_of_a_frame_with_itself_is_one_and_of_checks_with_their_negative_nearly_minus_one():
    a = noise(2, 3, 16, 16)
    torch.testing.assert_close(ssim(a, a), torch.ones(2))
    i = torch.arange(16)
    checks = (-1.0) ** (i + i[:, None]).expand(1, 3, 16, 16)  # every window's mean is about 0
    assert ssim(checks, -checks).item() < -0.9


def test_ssim_minds_blur_and_hardly_a_shift_of_brightness():
    a = 0.8 * noise(1, 3, 24, 24)
    assert ssim(a, blur(a, 1.0)).item() < 0.7 < 0.95 < ssim(a + 0.5, a + 0.52).item()


def test_frames_too_small_for_a_window_are_refused():
    with pytest.raises(ValueError, match="a: expected sides of at least 11 pixels"):
        ssim(noise(1, 3, 10, 20), noise(1, 3, 10, 20))
    with pytest.raises(ValueError, match=r"b: expected \(1, 3, 12, 12\), got \(2, 3, 12, 12\)"):
        ssim(noise(1, 3, 12, 12), noise(2, 3, 12, 12))


# ---- What a network sees, and where --------------------------------------------------------------


def features() -> PuppetFeatures:
    torch.manual_seed(0)
    return PuppetFeatures(width=2).eval().requires_grad_(False)


def test_the_perceptual_distance_is_the_loss_frame_by_frame():
    phi, a, b = features(), noise(3, 3, 16, 24), noise(3, 3, 16, 24, seed=1)
    one_by_one = [
        perceptual_loss(phi(x[None]), phi(y[None]), phi.weights).total
        for x, y in zip(a, b, strict=True)
    ]
    torch.testing.assert_close(perceptual_distance(phi, a, b), torch.stack(one_by_one))
    assert perceptual_distance(phi, a, a).tolist() == [0, 0, 0]


def test_a_box_holds_all_joints_seen_and_lies_inside_the_frame():
    poses = standing(2, 5, y=20.0)  # joints from y = 20 to 37
    poses[0, 0, 17] = torch.tensor([60.0, 60.0, 0.0])  # not seen
    poses[0, 1, 17] = torch.tensor([500.0, 30.0, 1.0])  # outside
    boxes, there = body_boxes(poses, height=64, width=48, margin=0.0, least=8)
    assert there.all()
    assert boxes[1, 0].tolist() == [12, 20, 20, 37]
    assert boxes[0, 0].tolist() == boxes[0, 1].tolist() == [12, 20, 20, 36]
    wide, _ = body_boxes(poses, height=64, width=48, margin=1.0)
    assert wide[1, 0].tolist() == [0, 3, 33, 54]
    cut_off, _ = body_boxes(poses, height=64, width=48, margin=3.0)
    assert cut_off[1, 0].tolist() == [0, 0, 48, 64]


def test_a_box_at_the_edge_keeps_its_least_side():
    boxes, there = body_boxes(standing(1, x=47.5, y=46.0, step=0.0), height=48, width=48)
    assert there.all()
    assert boxes.tolist() == [[32, 32, 48, 48]]


def test_who_has_left_the_frame_or_is_nowhere_has_no_box():
    poses = standing(3, x=100.0)
    poses[1] = torch.nan
    poses[2, :, 0], poses[2, :, 2] = 10.0, 0.0
    boxes, there = body_boxes(poses, height=32, width=32)
    assert not there.any()
    assert not boxes.any()


def test_only_what_is_inside_the_boxes_is_compared():
    a = noise(2, 3, 2, 32, 32)
    b = a.clone()
    b[0, :, 0, :8] = 0  # above the box of the first frame
    b[1] = 0  # frames without a box
    boxes = torch.tensor([4, 8, 20, 24]).expand(2, 2, 4)
    there = torch.tensor([[True, True], [False, False]])
    assert over_boxes(ssim, a, b, boxes, there) == pytest.approx(1)
    b[0, :, 0, 8:12] = 0
    wanted = (ssim(a[:1, :, 0, 8:24, 4:20], b[:1, :, 0, 8:24, 4:20]).item() + 1) / 2
    assert over_boxes(ssim, a, b, boxes, there) == pytest.approx(wanted)
    assert math.isnan(over_boxes(ssim, a, b, boxes, there & False))


def test_boxes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="least: expected at most 12 pixels, got 16"):
        body_boxes(standing(1), height=12, width=64)
    with pytest.raises(ValueError, match="margin: expected a number at least 0, got -1"):
        body_boxes(standing(1), height=64, width=64, margin=-1)
    with pytest.raises(ValueError, match=r"poses: expected \(…, 18, 3\), got \(18, 2\)"):
        body_boxes(torch.zeros(18, 2), height=64, width=64)
    film = noise(1, 3, 2, 16, 16)
    with pytest.raises(ValueError, match=r"boxes: expected \(1, 2, 4\), got \(1, 3, 4\)"):
        over_boxes(ssim, film, film, torch.zeros(1, 3, 4), torch.ones(1, 2))


# ---- Poses read back -----------------------------------------------------------------------------


class Maps(KeypointNetwork):
    """A reader whose heat-maps are given."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__(width=1)
        self.maps = maps

    def heatmaps(self, frames: Tensor) -> Tensor:
        return self.maps.expand(len(frames), -1, -1, -1)


def spot(x: float, y: float, sigma: float = 1.0) -> Tensor:
    """A Gaussian spot in a map (16, 16) that sums to 1."""
    axis = torch.arange(16) + 0.5
    glow = torch.exp(-((axis - x) ** 2 + (axis[:, None] - y) ** 2) / (2 * sigma**2))
    return glow / glow.sum()


def test_a_joint_is_found_where_its_map_is_one_spot():
    maps = torch.stack([spot(8, 6)] * 18)
    maps[1] = 1 / 256  # knows nothing
    maps[2] = (spot(3, 3) + spot(12, 12)) / 2  # wavers
    maps[3] = 0.8 * spot(3, 3) + 0.2 * spot(12, 12)  # hardly wavers
    maps[4] = spot(0.5, 0.5)  # at the edge
    maps[5] = spot(8, 8, sigma=3.0)  # vague
    reader = Maps(maps)
    reader.train()
    places, found = read_joints(reader, torch.zeros(2, 3, 3, 32, 32))
    assert places.shape == (2, 3, 18, 2)
    assert found.shape == (2, 3, 18)
    missing = [j for j in range(18) if not found[1, 2, j]]
    assert missing == [1, 2, 5]
    torch.testing.assert_close(places[0, 0], soft_argmax(maps, scale=SCALE))
    assert reader.training


def test_an_untrained_reader_finds_next_to_nothing():
    torch.manual_seed(0)
    _, found = read_joints(KeypointNetwork(width=4), noise(1, 3, 2, 32, 32))
    assert found.float().mean() < 0.2


def test_the_pose_distance_counts_joints_that_are_there_and_found():
    poses = standing(3, 2)
    places = poses[..., :2].clone()
    places[0, 0, 0] += torch.tensor([3.0, 4.0])
    assert pose_distance(places, poses)[0].tolist() == pytest.approx([5 / 18, 0])
    found = torch.ones(3, 2, 18, dtype=torch.bool)
    found[0, 0, 9:] = False
    assert pose_distance(places, poses, found)[0, 0].item() == pytest.approx(5 / 9)
    poses[0, 0, 1:7, 2] = 0
    poses[0, 0, 7] = torch.tensor([torch.nan, torch.nan, 1.0])
    assert pose_distance(places, poses, found)[0, 0].item() == pytest.approx(5 / 2)
    found[2, 1] = False
    assert math.isnan(pose_distance(places, poses, found)[2, 1].item())


def test_a_joint_nobody_can_see_is_not_missed():
    poses = standing(2)
    found = torch.ones(2, 18, dtype=torch.bool)
    found[0, :5] = False
    assert missed_joints(found, poses).tolist() == [5, 0]
    poses[0, 3:, 2] = 0
    assert missed_joints(found, poses).tolist() == [3, 0]


def test_joints_that_do_not_fit_the_poses_are_refused():
    poses = standing(2)
    with pytest.raises(ValueError, match=r"places: expected \(2, 18, 2\), got \(3, 18, 2\)"):
        pose_distance(torch.zeros(3, 18, 2), poses)
    with pytest.raises(ValueError, match=r"found: expected \(2, 18\), got \(2, 17\)"):
        missed_joints(torch.ones(2, 17, dtype=torch.bool), poses)
    with pytest.raises(ValueError, match=r"video: expected \(N, 3, T, H, W\), got \(3, 32, 32\)"):
        read_joints(KeypointNetwork(width=1), torch.zeros(3, 32, 32))


# ---- Time ----------------------------------------------------------------------------------------


def moving_square() -> Tensor:
    """A film (1, 3, 4, 16, 24) in which a white square of 4 x 4 walks four pixels a frame."""
    film = torch.full((1, 3, 4, 16, 24), -0.5)
    for t in range(4):
        film[..., t, 6:10, 4 * t : 4 * t + 4] = 0.5
    return film


def test_the_truth_does_not_flicker():
    truth = moving_square()
    assert flicker(truth, truth) == 0
    assert change_error(truth, truth) == 0


def test_flicker_is_the_change_where_nothing_changes_in_the_truth():
    truth = moving_square()
    film = truth.clone()
    film[:, :, ::2] += 0.1
    assert flicker(film, truth) == pytest.approx(0.1, abs=1e-6)
    assert change_error(film, truth) == pytest.approx(0.1, abs=1e-6)
    one_colour = truth.clone()
    one_colour[:, 0, ::2] += 0.1
    assert flicker(one_colour, truth) == pytest.approx(0.1 / 3, abs=1e-6)


def test_what_trembles_near_a_mover_is_not_flicker_but_is_an_error():
    truth = moving_square()
    film = truth.clone()
    film[..., 1, 4:12, 4:8] = 0.5  # the square, two pixels too tall above and below
    assert flicker(film, truth) == 0
    assert flicker(film, truth, margin=1) > 0
    assert change_error(film, truth) > 0


def test_a_cameras_noise_is_still():
    truth = moving_square() + 0.02 * noise(1, 3, 4, 16, 24)
    assert flicker(truth, truth) == pytest.approx(0.02 * 2 / 3, rel=0.1)
    assert math.isnan(flicker(truth, truth, still=0.0))


def test_a_film_that_stands_still_has_the_truths_own_change_as_its_error():
    truth = moving_square()
    still = truth[:, :, :1].expand_as(truth)
    assert flicker(still, truth) == 0
    assert change_error(still, truth) == pytest.approx(truth.diff(dim=2).abs().mean().item())


@pytest.mark.parametrize("measure", [flicker, change_error])
def test_films_that_cannot_be_compared_in_time_are_refused(measure):
    with pytest.raises(ValueError, match="film: expected at least 2 frames, got 1"):
        measure(noise(1, 3, 1, 8, 8), noise(1, 3, 1, 8, 8))
    with pytest.raises(ValueError, match=r"truth: expected \(1, 3, 2, 8, 8\), got"):
        measure(noise(1, 3, 2, 8, 8), noise(1, 3, 3, 8, 8))


# ---- The nearest training frame ------------------------------------------------------------------


def test_the_gap_of_two_poses_is_the_mean_distance_of_their_joints():
    a, b = standing(2), standing(3)
    b[1, :, 0] += 3
    b[2, 0, :2] += torch.tensor([3.0, 4.0])
    wanted = torch.tensor([0, 3, 5 / 18]).expand(2, 3)
    torch.testing.assert_close(pose_gaps(a, b, missing=100.0), wanted)


def test_a_joint_that_only_one_pose_has_costs_and_one_that_neither_has_does_not():
    a, b = standing(1), standing(1)
    b[..., 0] += 2
    b[0, :9, 2] = 0
    assert pose_gaps(a, b, missing=10.0).item() == pytest.approx((9 * 2 + 9 * 10) / 18)
    assert pose_gaps(b, a, missing=10.0).item() == pytest.approx((9 * 2 + 9 * 10) / 18)
    a[0, :9] = torch.nan
    assert pose_gaps(a, b, missing=10.0).item() == pytest.approx(2)
    b[..., 2] = 0
    assert pose_gaps(a, b, missing=10.0).item() == math.inf


def test_a_dance_made_of_training_frames_is_put_together_from_them(random):
    frames, poses = noise(9, 3, 8, 8), standing(9)
    poses[..., :2] += 4 * torch.randn(9, 18, 2, generator=random)
    order = torch.tensor([[3, 1, 8], [0, 0, 5]])
    dance = poses[order]
    dance[..., :2] += 0.1 * torch.randn(2, 3, 18, 2, generator=random)
    assert torch.equal(nearest_frames(dance, poses), order)
    film = nearest_film(dance, frames, poses)
    assert film.shape == (2, 3, 3, 8, 8)
    assert torch.equal(film[0, :, 2], frames[8])


def test_a_face_that_is_turned_away_is_another_pose():
    training = standing(2)
    training[0, [0, 14, 15], 2] = 0  # turned away, in just the right place
    training[1, :, 0] += 0.2  # looks at us, a little beside it
    assert nearest_frames(standing(1, 1), training).item() == 1
    assert nearest_frames(standing(1, 1), training, missing=0.0).item() == 0


def test_a_frame_without_a_pose_keeps_the_neighbour_of_the_one_before():
    training = standing(4)
    training[..., 0] += 5 * torch.arange(4)[:, None]
    dance = training[[3, 1, 1, 2, 0]][None].clone()
    dance[0, [0, 2, 4], :, 2] = 0
    assert nearest_frames(dance, training).tolist() == [[1, 1, 1, 2, 2]]


def test_a_training_frame_without_a_pose_is_never_chosen():
    training = standing(3)
    training[0] = torch.nan
    training[1, :, 0] += 50
    training[2, :, 0] += 40
    assert nearest_frames(standing(1, 2), training).tolist() == [[2, 2]]


def test_where_nobody_is_seen_there_is_no_neighbour():
    nobody = standing(2, 3)
    nobody[1, ..., 2] = 0
    with pytest.raises(
        ValueError, match="poses: expected a joint that is seen, got a film without"
    ):
        nearest_frames(nobody, standing(4))
    with pytest.raises(ValueError, match="training_poses: expected a joint that is seen"):
        nearest_frames(standing(1, 2), nobody[1])
    with pytest.raises(ValueError, match="missing: expected a number at least 0, got -1"):
        nearest_frames(standing(1, 2), standing(4), missing=-1)
    with pytest.raises(ValueError, match=r"training_frames: expected \(4, 3, H, W\), got \(3, 3"):
        nearest_film(standing(1, 2), noise(3, 3, 8, 8), standing(4))


# ---- Tables --------------------------------------------------------------------------------------

METRICS = ["body SSIM", "body perceptual", "face SSIM", "face perceptual"]
READ = ["pose distance", "missed joints"]
TIME = ["flicker", "change error"]


def rows_of(reader: nn.Module | None = None, poses: Tensor | None = None) -> list[dict]:
    truth = blur(noise(8, 3, 32, 32), 1.0).view(2, 4, 3, 32, 32).transpose(1, 2).contiguous()
    truth[:, :, 1:] = truth[:, :, :1]  # nothing moves
    films = {"good": truth + 0.02 * noise(2, 3, 4, 32, 32), "bad": noise(2, 3, 4, 32, 32)}
    poses = standing(2, 4) if poses is None else poses
    return compare(films, truth, poses, features=features(), reader=reader)


def test_each_film_has_a_row_and_the_truth_the_first_one():
    rows = rows_of(Maps(torch.stack([spot(8, 6)] * 9 + [torch.full((16, 16), 1 / 256)] * 9)))
    assert [row["name"] for row in rows] == [TRUTH, "good", "bad"]
    assert all(list(row) == ["name", *METRICS, *READ, *TIME] for row in rows)
    true, good, bad = rows
    assert [true[key] for key in (*METRICS, *TIME)] == pytest.approx([1, 0, 1, 0, 0, 0])
    for key in (*METRICS, *TIME):
        in_order = [true[key], good[key], bad[key]]
        assert in_order == sorted(set(in_order), reverse="SSIM" in key)
    joints = standing(1)[0, :9, :2]
    wanted = (joints - torch.tensor([16.0, 12.0])).norm(dim=-1).mean().item()
    assert good["pose distance"] == pytest.approx(wanted, abs=1e-3)
    assert good["missed joints"] == 9


def test_without_a_reader_no_poses_are_read_and_without_a_face_no_face_is_measured():
    poses = standing(2, 4)
    poses[..., [0, 16, 17], 2] = 0
    rows = rows_of(poses=poses)
    assert all(list(row) == ["name", *METRICS, *TIME] for row in rows)
    assert all(math.isnan(row["face SSIM"]) for row in rows)
    assert "| – |" in table(rows)


def test_the_face_is_as_large_as_it_is_said_to_be():
    truth, film, poses = noise(1, 3, 2, 32, 32), noise(1, 3, 2, 32, 32, seed=1), standing(1, 2)
    for size, said in ((11, None), (20, 20)):  # a quarter of 32 is too small for a window
        (_, row) = compare({"film": film}, truth, poses, features=features(), face_size=said)
        boxes = face_boxes(poses, size=size, height=32, width=32)
        assert row["face SSIM"] == over_boxes(ssim, film, truth, *boxes)


def test_films_of_another_dance_are_refused():
    truth = noise(1, 3, 2, 32, 32)
    with pytest.raises(ValueError, match=re.escape("films['FBF']: expected (1, 3, 2, 32, 32)")):
        compare({"FBF": truth[:, :, :1]}, truth, standing(1, 2), features=features())
    with pytest.raises(ValueError, match=r"poses: expected \(1, 2, 18, 3\), got \(2, 18, 3\)"):
        compare({}, truth, standing(2), features=features())


def test_a_table_shows_the_best_of_each_column_in_bold_and_leaves_the_truth_out():
    rows = [
        {"name": TRUTH, "body SSIM": 1.0, "flicker": 0.125},
        {"name": "none", "body SSIM": math.nan, "flicker": 0.125},
        {"name": "FBF", "body SSIM": 0.9, "flicker": 0.25},
        {"name": "FBF+TS", "body SSIM": 0.875, "flicker": 0.125},
    ]
    assert table(rows, digits=2).splitlines() == [
        "| | body SSIM | flicker |",
        "|---|---:|---:|",
        "| the true film | 1.00 | 0.12 |",
        "| none | – | **0.12** |",
        "| FBF | **0.90** | 0.25 |",
        "| FBF+TS | 0.88 | **0.12** |",
    ]
    assert table(rows, ["flicker"], digits=1).splitlines()[0] == "| | flicker |"
    with pytest.raises(ValueError, match="columns: 'the true film' has no 'body LPIPS'"):
        table(rows, ["body LPIPS"])
    with pytest.raises(ValueError, match="rows: expected at least one, got none"):
        table([])


def test_the_papers_tables_show_where_temporal_smoothing_is_worse():
    plain, smooth, _ = PAPER_POSES
    assert [key for key in ("body", "face", "hands", "all") if smooth[key] > plain[key]] == ["body"]
    plain, smooth, _ = PAPER_MISSED
    assert [key for key in ("body", "face", "hands", "all") if smooth[key] > plain[key]] == [
        "hands"
    ]
    assert "**2.394**" in table(PAPER_POSES)
    best = table(PAPER_CROPS, digits=5).splitlines()[-1]
    assert best == "| + T.S. + Face | **0.89807** | **0.03066** | **0.83046** | **0.03304** |"


def test_what_the_papers_detector_misses_adds_up_over_body_face_and_hands():
    for row in PAPER_MISSED:
        assert row["body"] + row["face"] + row["hands"] == pytest.approx(row["all"], abs=2e-5)
