"""Lecture 4's training: each player's own step, the loop over pairs, and what is trained on."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from vidgen_lite.data import motion
from vidgen_lite.data.actions import act
from vidgen_lite.data.cast import CAST
from vidgen_lite.data.fetch import FetchError
from vidgen_lite.everybody_dance_now import (
    MODELS,
    FaceSettings,
    Footage,
    Settings,
    face_boxes,
    face_steps,
    feed_back,
    load_data,
    load_stage_1,
    steps,
    transfer,
    write_samples,
)
from vidgen_lite.everybody_dance_now import footage as module
from vidgen_lite.everybody_dance_now.face_steps import Faces, paint_faces
from vidgen_lite.everybody_dance_now.footage import (
    FLOOR,
    balance_footage,
    draw_skeletons,
    film,
    puppet_footage,
    somebody,
    to_bytes,
    with_arms_of,
)
from vidgen_lite.everybody_dance_now.losses import (
    feature_matching_loss,
    perceptual_loss,
    pixel_loss,
    smooth_loss,
    stage_1_objective,
)
from vidgen_lite.everybody_dance_now.steps import Batch, judge, pick
from vidgen_lite.skeleton import JOINTS
from vidgen_lite.training import State, load_checkpoint, make_accelerator, save_checkpoint

SIZE = (16, 24)


class Eyes(nn.Module):
    """Features of L_P that need no training: the frame, and the frame at half its size."""

    weights = (1.0, 0.5)

    def forward(self, frames: Tensor) -> list[Tensor]:
        return [frames, nn.functional.avg_pool2d(frames, 2)]


def tiny(**changes: object) -> Settings:
    """Settings under which a step takes a few hundredths of a second."""
    start = Settings(
        size=SIZE, width=2, downsamplings=1, blocks=1, discriminator_width=2, scales=2,
        batch_size=3, steps=4, features="puppets", feature_steps=1, learning_rate=1e-3,
    )  # fmt: skip
    return dataclasses.replace(start, **changes)


VARIANTS = {
    "ts": tiny(),
    "fbf": tiny(temporal=False),
    "local": tiny(generator="local"),
    "unet": tiny(generator="unet"),
    "log, averaged": tiny(loss="log", average_decay=0.9, pixel_weight=1.0),
    "nothing seen": tiny(perceptual_weight=0.0),
}
FACE = FaceSettings(
    face_size=8, width=2, downsamplings=1, blocks=1, discriminator_width=2, batch_size=3, steps=4,
    features="puppets", feature_steps=1, average_decay=0.9,
)  # fmt: skip


def noise_footage(n: int = 3, frames: int = 4, seed: int = 0) -> Footage:
    """Films and figures of plain noise; everybody is there in every frame, nose in the middle."""
    random = torch.Generator().manual_seed(seed)
    video, skeleton = (torch.rand(n, 3, frames, *SIZE, generator=random) * 2 - 1 for _ in range(2))
    pose = torch.rand(n, frames, 18, 3, generator=random) * 8 + 4
    pose[..., 2] = 1
    return Footage(video, skeleton, pose)


def noise_faces(n: int = 5, seed: int = 0) -> Faces:
    random = torch.Generator().manual_seed(seed)
    pose, painted, real = (torch.rand(n, 3, 8, 8, generator=random) * 2 - 1 for _ in range(3))
    return Faces(pose, painted, real, pose)


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def accelerator():
    return make_accelerator("no")


def played(settings: Settings) -> tuple:
    """A fresh run, a batch, what G paints, and what D sees."""
    state = steps.new_state(settings)
    generator = state.models["generator"]
    batch = pick(noise_footage(), torch.tensor([[0, 0], [1, 2], [2, 1]]), limbs=generator.limbs)
    fake = feed_back(generator, batch.figure)
    return state, batch, fake, judge(state.models["discriminator"], batch, fake)


def eyes(settings: Settings) -> Eyes | None:
    return Eyes() if settings.perceptual_weight else None


# ---- One step of each player ---------------------------------------------------------------------


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_generators_step_leaves_the_discriminator_alone(settings, accelerator):
    state, batch, fake, judged = played(settings)
    generator, discriminator = state.models["generator"], state.models["discriminator"]
    before, judging = weights(generator), weights(discriminator)
    steps.generator_step(state, batch, fake, judged, eyes(settings), accelerator)
    assert same(weights(discriminator), judging)
    assert all(p.grad is None for p in discriminator.parameters())
    assert not same(weights(generator), before)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_discriminators_step_does_not_reach_the_generator(settings, accelerator):
    state, _, _, judged = played(settings)
    generator, discriminator = state.models["generator"], state.models["discriminator"]
    before, judging = weights(generator), weights(discriminator)
    steps.discriminator_step(state, judged, accelerator)
    assert same(weights(generator), before)
    assert all(p.grad is None for p in generator.parameters())
    assert not same(weights(discriminator), judging)


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_one_look_gives_both_players_the_gradients_of_steps_of_their_own(settings, accelerator):
    state, batch, fake, judged = played(settings)
    steps.generator_step(state, batch, fake, judged, eyes(settings), accelerator)
    steps.discriminator_step(state, judged, accelerator)
    plain = steps.new_state(settings)  # the same seed, so the same weights
    expected = plain_gradients(plain, batch, settings)
    for name, gradients in expected.items():
        for p, wanted in zip(state.models[name].parameters(), gradients, strict=True):
            torch.testing.assert_close(p.grad, wanted, rtol=1e-4, atol=1e-6)


def plain_gradients(state: State, batch: Batch, settings: Settings) -> dict[str, list[Tensor]]:
    """Two separate steps, written out: frames detached in D's, D's gradients thrown away in G's."""
    generator, discriminator = state.models["generator"], state.models["discriminator"]

    def seen(films: Tensor) -> list[list[Tensor]]:
        figures = batch.skeleton
        if not settings.temporal:
            figures, films = (
                torch.cat([f[:, :, t : t + 1] for t in (0, 1)]) for f in (figures, films)
            )
        return discriminator(figures, films)

    def verdicts(maps: list[list[Tensor]]) -> list[Tensor]:
        return [of_scale[-1] for of_scale in maps]

    poses = batch.figure.unbind(2)
    first = generator(poses[0])
    fake = torch.stack([first, generator(poses[1], first)], 2)
    real, painted = seen(batch.video), seen(fake)
    game = smooth_loss(verdicts(real), verdicts(painted), kind=settings.loss)
    matching = feature_matching_loss([m[:-1] for m in real], [m[:-1] for m in painted])
    network = eyes(settings)
    perceptual = [
        perceptual_loss(network(batch.video[:, :, t]), network(fake[:, :, t]), network.weights)
        for t in (0, 1)
        if network
    ]
    total = stage_1_objective(
        game, matching, perceptual, (fake - batch.video).abs().mean(),
        feature_weight=settings.feature_weight, perceptual_weight=settings.perceptual_weight,
        pixel_weight=settings.pixel_weight,
    ).total  # fmt: skip
    found = {"generator": list(torch.autograd.grad(total, list(generator.parameters())))}
    again = smooth_loss(
        verdicts(seen(batch.video)), verdicts(seen(fake.detach())), kind=settings.loss
    )
    gradients = torch.autograd.grad(again.discriminator, list(discriminator.parameters()))
    return found | {"discriminator": list(gradients)}


