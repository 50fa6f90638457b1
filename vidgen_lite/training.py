"""What every training run needs: a preset, a seed, a device, a progress bar, a way to go on.

There is no trainer here. A lecture's ``train`` is a generator that yields one record a step, so
the loop stays in the notebook:

    for record in train(state, clips):
        print(record)

:func:`resume` goes round such a loop, shows its progress and saves it every minute.

All randomness of a step comes from :func:`step_generator`, a function of the seed and the step.
A run that is stopped at any step and resumed from its checkpoint therefore goes on to the same
numbers, bit for bit on the CPU.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vidgen_lite.checkpoints import State, load_checkpoint, save_checkpoint
from vidgen_lite.checks import expect_choice

if TYPE_CHECKING:
    from accelerate import Accelerator

PRESETS = ("smoke", "laptop", "gpu", "paper")


def preset_name(name: str | None = None) -> str:
    """Name the preset to use: the argument, else ``$VIDGEN_PRESET``, else what the machine has.

    Returns:
        ``smoke`` (seconds), ``laptop`` (minutes on two cores), ``gpu`` (minutes on a large GPU)
        or ``paper`` (the paper's sizes and schedule). Without a wish it is
        ``gpu`` where CUDA is there, else ``laptop``.

    Raises:
        ValueError: the name is none of the four.
    """
    name = name or os.environ.get("VIDGEN_PRESET") or None
    if name is None:
        return "gpu" if torch.cuda.is_available() else "laptop"
    expect_choice("preset", name, PRESETS)
    return name


def seed_everything(seed: int) -> None:
    """Seed torch's global random numbers: weights at start, dropout."""
    torch.manual_seed(seed)


def step_generator(seed: int, step: int, stream: int = 0) -> torch.Generator:
    """Return the random numbers of one step, the same on every machine and after every resume.

    Args:
        seed: the run's seed.
        step: the step, from 0.
        stream: tells apart several sources within a step (0 to 7).
    """
    return torch.Generator().manual_seed(((seed * 1_000_003) + step) * 8 + stream)


def to_float(clips: Tensor) -> Tensor:
    """Bring uint8 clips to float32 in [-1, 1]; float clips stay as they are."""
    return clips.float() / 127.5 - 1 if clips.dtype == torch.uint8 else clips


def make_accelerator(precision: str = "auto") -> Accelerator:
    """Return the ``accelerate`` object that knows the device, the precision and the processes.

    Args:
        precision: ``no`` (float32), ``fp16``, ``bf16``, or ``auto``: float32 on a CPU, on a GPU
            bfloat16 where the GPU computes in it, else float16 with a scaled loss. Another one
            than before may be asked for; from then on, use only the new object.

    Raises:
        ValueError: another precision.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    expect_choice("precision", precision, ("auto", "no", "fp16", "bf16"))
    if precision == "auto":
        precision = "no"
        if torch.cuda.is_available():
            precision = "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "fp16"
    # accelerate holds a process to its first precision. A notebook may train one pair in float32
    # and the next in bfloat16, so forget the first; the device and the other processes stay known.
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=precision)


def prepare(state: State, accelerator: Accelerator) -> None:
    """Move a run to the accelerator's device and let it scale the gradients where it must.

    The networks are not wrapped for several processes: a GAN calls D three times a step, twice
    with gradients and once frozen, which the usual wrapper does not allow. Gradients are averaged
    by :func:`average_gradients` instead, in the open. In float16 the loss scaler goes on from what
    a loaded checkpoint knew.
    """
    for model in state.models.values():
        model.to(accelerator.device)
    for name, optimizer in state.optimizers.items():
        if accelerator.scaler is None:  # nothing to scale: its memory follows the weights, no more
            optimizer.load_state_dict(optimizer.state_dict())
        elif not hasattr(optimizer, "scaler"):  # an accelerated one has it already
            state.optimizers[name] = accelerator.prepare_optimizer(optimizer)
    if state.loss_scale and accelerator.scaler is not None:
        accelerator.scaler.load_state_dict(state.loss_scale)
        state.loss_scale = {}  # once: from here on the scaler itself is what is saved


def process_slice(accelerator: Accelerator, n: int) -> slice:
    """Return this process's share of a batch of n, so that all shares together are the batch.

    Raises:
        ValueError: the batch can't be shared evenly.
    """
    count, index = accelerator.num_processes, accelerator.process_index
    if n % count:
        raise ValueError(f"batch_size: expected a multiple of {count} processes, got {n}")
    share = n // count
    return slice(index * share, (index + 1) * share)


def average_gradients(accelerator: Accelerator, model: nn.Module) -> None:
    """Replace each gradient by its mean over the processes; with one process, do nothing."""
    if accelerator.num_processes == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    flat = accelerator.reduce(flat, reduction="mean")  # one message, not one a layer
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def average_record(accelerator: Accelerator, record: dict[str, Tensor]) -> dict[str, float]:
    """Turn a step's named losses into numbers, averaged over the processes."""
    values = torch.stack([value.detach().float() for value in record.values()])
    if accelerator.num_processes > 1:
        values = accelerator.reduce(values, reduction="mean")
    return dict(zip(record, values.tolist(), strict=True))


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let gradients pass through a network without collecting any for its own weights."""
    flags = [parameter.requires_grad for parameter in module.parameters()]
    module.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, flag in zip(module.parameters(), flags, strict=True):
            parameter.requires_grad_(flag)


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the model's: average <- decay average + (1 - decay) model.

    Buffers (running means of batch norm) are averaged too; counters are copied.
    """
    for old, new in zip(average.parameters(), model.parameters(), strict=True):
        old.lerp_(new, 1 - decay)
    for old_buffer, buffer in zip(average.buffers(), model.buffers(), strict=True):
        if buffer.is_floating_point():
            old_buffer.lerp_(buffer, 1 - decay)
        else:
            old_buffer.copy_(buffer)


def progress(
    records: Iterable[dict[str, float]], total: int, description: str, initial: int = 0
) -> Iterator[dict[str, float]]:
    """Pass records on behind a progress bar that shows the latest losses and the time left."""
    from tqdm.auto import tqdm

    with tqdm(total=total, initial=initial, desc=description, mininterval=0.5) as bar:
        for record in records:
            losses = {k: f"{v:.3g}" for k, v in record.items() if k != "step"}
            bar.set_postfix(losses, refresh=False)
            bar.update()
            yield record


SECONDS_BETWEEN_CHECKPOINTS = 60


def resume(
    records: Iterator[dict[str, float]], state: State, folder: str | Path, *, write: bool = True
) -> list[dict[str, float]]:
    """Train to the end, from the folder's checkpoint if there is one, and return every record.

    Leaves ``checkpoint.safetensors`` (once a minute and at the end) and ``metrics.jsonl`` (a
    record a step) in the folder. A run that was killed goes on when this is called again.

    Args:
        records: ``train(state, ...)``, not yet begun.
        state: the run that ``records`` trains.
        folder: where the run is kept; made if it is not there.
        write: False in all but the first of several processes, which only read.

    Raises:
        ValueError: the folder holds another run's checkpoint.
    """
    folder = Path(folder)
    checkpoint, metrics = folder / "checkpoint.safetensors", folder / "metrics.jsonl"
    if checkpoint.exists():
        load_checkpoint(checkpoint, state)
    if not write:
        return list(records)
    folder.mkdir(parents=True, exist_ok=True)
    # Records of steps that the checkpoint does not know of will be made again.
    lines = metrics.read_text().splitlines()[: state.step] if metrics.exists() else []
    kept = folder / ".metrics.jsonl.part"
    kept.write_text("".join(line + "\n" for line in lines))
    os.replace(kept, metrics)
    saved = time.monotonic()
    with metrics.open("a") as file:
        for record in progress(records, state.settings.steps, state.architecture, state.step):
            file.write(json.dumps(record) + "\n")
            if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                file.flush()  # the records first: none may be missing before the step
                save_checkpoint(checkpoint, state)
                saved = time.monotonic()
    save_checkpoint(checkpoint, state)
    return [json.loads(line) for line in metrics.read_text().splitlines()]
