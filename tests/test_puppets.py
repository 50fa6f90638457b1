"""The puppets' films and the truth about them: what the lectures rely on."""

import pytest
import torch

from vidgen_lite.data.puppets import (
    ACTIONS,
    CAST,
    SCENES,
    PuppetClips,
    make_clips,
    random_puppet,
)
from vidgen_lite.skeleton import JOINTS, MIRROR

SMALL = {"frames": 12, "size": 32}


@pytest.fixture(scope="module")
def clips() -> PuppetClips:
    return make_clips(20, seed=5, frames=16, size=64)


def _one(action: str, **more: object) -> PuppetClips:
    return make_clips(6, seed=2, actions=[action], frames=24, size=48, **more)


def test_clips_have_the_promised_shapes_and_ranges(clips: PuppetClips) -> None:
    assert len(clips) == 20
    assert clips.video.shape == (20, 3, 16, 64, 64)
    assert clips.mask.shape == (20, 1, 16, 64, 64)
    assert clips.background.shape == (20, 3, 64, 64)
    assert clips.pose.shape == (20, 16, 18, 3)
    assert clips.face_box.shape == (20, 16, 4)
    assert clips.video.dtype == torch.float32
    assert clips.action.dtype == torch.int64
    for tensor, low in ((clips.video, -1), (clips.mask, 0), (clips.background, -1)):
        assert tensor.min() >= low
        assert tensor.max() <= 1


def test_a_clip_depends_only_on_the_seed_and_its_number() -> None:
    whole = make_clips(5, seed=7, **SMALL)
    late = make_clips(3, seed=7, first=2, **SMALL)
    for name in ("video", "mask", "background", "pose", "face_box", "action", "puppet", "scene"):
        assert torch.equal(getattr(whole, name)[2:], getattr(late, name)), name
    assert not torch.equal(whole.video[0], whole.video[1])
    assert not torch.equal(whole.video, make_clips(5, seed=8, **SMALL).video)


def test_a_video_is_exactly_foreground_and_background_blended_by_the_mask() -> None:
    # The same puppet before two scenes: what differs is (1 - mask) times the scenes' difference.
    here, there = (make_clips(4, seed=1, scenes=[scene], **SMALL) for scene in SCENES[:2])
    assert torch.equal(here.mask, there.mask)
    scenes_differ = (here.background - there.background).unsqueeze(2)
    expected = (1 - here.mask) * scenes_differ
    assert torch.allclose(here.video - there.video, expected, atol=1e-6)
    # What is left is the mask times colours that exist.
    foreground = here.video - (1 - here.mask) * here.background.unsqueeze(2)
    assert (foreground.abs() <= here.mask + 1e-6).all()


def test_where_the_mask_is_zero_the_video_is_the_background_to_the_last_bit(
    clips: PuppetClips,
) -> None:
    still = clips.background.unsqueeze(2).expand_as(clips.video)
    outside = (clips.mask == 0).expand_as(clips.video)
    assert outside.float().mean() > 0.6
    assert torch.equal(clips.video[outside], still[outside])
    assert (clips.mask[..., 0, :] == 0).float().mean() > 0.9  # there is sky above


def test_puppets_are_large_and_whole_in_the_picture(clips: PuppetClips) -> None:
    assert 0.10 < clips.mask.mean() < 0.25
    edges = torch.cat([clips.mask[..., :, [0, -1]], clips.mask[..., [0, -1], :].mT], -1)
    assert edges.max() == 0
    standing = make_clips(8, seed=3, actions=["wave"], frames=4, size=64)
    rows = standing.mask.amax(-1).squeeze(1)  # (N, T, H)
    assert ((rows > 0.5).sum(-1) > 0.7 * 64).all()