def test_the_discriminator_learns_which_pairs_are_real(accelerator):
    state, batch, fake, _ = played(tiny(learning_rate=5e-3))
    discriminator = state.models["discriminator"]
    for _ in range(30):
        steps.discriminator_step(state, judge(discriminator, batch, fake), accelerator)
    judged = judge(discriminator, batch, fake)
    assert judged.real[0][-1].mean() > judged.fake[0][-1].mean() + 0.2


def test_the_generator_comes_closer_to_the_real_frames(accelerator):
    settings = tiny(perceptual_weight=0.0, pixel_weight=100.0, learning_rate=1e-2)
    state, batch, _, _ = played(settings)
    batch = batch._replace(video=torch.full_like(batch.video, 0.5))
    losses = []
    for _ in range(15):
        fake = feed_back(state.models["generator"], batch.skeleton)
        judged = judge(state.models["discriminator"], batch, fake)
        record = steps.generator_step(state, batch, fake, judged, None, accelerator)
        losses.append(record["g_l1"].item())
    assert losses[-1] < 0.7 * losses[0]


def test_in_the_game_too_the_figure_counts_for_more(accelerator):
    settings = tiny(pixel_weight=1.0, figure_weight=8.0)
    state, batch, fake, judged = played(settings)
    batch = with_a_thin_figure(batch)
    record = steps.generator_step(state, batch, fake, judged, eyes(settings), accelerator)
    wanted = pixel_loss(batch.video, fake, batch.skeleton, figure_weight=8.0)
    assert record["g_l1"].item() == pytest.approx(wanted.item())
    assert abs(wanted - (fake - batch.video).abs().mean()) > 1e-4 * wanted


