"""Faces found, cut, corrected and put back."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from vidgen_lite.everybody_dance_now import (
    FaceGenerator,
    corrected_face,
    cut_faces,
    face_boxes,
    paste_faces,
)
from vidgen_lite.skeleton import JOINTS

NOSE, RIGHT, LEFT = (JOINTS.index(name) for name in ("nose", "right ear", "left ear"))
FRAME = {"size": 8, "height": 32, "width": 40}


def head(nose=None, right=None, left=None) -> Tensor:
    """A pose (18, 3) of which only these are seen."""
    pose = torch.zeros(18, 3)
    for joint, place in ((NOSE, nose), (RIGHT, right), (LEFT, left)):
        if place is not None:
            pose[joint] = torch.tensor([*place, 1.0])
    return pose


@pytest.mark.parametrize(
    ("pose", "corner"),
    [
        (head(nose=(20, 16)), (16, 12)),
        (head(nose=(20, 16), right=(0, 0), left=(0, 0)), (16, 12)),
        (head(right=(18, 10), left=(22, 14)), (16, 8)),
        (head(right=(18, 10)), (14, 6)),
        (head(left=(22, 14)), (18, 10)),
    ],
)
def test_the_box_is_round_the_nose_else_the_middle_of_the_ears_else_one_ear(pose, corner):
    box, there = face_boxes(pose, **FRAME)
    assert there
    assert box.tolist() == [*corner, corner[0] + 8, corner[1] + 8]


def test_boxes_are_moved_into_the_frame():
    poses = torch.stack([head(nose=place) for place in ((1, 1), (39, 31), (-50, 16), (20, 90))])
    boxes, there = face_boxes(poses, **FRAME)
    assert there.all()
    assert boxes.tolist() == [[0, 0, 8, 8], [32, 24, 40, 32], [0, 12, 8, 20], [16, 24, 24, 32]]


def test_a_frame_without_a_head_has_no_box():
    pose = head()
    pose[5:10, 2] = 1  # a body
    nowhere = torch.full((18, 3), torch.nan)
    boxes, there = face_boxes(torch.stack([pose, head(nose=(20, 16)), nowhere]), **FRAME)
    assert there.tolist() == [False, True, False]
    assert boxes[[0, 2]].abs().sum() == 0


def test_boxes_have_the_axes_of_the_poses():
    boxes, there = face_boxes(torch.rand(2, 3, 18, 3), **FRAME)
    assert boxes.shape == (2, 3, 4)
    assert there.shape == (2, 3)


def test_what_is_cut_and_pasted_back_is_where_it_was():
    frames = torch.rand(3, 3, 32, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    boxes, _ = face_boxes(
        torch.stack([head(nose=p) for p in ((20, 16), (3, 5), (30, 28))]), **FRAME
    )
    faces = cut_faces(frames, boxes)
    assert faces.shape == (3, 3, 8, 8)
    for face, frame, (x0, y0, x1, y1) in zip(faces, frames, boxes.tolist(), strict=True):
        assert torch.equal(face, frame[:, y0:y1, x0:x1])
    assert torch.equal(paste_faces(frames, faces, boxes), frames)


def test_pasting_changes_nothing_outside_the_box_and_keeps_pixels_in_range():
    frames = torch.zeros(1, 3, 32, 40)
    boxes = torch.tensor([[4, 6, 12, 14]])
    pasted = paste_faces(frames, torch.full((1, 3, 8, 8), 1.5), boxes)
    assert pasted[:, :, 6:14, 4:12].min() == pasted.max() == 1
    assert pasted.sum() == 3 * 64
    assert frames.abs().sum() == 0  # what was given is left alone


def test_the_gradient_passes_through_cutting_and_pasting():
    frames = torch.zeros(1, 3, 32, 40, requires_grad=True)
    boxes = torch.tensor([[4, 6, 12, 14]])
    paste_faces(frames, cut_faces(frames, boxes) * 2, boxes).sum().backward()
    wanted = torch.ones(1, 3, 32, 40)
    wanted[:, :, 6:14, 4:12] = 2
    assert torch.equal(frames.grad, wanted)


def test_the_residual_is_added_to_the_face():
    torch.manual_seed(0)
    model = FaceGenerator(width=2, downsamplings=1, blocks=1)
    pose, face = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(corrected_face(model, pose, face) - face, model(pose, face))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: face_boxes(torch.zeros(17, 3), **FRAME), "poses: expected (…, 18, 3), got (17"),
        (
            lambda: face_boxes(torch.zeros(18, 3), size=33, height=32, width=40),
            "size: expected at most 32 pixels, got 33",
        ),
        (
            lambda: cut_faces(torch.zeros(1, 3, 32, 40), torch.tensor([[36, 0, 44, 8]])),
            "boxes: expected them inside a frame of 40x32 pixels",
        ),
        (
            lambda: cut_faces(torch.zeros(2, 3, 32, 40), torch.tensor([[0, 0, 8, 8], [0] * 4])),
            "boxes: expected squares of one size; is there a frame without a face?",
        ),
        (
            lambda: cut_faces(torch.zeros(2, 3, 32, 40), torch.tensor([[0, 0, 8, 8]])),
            "boxes: expected (2, 4), got (1, 4)",
        ),
        (
            lambda: paste_faces(
                torch.zeros(1, 3, 32, 40), torch.zeros(1, 3, 6, 6), torch.tensor([[0, 0, 8, 8]])
            ),
            "faces: expected (1, 3, 8, 8), got (1, 3, 6, 6)",
        ),
    ],
)  # fmt: skip
def test_boxes_that_do_not_fit_are_refused(call, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
