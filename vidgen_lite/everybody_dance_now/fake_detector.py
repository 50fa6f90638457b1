"""Can a network tell painted films from real ones, by people it has never seen?

The paper's own detector looks at two consecutive frames, was trained on 48 people and tested on 14
others. This one is small. High accuracy is good news for whoever must find fakes, and says to the
painter that something is left to paint: ``probes`` asks what it was.

Films are (N, 3, T, H, W), float in [-1, 1] or uint8; pairs of consecutive frames (B, 6, H, W).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidgen_lite.checks import expect_number, expect_positive, expect_shape
from vidgen_lite.everybody_dance_now.perceptual import blur
from vidgen_lite.training import step_generator, to_float
from vidgen_lite.weights import initialise_by_fan_in

CONTRAST = 4.0  # how much the difference of two frames is enlarged
BLUR = 1.0  # pixels, of the probe that takes the finest texture away

Change = Callable[[Tensor], Tensor]  # pairs in, changed pairs out, both (B, 6, H, W)


class FakeDetector(nn.Module):
    """Two consecutive frames in, one logit out: above 0 for a fake.

    The first level is given the frames' mean and their enlarged difference. It could find these for
    itself, but frames differ much more from film to film than from moment to moment, and learning
    the films by heart comes easier. Each level halves the sides; of the last one, means and maxima
    over the picture are weighed, so that a fault counts wherever it is, and frames may have any
    size.

    Args:
        width: channels of the first level, doubled at each of the three others.
        dropout: share of the last level's numbers left out while training, for there are few
            people to learn from.

    Raises:
        ValueError: a width below 1, or a dropout outside [0, 1).
    """

    def __init__(self, *, width: int = 16, dropout: float = 0.2) -> None:
        super().__init__()
        expect_positive("width", width)
        expect_number("dropout", dropout, at_least=0, below=1)
        widths = [6, *(width * 2**i for i in range(4))]
        levels: list[nn.Module] = []
        for c_in, c_out in itertools.pairwise(widths):
            levels += [nn.Conv2d(c_in, c_out, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        self.levels = nn.Sequential(*levels)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * widths[-1], 1))
        initialise_by_fan_in(self.levels)

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (B,) of pairs (B, 6, H, W) in [-1, 1]: the earlier frame's colours come first."""
        expect_shape("pairs", pairs, "B 6 H W")
        first, second = pairs.chunk(2, 1)
        pairs = torch.cat([(first + second) / 2, CONTRAST * (second - first)], 1)
        maps = self.levels(pairs)  # (B, 8 width, H / 16, W / 16)
        return self.head(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))[:, 0]


def frame_pairs(films: Tensor) -> Tensor:
    """All pairs of consecutive frames of films (N, 3, T, H, W): (N (T - 1), 6, H, W), in [-1, 1].

    Raises:
        ValueError: another shape, or fewer than 2 frames.
    """
    _expect_films("films", films)
    pairs = torch.cat([films[:, :, :-1], films[:, :, 1:]], 1)  # (N, 6, T - 1, H, W)
    return to_float(pairs.transpose(1, 2).flatten(0, 1))


