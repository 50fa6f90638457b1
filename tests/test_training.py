"""Every run can be repeated, stopped, resumed and shared; a file that does not fit is refused."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import itertools
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vidgen_lite import training
from vidgen_lite.scene_dynamics import Settings, new_state, train
from vidgen_lite.training import (
    State,
    average_gradients,
    average_record,
    frozen,
    load_checkpoint,
    make_accelerator,
    prepare,
    preset_name,
    process_slice,
    progress,
    resume,
    save_checkpoint,
    seed_everything,
    step_generator,
    update_average,
)

# One of each kind of run: with every odd end that a checkpoint must carry. A penalty that comes
# every second step, averaged weights, running means, the vectors of spectral norm.
START = Settings(size=32, width=2, z_dim=4, batch_size=4, steps=5)
RUNS = {
    "steadied": dataclasses.replace(
        START, norm="none", r1_weight=1.0, r1_every=2, average_decay=0.9, batch_statistics=True
    ),
    "published": START,
    "spectral": dataclasses.replace(START, norm="spectral", average_decay=0.5),
    "conditional": dataclasses.replace(START, model="conditional", all_frames=1.0),
}
STEADIED = RUNS["steadied"]
CLIPS = torch.rand(8, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def contents(state: State) -> dict[str, Tensor]:
    """A copy of every number of a run: weights, running means, averages, optimisers, step."""
    found = {"step": torch.tensor(state.step)}
    for name, model in state.models.items():
        found |= {f"{name} {k}": v.clone() for k, v in model.state_dict().items()}
    for name, optimizer in state.optimizers.items():
        for index, values in optimizer.state_dict()["state"].items():
            found |= {f"{name} {index} {k}": torch.as_tensor(v).clone() for k, v in values.items()}
    return found


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    assert [key for key in a if not torch.equal(a[key], b[key])] == []


def run(settings: Settings, steps: int | None = None) -> State:
    """A run after so many steps, of a process whose global random numbers are anywhere."""
    state = new_state(settings)
    torch.manual_seed(torch.seed())
    list(itertools.islice(train(state, CLIPS), steps))
    return state


@pytest.fixture(scope="module")
def finished() -> dict[str, dict[str, Tensor]]:
    """What each run comes to when nothing interrupts it."""
    return {name: contents(run(settings)) for name, settings in RUNS.items()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The steadied run after two steps."""
    path = tmp_path_factory.mktemp("run") / "checkpoint.safetensors"
    save_checkpoint(path, run(STEADIED, 2))
    return path


# ---- Presets, seeds, precision -------------------------------------------------------------------


def test_the_preset_is_the_argument_else_the_environments_else_the_machines(monkeypatch):
    monkeypatch.setenv("VIDGEN_PRESET", "smoke")
    assert preset_name("paper") == "paper"
    assert preset_name() == "smoke"
    for unset in ("", None):
        monkeypatch.setenv("VIDGEN_PRESET", unset) if unset == "" else monkeypatch.delenv(
            "VIDGEN_PRESET"
        )
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert preset_name() == "laptop"
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert preset_name() == "gpu"


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_an_unknown_preset_is_refused_with_the_four_there_are(monkeypatch, by: str):
    monkeypatch.setenv("VIDGEN_PRESET", "fast" if by == "environment" else "smoke")
    with pytest.raises(
        ValueError, match="preset: expected one of smoke, laptop, gpu, paper; got 'fast'"
    ):
        preset_name("fast" if by == "argument" else None)


def numbers(*place: int) -> list[float]:
    return torch.rand(4, generator=step_generator(*place)).tolist()


def test_a_steps_random_numbers_depend_on_seed_step_and_stream_and_on_nothing_else():
    first = numbers(3, 7)
    torch.manual_seed(99)
    assert numbers(3, 7) == first
    places = list(itertools.product((0, 1, 2), (0, 1, 2, 50), (0, 1, 7)))
    assert len({tuple(numbers(*place)) for place in places}) == len(places)


def test_seeding_repeats_the_global_random_numbers():
    seed_everything(5)
    first = torch.rand(3)
    seed_everything(5)
    assert torch.equal(torch.rand(3), first)