def test_what_is_seen_counts_for_both_frames():
    real, fake = torch.zeros(2, 3, 2, 4, 4), torch.zeros(2, 3, 2, 4, 4)
    fake[:, :, 0], fake[:, :, 1] = 0.5, 0.25
    first, second = steps.seen_differences(Eyes(), real, fake)
    assert first.total.item() == pytest.approx(0.75)
    assert second.total.item() == pytest.approx(0.375)


# ---- The loop ------------------------------------------------------------------------------------

TERMS = {"d_real", "d_fake", "g_smooth", "g_features", "g_perceptual", "g_l1"}


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_loop_yields_one_record_of_finite_losses_a_step(settings):
    records = list(steps.train(steps.new_state(settings), noise_footage(), network=Eyes()))
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert all(record.keys() == {"step"} | TERMS for record in records)
    assert all(torch.tensor(list(record.values())).isfinite().all() for record in records)
    assert (records[0]["g_perceptual"] == 0) == (settings.perceptual_weight == 0)


def test_in_the_warm_up_the_pixels_teach_and_the_discriminator_waits(monkeypatch):
    state = steps.new_state(tiny(pixel_weight=1.0, warmup=2, average_decay=0.5))
    painted = []
    monkeypatch.setattr(
        steps, "feed_back", lambda g, x: painted.append(x.shape[2]) or feed_back(g, x)
    )
    generator, discriminator, average = (
        state.models[name] for name in ("generator", "discriminator", "average")
    )
    learned, judging, kept = (weights(net) for net in (generator, discriminator, average))
    records = []
    for record in steps.train(state, noise_footage(), network=Eyes()):
        records.append(set(record) - {"step"})
        assert not same(weights(generator), learned)
        assert not same(weights(average), kept)
        assert same(weights(discriminator), judging) == (record["step"] <= 2)
        learned, kept = weights(generator), weights(average)
    assert records == [{"g_l1"}, {"g_l1"}, TERMS, TERMS]
    assert painted == [1, 1, 2, 2], "the warm-up has frames by themselves, the game pairs"


def with_a_thin_figure(batch: Batch) -> Batch:
    """The same frames with one line for a figure, so that most pixels are far from it."""
    skeleton = torch.full_like(batch.skeleton, -1.0)
    skeleton[..., 5] = 1.0
    return batch._replace(skeleton=skeleton)


