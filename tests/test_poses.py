"""Poses from video: who is found is followed, who is lost is not invented, and nothing runs twice.

The networks are replaced by a stand-in that sees coloured blobs; the real ones are tried at the end
where they are installed and what they look at was fetched before.
"""

from __future__ import annotations

import importlib.util
import math
import sys

import pytest
import torch
from torch import Tensor

from vidgen_lite.data import pose_clips
from vidgen_lite.data import poses as module
from vidgen_lite.data.blazepose import BlazePose, Square, anchors, around, cut, keep_best, refine
from vidgen_lite.data.fetch import SOURCES, cache_dir, fetch
from vidgen_lite.data.pose_clips import balance_clips, crop_to_person
from vidgen_lite.data.poses import detect_people, detect_poses, smooth_poses
from vidgen_lite.data.video_files import read_video
from vidgen_lite.skeleton import JOINTS, SEEN

NAN = float("nan")


# ---- Where the networks look ---------------------------------------------------------------------


def test_a_square_that_is_not_turned_cuts_out_the_very_pixels():
    frame = torch.randint(0, 256, (40, 60, 3), dtype=torch.uint8)
    part = cut(frame, Square(30, 20, 16), 16)
    assert torch.allclose(part, frame[12:28, 22:38] / 255, atol=1e-4)
    halved = cut(frame, Square(30, 20, 32), 16)
    means = (frame[4:36, 14:46] / 255).reshape(16, 2, 16, 2, 3).mean((1, 3))
    assert torch.allclose(halved, means, atol=1e-4)


def test_beyond_the_frame_it_is_black():
    frame = torch.full((20, 20, 3), 255, dtype=torch.uint8)
    part = cut(frame, Square(20, 10, 20), 20)
    assert torch.allclose(part[:, :9], torch.ones(20, 9, 3))
    assert torch.equal(part[:, 11:], torch.zeros(20, 9, 3))
    assert torch.equal(cut(frame, Square(90, 90, 20), 20), torch.zeros(20, 20, 3))


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.0, math.pi])
def test_a_person_who_leans_stands_upright_in_the_square(angle: float):
    up = torch.tensor([math.sin(angle), -math.cos(angle)])
    hips = torch.tensor([50.0, 40.0])
    square = around(hips, hips + 12 * up)
    assert math.isclose(square.side, 30, rel_tol=1e-5)
    inside = torch.tensor([[0.5, 0.5], [0.5, 0.1]])  # the centre, and 12 pixels above it
    assert torch.allclose(square.to_frame(inside), torch.stack([hips, hips + 12 * up]), atol=1e-4)
    # What is cut out agrees with where it is said to be.
    frame = torch.zeros(80, 100, 3, dtype=torch.uint8)
    x, y = (hips + 9 * up).long().tolist()
    frame[y - 1 : y + 2, x - 1 : x + 2] = 255
    bright = cut(frame, square, 60)[..., 0]
    row, column = divmod(int(bright.argmax()), 60)
    there = square.to_frame((torch.tensor([column, row]) + 0.5) / 60)
    assert torch.dist(there, torch.tensor([x + 0.5, y + 0.5])) < 1.5
    assert abs(column - 29.5) < 4
    assert row < 20


def test_the_detector_has_an_anchor_for_each_of_its_boxes():
    places = anchors()
    assert places.shape == (2254, 2)
    assert places.min() > 0
    assert places.max() < 1
    first = [[0.5 / 28, 0.5 / 28], [0.5 / 28, 0.5 / 28], [1.5 / 28, 0.5 / 28]]
    assert torch.allclose(places[:3], torch.tensor(first))
    assert len(places[1960:].unique(dim=0)) == 49


def test_of_boxes_that_show_the_same_the_surest_stays():
    boxes = torch.tensor([[10.0, 10, 8, 8], [11, 10, 8, 8], [30, 10, 8, 8], [16, 10, 8, 8]])
    assert keep_best(boxes, torch.tensor([0.6, 0.9, 0.7, 0.5])) == [1, 2, 3]
    assert keep_best(boxes[:0], torch.zeros(0)) == []


