"""The keypoint network: the mean place under a map, and joints it learns to find."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidgen_lite.keypoints import (
    KeypointNetwork,
    map_error,
    pose_error,
    read_poses,
    soft_argmax,
    train_keypoints,
)


def dots(n: int, size: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Black pictures with one bright dot, where all 18 joints are."""
    random = torch.Generator().manual_seed(seed)
    places = torch.rand(n, 1, 2, generator=random) * (size - 6) + 3
    axis = torch.arange(size) + 0.5
    far_x, far_y = (axis - places[:, :, 0]), (axis - places[:, :, 1])
    glow = (-(far_x[:, None, :] ** 2 + far_y[:, :, None] ** 2) / 8).exp()
    frames = (2 * glow - 1)[:, None].expand(-1, 3, -1, -1)
    poses = torch.cat([places.expand(-1, 18, -1), torch.ones(n, 18, 1)], -1)
    return frames.contiguous(), poses


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0])
def test_a_map_with_one_bright_pixel_puts_the_joint_at_its_centre(scale: float):
    maps = torch.zeros(2, 6, 9)
    maps[0, 4, 7] = maps[1, 0, 0] = 1
    wanted = torch.tensor([[7.5, 4.5], [0.5, 0.5]]) * scale
    assert torch.equal(soft_argmax(maps, scale=scale), wanted)


def test_a_map_split_between_two_pixels_puts_the_joint_between_them():
    maps = torch.zeros(4, 4)
    maps[1, 0] = maps[1, 3] = 0.5
    assert soft_argmax(maps).tolist() == [2.0, 1.5]


def test_every_joint_has_a_map_of_half_the_pictures_sides_that_sums_to_one():
    network = KeypointNetwork(width=2)
    maps = network.heatmaps(torch.randn(2, 3, 16, 24))
    assert maps.shape == (2, 18, 8, 12)
    torch.testing.assert_close(maps.sum((-2, -1)), torch.ones(2, 18))


def test_joints_lie_inside_the_picture_and_follow_the_maps():
    network = KeypointNetwork(width=2).eval()
    frames = torch.randn(3, 3, 16, 24)
    joints = network(frames)
    assert joints.shape == (3, 18, 2)
    assert ((joints > 0) & (joints < torch.tensor([24.0, 16.0]))).all()
    assert torch.equal(joints, soft_argmax(network.heatmaps(frames), scale=2.0))


def test_the_error_is_the_mean_distance_over_the_joints_that_are_seen():
    poses = torch.ones(2, 18, 3)
    joints = poses[..., :2].clone()
    joints[0, 0] += torch.tensor([3.0, 4.0])
    assert pose_error(joints, poses).item() == pytest.approx(5 / 36, abs=2e-3)
    poses[..., 2] = 0.0
    poses[0, :2, 2] = 1.0
    assert pose_error(joints, poses).item() == pytest.approx(5 / 2, abs=2e-3)


def test_a_joint_that_is_not_seen_may_be_nowhere():
    joints = torch.zeros(1, 18, 2, requires_grad=True)
    poses = torch.ones(1, 18, 3)
    poses[0, 5] = torch.tensor([torch.nan, torch.nan, 0.0])
    pose_error(joints, poses).backward()
    assert joints.grad.isfinite().all()
    assert (joints.grad[0, 5] == 0).all()


def test_the_map_error_is_least_for_a_spot_round_the_joint():
    poses = torch.full((1, 18, 3), 9.0)
    y, x = torch.meshgrid(torch.arange(8) + 0.5, torch.arange(8) + 0.5, indexing="ij")

    def error(px: float, py: float, sigma: float) -> float:
        scores = -((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)
        maps = scores.flatten().log_softmax(0).view(1, 1, 8, 8).expand(1, 18, 8, 8)
        return map_error(maps, poses).item()

    best = error(4.5, 4.5, 1.0)
    assert all(best < error(*other) for other in ((5.5, 4.5, 1), (4.5, 3.5, 1), (4.5, 4.5, 9)))


def test_an_error_over_nothing_or_over_other_shapes_is_refused():
    poses = torch.ones(2, 18, 3)
    with pytest.raises(ValueError, match=r"joints, poses: expected .* got \(2, 17, 2\)"):
        pose_error(torch.zeros(2, 17, 2), poses)
    with pytest.raises(ValueError, match="poses: expected at least one joint"):
        pose_error(torch.zeros(2, 18, 2), poses * 0)
    with pytest.raises(ValueError, match="multiples of 8, got"):
        KeypointNetwork(width=1)(torch.zeros(1, 3, 20, 16))
    frames, labels = dots(4)
    with pytest.raises(ValueError, match=r"poses: expected \(4, 18, 3\), got \(3, 18, 3\)"):
        next(train_keypoints(KeypointNetwork(width=1), frames, labels[:3], steps=1))
    with pytest.raises(ValueError, match="width: expected a positive integer, got 0"):
        KeypointNetwork(width=0)


def test_the_network_learns_to_find_a_dot_it_has_not_seen():
    torch.manual_seed(0)
    network = KeypointNetwork(width=4)
    records = list(train_keypoints(network, *dots(256), steps=60, learning_rate=1e-2))
    assert [record["step"] for record in records] == list(range(1, 61))
    assert all(record.keys() == {"step", "error", "map"} for record in records)
    assert not network.training
    frames, poses = dots(32, seed=1)
    with torch.no_grad():
        error = pose_error(network(frames), poses)
    centre = pose_error(torch.full((32, 18, 2), 8.0), poses)
    assert error < 0.4 * centre


def test_training_is_the_same_for_a_seed_and_for_bytes():
    frames, poses = dots(16)
    frames = ((frames + 1) * 127.5).round() / 127.5 - 1

    def trained(pictures: Tensor) -> list[dict[str, float]]:
        torch.manual_seed(0)
        network = KeypointNetwork(width=2)
        return list(train_keypoints(network, pictures, poses, steps=3, batch_size=4))

    first = trained(frames)
    assert trained(frames) == first
    assert trained(((frames + 1) * 127.5).round().to(torch.uint8)) == first


def test_poses_are_read_frame_by_frame_and_training_goes_on_as_it_was():
    network = KeypointNetwork(width=2)
    video = torch.randn(2, 3, 5, 16, 16)
    found = read_poses(network, video)
    assert network.training
    assert found.shape == (2, 5, 18, 2)
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(found[1, 3], network(video[1:, :, 3])[0])