@pytest.mark.parametrize("figure_weight", [0.0, 8.0])
def test_a_warm_up_step_descends_the_difference_of_pixels(figure_weight, accelerator):
    state, batch, fake, _ = played(tiny(pixel_weight=3.0, figure_weight=figure_weight, warmup=4))
    generator, batch = state.models["generator"], with_a_thin_figure(batch)
    loss = pixel_loss(batch.video, fake, batch.skeleton, figure_weight=figure_weight)
    wanted = torch.autograd.grad(3 * loss, list(generator.parameters()), retain_graph=True)
    steps.pixel_step(state, batch, fake, accelerator)
    for parameter, gradient in zip(generator.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize(
    "settings",
    [*VARIANTS.values(), tiny(pixel_weight=1.0, warmup=3)],
    ids=[*VARIANTS, "warmed up"],
)
def test_a_resumed_run_goes_on_to_the_same_bits(settings, tmp_path):
    whole = steps.new_state(settings)
    records = list(steps.train(whole, noise_footage(), network=Eyes()))
    begun = steps.new_state(settings)
    going = steps.train(begun, noise_footage(), network=Eyes())
    first = [record for _, record in zip(range(2), going, strict=False)]
    save_checkpoint(tmp_path / "run.safetensors", begun)
    resumed = steps.new_state(settings)
    load_checkpoint(tmp_path / "run.safetensors", resumed)
    assert first + list(steps.train(resumed, noise_footage(), network=Eyes())) == records
    for name, model in whole.models.items():
        assert same(weights(model), weights(resumed.models[name])), name


def test_rates_fall_to_nothing_over_the_second_half_of_the_warm_up_and_of_the_game():
    settings = tiny(steps=12, warmup=4, pixel_weight=1.0, learning_rate=1e-3)
    for wanted in (
        [1, 1, 1, 0.5] + [1] * 5 + [0.75, 0.5, 0.25],
        [1] * 12,
    ):
        state = steps.new_state(dataclasses.replace(settings, decay=max(wanted) != min(wanted)))
        rates = []
        for _ in steps.train(state, noise_footage(), network=Eyes()):
            (rate,) = {g["lr"] for o in state.optimizers.values() for g in o.param_groups}
            rates.append(rate / settings.learning_rate)
        assert rates == pytest.approx(wanted)


def test_a_price_on_the_mask_closes_it():
    masks = []
    for price in (0.0, 50.0):
        state = steps.new_state(
            tiny(
                generator="unet", pixel_weight=1.0, mask_weight=price,
                steps=30, warmup=27, learning_rate=0.01,
            )
        )  # fmt: skip
        list(steps.train(state, noise_footage(), network=Eyes()))
        masks.append(state.models["generator"].mask.mean().item())
    assert masks[1] < 0.7 * masks[0]


def test_a_unets_room_begins_as_what_most_frames_show():
    footage = noise_footage(n=6, frames=5)
    footage = dataclasses.replace(footage, skeleton=-torch.ones(footage.skeleton.shape))
    state = steps.new_state(tiny(generator="unet", average_decay=0.9))
    going = steps.train(state, footage, network=Eyes())
    next(going)  # one step of Adam moves each pixel by the learning rate at most
    wanted = footage.video.transpose(1, 2).flatten(0, 1).median(0).values
    for name in ("generator", "average"):
        moved = (state.models[name].background[0] - wanted).abs().max()
        assert moved <= 1.01 * state.settings.learning_rate
    steps.show_room(state, footage.subset([0]), frames=1)
    assert torch.equal(state.models["generator"].background[0], footage.video[0, :, 0])


def test_the_average_soon_forgets_the_untrained_weights():
    state = steps.new_state(tiny(average_decay=0.999, steps=1))
    untrained = weights(state.models["generator"])
    list(steps.train(state, noise_footage(), network=Eyes()))
    now, mean = (weights(state.models[name]) for name in ("generator", "average"))
    for old, new, average in zip(untrained, now, mean, strict=True):
        torch.testing.assert_close(average, 0.1 * old + 0.9 * new)


def test_a_pair_is_two_frames_in_a_row_with_their_figures():
    footage = noise_footage()
    batch = pick(footage, torch.tensor([[2, 1], [0, 2]]))
    assert torch.equal(batch.video[0], footage.video[2, :, 1:3])
    assert torch.equal(batch.skeleton[1], footage.skeleton[0, :, 2:4])
    alone = pick(footage, torch.tensor([[2, 1], [0, 2]]), frames=1)
    assert torch.equal(alone.video, batch.video[:, :, :1])
    small = dataclasses.replace(footage, video=to_bytes(footage.video))
    torch.testing.assert_close(
        pick(small, torch.tensor([[2, 1]])).video[0], batch.video[0], rtol=0, atol=1 / 127
    )


def test_a_unet_reads_each_limb_by_itself_and_all_others_a_picture():
    footage, starts = noise_footage(), torch.tensor([[2, 1]])
    picture, limbs = (pick(footage, starts, limbs=limbs) for limbs in (False, True))
    assert torch.equal(picture.figure, footage.skeleton[2:, :, 1:3])
    wanted = draw_skeletons(footage.pose[2:, 1:3], SIZE, limbs=True)
    assert wanted.shape == (1, 17, 2, *SIZE)
    assert torch.equal(limbs.figure, wanted)
    assert torch.equal(limbs.skeleton, picture.skeleton)
    assert torch.equal(footage.figures(limbs=True)[2:, :, 1:3], wanted)
    assert torch.equal(footage.figures(), footage.skeleton)


def test_frames_that_show_nobody_are_in_no_pair():
    footage = noise_footage(n=2, frames=5)
    footage.pose[0, 2, :, 2] = 0
    footage.pose[1, 4] = torch.nan
    assert footage.pairs.tolist() == [[0, 0], [0, 3], [1, 0], [1, 1], [1, 2]]
    assert somebody(footage.pose).sum() == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": (16, 25)}, "size: expected height and width as multiples of 2, at least 4, got"),
        ({"generator": "local", "size": (16, 26)}, "size: expected height and width as multiples"),
        ({"loss": "hinge"}, "loss: expected one of log, least_squares; got 'hinge'"),
        ({"features": "lpips"}, "features: expected one of puppets, mobilenet, vgg19; got 'lpips'"),
        ({"generator": "gan"}, "generator: expected one of global, local, unet; got 'gan'"),
        ({"mirror": True}, "mirror: expected False with generator='global', which has no limbs"),
        ({"scales": 0}, "scales: expected a positive integer, got 0"),
        ({"feature_weight": -1}, "feature_weight: expected a number at least 0, got -1"),
        ({"warmup": 2}, "warmup: expected 0 with pixel_weight=0, got 2: G would learn nothing"),
        ({"warmup": 2.5, "pixel_weight": 1}, "warmup: expected a positive integer, got 2.5"),
        ({"mask_weight": -1}, "mask_weight: expected a number at least 0, got -1"),
        ({"figure_weight": -1}, "figure_weight: expected a number at least 0, got -1"),
        ({"beta1": 1.0}, "beta1: expected a number at least 0 and below 1, got 1.0"),
        ({"learning_rate": 0}, "learning_rate: expected a number above 0, got 0"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        tiny(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"face_size": 9}, "face_size: expected a multiple of 2, at least 4, got 9"),
        ({"norm": "none"}, "norm: expected one of instance, batch; got 'none'"),
        ({"steps": 0}, "steps: expected a positive integer, got 0"),
        ({"pixel_weight": -1}, "pixel_weight: expected a number at least 0, got -1"),
        ({"average_decay": 1.0}, "average_decay: expected a number at least 0 and below 1"),
    ],
)  # fmt: skip
def test_face_settings_that_cannot_be_meant_are_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        dataclasses.replace(FACE, **changes)