def split_subjects(
    subjects: Tensor, *, share: float = 14 / 62, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Divide films so that nobody is in both parts.

    Args:
        subjects: (N,) int64, who is in each film.
        share: of the people, to be held out; the paper's by default. One at least is held out, and
            one at least is not.
        seed: of the choice.

    Returns:
        Numbers of the films to train on, and of those to test on.

    Raises:
        ValueError: another shape, fewer than two people, or a share that is not between 0 and 1.
    """
    expect_shape("subjects", subjects, "N")
    expect_number("share", share, above=0, below=1)
    people = subjects.unique()
    if len(people) < 2:
        raise ValueError(f"subjects: expected at least 2 different ones, got {len(people)}")
    people = people[torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))]
    count = min(max(round(share * len(people)), 1), len(people) - 1)
    held_out = torch.isin(subjects, people[:count])
    return (~held_out).nonzero()[:, 0], held_out.nonzero()[:, 0]


def train_detector(
    detector: FakeDetector,
    real: Tensor,
    fake: Tensor,
    *,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    change: Change | None = None,
    seed: int = 0,
) -> Iterator[dict[str, float]]:
    """Train on real and painted films; yields a record a step.

    Half of a batch is real and half painted. Give it painted films of the same dances in the same
    places as the real ones: what else differs, it will find.

    Args:
        detector: changed in place; left in ``eval`` mode at the end.
        real: (N, 3, T, H, W), float in [-1, 1] or uint8.
        fake: (M, 3, U, H, W), likewise.
        steps: how many batches.
        batch_size: pairs a batch, an even number.
        learning_rate: Adam's at the start; it falls to zero along half a cosine.
        change: done to all pairs first, e.g. one of ``CHANGES``: what can a detector learn that
            never sees the rest?
        seed: of the batches; dropout draws from torch's own random numbers.

    Raises:
        ValueError: shapes that do not fit each other, or an odd batch.
    """
    h, w = _expect_films("real", real)
    _expect_films("fake", fake, h, w)
    expect_positive("steps", steps)
    expect_positive("batch_size", batch_size)
    if batch_size % 2:
        raise ValueError(f"batch_size: expected an even number, got {batch_size}")
    device = next(detector.parameters()).device
    optimizer = torch.optim.Adam(detector.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    answers = (torch.arange(batch_size, device=device) >= batch_size // 2).float()
    detector.train()
    for step in range(steps):
        random = step_generator(seed, step)
        halves = [_draw(films, batch_size // 2, random) for films in (real, fake)]
        pairs = torch.cat(halves).to(device)
        logits = detector(change(pairs) if change else pairs)
        loss = F.binary_cross_entropy_with_logits(logits, answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        right = ((logits > 0) == (answers > 0)).float().mean()
        yield {"step": step + 1, "loss": loss.item(), "accuracy": right.item()}
    detector.eval()


@torch.no_grad()
def accuracy(
    detector: FakeDetector, real: Tensor, fake: Tensor, *, change: Change | None = None
) -> float:
    """How often the detector is right: the mean of its shares on real and on painted pairs.

    Args:
        detector: trained.
        real: (N, 3, T, H, W), float in [-1, 1] or uint8, of people it has not seen.
        fake: (M, 3, U, H, W), likewise.
        change: done to all pairs first.

    Returns:
        From 0 to 1; a detector that always says the same, or guesses, has 1/2.

    Raises:
        ValueError: shapes that do not fit each other.
    """
    h, w = _expect_films("real", real)
    _expect_films("fake", fake, h, w)
    device = next(detector.parameters()).device
    training = detector.training
    detector.eval()
    shares = []
    for films, is_fake in ((real, False), (fake, True)):
        right = []
        for film in films.split(1):  # bounds the memory
            pairs = frame_pairs(film).to(device)
            right.append((detector(change(pairs) if change else pairs) > 0) == is_fake)
        shares.append(torch.cat(right).float().mean().item())
    detector.train(training)
    return sum(shares) / 2


def blurred(pairs: Tensor) -> Tensor:
    """Without the finest texture: blurred by a Gaussian of one pixel."""
    return blur(pairs, BLUR)


def one_frame(pairs: Tensor) -> Tensor:
    """Without motion: the earlier frame twice."""
    return torch.cat([pairs[:, :3], pairs[:, :3]], 1)


def swapped(pairs: Tensor) -> Tensor:
    """With time running backwards: the later frame first."""
    return pairs.roll(3, dims=1)


CHANGES: dict[str, Change] = {
    "blurred": blurred,
    "one frame twice": one_frame,
    "frames swapped": swapped,
}


def probes(
    detector: FakeDetector,
    real: Tensor,
    fake: Tensor,
    *,
    real_mask: Tensor | None = None,
    fake_mask: Tensor | None = None,
) -> dict[str, float]:
    """What does it key on? The accuracy when something is taken away from all frames.

    Where it falls to 1/2, the detector lived on what was taken. Where it does not, the
    rest of the picture alone betrays a fake. The detector has never seen such frames, so a fall
    may also be plain confusion: train another one with ``change`` before you are sure.

    Args:
        detector: trained.
        real: (N, 3, T, H, W), float in [-1, 1] or uint8, of people it has not seen.
        fake: (M, 3, U, H, W), likewise.
        real_mask: where the figure is, (N, 1, T, H, W) in [0, 1].
        fake_mask: likewise, (M, 1, U, H, W). For a painted film of the same poses, the true film's
            mask will do. Give both masks or none.

    Returns:
        Accuracies by name: ``as they are``, those of ``CHANGES``, and with masks ``figure only``
        and ``background only``, where the rest is grey.

    Raises:
        ValueError: shapes that do not fit each other, or one mask without the other.
    """
    real, fake = to_float(real), to_float(fake)
    found = {"as they are": accuracy(detector, real, fake)}
    for name, change in CHANGES.items():
        found[name] = accuracy(detector, real, fake, change=change)
    if (real_mask is None) != (fake_mask is None):
        raise ValueError("real_mask, fake_mask: expected both or none, got one")
    if real_mask is not None and fake_mask is not None:
        for name, mask, films in (("real", real_mask, real), ("fake", fake_mask, fake)):
            expect_shape(
                f"{name}_mask", mask, " ".join(map(str, (len(films), 1, *films.shape[2:])))
            )
        found["figure only"] = accuracy(detector, real * real_mask, fake * fake_mask)
        found["background only"] = accuracy(
            detector, real * (1 - real_mask), fake * (1 - fake_mask)
        )
    return found


def _draw(films: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Pairs (count, 6, H, W) in [-1, 1] from anywhere in the films, with replacement."""
    n, t = films.shape[0], films.shape[2]
    which = torch.randint(n, (count,), generator=random)
    when = torch.randint(t - 1, (count,), generator=random)
    pairs = torch.cat([films[which, :, when], films[which, :, when + 1]], 1)
    return to_float(pairs)


def _expect_films(name: str, films: Tensor, height: int = 0, width: int = 0) -> tuple[int, int]:
    """Height and width, or an error."""
    size = f"{height} {width}" if height else "H W"
    frames = expect_shape(name, films, f"N 3 T {size}")["T"]
    if len(films) < 1 or frames < 2:
        raise ValueError(f"{name}: expected films of at least 2 frames, got {tuple(films.shape)}")
    return films.shape[-2], films.shape[-1]
