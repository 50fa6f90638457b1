"""The features of L_P: trained on puppets, or taken from networks that know photographs."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from vidgen_lite.data.fetch import FetchError
from vidgen_lite.everybody_dance_now import PuppetFeatures, perceptual, perceptual_loss
from vidgen_lite.everybody_dance_now.perceptual import (
    BLURS,
    VGG19Features,
    blur,
    load_perceptual,
    puppet_frames,
    train_puppet_features,
)
from vidgen_lite.features import MobileNetV2


@pytest.fixture(scope="module")
def frames() -> tuple[Tensor, Tensor]:
    return puppet_frames(48, size=32)


@pytest.fixture(scope="module")
def training(frames) -> tuple[PuppetFeatures, list[dict[str, float]]]:
    torch.manual_seed(0)
    network = PuppetFeatures(width=8)
    records = train_puppet_features(network, *frames, steps=160, batch_size=8, learning_rate=1e-2)
    return network, list(records)


@pytest.fixture
def trained(training) -> PuppetFeatures:
    return training[0]


def distance(network: nn.Module, a: Tensor, b: Tensor) -> float:
    with torch.no_grad():
        return perceptual_loss(network(a), network(b), network.weights).total.item()


def test_there_are_four_maps_each_half_the_side_of_the_last():
    maps = PuppetFeatures(width=2)(torch.zeros(2, 3, 32, 24))
    assert [tuple(m.shape) for m in maps] == [
        (2, 2, 32, 24), (2, 4, 16, 12), (2, 8, 8, 6), (2, 16, 4, 3)
    ]  # fmt: skip


def test_they_learn_to_find_joints_and_to_tell_blur(training):
    _, records = training
    assert [record["step"] for record in records] == list(range(1, 161))
    first, last = ({k: sum(r[k] for r in some) / len(some) for k in ("joints", "blur")}
                   for some in (records[:5], records[-5:]))  # fmt: skip
    assert last["joints"] < 0.9 * first["joints"]
    assert last["blur"] < 0.8 * first["blur"]


def test_training_leaves_a_ruler_that_no_longer_changes(frames, trained):
    assert not trained.training
    assert not any(p.requires_grad for p in trained.parameters())
    # And the levels count alike, however large their maps are.
    maps = trained(frames[0])
    share = [w * m.mean().item() for w, m in zip(trained.weights, maps, strict=True)]
    assert share == pytest.approx([0.25] * 4, rel=0.4)
    assert max(trained.weights) > 1.5 * min(trained.weights)


def test_blur_is_seen_and_more_blur_more(frames, trained):
    faces = frames[0][:16]
    told = [distance(trained, faces, blur(faces, sigma)) for sigma in BLURS]
    assert told == sorted(told)
    assert told[0] == 0
    assert told[1] > 0.01


def test_blur_counts_for_more_than_it_does_in_pixels(frames, trained):
    """Pixels charge a shift by one pixel more than a blur that wipes out the face."""
    some = frames[0]
    blurred, shifted = blur(some, 1.0), some.roll(1, -1)
    pixels = [(some - other).abs().mean().item() for other in (blurred, shifted)]
    seen = [distance(trained, some, other) for other in (blurred, shifted)]
    assert seen[0] / seen[1] > 1.2 * pixels[0] / pixels[1]


def test_a_blur_keeps_the_mean_and_spreads_a_point():
    point = torch.zeros(1, 3, 15, 15)
    point[:, :, 7, 7] = 1
    spread = blur(point, 1.0)
    assert spread.sum().item() == pytest.approx(3.0, rel=1e-3)
    assert spread[0, 0, 7, 7].item() == pytest.approx(1 / (2 * torch.pi), rel=0.02)
    torch.testing.assert_close(spread, spread.transpose(2, 3))
    assert blur(point, 0) is point
    torch.testing.assert_close(blur(torch.ones(1, 3, 6, 6), 2.0), torch.ones(1, 3, 6, 6))


def test_puppet_features_are_trained_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDGEN_CACHE", str(tmp_path))
    calls: list[int] = []
    make = perceptual.puppet_frames
    monkeypatch.setattr(perceptual, "puppet_frames", lambda n: calls.append(n) or make(n, size=16))
    before = torch.get_rng_state()
    first = load_perceptual("puppets", steps=2)
    assert torch.equal(torch.get_rng_state(), before)  # a run's own random numbers stay its own
    again = load_perceptual("puppets", steps=2)
    assert len(calls) == 1
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    load_perceptual("puppets", steps=3)
    assert len(calls) == 2
    (kept,) = tmp_path.rglob("puppet_features_*_2.safetensors")
    kept.write_bytes(b"torn")
    load_perceptual("puppets", steps=2)
    assert len(calls) == 3
    assert not list(tmp_path.rglob(".*"))  # nothing half-written is left


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDGEN_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_text("no folder")
    make = perceptual.puppet_frames
    monkeypatch.setattr(perceptual, "puppet_frames", lambda n: make(n, size=16))
    with pytest.warns(UserWarning, match="perceptual features: not kept for the next call"):
        load_perceptual("puppets", steps=1)


def test_mobilenets_maps_are_those_of_its_sizes(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(perceptual, "load_features", MobileNetV2)
    network = load_perceptual("mobilenet")
    maps = network(torch.zeros(2, 3, 128, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (16, 64, 48), (24, 32, 24), (32, 16, 12), (96, 8, 6)
    ]  # fmt: skip
    assert len(network.weights) == 4
    small = network(torch.zeros(1, 3, 24, 24))
    assert small[0].shape == (1, 16, 48, 48)  # enlarged to 96
    assert not network.training


def test_mobilenet_ranks_blur_above_a_shift(frames):
    try:
        network = load_perceptual("mobilenet")
    except FetchError as error:
        pytest.skip(f"the weights are neither cached nor to be had: {error}")
    some = frames[0][:8]
    assert distance(network, some, blur(some, 1.0)) > distance(network, some, some.roll(1, -1))


def layers() -> nn.Sequential:
    """VGG19's layers up to its last convolution, one channel wide."""
    made: list[nn.Module] = []
    c_in = 3
    for block in (2, 2, 4, 4, 4):
        for _ in range(block):
            made += [nn.Conv2d(c_in, 1, 3, 1, 1), nn.ReLU(inplace=True)]
            c_in = 1
        made.append(nn.MaxPool2d(2))
    return nn.Sequential(*made)