def test_a_point_moves_to_the_heat_about_it_and_stays_where_there_is_none():
    heat = torch.zeros(3, 16, 16)
    heat[0, 5, 9] = 0.8
    heat[1, 5, 9] = 0.4  # not sure enough
    heat[2, 0, 15] = 0.9  # in the corner
    points = torch.tensor([[0.5, 0.25], [0.5, 0.25], [0.99, 0.01]])
    moved = torch.tensor([[9 / 16, 5 / 16], [0.5, 0.25], [15 / 16, 0]])
    assert torch.allclose(refine(points, heat), moved)


# ---- Finding and following, with a stand-in for the networks -------------------------------------

HEIGHT, WIDTH, BLOB = 48, 64, 4


def street(*people: dict[int, tuple[int, int]], frames: int = 12) -> Tensor:
    """A black video with a square blob for each person, given as frame -> (x, y)."""
    video = torch.zeros(frames, HEIGHT, WIDTH, 3, dtype=torch.uint8)
    for shade, person in enumerate(people):
        for frame, (x, y) in person.items():
            video[frame, y - 2 : y + 2, x - 2 : x + 2] = 100 + shade
    return video


def walk(first: int, last: int, x: int, y: int) -> dict[int, tuple[int, int]]:
    """A person who walks a pixel a frame to the right."""
    return {frame: (x + frame - first, y) for frame in range(first, last)}


class StandIn:
    """Sees blobs: those whose centre lies in a square; the nearest to its centre comes first."""

    looks = finds = 0

    def __init__(self, threads: int | None = None) -> None:
        pass

    @staticmethod
    def _blobs(frame: Tensor, square: Square) -> list[Tensor]:
        shades = frame[..., 0].unique().tolist()
        centres = [
            (frame[..., 0] == shade).nonzero().float().mean(0).flip(0) + 0.5
            for shade in shades
            if shade
        ]
        middle = torch.tensor([square.x, square.y])
        near = [c for c in centres if (c - middle).abs().max() <= square.side / 2]
        return sorted(near, key=lambda centre: float(torch.dist(centre, middle)))

    def find(self, frame: Tensor, square: Square | None = None) -> list[tuple[float, Square]]:
        StandIn.finds += 1
        square = square or Square(WIDTH / 2, HEIGHT / 2, WIDTH)
        return [(0.9, Square(*c.tolist(), 12)) for c in self._blobs(frame, square)]

    def look(self, frame: Tensor, square: Square) -> tuple[float, Tensor, Square]:
        StandIn.looks += 1
        blobs = self._blobs(frame, square)
        if not blobs:
            return 0.1, torch.zeros(33, 3), square
        points = torch.cat([blobs[0].expand(33, 2), torch.full((33, 1), 0.8)], 1)
        return 0.9, points, Square(*blobs[0].tolist(), 12)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch, tmp_path) -> type[StandIn]:
    """No network, and an empty cache."""
    monkeypatch.setattr(module, "BlazePose", StandIn)
    monkeypatch.setenv("VIDGEN_CACHE", str(tmp_path / "cache"))
    StandIn.looks = StandIn.finds = 0
    return StandIn


def test_one_person_is_looked_for_once_and_then_followed(stand_in):
    poses = detect_poses(street(walk(0, 12, 10, 20)))
    assert poses.shape == (12, 18, 3)
    assert torch.allclose(poses[:, 0, 0], torch.arange(12) + 10.0)
    assert stand_in.finds == 1
    assert stand_in.looks <= 12 + 1


def test_of_two_the_first_is_followed_even_when_they_pass_each_other():
    poses = detect_poses(street(walk(0, 12, 28, 24), {k: (50 - k, 36) for k in range(12)}))
    assert torch.allclose(poses[:, 0, 1], torch.full((12,), 24.0))


def test_in_frames_with_nobody_there_is_no_place_and_no_confidence():
    video = street(walk(2, 5, 10, 20) | walk(8, 12, 40, 30))
    poses = detect_poses(video)
    gone = torch.tensor([frame in (0, 1, 5, 6, 7) for frame in range(12)])
    assert poses[gone, :, :2].isnan().all()
    assert torch.equal(poses[gone, :, 2], torch.zeros(5, 18))
    assert poses[~gone].isfinite().all()
    assert poses[8, 0, 0] == 40


