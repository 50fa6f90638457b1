"""The notebooks of all three papers run with the ``paper`` preset: frames may be no squares.

Everything is that preset's but what takes long: networks are narrow, films few, runs a few steps,
and frames of lecture 4 a quarter as high and wide. The notebooks read it as ``smoke``.
"""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from vidgen_lite import everybody_dance_now, pose_futures, scene_dynamics

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
RUN = {"steps": 2, "batch_size": 2, "width": 4}
SCENES = {"steps": 8, "batch_size": 2, "width": 4, "n_clips": 8}
VAE = RUN | {"image_width": 2, "n_tracks": 8}
GAN = RUN | {"discriminator_width": 4}
DANCE = GAN | {"steps": 3, "size": (64, 128), "n_clips": 4, "blocks": 1, "feature_steps": 2}
POSE_FUTURES = {"vae": VAE, "regressor": VAE, "gan": GAN | {"n_clips": 4}}
EVERYBODY_DANCE_NOW = {"ts": DANCE, "fbf": DANCE, "faces": GAN | {"face_size": 16, "blocks": 1}}


def run(notebook: str) -> None:
    """Run a notebook's code cells one after the other, as its kernel would."""
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in nbformat.read(NOTEBOOKS / notebook, as_version=4).cells:
        if cell.cell_type == "code":
            python = TransformerManager().transform_cell(cell.source)
            exec(compile(python, f"{notebook} {cell.id}", "exec"), names)
            plt.close("all")


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    """An empty folder to run in, and the preset that is replaced."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDGEN_PRESET", "smoke")


def narrow(monkeypatch, models, changes):
    """Let the ``smoke`` preset be ``paper``, but for these changes."""
    for name, change in changes.items():
        monkeypatch.setitem(models[name], "smoke", replace(models[name]["paper"], **change))


@pytest.mark.usefixtures("somewhere")
def test_scene_dynamics_runs_with_the_papers_clips(monkeypatch):
    narrow(monkeypatch, scene_dynamics.MODELS, dict.fromkeys(scene_dynamics.MODELS, SCENES))
    narrow(monkeypatch, {"street": scene_dynamics.STREET}, {"street": SCENES})
    run("2_scene_dynamics.ipynb")


@pytest.mark.usefixtures("somewhere")
def test_the_pose_knows_runs_with_the_papers_frames(monkeypatch):
    narrow(monkeypatch, pose_futures.MODELS, POSE_FUTURES)
    heavy = replace(pose_futures.MODELS["vae"]["smoke"], kl_weight=3.0)
    monkeypatch.setitem(pose_futures.COLLAPSED, "smoke", heavy)
    run("3_pose_futures.ipynb")


@pytest.mark.usefixtures("somewhere")
def test_everybody_dance_now_runs_with_frames_twice_as_wide_as_high(monkeypatch):
    narrow(monkeypatch, everybody_dance_now.MODELS, EVERYBODY_DANCE_NOW)
    run("4_everybody_dance_now.ipynb")