def test_footage_that_does_not_fit_is_named():
    footage = noise_footage()
    with pytest.raises(ValueError, match=r"skeleton: expected \(3, 3, 4, 16, 24\), got"):
        dataclasses.replace(footage, skeleton=footage.skeleton[..., :16])
    with pytest.raises(ValueError, match=r"footage\.video: expected \(N, 3, T, 16, 32\), got"):
        next(steps.train(steps.new_state(tiny(size=(16, 32))), footage))
    footage.pose[..., 2] = 0
    with pytest.raises(
        ValueError, match="footage: expected two frames in a row that show somebody"
    ):
        next(
            steps.train(
                steps.new_state(tiny()), Footage(footage.video, footage.skeleton, footage.pose)
            )
        )
    with pytest.raises(ValueError, match="footage: expected a frame that shows a nose or an ear"):
        paint_faces(steps.new_state(tiny()), footage, FACE)


def test_an_uneven_share_of_the_batch_is_refused():
    fake = SimpleNamespace(
        num_processes=2, process_index=0, device=torch.device("cpu"), scaler=None
    )
    with pytest.raises(ValueError, match="batch_size: expected a multiple of 2 processes, got 3"):
        next(steps.train(steps.new_state(tiny()), noise_footage(), accelerator=fake))


# ---- Stage 2 -------------------------------------------------------------------------------------


def face_played() -> tuple:
    state, batch = face_steps.new_state(FACE), noise_faces(3)
    face = face_steps.corrected_face(state.models["generator"], batch.pose, batch.painted)
    return state, batch, face, face_steps.judge(state.models["discriminator"], batch, face)


def test_each_of_stage_2s_players_moves_alone(accelerator):
    state, batch, face, judged = face_played()
    generator, discriminator = state.models["generator"], state.models["discriminator"]
    before, judging = weights(generator), weights(discriminator)
    face_steps.generator_step(state, batch, face, judged, Eyes(), accelerator)
    assert same(weights(discriminator), judging)
    assert all(p.grad is None for p in discriminator.parameters())
    moved = weights(generator)
    assert not same(moved, before)
    generator.zero_grad()
    face_steps.discriminator_step(state, judged, accelerator)
    assert same(weights(generator), moved)
    assert all(p.grad is None for p in generator.parameters())
    assert not same(weights(discriminator), judging)


