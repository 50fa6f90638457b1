"""The detector of fakes: what it sees, that it learns, and what the probes say it keys on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vidgen_lite.everybody_dance_now.fake_detector import (
    CHANGES,
    FakeDetector,
    accuracy,
    blurred,
    frame_pairs,
    one_frame,
    probes,
    split_subjects,
    swapped,
    train_detector,
)


def films(n: int = 6, *, seed: int = 0, t: int = 4, size: int = 16) -> Tensor:
    """Films (n, 3, t, size, size) of plain noise in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, t, size, size, generator=random) * 2 - 1


class Rule(nn.Module):
    """A detector that knows one rule: it takes for fake whatever has a positive value of it."""

    def __init__(self, rule) -> None:
        super().__init__()
        self.rule, self.unused = rule, nn.Parameter(torch.zeros(1))

    def forward(self, pairs: Tensor) -> Tensor:
        return self.rule(pairs)


# ---- Pairs and people ----------------------------------------------------------------------------


def test_a_pair_is_a_frame_and_the_one_after_it():
    video = films(2, t=3)
    pairs = frame_pairs(video)
    assert pairs.shape == (4, 6, 16, 16)
    assert torch.equal(pairs[1], torch.cat([video[0, :, 1], video[0, :, 2]]))
    assert torch.equal(pairs[2], torch.cat([video[1, :, 0], video[1, :, 1]]))


def test_bytes_become_numbers_from_minus_one_to_one():
    video = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2, 1, 1).expand(1, 3, 2, 2, 2)
    pairs = frame_pairs(video)
    assert pairs[0, :3].unique().item() == -1
    assert pairs[0, 3:].unique().item() == 1


def test_nobody_is_in_both_parts():
    subjects = torch.arange(62).repeat(3)
    train, test = split_subjects(subjects)
    assert set(subjects[train].tolist()).isdisjoint(subjects[test].tolist())
    assert len(train) == 3 * 48
    assert len(test) == 3 * 14
    assert sorted(torch.cat([train, test]).tolist()) == list(range(186))
    assert not torch.equal(test, split_subjects(subjects, seed=1)[1])
    assert torch.equal(test, split_subjects(subjects)[1])


def test_somebody_is_in_each_part():
    subjects = torch.tensor([5, 5, 9])
    for share in (0.01, 0.99):
        train, test = split_subjects(subjects, share=share)
        assert len(train) + len(test) == 3
        assert len(train) > 0 < len(test)
    with pytest.raises(ValueError, match="subjects: expected at least 2 different ones, got 1"):
        split_subjects(torch.tensor([5, 5]))
    with pytest.raises(ValueError, match="share: expected a number above 0 and below 1, got 1"):
        split_subjects(subjects, share=1)


# ---- The network ---------------------------------------------------------------------------------


def test_a_pair_of_any_size_gets_one_logit():
    detector = FakeDetector(width=2)
    assert detector(torch.zeros(3, 6, 16, 24)).shape == (3,)
    assert detector(torch.zeros(2, 6, 33, 47)).shape == (2,)
    with pytest.raises(ValueError, match=r"pairs: expected \(B, 6, H, W\), got \(3, 3, 16, 16\)"):
        detector(torch.zeros(3, 3, 16, 16))
    with pytest.raises(ValueError, match="width: expected a positive integer, got 0"):
        FakeDetector(width=0)
    with pytest.raises(ValueError, match="dropout: expected a number at least 0 and below 1"):
        FakeDetector(dropout=1.0)


def test_a_pairs_logit_does_not_depend_on_its_neighbours_in_the_batch():
    torch.manual_seed(0)
    detector = FakeDetector(width=2, dropout=0.0)
    pairs = frame_pairs(films())
    torch.testing.assert_close(detector(pairs)[:1], detector(pairs[:1]))


def test_it_learns_to_find_a_flicker_in_films_it_has_not_seen():
    """Each frame by itself is like a real one; that they differ betrays the fakes."""

    def still(seed: int) -> Tensor:
        return films(64, seed=seed, t=1).expand(-1, -1, 4, -1, -1)

    torch.manual_seed(0)
    detector = FakeDetector(width=4)
    before = [p.clone() for p in detector.parameters()]
    records = list(
        train_detector(detector, still(0), films(64, seed=1), steps=60, learning_rate=5e-3)
    )
    assert [record["step"] for record in records] == list(range(1, 61))
    assert all(record.keys() == {"step", "loss", "accuracy"} for record in records)
    assert all((a != b).any() for a, b in zip(before, detector.parameters(), strict=True))
    assert not detector.training
    found = probes(detector, still(2), films(64, seed=3))
    assert found["as they are"] > 0.9
    assert found["one frame twice"] == pytest.approx(0.5, abs=0.15)


def test_a_detector_that_is_shown_one_frame_cannot_learn_flicker():
    real, fake = films(24, t=1).expand(-1, -1, 4, -1, -1), films(24, seed=1)
    torch.manual_seed(0)
    detector = FakeDetector(width=4)
    for _ in train_detector(detector, real, fake, steps=30, learning_rate=5e-3, change=one_frame):
        pass
    unseen = films(24, seed=2, t=1).expand(-1, -1, 4, -1, -1), films(24, seed=3)
    assert accuracy(detector, *unseen, change=one_frame) == pytest.approx(0.5, abs=0.15)