def test_the_same_video_is_not_looked_at_twice_and_another_one_is(stand_in):
    video = street(walk(0, 12, 10, 20))
    first = detect_poses(video)
    looks = stand_in.looks
    assert torch.equal(detect_poses(video), first)
    assert stand_in.looks == looks
    detect_poses(video.flip(2))
    assert stand_in.looks > looks
    assert not list(cache_dir().rglob("*.part"))


def test_what_was_found_before_needs_no_network_and_a_damaged_cache_is_repaired(monkeypatch):
    video = street(walk(0, 12, 10, 20))
    first = detect_poses(video)
    (file,) = (cache_dir() / "poses").iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert torch.equal(detect_poses(video), first)
    monkeypatch.setattr(module, "BlazePose", None)
    assert torch.equal(detect_poses(video), first)
    with pytest.raises(TypeError):
        detect_poses(video, cache=False)


def test_a_cache_that_can_not_be_written_costs_only_a_warning(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VIDGEN_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="poses: not kept for the next call"):
        assert detect_poses(street(walk(0, 12, 10, 20))).isfinite().all()


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match=r"pip install 'ai-edge-litert>=2.0'.*motion capture"):
        BlazePose()


def test_several_people_are_followed_from_where_they_are_found():
    video = street(walk(0, 12, 10, 12), walk(3, 12, 40, 36))
    first, second = detect_people(video, window=32, every=4, shortest=4)
    assert (first.start, len(first.poses)) == (0, 12)
    assert (second.start, len(second.poses)) == (4, 8)  # in at frame 3, looked for at 4
    assert torch.allclose(first.poses[:, 0, 0], torch.arange(12) + 10.0)
    assert torch.allclose(second.poses[:, 0, 0], torch.arange(8) + 41.0)
    again = detect_people(video, window=32, every=4, shortest=4)
    assert [track.start for track in again] == [0, 4]
    assert torch.equal(again[1].poses, second.poses)


def test_who_leaves_ends_a_track_and_a_short_one_is_left_out():
    video = street(walk(0, 9, 10, 12), walk(0, 5, 40, 36))
    (only,) = detect_people(video, window=32, every=4, shortest=6)
    assert len(only.poses) == 9
    assert len(detect_people(video, window=32, every=4, shortest=5)) == 2
    assert detect_people(street(), window=32) == []


def test_nobody_is_begun_twice():
    video = street(walk(0, 12, 20, 20))
    assert len(detect_people(video, window=32, every=2, shortest=1)) == 1


def test_a_track_that_slips_onto_another_person_ends_there():
    video = street(walk(0, 12, 20, 20), {k: (31, 20) for k in range(6)})
    tracks = detect_people(video, window=32, every=20, shortest=1)
    assert sorted(len(track.poses) for track in tracks)[-1] == 12
    assert len(tracks) == 2
    assert min(len(track.poses) for track in tracks) < 12