def test_joints_lie_on_the_body(clips: PuppetClips) -> None:
    on_body = [joint for joint, name in enumerate(JOINTS) if "ear" not in name]
    x, y, seen = clips.pose[:, :, on_body].unbind(-1)
    film, frame = torch.meshgrid(torch.arange(20), torch.arange(16), indexing="ij")
    cover = clips.mask[film[..., None], 0, frame[..., None], y.long(), x.long()]
    assert cover[seen > 0.5].min() > 0.25
    assert set(clips.pose[..., 2].unique().tolist()) <= {0.0, 1.0}


def test_left_and_right_are_the_puppets_own() -> None:
    facing = make_clips(4, seed=0, actions=["wave"], **SMALL).pose
    for name in ("shoulder", "hip", "eye", "ear"):
        right, left = (
            facing[:, :, JOINTS.index(f"{side} {name}"), 0] for side in ("right", "left")
        )
        assert (right < left).all(), name
    assert len({JOINTS[j] for j in MIRROR}) == 18


def test_the_face_box_is_a_square_that_holds_the_face(clips: PuppetClips) -> None:
    x0, y0, x1, y1 = clips.face_box.unbind(-1)
    assert torch.allclose(x1 - x0, y1 - y0, atol=1e-4)
    assert clips.face_box.min() >= 0
    assert clips.face_box.max() <= 64
    for name in ("nose", "right eye", "left eye", "right ear", "left ear"):
        x, y, _ = clips.pose[:, :, JOINTS.index(name)].unbind(-1)
        assert ((x0 < x) & (x < x1) & (y0 < y) & (y < y1)).all(), name


def test_a_walker_crosses_the_picture_and_a_waver_stays() -> None:
    def travelled(action: str) -> torch.Tensor:
        neck = _one(action).pose[:, :, JOINTS.index("neck"), 0]
        return neck.amax(1) - neck.amin(1)

    assert (travelled("walk") > 0.25 * 48).all()
    assert (travelled("wave") < 0.08 * 48).all()


def test_a_squat_lowers_the_hips_and_keeps_the_feet_down() -> None:
    pose = _one("squat").pose
    hips = pose[:, :, [8, 11], 1].mean(-1)
    ankles = pose[:, :, [10, 13], 1].amax(-1)
    assert ((hips.amax(1) - hips.amin(1)) > 0.08 * 48).all()
    assert ((ankles.amax(1) - ankles.amin(1)) < 0.03 * 48).all()


def test_a_jump_leaves_the_ground_and_nothing_else_does() -> None:
    def highest(action: str) -> torch.Tensor:
        """How high the lower foot rises, in picture heights."""
        lower_foot = _one(action).pose[:, :, [10, 13], 1].amax(-1)
        return (lower_foot.amax(1) - lower_foot.amin(1)) / 48

    assert (highest("jump") > 0.04).all()
    for action in ("walk", "wave", "squat", "dance"):
        assert (highest(action) < 0.04).all(), action


def test_a_wave_moves_one_hand_above_the_shoulder_and_lets_the_other_hang() -> None:
    pose = _one("wave").pose
    above = pose[:, :, [2, 5], 1] - pose[:, :, [4, 7], 1]  # (N, T, 2), positive: hand is higher
    assert ((above > 0).all(1).sum(-1) == 1).all()
    sideways = (pose[:, :, [4, 7], 0].amax(1) - pose[:, :, [4, 7], 0].amin(1)).sort(-1).values
    assert (sideways[:, 1] > 2 * sideways[:, 0]).all()


def test_actions_are_numbered_as_in_the_list_whatever_was_asked_for() -> None:
    some = make_clips(4, seed=0, actions=["dance", "jump"], **SMALL)
    assert set(some.action.tolist()) <= {ACTIONS.index("dance"), ACTIONS.index("jump")}
    many = make_clips(40, seed=0, frames=1, size=16)
    assert set(many.action.tolist()) == set(range(5))
    assert set(many.scene.tolist()) == set(range(4))
    assert set(many.puppet.tolist()) == set(range(8))


