"""Tracks of moving bodies: what a split holds, and that a track is what it says it is."""

from __future__ import annotations

import pytest
import torch

from vidgen_lite import skeleton
from vidgen_lite.data import motion as captured_motion
from vidgen_lite.data.actions import act
from vidgen_lite.data.motion import Motion
from vidgen_lite.data.tracks import FRAMES, TEST_CLIPS, Tracks, make_tracks


def motion(name: str = "walk", seconds: float = 3.0, action: str = "walk") -> Motion:
    made = act(action, frames=int(16 * seconds), fps=16, generator=torch.Generator().manual_seed(0))
    return Motion(made.directions, made.root, 16.0, name)


def tracks(n: int = 6, seed: int = 0, **options) -> Tracks:
    return make_tracks(n, seed=seed, motions=[motion(), motion("dance", action="dance")], **options)


@pytest.fixture
def captured(monkeypatch):
    """Fifteen captured clips, as far as the splits can see."""
    names = (*TEST_CLIPS, "dance_a", "walk", "kick", "getup_facedown")
    monkeypatch.setattr(
        captured_motion, "load_mocap", lambda: {name: motion(name) for name in names}
    )


def test_training_sees_nothing_of_the_held_out_clips(captured):
    train, test = (make_tracks(2, seed=0, split=split).names for split in ("train", "test"))
    assert set(test) == set(TEST_CLIPS)
    assert set(train) == {"dance_a", "walk", "kick", "getup_facedown"}


def test_two_past_and_five_future_steps_of_three_frames():
    made = tracks()
    assert made.pose.shape == (6, FRAMES, 18, 3)
    assert FRAMES == 22
    assert made.past.shape == (6, 3, 18, 3)
    assert made.future.shape == (6, 5, 18, 3)
    assert torch.equal(made.past[:, -1], made.pose[:, 6])  # now
    assert torch.equal(made.future[:, 0], made.pose[:, 9])
    assert torch.equal(made.future[:, -1], made.pose[:, -1])


def test_the_picture_shows_the_puppet_where_the_pose_says_it_is_now():
    made = tracks(8, size=64)
    assert made.image.shape == (8, 3, 64, 64)
    assert made.image.min() >= -1
    assert made.image.max() <= 1
    from vidgen_lite.data.puppets import SCENES

    scenes = torch.stack([scene.view(size=64) for scene in SCENES])[made.scene]
    puppet = (made.image - scenes).abs().amax(1) > 0.1  # (8, 64, 64)
    now = skeleton.draw(made.past[:, -1], height=64, width=64, line=1.5).amax(1) > 0
    later = skeleton.draw(made.future[:, -1], height=64, width=64, line=1.5).amax(1) > 0
    covered = (now & puppet).sum() / now.sum()
    assert covered > 0.9
    assert covered > (later & puppet).sum() / later.sum() + 0.05


def test_a_track_depends_on_its_seed_and_number_alone():
    many, few, other = tracks(6), tracks(3), tracks(3, seed=1)
    assert torch.equal(many.pose[:3], few.pose)
    assert torch.allclose(many.image[:3], few.image, atol=1e-5)
    assert not torch.equal(few.pose, other.pose)


def test_bodies_face_every_way_and_both_mirror_images_come_up():
    made = make_tracks(60, seed=0, motions=[motion()])
    sideways = made.pose[:, 0, 5, 0] - made.pose[:, 0, 2, 0]  # left shoulder less right
    assert (sideways > 2).any()  # towards us
    assert (sideways < -2).any()  # away
    assert (sideways.abs() < 2).any()


def test_a_clip_that_ends_is_not_played_backwards(monkeypatch):
    """A short clip is slowed down to fit instead."""
    turned = []
    monkeypatch.setattr(
        Motion,
        "resampled",
        lambda self, frames, fps, *, start, speed, _old=Motion.resampled: (
            turned.append(start + speed * (frames - 1) / fps)
            or _old(self, frames, fps, start=start, speed=speed)
        ),
    )
    short = motion(seconds=1.4)
    make_tracks(20, seed=0, motions=[short])
    assert max(turned) <= (len(short) - 1) / short.fps + 1e-6


def test_a_subset_keeps_the_names():
    made = tracks()
    part = made.subset([4, 1])
    assert len(part) == 2
    assert torch.equal(part.pose, made.pose[[4, 1]])
    assert part.names == made.names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n: expected a positive integer, got 0"),
        ({"n": 1, "size": -1}, "size: expected a positive integer"),
        ({"n": 1, "split": "val"}, "split: expected one of train, test; got 'val'"),
        ({"n": 1, "motions": []}, "motions: expected at least one, got none"),
    ],
)
def test_what_cannot_be_made_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_tracks(**({"seed": 0} | options))