def test_the_windows_cover_the_frame():
    covered = torch.zeros(57, 76)
    for window in module._windows(57, 76, 20):
        left, top = int(window.x - 10), int(window.y - 10)
        assert 0 <= left <= 76 - 20
        assert 0 <= top <= 57 - 20
        covered[top : top + 20, left : left + 20] += 1
    assert (covered[1:-1, 1:-1] >= 1).all()
    assert len(module._windows(20, 20, 20)) == 1


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"video: expected \(T, H, W, 3\), got \(3, 4, 8, 8\)"):
        detect_poses(torch.zeros(3, 4, 8, 8, dtype=torch.uint8))
    with pytest.raises(TypeError, match=r"video: expected uint8, got torch.float32"):
        detect_poses(torch.zeros(4, 8, 8, 3))
    with pytest.raises(ValueError, match="video: T: expected a positive integer, got 0"):
        detect_poses(torch.zeros(0, 8, 8, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="window: expected at most 48 pixels, got 50"):
        detect_people(street(), window=50)
    with pytest.raises(ValueError, match=r"poses: expected \(T, 18, 3\), got \(18, 3\)"):
        smooth_poses(torch.zeros(18, 3))
    with pytest.raises(ValueError, match="width: expected a positive number of frames, got 0"):
        smooth_poses(torch.zeros(4, 18, 3), width=0)


# ---- Smoothing -----------------------------------------------------------------------------------


def even_motion(frames: int = 20) -> Tensor:
    """Every joint at a speed of its own, all seen."""
    generator = torch.Generator().manual_seed(0)
    start, speed = torch.randn(2, 18, 2, generator=generator) * 10
    places = start + speed * torch.arange(frames)[:, None, None]
    return torch.cat([places, torch.full((frames, 18, 1), 0.9)], -1)


def test_even_motion_stays_as_it_is_to_the_ends_and_over_gaps():
    poses = even_motion()
    assert torch.allclose(smooth_poses(poses, width=1.5), poses, atol=1e-3)
    holed = poses.clone()
    holed[[0, 7, 8, 19]] = torch.tensor([NAN, NAN, 0])
    filled = smooth_poses(holed, width=1.5)
    assert torch.allclose(filled[..., :2], poses[..., :2], atol=1e-3)
    assert torch.equal(filled[..., 2], holed[..., 2])  # a guess has no confidence


def test_trembling_becomes_less():
    generator = torch.Generator().manual_seed(1)
    poses = even_motion(60)
    trembling = poses.clone()
    trembling[..., :2] += torch.randn(60, 18, 2, generator=generator)
    away = smooth_poses(trembling, width=2) - poses
    assert away[..., :2].std() < 0.5
    away = smooth_poses(trembling, width=1) - poses
    assert 0.5 < away[..., :2].std() < 0.8


def test_a_sure_place_counts_more_than_an_unsure_one():
    poses = even_motion()
    poses[10, :, :2] += 50
    sure = smooth_poses(poses)[10, :, :2]
    poses[10, :, 2] = 0.05
    assert ((smooth_poses(poses) - even_motion())[10, :, :2].abs() < 10).all()
    assert ((sure - even_motion()[10, :, :2]) > 15).all()


def test_far_from_every_sight_of_a_joint_there_is_no_place():
    poses = torch.full((20, 18, 3), NAN)
    poses[..., 2] = 0
    poses[5] = torch.tensor([3.0, 4.0, 0.7])
    smooth = smooth_poses(poses, width=1)
    assert torch.allclose(smooth[2:9, :, :2], torch.tensor([3.0, 4.0]).expand(7, 18, 2))
    assert smooth[[0, 1, *range(9, 20)], :, :2].isnan().all()


# ---- Clips of a person ---------------------------------------------------------------------------


@pytest.mark.parametrize(("x", "y"), [(30, 20), (4, 4), (60, 44)])
def test_a_pose_keeps_its_place_in_the_picture_when_both_are_cropped(x: int, y: int):
    video = street({frame: (x, y) for frame in range(3)}, frames=3)
    poses = torch.zeros(3, 18, 3)
    poses[:, 0] = torch.tensor([x, y, 1.0])  # the blob's middle
    poses[:, 1] = torch.tensor([x - 9.0 if x > 30 else x + 9, y, 1.0])
    poses[:, 2] = torch.tensor([NAN, NAN, 0.0])
    clip, there = crop_to_person(video, poses, size=40, margin=0.5)
    assert clip.shape == (3, 3, 40, 40)
    ys, xs = (clip[0, 0] > -0.6).nonzero().float().add(0.5).unbind(1)
    assert torch.allclose(torch.stack([xs.mean(), ys.mean()]), there[0, 0, :2], atol=0.8)
    scale = (there[0, 1, 0] - there[0, 0, 0]) / (poses[0, 1, 0] - poses[0, 0, 0])
    assert math.isclose(scale, 40 / (9 * 2), rel_tol=1e-4)
    assert torch.equal(there[..., 2], poses[..., 2])


def test_the_crop_is_the_same_in_all_frames_and_stays_in_the_frame_if_it_fits():
    video = torch.full((6, HEIGHT, WIDTH, 3), 255, dtype=torch.uint8)
    poses = torch.rand(6, 18, 3) * torch.tensor([30.0, 30, 1]) + torch.tensor([0, 10, SEEN])
    clip, there = crop_to_person(video, poses, size=32)
    assert torch.allclose(clip, torch.ones_like(clip))
    moved = (there - poses * torch.tensor([there[0, 0, 0] / poses[0, 0, 0], 1, 1]))[..., 2]
    assert torch.equal(moved, torch.zeros(6, 18))
    still = (there[..., :2] - there[0, 0, :2]) / (poses[..., :2] - poses[0, 0, :2])
    still = still[still.isfinite()]
    assert still.std() < 1e-2
    with pytest.raises(ValueError, match="poses: expected at least one joint that was seen"):
        crop_to_person(video, torch.zeros(6, 18, 3), size=32)
    with pytest.raises(ValueError, match=r"poses: expected \(6, 18, 3\), got \(5, 18, 3\)"):
        crop_to_person(video, poses[:5], size=32)


@pytest.fixture
def balance(monkeypatch):
    """A stand-in for the views of the beam: each frame's red tells its number."""

    def view(camera: int, size: int) -> tuple[Tensor, Tensor]:
        number = torch.arange(100.0)
        video = (number / 100).view(1, 100, 1, 1).expand(3, 100, size, size)
        return video, torch.stack([number, number * 0 + camera, number * 0], -1)[:, None].repeat(
            1, 18, 1
        )

    monkeypatch.setattr(pose_clips, "_balance_view", view)


def test_no_frame_is_in_training_and_test(balance):
    train, test = (balance_clips(split, size=8, frames=16) for split in ("train", "test"))
    assert train.video.shape == (65, 3, 16, 8, 8)
    assert train.pose.shape == (65, 16, 18, 3)
    assert len(test.video) == 5
    assert train.pose[..., 0].max() == 79
    assert test.pose[..., 0].min() == 80
    assert torch.allclose(train.video[:, 0, :, 0, 0] * 100, train.pose[:, :, 0, 0])


def test_clips_of_every_so_manieth_frame_and_of_several_cameras(balance):
    clips = balance_clips("train", size=8, frames=8, every=4, step=10, cameras=(1, 4))
    assert clips.pose[0, :, 0, 0].tolist() == [0, 4, 8, 12, 16, 20, 24, 28]
    assert clips.pose[:, 0, 0, 1].tolist() == [1] * 6 + [4] * 6
    with pytest.raises(ValueError, match="no test clip of 16 frames, every 2, fits"):
        balance_clips("test", frames=16, every=2)
    with pytest.raises(ValueError, match="cameras: expected some of 1, 2, 3, 4"):
        balance_clips("train", cameras=(0,))
    with pytest.raises(ValueError, match="split: expected one of train, test"):
        balance_clips("all")


# ---- The real networks, where they are at hand ---------------------------------------------------


def _at_hand() -> bool:
    names = [(name, member) for name in ("pose", "balance") for member in SOURCES[name].members]
    files = [cache_dir() / name / member.rpartition("/")[2] for name, member in names]
    return importlib.util.find_spec("ai_edge_litert") is not None and all(
        file.is_file() for file in files
    )


HERE = cache_dir() if _at_hand() else None


@pytest.mark.skipif(HERE is None, reason="the pose networks or the beam's videos were not fetched")
def test_the_man_on_the_beam_is_found_in_every_frame_of_camera_3(monkeypatch):
    monkeypatch.setattr(module, "BlazePose", BlazePose)
    monkeypatch.setenv("VIDGEN_CACHE", str(HERE))
    video = read_video(fetch("balance")["cam03.mp4"], size=(960, 544))
    poses = detect_poses(video, cache=False)
    body = [k for k, name in enumerate(JOINTS) if name.split()[-1] not in ("nose", "eye", "ear")]
    body.remove(JOINTS.index("neck"))
    assert len(body) == 12
    assert ((poses[:, body, 2] >= SEEN).sum(1) >= 10).all()
    # He is upright, he keeps his size, and he does not jump.
    places = poses[..., :2]
    hips, neck = places[:, [8, 11]].mean(1), places[:, 1]
    assert (hips[:, 1] > neck[:, 1]).all()
    back = (hips - neck).norm(dim=-1)
    assert 80 < back.min() < back.max() < 180
    assert (neck.diff(dim=0).norm(dim=-1) < 25).all()