def test_stage_2_leaves_stage_1_as_it_was():
    first = steps.new_state(tiny(average_decay=0.9))
    before = {name: weights(model) for name, model in first.models.items()}
    faces = paint_faces(first, noise_footage(), FACE)
    state = face_steps.new_state(FACE)
    records = list(face_steps.train(state, faces, network=Eyes()))
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert set(records[0]) == {"step", "d_real", "d_fake", "g_face", "g_perceptual", "g_l1"}
    assert all(torch.tensor(list(record.values())).isfinite().all() for record in records)
    assert all(same(weights(model), before[name]) for name, model in first.models.items())
    assert set(state.models) == {"generator", "discriminator", "average"}  # all there is to train


def test_stage_2_resumes_to_the_same_bits(tmp_path):
    whole = face_steps.new_state(FACE)
    records = list(face_steps.train(whole, noise_faces(), network=Eyes()))
    begun = face_steps.new_state(FACE)
    going = face_steps.train(begun, noise_faces(), network=Eyes())
    first = [record for _, record in zip(range(2), going, strict=False)]
    save_checkpoint(tmp_path / "run.safetensors", begun)
    resumed = face_steps.new_state(FACE)
    load_checkpoint(tmp_path / "run.safetensors", resumed)
    assert first + list(face_steps.train(resumed, noise_faces(), network=Eyes())) == records


def test_faces_are_painted_as_a_dance_is_from_frame_to_frame():
    state, footage = steps.new_state(tiny()), noise_footage()
    footage.pose[:, :, 0, :2] = torch.tensor([9.0, 8.0])  # every nose
    footage.pose[1, 2, [0, 16, 17], 2] = 0  # but one that is not seen
    faces = paint_faces(state, footage, FACE)
    assert all(kind.shape == (11, 3, 8, 8) for kind in faces)
    with torch.no_grad():
        painted = feed_back(state.models["generator"], footage.skeleton)
    seen = (footage.skeleton, painted, footage.video, footage.skeleton)
    cut = [to_bytes(films[2, :, 3, 4:12, 5:13]) for films in seen]
    for kind, wanted in zip(faces, cut, strict=True):
        assert torch.equal(kind[-1], wanted)


def test_a_face_unet_reads_each_limb_of_the_face_by_itself():
    settings = dataclasses.replace(FACE, generator="unet")
    state, footage = steps.new_state(tiny()), noise_footage()
    faces = paint_faces(state, footage, settings)
    boxes, _ = face_boxes(footage.pose, size=8, height=SIZE[0], width=SIZE[1])
    x, y = boxes[-1, -1, :2].tolist()
    wanted = to_bytes(footage.figures(limbs=True))[-1, :, -1, y : y + 8, x : x + 8]
    assert torch.equal(faces.figure[-1], wanted)
    assert faces.pose.shape[1] == 3
    run = face_steps.new_state(settings)
    before = weights(run.models["generator"])
    records = list(face_steps.train(run, faces, network=Eyes()))
    assert len(records) == settings.steps
    assert not same(weights(run.models["generator"]), before)
    poses = footage.pose[:1].clone()
    film = transfer(state, poses).video
    assert not torch.equal(transfer(state, poses, faces=run).video, film)


def test_faces_of_another_size_or_none_are_refused():
    state = face_steps.new_state(FACE)
    with pytest.raises(ValueError, match=r"faces\.real: expected \(M, 3, 8, 8\), got"):
        next(face_steps.train(state, Faces(*(torch.zeros(2, 3, 6, 6),) * 4)))
    with pytest.raises(ValueError, match="faces: their number: expected a positive integer, got 0"):
        next(face_steps.train(state, Faces(*(torch.zeros(0, 3, 8, 8),) * 4)))


def test_a_correction_learns_what_is_missing(accelerator):
    state = face_steps.new_state(dataclasses.replace(FACE, pixel_weight=100.0, learning_rate=1e-2))
    batch = noise_faces(3)
    batch = batch._replace(real=batch.painted + 0.3)
    losses = []
    for _ in range(25):
        face = face_steps.corrected_face(state.models["generator"], batch.pose, batch.painted)
        judged = face_steps.judge(state.models["discriminator"], batch, face)
        losses.append(
            face_steps.generator_step(state, batch, face, judged, None, accelerator)["g_l1"].item()
        )
    assert losses[-1] < 0.7 * losses[0]