def test_a_cpu_computes_in_float32_unless_told_otherwise():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert make_accelerator().mixed_precision == "no"
    with pytest.raises(ValueError, match="precision: expected one of auto, no, fp16, bf16; got 8"):
        make_accelerator(8)


def test_one_process_may_train_in_one_precision_after_another():
    for precision in ("no", "bf16", "no"):
        accelerator = make_accelerator(precision)
        assert accelerator.mixed_precision == precision
        with accelerator.autocast():
            product = torch.ones(2, 2, device=accelerator.device) @ torch.ones(
                2, 2, device=accelerator.device
            )
        assert product.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)


def test_a_run_in_bfloat16_keeps_its_weights_in_float32_and_its_losses_finite():
    state = new_state(dataclasses.replace(STEADIED, steps=1))
    (record,) = train(state, CLIPS, accelerator=make_accelerator("bf16"))
    make_accelerator("no")
    assert all(value.isfinite().all() for value in contents(state).values())
    assert {p.dtype for m in state.models.values() for p in m.parameters()} == {torch.float32}
    assert all(value == value and abs(value) < 100 for value in record.values())


# ---- Freezing, averaging, progress ---------------------------------------------------------------


def test_through_a_frozen_network_gradients_reach_its_input_and_not_its_weights():
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    x = torch.randn(4, 2, requires_grad=True)
    with frozen(network):
        network(x).sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.parameters())


def test_after_freezing_each_weight_is_as_it_was_even_after_an_error():
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    network[0].bias.requires_grad_(False)
    before = [p.requires_grad for p in network.parameters()]
    with pytest.raises(OSError, match="in between"), frozen(network):
        raise OSError("in between")
    assert [p.requires_grad for p in network.parameters()] == before == [True, False, True, True]


def test_averaged_weights_and_running_means_move_the_stated_share_of_the_way():
    average, model = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    for network, value in ((average, 1.0), (model, 3.0)):
        nn.init.constant_(network.weight, value)
        network.running_mean.fill_(value)
    model.num_batches_tracked.fill_(7)
    update_average(average, model, 0.75)
    assert average.weight.tolist() == average.running_mean.tolist() == [1.5, 1.5]
    assert average.num_batches_tracked == 7
    assert model.weight.tolist() == [3.0, 3.0]


def test_a_decay_of_zero_copies_and_of_one_keeps():
    average, model = nn.Linear(2, 2), nn.Linear(2, 2)
    kept = average.weight.clone()
    update_average(average, model, 1.0)
    assert torch.equal(average.weight, kept)
    update_average(average, model, 0.0)
    assert torch.equal(average.weight, model.weight)


def test_progress_passes_every_record_on_and_shows_the_losses(capsys):
    records = [{"step": i, "d_real": 0.5 + i} for i in range(3)]
    assert list(progress(iter(records), total=3, description="VGAN")) == records
    shown = capsys.readouterr().err
    assert "VGAN" in shown
    assert "3/3" in shown
    assert "d_real=" in shown
    assert "step=" not in shown


# ---- Determinism and resuming --------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNS)
def test_the_same_seed_gives_the_same_numbers_bit_for_bit(name: str, finished):
    assert_same(contents(run(RUNS[name])), finished[name])


def test_another_seed_gives_other_numbers(finished):
    other = contents(run(dataclasses.replace(STEADIED, seed=1)))
    key = "generator trunk.0.weight"
    assert not torch.equal(other[key], finished["steadied"][key])


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_resumed_comes_to_the_same_numbers_bit_for_bit(name, finished, tmp_path):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, run(RUNS[name], 3))  # 3 is odd: the penalty's turn must not be lost
    state = new_state(RUNS[name])
    load_checkpoint(path, state)
    assert state.step == 3
    assert [record["step"] for record in train(state, CLIPS)] == [4, 5]
    assert_same(contents(state), finished[name])


@pytest.mark.parametrize("stop", [0, 1, 2, 4, 5])
def test_it_does_not_matter_at_which_step_a_run_stops(stop: int, finished, tmp_path):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, run(STEADIED, stop))
    state = new_state(STEADIED)
    load_checkpoint(path, state)
    list(train(state, CLIPS))
    assert_same(contents(state), finished["steadied"])