def test_training_sees_as_many_real_pairs_as_painted_ones_and_only_neighbours():
    seen = []

    def look(pairs: Tensor) -> Tensor:
        seen.append(pairs)
        return pairs

    ramp = torch.arange(5.0).view(1, 1, 5, 1, 1).expand(2, 3, 5, 16, 16)
    training = train_detector(
        FakeDetector(width=1), ramp / 10, -ramp[:, :, :3] / 10, steps=3, batch_size=8, change=look
    )
    assert len(list(training)) == 3
    early, late = torch.cat(seen)[:, [0, 3], 0, 0].view(3, 8, 2).mul(10).round().unbind(2)
    assert (late[:, :4] - early[:, :4] == 1).all()
    assert (late[:, 4:] - early[:, 4:] == -1).all()
    assert late[:, :4].max() > 2 >= early[:, 4:].abs().max()


def test_the_same_seed_shows_the_same_pairs():
    losses = []
    for other_draws in range(2):
        torch.manual_seed(0)
        detector = FakeDetector(width=1, dropout=0.0)
        torch.manual_seed(other_draws)
        training = train_detector(detector, films(), films(seed=1), steps=3, batch_size=4)
        losses.append([record["loss"] for record in training])
    assert losses[0] == losses[1]


# ---- Accuracy and probes -------------------------------------------------------------------------


def test_the_accuracy_weighs_real_and_painted_films_alike():
    always = Rule(lambda pairs: torch.ones(len(pairs)))
    assert accuracy(always, films(2), films(9)) == 0.5
    bright = Rule(lambda pairs: pairs.mean((1, 2, 3)))
    assert accuracy(bright, films() - 2, films() + 2) == 1
    assert accuracy(bright, films() + 2, films() - 2) == 0
    mixed = torch.cat([films(1) - 2, films(3) + 2])
    assert accuracy(bright, mixed, films(2) + 2) == pytest.approx((1 / 4 + 1) / 2)


def test_the_accuracy_leaves_the_detector_as_it_was():
    detector = FakeDetector(width=1)
    assert detector.training
    once = accuracy(detector, films(), films())
    assert once == accuracy(detector, films(), films()) == pytest.approx(0.5)
    assert detector.training
    detector.eval()
    accuracy(detector, films(), films())
    assert not detector.training


def test_each_change_takes_one_thing_away():
    pairs = frame_pairs(films(2))
    assert torch.equal(one_frame(pairs)[:, :3], pairs[:, :3])
    assert torch.equal(one_frame(pairs)[:, 3:], pairs[:, :3])
    assert torch.equal(swapped(pairs), torch.cat([pairs[:, 3:], pairs[:, :3]], 1))
    assert blurred(pairs).shape == pairs.shape
    assert blurred(pairs).std() < 0.6 * pairs.std()
    flat = torch.full((1, 6, 16, 16), 0.25)
    torch.testing.assert_close(blurred(flat), flat)


def test_probes_find_out_what_a_detector_keys_on():
    def fine(pairs: Tensor) -> Tensor:
        return pairs.diff(dim=-1).abs().mean((1, 2, 3)) - 0.5

    def motion(pairs: Tensor) -> Tensor:
        return (pairs[:, 3:] - pairs[:, :3]).abs().mean((1, 2, 3)) - 0.1

    def arrow(pairs: Tensor) -> Tensor:
        return (pairs[:, 3:] - pairs[:, :3]).mean((1, 2, 3))

    names = ["as they are", *CHANGES]
    flat = torch.zeros(6, 3, 4, 16, 16)
    rising = flat + 0.1 * torch.arange(4).view(1, 1, 4, 1, 1)
    for rule, fake, wanted in (
        (fine, films(t=1).expand(-1, -1, 4, -1, -1), [1, 0.5, 1, 1]),
        (motion, rising * 3, [1, 1, 0.5, 1]),
        (arrow, rising, [1, 1, 0.5, 0.5]),
    ):
        found = probes(Rule(rule), flat, fake)
        assert list(found) == names
        assert list(found.values()) == wanted


def test_masks_leave_the_figure_or_the_background():
    real, fake = torch.full((2, 3, 4, 16, 16), -0.5), torch.full((3, 3, 4, 16, 16), -0.5)
    mask = torch.zeros(3, 1, 4, 16, 16)
    mask[..., :8, :] = 1
    fake = torch.where(mask > 0, 0.5, fake)  # only the figure is bright
    bright = Rule(lambda pairs: pairs.amax((1, 2, 3)) - 0.1)
    found = probes(bright, real, fake, real_mask=mask[:2], fake_mask=mask)
    assert found["as they are"] == found["figure only"] == 1
    assert found["background only"] == 0.5
    found = probes(bright, real, fake, real_mask=1 - mask[:2], fake_mask=1 - mask)
    assert found["background only"] == 1
    assert found["figure only"] == 0.5


def test_films_that_cannot_be_judged_are_refused():
    detector = FakeDetector(width=1)
    with pytest.raises(ValueError, match=r"real: expected films of at least 2 frames"):
        accuracy(detector, films(t=1), films())
    with pytest.raises(ValueError, match=r"fake: expected \(N, 3, T, 16, 16\), got \(6, 3, 4, 8"):
        accuracy(detector, films(), films(size=8))
    with pytest.raises(ValueError, match="batch_size: expected an even number, got 5"):
        next(train_detector(detector, films(), films(), steps=1, batch_size=5))
    mask = torch.ones(6, 1, 4, 16, 16)
    with pytest.raises(ValueError, match="real_mask, fake_mask: expected both or none, got one"):
        probes(detector, films(), films(), real_mask=mask)
    with pytest.raises(ValueError, match=r"fake_mask: expected \(6, 1, 4, 16, 16\), got \(5, 1, 4"):
        probes(detector, films(), films(), real_mask=mask, fake_mask=mask[:5])