def test_a_panning_camera_moves_the_scene_and_no_other_does() -> None:
    still, moving = (make_clips(2, seed=4, pan=pan, **SMALL) for pan in (0.0, 0.25))
    assert torch.equal(still.mask, moving.mask)
    outside = (moving.mask.amax(2) == 0).expand(-1, 3, -1, -1)
    drift = (moving.video[:, :, -1] - moving.video[:, :, 0])[outside].abs().mean()
    assert drift > 0.02
    assert (still.video[:, :, -1] - still.video[:, :, 0])[outside].abs().max() == 0
    # After a quarter of a width the scene has slid by a quarter of the columns.
    scene = SCENES[0]
    first, later = scene.view(size=32), scene.view(size=32, shift=0.25)
    assert torch.allclose(first[..., 8:], later[..., :-8], atol=1e-3)
    assert torch.equal(moving.background, still.background)


def test_variation_gives_every_film_its_own_view() -> None:
    plain = make_clips(3, seed=0, scenes=SCENES[:1], **SMALL).background
    varied = make_clips(3, seed=0, scenes=SCENES[:1], variation=0.2, **SMALL).background
    assert torch.equal(plain[0], plain[1])
    assert (varied[0] - varied[1]).abs().mean() > 0.01


def test_scenes_and_puppets_can_be_told_apart() -> None:
    views = torch.stack([scene.view(size=32) for scene in SCENES])
    looks = torch.cat(
        [make_clips(1, seed=0, puppets=[who], scenes=SCENES[:1], **SMALL).video for who in CAST]
    )
    for group in (views.flatten(1), looks.flatten(1)):
        distance = torch.cdist(group, group) / group.shape[1] ** 0.5
        assert distance[~torch.eye(len(group), dtype=torch.bool)].min() > 0.05
    assert len({who.name for who in CAST}) == 8
    assert len({scene.name for scene in SCENES}) == 4


def test_invented_puppets_follow_their_generator() -> None:
    def invent(seed: int) -> object:
        return random_puppet(torch.Generator().manual_seed(seed))

    assert invent(1) == invent(1)
    assert len({invent(seed) for seed in range(8)}) == 8
    troupe = [random_puppet(torch.Generator().manual_seed(k)) for k in range(8)]
    clips = make_clips(8, seed=0, puppets=troupe, **SMALL)
    assert clips.mask[..., :, [0, -1]].max() == 0


def test_a_subset_keeps_films_and_truth_together(clips: PuppetClips) -> None:
    pick = [7, 3]
    some = clips.subset(pick)
    assert len(some) == 2
    assert torch.equal(some.video, clips.video[pick])
    assert torch.equal(some.pose, clips.pose[pick])
    assert torch.equal(some.scene, clips.scene[pick])
    assert len(clips.subset(slice(0, 5))) == 5
    assert len(clips.subset(clips.action == 0)) == int((clips.action == 0).sum())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "n: expected a positive integer, got 0"),
        ({"frames": -1}, "frames: expected a positive integer, got -1"),
        ({"size": 1.5}, "size: expected a positive integer, got 1.5"),
        ({"seed": -1}, "seed: expected a whole number from 0 up, got -1"),
        ({"first": 0.5}, "first: expected a whole number from 0 up, got 0.5"),
        ({"puppets": []}, "puppets: expected at least one, got none"),
        ({"scenes": ()}, "scenes: expected at least one, got none"),
        ({"actions": ["walk", "fly"]}, "actions: expected one of walk, .*; got 'fly'"),
        ({"motions": []}, "motions: expected at least one, got none"),
    ],
)
def test_bad_input_is_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_clips(**{"n": 1, "seed": 0, "frames": 2, "size": 8, **wrong})


def test_motions_must_be_motions() -> None:
    with pytest.raises(TypeError, match="motions: expected Motion objects, got str"):
        make_clips(1, seed=0, motions=["walk"], **SMALL)