def test_vggs_maps_are_the_first_relu_of_each_block(monkeypatch):
    asked = []
    module = SimpleNamespace(
        vgg19=lambda weights: asked.append(weights) or SimpleNamespace(features=layers()),
        VGG19_Weights=SimpleNamespace(IMAGENET1K_V1="the weights"),
    )
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(models=module))
    monkeypatch.setitem(sys.modules, "torchvision.models", module)
    network = load_perceptual("vgg19")
    assert asked == ["the weights"]
    kinds = [type(network.layers[tap]) for tap in VGG19Features.TAPS]
    assert kinds == [nn.ReLU] * 5
    assert [tuple(m.shape[2:]) for m in network(torch.zeros(1, 3, 32, 32))] == [
        (32, 32), (16, 16), (8, 8), (4, 4), (2, 2)
    ]  # fmt: skip
    assert network.weights == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    assert len(network.layers) == 30


def test_without_torchvision_vgg_is_refused_in_words(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(RuntimeError, match="features: 'vgg19' needs torchvision"):
        load_perceptual("vgg19")


def test_weights_of_vgg_that_cannot_be_fetched_are_named(monkeypatch):
    def fail(weights: object) -> None:
        raise OSError("no network")

    module = SimpleNamespace(vgg19=fail, VGG19_Weights=SimpleNamespace(IMAGENET1K_V1=1))
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(models=module))
    monkeypatch.setitem(sys.modules, "torchvision.models", module)
    with pytest.raises(
        RuntimeError, match="features: VGG19's weights can't be fetched: no network"
    ):
        load_perceptual("vgg19")


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="kind: expected one of puppets, mobilenet, vgg19; got 'r"):
        load_perceptual("resnet")
