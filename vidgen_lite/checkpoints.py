"""What a run remembers, in one file: weights, optimisers, settings, the step, random states.

A checkpoint is a safetensors file: tensors, and a few words about them. It holds no code, so that
opening a stranger's does no harm. One that does not fit is refused by name, and changes nothing.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

FORMAT = "vidgen_lite checkpoint 1"


@dataclasses.dataclass
class State:
    """All that a run must remember to go on: networks, optimisers, settings and the step.

    Attributes:
        architecture: what the run is, e.g. ``"scene_dynamics two-stream"``; a checkpoint of another
            one is refused.
        models: networks by name, averaged copies included.
        optimizers: optimisers by name.
        settings: a frozen dataclass.
        step: how many steps have been taken.
        data: what it is trained on, by name (or empty); a checkpoint of other data is refused.
        loss_scale: what float16's loss scaler knew when the run was saved; empty otherwise.
    """

    architecture: str
    models: dict[str, nn.Module]
    optimizers: dict[str, Any]
    settings: Any
    step: int = 0
    data: str = ""
    loss_scale: dict[str, float] = dataclasses.field(default_factory=dict)


def save_checkpoint(path: str | Path, state: State) -> None:
    """Write networks, optimisers, step, settings and random states to one safetensors file.

    With them go the data's name and, in float16, what the loss scaler knows.

    The file is written under a temporary name and then renamed, so that a kill or a full disk
    leaves the previous checkpoint as it was.
    """
    from safetensors.torch import save_file

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors, groups = {}, {}
    for name, model in state.models.items():
        for key, value in model.state_dict().items():
            tensors[f"model.{name}.{key}"] = value
    for name, optimizer in state.optimizers.items():
        saved = optimizer.state_dict()
        groups[name] = saved["param_groups"]
        for index, values in saved["state"].items():
            for key, value in values.items():
                tensors[f"optimizer.{name}.{index}.{key}"] = torch.as_tensor(value)
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    metadata = {
        "format": FORMAT,
        "architecture": state.architecture,
        "step": str(state.step),
        "settings": json.dumps(dataclasses.asdict(state.settings)),
        "optimizers": json.dumps(groups),
        "data": state.data,
        "loss_scale": json.dumps(_loss_scale(state)),
        "tensors": str(len(tensors)),
    }
    temporary = path.with_name(f".{path.name}.part")  # what a kill leaves is written over next time
    try:
        contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        save_file(contiguous, temporary, metadata=metadata)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: str | Path, state: State) -> None:
    """Bring a run back to where a checkpoint left it. Nothing changes unless everything fits.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a pickle, a broken file, another format, another architecture, other settings
            (``steps`` may differ: a run may be made longer), other data, where both have a name, or
            tensors of other shapes; the message names what differs.
    """
    tensors, metadata = _read(Path(path))
    _refuse_other(path, metadata, state)
    _refuse_misfits(path, tensors, metadata, state)
    memories = {name: _memory(path, name, state, tensors) for name in state.optimizers}
    groups = json.loads(metadata["optimizers"])
    for name, model in state.models.items():
        prefix = f"model.{name}."
        model.load_state_dict(
            {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        )
    for name, optimizer in state.optimizers.items():
        optimizer.load_state_dict({"state": memories[name], "param_groups": groups[name]})
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    state.step = int(metadata["step"])
    state.data = state.data or metadata.get("data", "")
    state.loss_scale = json.loads(metadata.get("loss_scale", "{}"))


def _loss_scale(state: State) -> dict[str, float]:
    """What the loss scaler knows, if a prepared optimiser has one, else what the run came with."""
    for optimizer in state.optimizers.values():
        if scaler := getattr(optimizer, "scaler", None):
            return scaler.state_dict()
    return state.loss_scale


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as file:
        head = file.read(9)
    # A safetensors file begins with a length of eight bytes, any of which may look like a pickle's
    # first; after it comes a brace.
    if head[8:] != b"{" and (head[:4] == b"PK\x03\x04" or head[:1] == b"\x80"):
        raise ValueError(
            f"{path}: expected a safetensors checkpoint, got a pickle (torch.save); "
            "a pickle can run any code when it is opened, so it is not read"
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in list(file.keys())}, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(
            f"{path}: expected a safetensors checkpoint, got a broken file: {error}"
        ) from None


def _refuse_other(path: str | Path, metadata: dict[str, str], state: State) -> None:
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path}: expected format {FORMAT!r}, got {metadata.get('format', 'none stated')!r}"
        )
    missing = {"architecture", "step", "settings", "optimizers"} - metadata.keys()
    if missing:
        raise ValueError(f"{path}: {min(missing)} is missing from what the file says of itself")
    if metadata["architecture"] != state.architecture:
        raise ValueError(
            f"{path}: expected a checkpoint of {state.architecture!r}, "
            f"got one of {metadata['architecture']!r}"
        )
    saved = json.loads(metadata["settings"])
    wanted = json.loads(json.dumps(dataclasses.asdict(state.settings)))
    differing = sorted(k for k in saved.keys() | wanted.keys() if saved.get(k) != wanted.get(k))
    if set(differing) - {"steps"}:
        told = "; ".join(f"{k}: {saved.get(k)!r}, now {wanted.get(k)!r}" for k in differing)
        raise ValueError(f"{path}: the checkpoint was made with other settings ({told})")
    data = metadata.get("data", "")
    if data and state.data and data != state.data:
        raise ValueError(
            f"{path}: the run was trained on other data ({data!r}, now {state.data!r})"
        )


def _refuse_misfits(
    path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str], state: State
) -> None:
    wanted = {
        f"model.{name}.{key}": value.shape
        for name, model in state.models.items()
        for key, value in model.state_dict().items()
    }
    wanted["random.cpu"] = torch.get_rng_state().shape
    for key, shape in wanted.items():
        if key not in tensors:
            raise ValueError(f"{path}: {key} is missing")
        if tensors[key].shape != shape:
            raise ValueError(
                f"{path}: {key}: expected {tuple(shape)}, got {tuple(tensors[key].shape)}"
            )
    extra = [key for key in tensors if key.startswith("model.") and key not in wanted]
    if extra:
        raise ValueError(f"{path}: {extra[0]} has no place in {state.architecture!r}")
    if len(tensors) != int(metadata.get("tensors", len(tensors))):
        raise ValueError(f"{path}: expected {metadata['tensors']} tensors, got {len(tensors)}")


def _memory(
    path: str | Path, name: str, state: State, tensors: dict[str, Tensor]
) -> dict[int, dict[str, Tensor]]:
    """What an optimiser remembers of each parameter, in that parameter's memory layout."""
    parameters = [p for group in state.optimizers[name].param_groups for p in group["params"]]
    memory: dict[int, dict[str, Tensor]] = {}
    prefix = f"optimizer.{name}."
    for key, tensor in tensors.items():
        if not key.startswith(prefix):
            continue
        index, slot = key.removeprefix(prefix).split(".", 1)
        if int(index) >= len(parameters):
            raise ValueError(f"{path}: {key} has no place in {state.architecture!r}")
        like = parameters[int(index)].data
        if tensor.ndim and tensor.shape != like.shape:  # a count of steps has no axes
            raise ValueError(
                f"{path}: {key}: expected {tuple(like.shape)}, got {tuple(tensor.shape)}"
            )
        value = torch.empty_like(like).copy_(tensor) if tensor.ndim else tensor
        memory.setdefault(int(index), {})[slot] = value
    return memory