# ---- What is trained on --------------------------------------------------------------------------


def made_to_turn(made: motion.Motion) -> motion.Motion:
    """The same motion, turning round once."""
    turns = motion.turn_matrix(torch.linspace(0, 2 * torch.pi, len(made)))
    return dataclasses.replace(
        made, directions=torch.einsum("tij,tbj->tbi", turns, made.directions)
    )


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something in the place of the motion capture, which would have to be fetched."""
    made = act("walk", frames=48, fps=16, generator=torch.Generator().manual_seed(0))
    made = made_to_turn(made)
    named = {
        name: dataclasses.replace(made, name=name) for name in ("walk", "run", "dance_b", *FLOOR)
    }
    monkeypatch.setattr(motion, "load_mocap", lambda: named)


def test_the_figures_lie_over_the_puppet(captured):
    footage = puppet_footage(tiny(size=(32, 32), n_clips=3), split="train")
    assert footage.video.shape == footage.skeleton.shape == (3, 3, 16, 32, 32)
    assert footage.video.dtype == footage.skeleton.dtype == torch.uint8
    assert torch.equal(footage.skeleton, to_bytes(draw_skeletons(footage.pose, (32, 32))))
    still = footage.video.float().median(2, keepdim=True).values
    moving = (footage.video - still).abs().amax(1) > 40
    drawn = footage.skeleton.amax(1) > 128
    assert moving[drawn].float().mean() > 5 * moving[~drawn].float().mean()


def test_one_model_learns_one_person_before_one_scene(captured):
    footage = puppet_footage(tiny(size=(32, 32), n_clips=4), split="train", puppet=2, scene=1)
    corner = footage.video[:, :, :, :3, :3].float()
    assert corner.std((0, 2)).max() == 0
    other = puppet_footage(tiny(size=(32, 32), n_clips=4), split="train", puppet=3, scene=1)
    assert torch.equal(other.video[:, :, :, :3, :3].float(), corner)
    assert not torch.equal(other.video, footage.video)
    same = puppet_footage(tiny(size=(32, 32), n_clips=4), split="train", puppet=CAST[2], scene=1)
    assert torch.equal(same.video, footage.video)


def test_training_and_test_perform_other_motions(captured, monkeypatch):
    performed: list[str] = []

    def towards_camera(motion: motion.Motion, *rest: object) -> motion.Motion:
        performed.append(motion.name)
        return turned(motion, *rest)

    turned = module.towards_camera
    monkeypatch.setattr(module, "towards_camera", towards_camera)
    wanted = {"train": {"walk", "run"}, "test": {"dance_b"}, "floor": set(FLOOR)}
    for split, names in wanted.items():
        performed.clear()
        puppet_footage(tiny(), split=split, n=60, frames=2)
        assert set(performed) == names


def test_arms_of_another_motion_leave_the_body_as_it_is():
    random = torch.Generator().manual_seed(0)
    walk, jump = (act(name, frames=8, fps=16, generator=random) for name in ("walk", "jump"))
    mixed = with_arms_of(walk, jump)
    for number, bone in enumerate(motion.BONE_NAMES):
        source = jump if bone in ("r_arm", "r_forearm", "l_arm", "l_forearm") else walk
        assert torch.equal(mixed.directions[:, number], source.directions[:, number])
    assert torch.equal(mixed.root, walk.root)


def test_only_training_mixes_motions(captured, monkeypatch):
    mixed: list[str] = []

    def with_arms_of(motion: motion.Motion, other: motion.Motion) -> motion.Motion:
        mixed.append(motion.name)
        return motion

    monkeypatch.setattr(module, "with_arms_of", with_arms_of)
    puppet_footage(tiny(), split="test", n=24)
    puppet_footage(tiny(), split="floor", n=24)
    assert not mixed
    puppet_footage(tiny(), split="train", n=24)
    assert 6 <= len(mixed) <= 18


def test_a_target_faces_the_camera_and_shows_its_back_if_asked(captured):
    shoulders = [JOINTS.index(f"{side} shoulder") for side in ("left", "right")]

    def seen_from_behind(turn: float) -> float:
        pose = puppet_footage(tiny(size=(32, 32)), split="train", n=12, frames=24, turn=turn).pose
        left, right = (pose[:, :, joint, 0] for joint in shoulders)
        return (left < right).float().mean().item()

    assert seen_from_behind(0.2) == 0
    assert seen_from_behind(1.0) > 0.2


def test_a_frame_that_is_not_square_has_its_figures_squeezed_with_it(captured):
    footage = puppet_footage(tiny(size=(16, 32), n_clips=2), split="test")
    assert footage.video.shape == (2, 3, 16, 16, 32)
    seen = footage.pose[..., 2] > 0
    assert footage.pose[seen][:, 1].max() < 16
    assert footage.pose[seen][:, 0].max() > 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "val"}, "split: expected one of train, test, floor; got 'val'"),
        ({"split": "train", "puppet": 99}, "puppet: expected 0 to 7, got 99"),
        ({"split": "train", "scene": -1}, "scene: expected 0 to 3, got -1"),
    ],
)
def test_puppets_that_are_not_there_are_refused(captured, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        puppet_footage(tiny(), **options)


def test_the_man_on_the_beam_is_split_by_time():
    try:
        train, test = (balance_footage(tiny(size=(32, 32)), split=s) for s in ("train", "test"))
    except (FetchError, ImportError) as error:
        pytest.skip(f"the man's poses are neither cached nor to be had: {error}")
    assert train.video.shape == (1, 3, 80, 32, 32)
    assert test.video.shape == (1, 3, 20, 32, 32)
    assert len(train.pairs) > 60
    parts = balance_footage(tiny(size=(32, 32)), split="train", frames=16)
    assert torch.equal(parts.video[1], train.video[0, :, 16:32])


def test_a_subset_keeps_films_figures_and_poses_together():
    footage = noise_footage()
    part = footage.subset([2, 0])
    assert len(part) == 2
    for name in ("video", "skeleton", "pose"):
        assert torch.equal(getattr(part, name)[0], getattr(footage, name)[2])


def test_bytes_stay_bytes_and_films_come_back():
    video = noise_footage().video
    assert (to_bytes(video).float() / 127.5 - 1 - video).abs().max() < 1 / 127
    small = to_bytes(video)
    assert to_bytes(small) is small
    made = film(small, noise_footage().pose)
    assert made.skeleton.dtype == torch.uint8


# ---- The shell -----------------------------------------------------------------------------------


def test_faces_learn_from_the_folder_of_a_run_of_stage_1(captured, tmp_path):
    import json

    settings = MODELS["ts"]["smoke"]
    with pytest.raises(
        ValueError, match="--data: faces learn from a run of stage 1: train model ts"
    ):
        load_data(MODELS["faces"]["smoke"], "puppets")
    state = steps.new_state(settings)
    save_checkpoint(tmp_path / "checkpoint.safetensors", state)
    told = dataclasses.asdict(settings) | {"data": "puppets"}
    (tmp_path / "settings.json").write_text(json.dumps(told))
    faces = load_data(MODELS["faces"]["smoke"], str(tmp_path))
    assert faces.real.shape[1:] == (3, 8, 8)
    again, footage = load_stage_1(tmp_path)
    assert again.settings == settings
    assert same(weights(again.models["average"]), weights(state.models["average"]))
    assert len(footage) == settings.n_clips
    (tmp_path / "settings.json").write_text(json.dumps(dataclasses.asdict(FACE) | {"data": "x"}))
    with pytest.raises(ValueError, match="--data: expected a run of stage 1, got another one"):
        load_stage_1(tmp_path)
    with pytest.raises(ValueError, match="--data: expected one of puppets, balance; got 'cats'"):
        load_data(settings, "cats")


def test_both_stages_leave_something_to_look_at(tmp_path):
    import imageio.v3 as iio

    for name, state, data in (
        ("first", steps.new_state(tiny()), noise_footage()),
        ("second", face_steps.new_state(FACE), noise_faces()),
    ):
        out = tmp_path / name
        out.mkdir()
        write_samples(state, data, out)
        assert iio.imread(out / "samples.png").std() > 0
        assert iio.imread(out / "samples.mp4", plugin="FFMPEG").std() > 0