def test_a_checkpoint_may_be_loaded_into_a_run_that_is_under_way(finished, checkpoint):
    state = run(STEADIED, 3)  # its optimisers are accelerate's by now
    load_checkpoint(checkpoint, state)
    list(train(state, CLIPS))
    assert_same(contents(state), finished["steadied"])


def test_what_an_optimiser_remembers_lies_in_memory_as_it_did(checkpoint):
    """Kernels have their channels last; a memory in another order would slow every step down."""
    state = new_state(STEADIED)
    load_checkpoint(checkpoint, state)
    for optimizer in state.optimizers.values():
        for parameter, values in optimizer.state.items():
            assert values["exp_avg"].stride() == parameter.stride()


def test_a_finished_run_may_be_made_longer(tmp_path):
    path = tmp_path / "run.safetensors"
    longer = dataclasses.replace(STEADIED, steps=3)
    save_checkpoint(path, run(dataclasses.replace(STEADIED, steps=2)))
    state = new_state(longer)
    load_checkpoint(path, state)
    list(train(state, CLIPS))
    assert_same(contents(state), contents(run(longer)))


def test_dropout_goes_on_where_it_was(tmp_path):
    """What draws from torch's global random numbers is resumed with them."""
    path = tmp_path / "run.safetensors"
    state = new_state(STEADIED)
    torch.manual_seed(11)
    torch.rand(3)
    save_checkpoint(path, state)
    wanted = torch.rand(4)
    torch.manual_seed(0)
    load_checkpoint(path, state)
    assert torch.equal(torch.rand(4), wanted)


def test_a_run_remembers_the_name_of_its_data_and_refuses_other_data(tmp_path):
    path = tmp_path / "run.safetensors"
    state = new_state(STEADIED)
    state.data = "street"
    save_checkpoint(path, state)
    nameless = new_state(STEADIED)
    load_checkpoint(path, nameless)
    assert nameless.data == "street"
    other = new_state(STEADIED)
    other.data = "puppets"
    with pytest.raises(ValueError, match=r"trained on other data \('street', now 'puppets'\)"):
        load_checkpoint(path, other)
    assert other.data == "puppets"


def fp16(scaler: torch.amp.GradScaler) -> Any:
    """Stands for an accelerator of float16, whose optimisers carry its loss scaler."""
    make_accelerator("no")  # an accelerated optimiser asks for the process's own
    return SimpleNamespace(
        scaler=scaler,
        device=torch.device("cpu"),
        prepare_optimizer=lambda optimizer: AcceleratedOptimizer(optimizer, scaler=scaler),
    )


def test_the_scale_of_a_float16_loss_goes_on_where_it_was(tmp_path):
    """It takes a run a thousand steps and some lost ones to find it."""
    path = tmp_path / "run.safetensors"
    first = torch.amp.GradScaler("cpu", init_scale=65536.0, growth_interval=3)
    state = new_state(STEADIED)
    prepare(state, fp16(first))
    first.scale(torch.ones(()))
    first.update(512.0)
    known = first.state_dict()
    assert known["scale"] == 512
    save_checkpoint(path, state)

    resumed, second = new_state(STEADIED), torch.amp.GradScaler("cpu")
    load_checkpoint(path, resumed)
    save_checkpoint(path, resumed)  # nor is it lost to one who saves again before a step
    load_checkpoint(path, resumed)
    prepare(resumed, fp16(second))
    assert second.state_dict() == known
    second.scale(torch.ones(()))
    second.update(256.0)
    prepare(resumed, fp16(second))  # a second loop over the same run leaves it alone
    assert second.get_scale() == 256


# ---- What a run leaves in its folder -------------------------------------------------------------


def stopping(records: Iterator[dict[str, float]], after: int) -> Iterator[dict[str, float]]:
    """The records of a run whose machine fails after some of them."""
    yield from itertools.islice(records, after)
    raise OSError("the machine failed")


def test_a_folder_holds_the_run_and_calling_again_goes_on(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", -1)  # one a step
    state = new_state(STEADIED)
    with pytest.raises(OSError, match="the machine failed"):
        resume(stopping(train(state, CLIPS), 3), state, tmp_path / "run")
    state = new_state(STEADIED)
    records = resume(train(state, CLIPS), state, tmp_path / "run")
    assert [record["step"] for record in records] == [1, 2, 3, 4, 5]
    assert_same(contents(state), finished["steadied"])
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == records
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint.safetensors",
        "metrics.jsonl",
    ]


