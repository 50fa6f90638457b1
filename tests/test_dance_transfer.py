"""A dance painted: frame from frame, with faces, over gaps, and when somebody leaves."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from vidgen_lite.everybody_dance_now import (
    FaceSettings,
    Settings,
    correct_faces,
    face_boxes,
    face_steps,
    feed_back,
    hold_poses,
    steps,
    transfer,
)
from vidgen_lite.everybody_dance_now.footage import draw_skeletons
from vidgen_lite.everybody_dance_now.transfer import CHUNK

SIZE = (16, 24)
SETTINGS = Settings(
    size=SIZE, width=2, downsamplings=1, blocks=1, discriminator_width=2, scales=1, steps=1,
    perceptual_weight=0.0,
)  # fmt: skip
FACE = FaceSettings(face_size=8, width=2, downsamplings=1, blocks=1, discriminator_width=2, steps=1)


def dances(n: int = 2, frames: int = 5) -> Tensor:
    """Poses (n, T, 18, 3) well inside the frame."""
    random = torch.Generator().manual_seed(0)
    places = torch.rand(n, frames, 18, 2, generator=random) * 8 + 4
    return torch.cat([places, torch.ones(n, frames, 18, 1)], -1)


def nobody(poses: Tensor, *frames: int) -> Tensor:
    """The same dance (T, 18, 3) without a detection in some frames."""
    poses = poses.clone()
    for frame in frames:
        poses[frame] = torch.tensor([torch.nan, torch.nan, 0.0])
    return poses


def test_each_frame_is_painted_from_its_figure_and_the_frame_before():
    state, poses = steps.new_state(SETTINGS), dances()
    done = transfer(state, poses)
    figures = draw_skeletons(poses, SIZE)
    generator = state.models["generator"]
    previous, frames = None, []
    with torch.no_grad():
        for t in range(5):
            previous = generator(figures[:, :, t], previous)
            frames.append(previous)
    torch.testing.assert_close(done.video, torch.stack(frames, 2))
    assert not done.video.requires_grad
    assert torch.equal(done.pose, poses)
    assert not done.held.any()
    assert not done.absent.any()


def test_a_long_dance_is_one_dance():
    state, poses = steps.new_state(SETTINGS), dances(1, 2 * CHUNK + 3)
    film = transfer(state, poses).video
    with torch.no_grad():
        whole = feed_back(state.models["generator"], draw_skeletons(poses, SIZE))
    torch.testing.assert_close(film, whole, rtol=1e-4, atol=1e-4)


def test_one_dance_comes_without_the_axis_of_many():
    state, poses = steps.new_state(SETTINGS), dances()
    together, alone = transfer(state, poses), transfer(state, poses[1])
    assert alone.video.shape == (3, 5, *SIZE)
    torch.testing.assert_close(alone.video, together.video[1], rtol=1e-4, atol=1e-5)
    assert alone.pose.shape == (5, 18, 3)
    assert alone.held.shape == alone.absent.shape == (5,)


def test_the_averaged_generator_dances_where_there_is_one():
    import dataclasses

    state = steps.new_state(dataclasses.replace(SETTINGS, average_decay=0.9))
    before = transfer(state, dances()).video
    for parameter in state.models["generator"].parameters():
        parameter.data.add_(1.0)
    assert torch.equal(transfer(state, dances()).video, before)


def test_faces_are_corrected_and_nothing_else():
    state, faces, poses = steps.new_state(SETTINGS), face_steps.new_state(FACE), dances()
    poses[0, 2, [0, 16, 17], 2] = 0  # a head that is not seen
    plain, better = transfer(state, poses).video, transfer(state, poses, faces=faces).video
    boxes, there = face_boxes(poses, size=8, height=SIZE[0], width=SIZE[1])
    inside = torch.zeros(2, 1, 5, *SIZE, dtype=torch.bool)
    for i, t in there.nonzero().tolist():
        x0, y0, x1, y1 = boxes[i, t].tolist()
        inside[i, :, t, y0:y1, x0:x1] = True
    changed = (plain != better).any(1, keepdim=True)
    assert not (changed & ~inside).any()
    assert changed.any(-1).any(-1).squeeze(1)[there].all()
    assert torch.equal(plain[0, :, 2], better[0, :, 2])
    assert better.abs().max() <= 1
    torch.testing.assert_close(better, correct_faces(faces, plain, poses))


def test_the_last_pose_is_held_where_nobody_is_found():
    poses = nobody(dances(1, 6)[0], 2, 3)
    filled, held, absent = hold_poses(poses, height=16, width=24)
    assert held.tolist() == [False, False, True, True, False, False]
    assert not absent.any()
    assert torch.equal(filled[2], poses[1])
    assert torch.equal(filled[3], poses[1])
    assert torch.equal(filled[4], poses[4])


def test_before_the_first_detection_the_first_pose_is_held():
    poses = nobody(dances(1, 4)[0], 0, 1)
    filled, held, _ = hold_poses(poses, height=16, width=24)
    assert held.tolist() == [True, True, False, False]
    assert torch.equal(filled[0], poses[2])


def test_nobody_is_held_for_ever():
    poses = nobody(dances(1, 8)[0], 2, 3, 4, 5, 6, 7)
    filled, held, absent = hold_poses(poses, height=16, width=24, hold=2)
    assert held.tolist() == [False, False, True, True, False, False, False, False]
    assert absent.tolist() == [False] * 4 + [True] * 4
    assert (filled[4:, :, 2] == 0).all()


def test_who_left_through_the_edge_is_gone_at_once():
    poses = dances(1, 4)[0]
    poses[1, 4, 0] = 24.5  # a wrist beyond the right edge
    filled, held, absent = hold_poses(nobody(poses, 2, 3), height=16, width=24)
    assert not held.any()
    assert absent.tolist() == [False, False, True, True]
    assert (filled[2:, :, 2] == 0).all()


def test_gaps_and_departures_are_painted_and_marked():
    state = steps.new_state(SETTINGS)
    poses = torch.stack([nobody(dances(1, 6)[0], 2), nobody(dances(1, 6)[0], 3, 4, 5)])
    done = transfer(state, poses, hold=1)
    assert done.video.isfinite().all()
    assert done.held.tolist() == [[k == 2 for k in range(6)], [k == 3 for k in range(6)]]
    assert done.absent.tolist() == [[False] * 6, [False] * 4 + [True] * 2]
    assert torch.equal(done.pose[0, 2], poses[0, 1])


@pytest.mark.parametrize(
    ("poses", "message"),
    [
        (torch.zeros(18, 3), "poses: expected (T, 18, 3) or (N, T, 18, 3), got (18, 3)"),
        (torch.zeros(0, 18, 3), "poses: expected (T, 18, 3) or (N, T, 18, 3), got (0, 18, 3)"),
        (torch.zeros(5, 17, 3), "poses: expected (T, 18, 3) or (N, T, 18, 3), got (5, 17, 3)"),
        ("dance", "poses: expected (T, 18, 3) or (N, T, 18, 3), got str"),
        (torch.zeros(5, 18, 3), "poses: expected somebody in some frame, got nobody in 5"),
    ],
)
def test_poses_that_are_no_dance_are_refused(poses, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        transfer(steps.new_state(SETTINGS), poses)
    with pytest.raises(ValueError, match="hold: expected a number at least 0, got -1"):
        transfer(steps.new_state(SETTINGS), dances(), hold=-1)
