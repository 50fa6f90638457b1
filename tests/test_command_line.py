"""``python -m vidgen_lite train`` trains any model, outlives a kill, and says what is wrong."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio.v3 as iio
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from vidgen_lite import scene_dynamics, training
from vidgen_lite.__main__ import LECTURES, main
from vidgen_lite.data import motion
from vidgen_lite.data.actions import act
from vidgen_lite.training import PRESETS

STEPS = 7
TINY = scene_dynamics.Settings(
    size=32, width=2, z_dim=4, batch_size=4, steps=STEPS, norm="none", r1_weight=1.0, r1_every=2,
    average_decay=0.9,
)  # fmt: skip
CLIPS = torch.rand(8, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def make_tiny(setattr_: Any = setattr) -> None:
    """Give lecture 2 a preset that trains in a moment."""
    models = {name: dict.fromkeys(PRESETS, dataclasses.replace(TINY, model=name))
              for name in ("two-stream", "one-stream", "conditional")}  # fmt: skip
    setattr_(scene_dynamics, "MODELS", models)
    setattr_(scene_dynamics, "load_data", lambda settings, name=None: CLIPS)
    setattr_(scene_dynamics, "write_samples", lambda state, data, out: (out / "samples").touch())


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiny(monkeypatch.setattr)


def train(out: Path, *options: str, lecture: str = "scene_dynamics") -> None:
    main(["train", lecture, "--preset", "smoke", "--out", str(out), *options])


def tensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in list(file.keys())}


def step_of(path: Path) -> int:
    with safe_open(path, framework="pt") as file:
        return int(file.metadata()["step"])


def steps_in(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def complaint(out: Path, *options: str, lecture: str = "scene_dynamics") -> str:
    """The one line in which a command that fails says why."""
    with pytest.raises(SystemExit) as end:
        train(out, *options, lecture=lecture)
    assert isinstance(end.value.code, str)  # Python prints it and exits with 1
    assert "\n" not in end.value.code
    return end.value.code


# ---- What a run leaves ---------------------------------------------------------------------------


def test_a_run_leaves_weights_metrics_settings_and_samples(tiny, tmp_path, capsys):
    out = tmp_path / "new" / "run"
    train(out)
    names = {"checkpoint.safetensors", "metrics.jsonl", "settings.json", "samples"}
    assert {path.name for path in out.iterdir()} == names
    assert step_of(out / "checkpoint.safetensors") == STEPS
    assert steps_in(out / "metrics.jsonl") == list(range(1, STEPS + 1))
    settings = json.loads((out / "settings.json").read_text())
    assert settings == dataclasses.asdict(TINY) | {"data": "puppets"}
    shown = capsys.readouterr()
    assert all(name in shown.out for name in names)
    assert f"{STEPS}/{STEPS}" in shown.err  # the progress bar


def test_model_steps_and_seed_can_be_chosen(tiny, tmp_path):
    train(tmp_path, "--model", "one-stream", "--steps", "2", "--seed", "5")
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert (settings["model"], settings["steps"], settings["seed"]) == ("one-stream", 2, 5)
    assert len(steps_in(tmp_path / "metrics.jsonl")) == 2


def test_a_run_that_ends_within_its_warm_up_says_so(monkeypatch, tmp_path, capsys):
    from vidgen_lite import pose_futures

    short = dataclasses.replace(pose_futures.MODELS["gan"]["smoke"], warmup=3, n_clips=2)
    monkeypatch.setitem(pose_futures.MODELS["gan"], "smoke", short)
    monkeypatch.setattr(pose_futures, "load_data", lambda *_: sys.exit(0))
    for steps, told in (("3", True), ("4", False)):
        with pytest.raises(SystemExit):
            main(
                [
                    *("train", "pose_futures", "--model", "gan", "--preset", "smoke"),
                    *("--steps", steps, "--out", str(tmp_path)),
                ]
            )
        assert ("steps are warm-up (of 3)" in capsys.readouterr().out) == told


def test_the_same_command_again_adds_nothing(tiny, tmp_path):
    train(tmp_path, "--steps", "2")
    before = tensors(tmp_path / "checkpoint.safetensors")
    train(tmp_path, "--steps", "2")
    after = tensors(tmp_path / "checkpoint.safetensors")
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert steps_in(tmp_path / "metrics.jsonl") == [1, 2]


def test_a_finished_run_can_be_made_longer(tiny, tmp_path):
    train(tmp_path / "a", "--steps", "2")
    train(tmp_path / "a", "--steps", "4")
    train(tmp_path / "b", "--steps", "4")
    assert_same_end(tmp_path / "a", tmp_path / "b")


def assert_same_end(a: Path, b: Path) -> None:
    """Two folders hold the same weights, optimisers and records, bit for bit."""
    first, second = (tensors(folder / "checkpoint.safetensors") for folder in (a, b))
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    assert (a / "metrics.jsonl").read_text() == (b / "metrics.jsonl").read_text()


# ---- Killed --------------------------------------------------------------------------------------


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_until_killed(out: str, when: str) -> None:
    """What the process of the next test does: it trains, and ends at a moment of our choice."""
    make_tiny()
    clock = itertools.count()  # a second a look; so a checkpoint comes every second step
    training.time = SimpleNamespace(monotonic=lambda: next(clock))
    training.SECONDS_BETWEEN_CHECKPOINTS = 1.5
    if when == "after step 5":
        progress = training.progress

        def killing(records: Iterator, *rest: Any) -> Iterator:
            for record in progress(records, *rest):
                if record["step"] == 5:
                    kill()
                yield record

        training.progress = killing
    else:
        import safetensors.torch

        def half(values: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
            whole = safetensors.torch.save(values, metadata=metadata)
            path.write_bytes(whole[: len(whole) // 2])
            kill()

        safetensors.torch.save_file = half
    train(Path(out))


def killed(out: Path, when: str) -> None:
    """Run it in a process of its own, and see that this was killed."""
    code = f"import test_command_line as t; t.run_until_killed({str(out)!r}, {when!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_run_killed_twice_ends_as_one_that_never_was(tiny, tmp_path):
    out, checkpoint = tmp_path / "killed", tmp_path / "killed" / "checkpoint.safetensors"
    killed(out, "after step 5")
    assert step_of(checkpoint) == 4
    assert steps_in(out / "metrics.jsonl")[:4] == [1, 2, 3, 4]
    killed(out, "while saving")
    assert step_of(checkpoint) == 4  # the half-written one has not taken its place
    assert steps_in(out / "metrics.jsonl")[:4] == [1, 2, 3, 4]
    train(out)
    assert steps_in(out / "metrics.jsonl") == list(range(1, STEPS + 1))
    assert not list(out.glob(".*"))  # nothing half-written is left

    train(tmp_path / "whole")
    assert_same_end(out, tmp_path / "whole")


# ---- What is wrong is said in one line -----------------------------------------------------------


def test_an_unknown_model_is_named_with_those_there_are(tiny, tmp_path):
    message = complaint(tmp_path / "run", "--model", "three-stream")
    assert "--model: expected one of two-stream, one-stream, conditional; got 'three-" in message
    assert not (tmp_path / "run").exists()


def test_a_preset_of_the_environment_that_does_not_exist_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDGEN_PRESET", "huge")
    with pytest.raises(SystemExit) as end:
        main(["train", "scene_dynamics", "--out", str(tmp_path / "run")])
    assert "preset: expected one of smoke, laptop, gpu, paper; got 'huge'" in end.value.code
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("steps", ["0", "-3"])
def test_steps_below_one_are_refused(steps: str, tiny, tmp_path):
    message = complaint(tmp_path / "run", f"--steps={steps}")
    assert f"--steps: expected a positive integer, got {steps}" in message


def test_a_folder_of_another_run_is_left_alone(tiny, tmp_path):
    train(tmp_path, "--steps", "2")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "other settings (seed: 0, now 1" in complaint(tmp_path, "--steps", "3", "--seed", "1")
    message = complaint(tmp_path, "--model", "one-stream")
    assert "expected a checkpoint of 'scene_dynamics one-stream'" in message
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_run_is_not_gone_on_with_on_other_data(tiny, tmp_path):
    folder = tmp_path / "films"
    train(tmp_path / "run", "--steps", "2", "--data", f"{folder}/")
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    message = complaint(tmp_path / "run", "--steps", "3")
    assert f"trained on other data ('{folder.as_posix()}', now 'puppets')" in message
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before
    train(tmp_path / "run", "--steps", "3", "--data", str(folder))
    assert steps_in(tmp_path / "run" / "metrics.jsonl") == [1, 2, 3]


def test_a_pickle_in_the_place_of_the_checkpoint_is_refused(tiny, tmp_path):
    torch.save({}, tmp_path / "checkpoint.safetensors")
    assert "got a pickle" in complaint(tmp_path)


def test_an_output_folder_that_is_a_file_is_an_error(tiny, tmp_path):
    (tmp_path / "run").write_text("not a folder")
    assert str(tmp_path / "run") in complaint(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "not a folder"


def test_data_that_do_not_exist_are_named(tmp_path):
    message = complaint(tmp_path / "run", "--data", str(tmp_path / "no_such_folder"))
    assert "expected puppets, street or a folder" in message
    assert "no_such_folder" in message


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["train"],
        ["train", "scene_dynamics"],
        ["train", "lecture_9", "--out", "x"],
        ["train", "scene_dynamics", "--out", "x", "--preset", "fast"],
        ["train", "scene_dynamics", "--out", "x", "--precision", "int8"],
        ["train", "scene_dynamics", "--out", "x", "--steps", "many"],
    ],
)
def test_a_command_that_cannot_be_read_shows_how_it_is_used(arguments: list[str], capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: python -m vidgen_lite" in capsys.readouterr().err


def test_help_lists_the_lectures_and_presets(capsys):
    with pytest.raises(SystemExit) as end:
        main(["train", "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in (*LECTURES, *PRESETS))


# ---- The lectures as they are --------------------------------------------------------------------

MODELS = {
    "gan_objective": ["ring"],
    "scene_dynamics": ["two-stream", "one-stream", "conditional"],
    "pose_futures": ["vae", "regressor", "gan"],
    "everybody_dance_now": ["ts", "fbf", "faces"],
}
PAIRS = [(lecture, model) for lecture, models in MODELS.items() for model in models]


@pytest.mark.parametrize("lecture", LECTURES)
def test_every_model_has_the_four_presets(lecture: str):
    module = importlib.import_module(f"vidgen_lite.{lecture}")
    assert list(module.MODELS) == MODELS[lecture]
    assert all(tuple(presets) == PRESETS for presets in module.MODELS.values())


def test_the_paper_presets_are_the_papers():
    paper = {name: presets["paper"] for name, presets in scene_dynamics.MODELS.items()}
    for name, settings in paper.items():
        assert settings.model == name
        assert (settings.size, settings.width, settings.norm) == (64, 64, "batch")
        assert (settings.learning_rate, settings.beta1) == (2e-4, 0.5)
        assert settings.r1_weight == settings.average_decay == settings.all_frames == 0
        assert not settings.batch_statistics
        assert settings.mask_start == 0.5
    assert [settings.batch_size for settings in paper.values()] == [64, 64, 32]
    assert paper["two-stream"].mask_penalty == 0.1
    assert paper["conditional"].first_frame == 10


@pytest.mark.parametrize("model", MODELS["scene_dynamics"])
def test_a_run_made_longer_goes_on_with_the_same_puppets(model: str):
    short = scene_dynamics.MODELS[model]["smoke"]
    long = dataclasses.replace(short, steps=100 * short.steps)
    clips, same = (scene_dynamics.load_data(settings) for settings in (short, long))
    assert torch.equal(clips, same)
    assert len(clips) == short.n_clips == 32


@pytest.mark.parametrize("clips", [CLIPS, ((CLIPS + 1) * 127.5).to(torch.uint8)])
def test_the_conditional_models_samples_start_with_the_runs_own_data(clips: Tensor, tmp_path):
    state = scene_dynamics.new_state(dataclasses.replace(TINY, model="conditional"))
    given = []
    state.models["average"].register_forward_pre_hook(lambda _, images: given.extend(images))
    scene_dynamics.write_samples(state, clips, tmp_path)
    torch.testing.assert_close(given[0].cpu(), CLIPS[:8, :, 0], atol=1 / 127, rtol=0)


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something in the place of the motion capture, which would have to be fetched."""
    made = act("walk", frames=48, fps=16, generator=torch.Generator().manual_seed(0))
    named = {name: dataclasses.replace(made, name=name) for name in ("walk", "run")}
    monkeypatch.setattr(motion, "load_mocap", lambda: named)