def test_records_that_no_checkpoint_knows_of_are_made_again(tmp_path, finished, monkeypatch):
    state = new_state(STEADIED)
    with pytest.raises(OSError, match="the machine failed"):
        resume(stopping(train(state, CLIPS), 2), state, tmp_path)
    assert not (tmp_path / "checkpoint.safetensors").exists()  # less than a minute has passed
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
    state = new_state(STEADIED)
    records = resume(train(state, CLIPS), state, tmp_path)
    assert [record["step"] for record in records] == [1, 2, 3, 4, 5]
    assert_same(contents(state), finished["steadied"])


def test_a_finished_run_returns_its_records_without_a_step(tmp_path):
    short = dataclasses.replace(STEADIED, steps=1)
    state = new_state(short)
    first = resume(train(state, CLIPS), state, tmp_path)
    state = new_state(short)
    assert resume(train(state, CLIPS), state, tmp_path) == first
    assert state.step == 1


def test_only_the_first_of_several_processes_writes(tmp_path):
    state = new_state(dataclasses.replace(STEADIED, steps=1))
    records = resume(train(state, CLIPS), state, tmp_path / "run", write=False)
    assert [record["step"] for record in records] == [1]
    assert not (tmp_path / "run").exists()


# ---- Saving that fails ---------------------------------------------------------------------------


def test_a_full_disk_leaves_the_last_checkpoint_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    state = run(STEADIED, 1)
    save_checkpoint(path, state)
    before = path.read_bytes()

    def half(tensors: object, filename: Path, metadata: object) -> None:
        Path(filename).write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    state.step = 2
    monkeypatch.setattr("safetensors.torch.save_file", half)
    with pytest.raises(OSError, match="No space left on device"):
        save_checkpoint(path, state)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_a_checkpoint_makes_the_folders_it_needs(tmp_path):
    path = tmp_path / "a" / "b" / "run.safetensors"
    save_checkpoint(path, new_state(STEADIED))
    assert path.exists()


# ---- Files that are refused ----------------------------------------------------------------------


