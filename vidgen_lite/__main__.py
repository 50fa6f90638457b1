"""The course from a shell.

``python -m vidgen_lite train LECTURE --out DIR`` trains a lecture's models;
``python -m vidgen_lite dance --source A.mp4 --target B.mp4 --out DIR`` lets the person in one film
dance what the person in another one dances.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from vidgen_lite.checks import expect_choice, expect_positive
from vidgen_lite.training import PRESETS, make_accelerator, preset_name, resume

LECTURES = ("gan_objective", "scene_dynamics", "pose_futures", "everybody_dance_now")


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and obey; errors a user can mend are one line, not a traceback."""
    parser = argparse.ArgumentParser(prog="python -m vidgen_lite", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("train", help="train a model, or go on with one")
    command.add_argument("lecture", choices=LECTURES)
    command.add_argument("--model", help="which of the lecture's models (default: its first)")
    command.add_argument("--data", help="which data, or a folder (default: the lecture's first)")
    command.add_argument("--preset", choices=PRESETS, help="default: $VIDGEN_PRESET, else by GPU")
    command.add_argument("--precision", default="auto", choices=("auto", "no", "fp16", "bf16"))
    command.add_argument("--steps", type=int, help="another number of steps than the preset's")
    command.add_argument("--seed", type=int, help="another seed than the preset's")
    command.add_argument("--out", type=Path, required=True, help="folder for what the run leaves")
    _add_dance(commands)
    options = parser.parse_args(arguments)
    try:
        run(options) if options.command == "train" else run_dance(options)
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        sys.exit(f"{parser.prog}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{parser.prog}: stopped; the same command goes on from what was kept")


def _add_dance(commands: Any) -> None:
    command = commands.add_parser("dance", help="let one person dance what another one dances")
    command.add_argument("--source", type=Path, required=True, help="film of the one who dances")
    command.add_argument("--target", type=Path, required=True, help="film of the one who shall")
    command.add_argument("--preset", choices=PRESETS, help="default: the folder's, else by GPU")
    command.add_argument("--precision", default="auto", choices=("auto", "no", "fp16", "bf16"))
    command.add_argument(
        "--no-mark", action="store_true", help="leave out the visible mark on generated clips"
    )
    command.add_argument("--out", type=Path, required=True, help="folder for all that is made")


def run_dance(options: argparse.Namespace) -> None:
    """Go through lecture 4 with two films of one's own; see ``everybody_dance_now.dance``."""
    from vidgen_lite.everybody_dance_now.dance import dance

    dance(
        source=options.source,
        target=options.target,
        out=options.out,
        preset=options.preset,
        precision=options.precision,
        mark=not options.no_mark,
    )


def run(options: argparse.Namespace) -> None:
    """Train a model to the end of its settings, from its checkpoint if there is one.

    Leaves in ``options.out``: ``checkpoint.safetensors``, ``metrics.jsonl`` (a record a step),
    ``settings.json`` (the data's name among them) and what the lecture's ``write_samples`` draws.
    A run that was killed is started again by the same command; other data are refused.
    """
    lecture = importlib.import_module(f"vidgen_lite.{options.lecture}")
    settings = choose_settings(lecture, options)
    warmup = getattr(settings, "warmup", 0)
    if settings.steps <= warmup:
        print(f"all {settings.steps} steps are warm-up (of {warmup}): no discriminator learns")
    accelerator = make_accelerator(options.precision)
    out: Path = options.out
    state = lecture.new_state(settings)
    state.data = Path(options.data or lecture.DATA[0]).as_posix()
    data = lecture.load_data(settings, state.data)
    records = lecture.train(state, data, accelerator=accelerator)
    resume(records, state, out, write=accelerator.is_main_process)
    if accelerator.is_main_process:
        told = dataclasses.asdict(settings) | {"data": state.data}
        (out / "settings.json").write_text(json.dumps(told, indent=2))
        lecture.write_samples(state, data, out)
        print(f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}")
    accelerator.end_training()


def choose_settings(lecture: ModuleType, options: argparse.Namespace) -> Any:
    """The preset's settings for a model, with the steps and the seed of the command line."""
    model = options.model or next(iter(lecture.MODELS))
    expect_choice("--model", model, lecture.MODELS)
    settings = lecture.MODELS[model][preset_name(options.preset)]
    if options.steps is not None:
        expect_positive("--steps", options.steps)
    changes = {k: v for k in ("steps", "seed") if (v := getattr(options, k)) is not None}
    return dataclasses.replace(settings, **changes)


if __name__ == "__main__":
    main()