@pytest.mark.parametrize(("lecture", "model"), PAIRS, ids=map(" ".join, PAIRS))
def test_every_model_trains_from_a_shell(lecture: str, model: str, captured, tmp_path):
    options = ["--model", model, "--steps", "2"]
    if model == "faces":  # they learn from a run of stage 1
        message = complaint(tmp_path, *options, lecture=lecture)
        assert "train model ts or fbf first, then give its folder" in message
        train(tmp_path / "ts", "--steps", "2", lecture=lecture)
        options += ["--data", str(tmp_path / "ts")]
    train(tmp_path, *options, lecture=lecture)
    assert steps_in(tmp_path / "metrics.jsonl") == [1, 2]
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert iio.imread(tmp_path / "samples.png").std() > 0
    if lecture != "gan_objective":  # whose samples are points
        film = iio.imread(tmp_path / "samples.mp4", plugin="FFMPEG")
        assert film.shape[0] == (22 if model in ("vae", "regressor") else 16)
        assert film.std() > 0


def test_the_command_works_as_a_module(tmp_path):
    command = [sys.executable, "-m", "vidgen_lite", "train", "gan_objective"]
    done = subprocess.run(
        [*command, "--preset", "smoke", "--steps", "3", "--out", tmp_path / "run"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "metrics.jsonl" in done.stdout
    assert steps_in(tmp_path / "run" / "metrics.jsonl") == [1, 2, 3]