def refused(path: Path, settings: Settings = STEADIED) -> str:
    """The error's text, once it is sure that the file has changed nothing."""
    state = run(settings, 1)
    torch.manual_seed(21)
    before, random = contents(state), torch.get_rng_state()
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the caller reads the text)
        load_checkpoint(path, state)
    assert_same(contents(state), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("how", ["torch.save", "torch.save of old", "pickle"])
def test_a_pickle_is_refused_and_never_opened(how: str, tmp_path):
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "run.pt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    else:
        torch.save(Trap(), path, _use_new_zipfile_serialization=how == "torch.save")
    assert "got a pickle" in refused(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("what", ["empty", "three bytes", "half", "last byte lost", "text"])
def test_a_broken_file_is_refused(what: str, checkpoint, tmp_path):
    whole = checkpoint.read_bytes()
    pieces = {
        "empty": b"",
        "three bytes": whole[:3],
        "half": whole[: len(whole) // 2],
        "last byte lost": whole[:-1],
        "text": b"These are not the weights you are looking for.",
    }
    path = tmp_path / "broken.safetensors"
    path.write_bytes(pieces[what])
    assert "expected a safetensors checkpoint, got a broken file" in refused(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape("none.safetensors")):
        load_checkpoint(tmp_path / "none.safetensors", new_state(STEADIED))


def test_another_architecture_is_refused_by_name(checkpoint):
    message = refused(checkpoint, dataclasses.replace(STEADIED, model="one-stream"))
    assert "expected a checkpoint of 'scene_dynamics one-stream'" in message
    assert "got one of 'scene_dynamics two-stream'" in message


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("seed", 1, "seed: 0, now 1"),
        ("width", 3, "width: 2, now 3"),
        ("learning_rate", 0.5, "learning_rate: 0.0002, now 0.5"),
        ("norm", "spectral", "norm: 'none', now 'spectral'"),
    ],
)
def test_other_settings_are_refused_and_named(name: str, value: object, told: str, checkpoint):
    message = refused(checkpoint, dataclasses.replace(STEADIED, **{name: value}))
    assert f"the checkpoint was made with other settings ({told})" in message


def altered(
    source: Path, path: Path, *, metadata: dict[str, str | None] | None = None, **tensors: Any
) -> Path:
    """A copy of a checkpoint with some tensors and some words about it changed; None drops one."""
    with safe_open(source, framework="pt") as file:
        words = file.metadata() | (metadata or {})
        values = {key: file.get_tensor(key) for key in list(file.keys())} | tensors
    save_file(
        {key: value for key, value in values.items() if value is not None},
        path,
        metadata={key: value for key, value in words.items() if value is not None},
    )
    return path


def test_the_copy_that_the_next_tests_alter_is_itself_accepted(checkpoint, tmp_path):
    load_checkpoint(altered(checkpoint, tmp_path / "copy"), new_state(STEADIED))


def test_a_checkpoint_that_begins_with_the_byte_of_a_pickle_is_none(checkpoint, tmp_path):
    """Its first bytes are the length of what it says of itself, and so can be any."""
    for length in range(0, 256, 8):
        path = altered(checkpoint, tmp_path / "copy", metadata={"note": "x" * length})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    state = new_state(STEADIED)
    load_checkpoint(path, state)
    assert state.step == 2


WEIGHT, MOMENT = "model.generator.trunk.0.weight", "optimizer.generator.0.exp_avg"


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (WEIGHT, None, f"{WEIGHT} is missing"),
        (WEIGHT, torch.zeros(2, 3), rf"{WEIGHT}: expected \(4, 8, 2, 4, 4\), got \(2, 3\)"),
        ("model.generator.more", torch.zeros(1), "model.generator.more has no place in"),
        ("model.teacher.weight", torch.zeros(1), "model.teacher.weight has no place in"),
        (MOMENT, None, r"expected \d+ tensors, got \d+"),
        (MOMENT, torch.zeros(7), rf"{MOMENT}: expected \(4, 8, 4, 4\), got \(7,\)"),
        ("optimizer.generator.99.exp_avg", torch.zeros(7), r"expected \d+ tensors, got \d+"),
        ("random.cpu", None, "random.cpu is missing"),
        ("random.cpu", torch.zeros(3, dtype=torch.uint8), "random.cpu: expected"),
    ],
)
def test_a_tensor_that_is_missing_or_misshapen_is_named(key, value, told, checkpoint, tmp_path):
    assert re.search(told, refused(altered(checkpoint, tmp_path / "copy", **{key: value})))


def test_a_memory_of_a_weight_that_is_not_there_is_refused(checkpoint, tmp_path):
    odd = {"optimizer.generator.99.exp_avg": torch.zeros(7)}
    path = altered(checkpoint, tmp_path / "copy", metadata={"tensors": None}, **odd)
    assert "optimizer.generator.99.exp_avg has no place in" in refused(path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"format": None}, "expected format 'vidgen_lite checkpoint 1', got 'none stated'"),
        ({"format": "vidgen_lite checkpoint 0"}, "got 'vidgen_lite checkpoint 0'"),
        ({"architecture": None}, "architecture is missing"),
        ({"step": None}, "step is missing"),
        ({"settings": None}, "settings is missing"),
        ({"optimizers": None}, "optimizers is missing"),
    ],
)
def test_a_file_that_says_too_little_of_itself_is_refused(words, told, checkpoint, tmp_path):
    assert told in refused(altered(checkpoint, tmp_path / "copy", metadata=words))


def test_weights_alone_are_not_a_checkpoint(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    assert "got 'none stated'" in refused(path)


# ---- Several processes ---------------------------------------------------------------------------


def fake_accelerator(count: int, index: int = 0, other: float = 0.0) -> Any:
    """Stands for one of several processes; the others' values are ``other`` everywhere."""

    def reduce(tensor: Tensor, reduction: str) -> Tensor:
        assert reduction == "mean"
        return (tensor + (count - 1) * other) / count

    return SimpleNamespace(num_processes=count, process_index=index, reduce=reduce)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_the_shares_of_the_processes_are_the_batch(count: int):
    batch = list(range(6))
    shares = [batch[process_slice(fake_accelerator(count, i), 6)] for i in range(count)]
    assert list(itertools.chain(*shares)) == batch
    assert {len(share) for share in shares} == {6 // count}


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    with pytest.raises(ValueError, match="batch_size: expected a multiple of 4 processes, got 6"):
        process_slice(fake_accelerator(4), 6)


def test_gradients_are_averaged_over_the_processes_layer_by_layer():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model[0].bias.requires_grad_(False)  # a weight without a gradient stays without
    model(torch.randn(4, 2)).sum().backward()
    before = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    average_gradients(fake_accelerator(2, other=1.0), model)
    after = [p.grad for p in model.parameters() if p.grad is not None]
    assert model[0].bias.grad is None
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, (old + 1) / 2)


def test_with_one_process_gradients_and_records_stay_as_they_are():
    model = nn.Linear(2, 1)
    model(torch.randn(4, 2)).sum().backward()
    gradient = model.weight.grad
    before = gradient.clone()
    average_gradients(fake_accelerator(1), model)
    assert model.weight.grad is gradient
    assert torch.equal(gradient, before)
    record = {"d": torch.tensor(2.0, requires_grad=True), "g": torch.tensor(3.0)}
    assert average_record(fake_accelerator(1), record) == {"d": 2.0, "g": 3.0}
    assert average_record(fake_accelerator(2, other=1.0), record) == {"d": 1.5, "g": 2.0}


def test_a_prepared_optimiser_is_not_prepared_twice():
    state = new_state(STEADIED)
    accelerator = make_accelerator("no")
    prepare(state, accelerator)
    first = dict(state.optimizers)
    prepare(state, accelerator)
    assert state.optimizers == first


def test_an_optimisers_memory_follows_the_weights_to_their_device():
    """A resumed run has read it on the CPU. Another type stands for another device here."""
    state = run(STEADIED, 1)
    for model in state.models.values():
        model.double()
    prepare(state, SimpleNamespace(scaler=None, device=torch.device("cpu")))
    for optimizer in state.optimizers.values():
        for memory in optimizer.state_dict()["state"].values():
            assert memory["exp_avg"].dtype == memory["exp_avg_sq"].dtype == torch.float64


def test_a_step_in_float32_searches_for_no_package(monkeypatch):
    """Accelerate's optimisers do, at every step; a small network spends a tenth of it there."""
    state = new_state(dataclasses.replace(STEADIED, steps=2))
    steps = train(state, CLIPS, accelerator=make_accelerator("no"))
    next(steps)
    searched: list[str] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: searched.append(name))
    next(steps)
    assert searched == []


def shared_run() -> tuple[list[dict[str, float]], list[float]]:
    """The losses and the weights' sums of a run that does not depend on how its batch is shared.

    Batch norm takes its means over a process's share, as the statistics of the batch do, so both
    are left out here: with them two processes train a slightly different, equally good, model.
    """
    settings = dataclasses.replace(STEADIED, batch_statistics=False, learning_rate=2e-3, steps=4)
    state = new_state(settings)
    for name in ("generator", "average"):
        for part in state.models[name].modules():
            for child_name, child in part.named_children():
                if isinstance(child, nn.modules.batchnorm._BatchNorm):
                    setattr(part, child_name, nn.Identity())
    records = list(train(state, CLIPS))
    parameters = [p for model in state.models.values() for p in model.parameters()]
    return records, [p.double().sum().item() for p in parameters]


def test_two_processes_have_the_losses_of_one(tmp_path):
    """The real thing: two processes that exchange their gradients through accelerate and gloo.

    They are started by torchrun: on a CPU ``accelerate launch --num_processes 2`` starts only one.
    """
    script = tmp_path / "shared.py"
    script.write_text(
        "import json, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_training import make_accelerator, shared_run\n"
        "accelerator, run = make_accelerator('no'), shared_run()\n"
        "text = json.dumps([accelerator.num_processes, *run])\n"
        "open(f'{sys.argv[1]}/{accelerator.process_index}.json', 'w').write(text)\n"
        "accelerator.end_training()\n"
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, script, tmp_path],
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (count, records, weights), second = (
        json.loads((tmp_path / f"{i}.json").read_text()) for i in range(2)
    )
    assert count == 2
    assert second == [2, records, weights]  # both report the same, and hold the same weights
    alone, _ = shared_run()
    assert [r.keys() for r in records] == [r.keys() for r in alone]
    for shared, own in zip(records, alone, strict=True):
        assert shared == pytest.approx(own, rel=1e-4, abs=1e-6)
