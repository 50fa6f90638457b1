"""``python -m vidgen_lite dance``: two films go in, one comes out, and a kill costs little."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from vidgen_lite.__main__ import main
from vidgen_lite.data.blazepose import Square
from vidgen_lite.data.pose_clips import crop_to_person
from vidgen_lite.data.poses import smooth_poses
from vidgen_lite.data.provenance import read_metadata
from vidgen_lite.data.puppets import CAST, SCENES, make_clips
from vidgen_lite.data.video_files import read_video, write_video
from vidgen_lite.everybody_dance_now import check_video, own_video, presets
from vidgen_lite.everybody_dance_now import dance as module
from vidgen_lite.everybody_dance_now.dance import normalised
from vidgen_lite.everybody_dance_now.own_video import Person
from vidgen_lite.skeleton import JOINTS
from vidgen_lite.training import to_float

FPS, SIZE = 16, 64
SECONDS = {"source": 1, "target": 10}
LEGS = [number for number, name in enumerate(JOINTS) if name.split()[-1] in ("knee", "ankle")]
TINY = replace(presets.TEMPORAL["smoke"], perceptual_weight=0.0, steps=5)
TINY_FACES = replace(presets.FACES["smoke"], perceptual_weight=0.0, steps=5)


@functools.cache
def puppet(number: int) -> tuple[Tensor, Tensor]:
    """A puppet for a second: frames (16, 64, 64, 3) uint8, and poses (16, 18, 3)."""
    clips = make_clips(1, seed=number, frames=FPS, size=SIZE, actions=("wave",),
                       puppets=CAST[number : number + 1], scenes=SCENES[:1])  # fmt: skip
    frames = ((clips.video[0] + 1) * 127.5).round().to(torch.uint8)
    return frames.permute(1, 2, 3, 0).contiguous(), clips.pose[0]


def write_films(folder: Path) -> dict[str, Path]:
    """The source, and the target: another puppet, who does the same every second."""
    films = {}
    for number, (role, seconds) in enumerate(SECONDS.items()):
        films[role] = folder / f"{role} film.mp4"
        write_video(films[role], puppet(number)[0].repeat(seconds, 1, 1, 1), fps=FPS)
    return films


class Detector:
    """In the place of BlazePose: knows every puppet by its second, and errs as it is told to."""

    def __init__(self) -> None:
        self.frames = 0  # that it has looked at
        self.people = 1
        self.spoil: Any = lambda poses: poses

    def detect(self, video: Tensor, *, cache: bool = True) -> Tensor:
        assert not cache, "a film of a person is kept in one folder, and nowhere else"
        self.frames += len(video)
        films = [puppet(number) for number in range(2)]
        known = [frames.float() for frames, _ in films]
        number = int(torch.stack([(film[0] - video[0]).abs().mean() for film in known]).argmin())
        return self.spoil(films[number][1].repeat(-(-len(video) // FPS), 1, 1)[: len(video)])

    def count(self, frame: Tensor) -> int:
        return self.people


def prepare(setattr_: Any) -> Detector:
    """A stub for the detector, and models that train in a moment."""
    detector = Detector()
    setattr_(own_video, "detect_poses", detector.detect)
    setattr_(own_video, "count_people", detector.count)
    setattr_(module, "MODELS", {"ts": {"smoke": TINY, "laptop": TINY},
                                "faces": {"smoke": TINY_FACES, "laptop": TINY_FACES}})  # fmt: skip
    return detector


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    return prepare(monkeypatch.setattr)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_films(tmp_path_factory.mktemp("films"))


def run(films: dict[str, Path], out: Path, *options: str) -> None:
    named = [word for role, path in films.items() for word in (f"--{role}", str(path))]
    main(["dance", *named, "--preset", "smoke", "--out", str(out), *options])


def complaint(films: dict[str, Path], out: Path, *options: str) -> str:
    """The one line in which a command that fails says why."""
    with pytest.raises(SystemExit) as end:
        run(films, out, *options)
    assert isinstance(end.value.code, str)
    assert "\n" not in end.value.code
    return end.value.code


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def steps_in(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().split("\n")
            if line]  # fmt: skip


# ---- From two films to one -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(films: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after a whole call; not to be changed."""
    out = tmp_path_factory.mktemp("made") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        prepare(patch.setattr)
        run(films, out)
    return out


def dance_folder(out: Path) -> Path:
    (folder,) = (out / "dances").iterdir()
    return folder


def test_the_folder_holds_each_stages_result(made: Path) -> None:
    names = set(contents(made))
    here = dance_folder(made).relative_to(made).as_posix()
    assert here.startswith("dances/source film-")
    assert names == {
        "dance.json", "target/found.npz", "target/poses.png", "target/person.npz",
        "training/checkpoint.safetensors", "training/metrics.jsonl",
        "training_faces/checkpoint.safetensors", "training_faces/metrics.jsonl",
        *(f"{here}/{name}" for name in (
            "found.npz", "poses.png", "person.npz", "normalised.png", "painted.npz",
            "dance.mp4", "side_by_side.mp4",
        )),
    }  # fmt: skip
    assert steps_in(made / "training") == steps_in(made / "training_faces") == [1, 2, 3, 4, 5]


def test_source_figure_and_dance_stand_side_by_side_for_as_long_as_the_source(made: Path) -> None:
    film = read_video(dance_folder(made) / "side_by_side.mp4")
    assert film.shape == (FPS, 256, 3 * 256, 3)
    # On the left the source itself, cropped: before its scene, with its colours.
    with np.load(dance_folder(made) / "person.npz") as arrays:
        source = torch.from_numpy(arrays["clip"]).permute(1, 2, 3, 0).float()  # (T, S, S, 3)
    left = film[:, 4::8, 4:256:8].float()
    assert (left - source).abs().mean() < 12
    # In the middle figures on black.
    middle = film[:, :, 256:512].float().amax(-1)
    assert middle.quantile(0.5) < 20
    assert middle.amax() > 150


def test_the_figures_stand_where_the_target_stood(tmp_path) -> None:
    """Somebody half as large, elsewhere in the picture, gets the target's size and place."""
    frames, poses = puppet(1)
    person = Person(frames.permute(3, 0, 1, 2), poses)
    half = torch.cat([poses[..., :2] / 2 + torch.tensor([25.0, 3.0]), poses[..., 2:]], -1)
    fitted = normalised(replace(person, poses=half), person, tmp_path / "sheet.png")
    seen = poses[..., 2] > 0
    away = (fitted - poses)[..., :2].norm(dim=-1)[seen]
    before = (half - poses)[..., :2].norm(dim=-1)[seen]
    assert away.mean() < 0.1 * before.mean()
    assert (tmp_path / "sheet.png").exists()


def test_a_film_is_cropped_in_pieces_as_it_would_be_at_once(tmp_path) -> None:
    frames, poses = puppet(1)
    film = torch.full((80, 96, 160, 3), 90, dtype=torch.uint8)  # two pieces
    shift = torch.zeros(80, 1, 3)
    for time in range(80):
        shift[time, 0, 0] = x = 10 if time < own_video.PIECE else 80  # they walk to the right
        film[time, 20:84, x : x + SIZE] = frames[time % FPS]
    shift[..., 1] = 20
    poses = poses.repeat(5, 1, 1) + shift
    write_video(tmp_path / "film.mp4", film, fps=FPS)
    opened = own_video.open_film("source", tmp_path / "film.mp4")
    person = own_video.crop(opened, poses, size=32)
    clip, placed = crop_to_person(read_video(tmp_path / "film.mp4"), poses, size=32)
    torch.testing.assert_close(person.poses, placed)
    assert (to_float(person.clip) - clip).abs().amax() < 0.01


def test_poses_are_smoothed_in_pieces_as_they_would_be_at_once() -> None:
    random = torch.Generator().manual_seed(0)
    poses = torch.rand(2 * own_video.PIECE + 5, 18, 3, generator=random)
    poses[own_video.PIECE - 2 : own_video.PIECE + 1, 3, 2] = 0  # a gap where two pieces meet
    torch.testing.assert_close(own_video.smoothed(poses), smooth_poses(poses, width=1.0))


def test_a_long_film_is_cut_into_films_that_lose_no_pair() -> None:
    frames, poses = puppet(1)
    person = Person(frames.repeat(17, 1, 1, 1).permute(3, 0, 1, 2), poses.repeat(17, 1, 1))
    person.poses[:, 0, 0] = torch.arange(272)  # says which frame it is
    footage = module.to_footage(person, (64, 64))
    assert footage.video.shape == footage.skeleton.shape == (3, 3, module.FRAMES, 64, 64)
    first = {int(footage.pose[n, t, 0, 0]) for n, t in footage.pairs.tolist()}
    assert first == set(range(271))


def test_each_stage_says_what_it_does_and_how_long_it_will_take(films, detector, tmp_path, capsys):
    run(films, tmp_path / "run")
    shown = capsys.readouterr()
    places = [shown.out.index(f"[{stage}/6]") for stage in (1, 2, 3, 4, 5, 6)]
    assert places == sorted(places)
    # What is to be looked at is named before training starts.
    assert shown.out.index("poses.png") < shown.out.index("normalised.png") < places[3]
    for name in ("target: finding poses", "source: cropping", "stage 1", "faces", "painting",
                 "side_by_side.mp4"):  # fmt: skip
        assert name in shown.err
    assert "160/160" in shown.err
    assert "5/5" in shown.err


def test_a_contact_sheet_shows_the_figures_over_the_film(made: Path) -> None:
    import imageio.v3 as iio

    sheet = torch.from_numpy(iio.imread(made / "target" / "poses.png")).float()
    rows = sheet.chunk(4)
    assert sheet.shape[1] > 12 * 100
    plain, drawn = (torch.stack(pair) for pair in (rows[::2], rows[1::2]))
    colourful = [(row.amax(-1) - row.amin(-1) > 150).float().mean() for row in (plain, drawn)]
    assert colourful[1] > colourful[0] + 0.01


# ---- Again, and killed ---------------------------------------------------------------------------


def test_the_same_command_again_changes_nothing(films, made, detector) -> None:
    before = contents(made)
    run(films, made)
    after = contents(made)
    assert after == before
    assert detector.frames == 0


def run_until_killed(folder: str, when: str) -> None:
    """What the process of the next test does: it ends at a moment of our choice."""
    detector = prepare(setattr)

    def kill(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if when == "finding poses":
        detect = own_video.detect_poses

        def found(video: Tensor, **rest: Any) -> Tensor:
            if detector.frames == own_video.PIECE:
                kill()
            return detect(video, **rest)

        own_video.detect_poses = found
    elif when == "training faces":
        from vidgen_lite import training
        from vidgen_lite.everybody_dance_now import face_steps

        training.SECONDS_BETWEEN_CHECKPOINTS = 0
        step = face_steps.discriminator_step

        def stepped(state: Any, *rest: Any) -> Any:
            if state.step == 3:
                kill()
            return step(state, *rest)

        face_steps.discriminator_step = stepped
    else:
        module._rows = kill
    films = {role: Path(folder) / f"{role} film.mp4" for role in SECONDS}
    run(films, Path(folder) / "run")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_call_killed_three_times_ends_as_one_that_never_was(made, detector, tmp_path) -> None:
    films, out = write_films(tmp_path), tmp_path / "run"
    kept = []
    for when in ("finding poses", "training faces", "writing"):
        code = f"import test_dance as t; t.run_until_killed({str(tmp_path)!r}, {when!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        kept.append(set(contents(out)))
    with np.load(out / "target" / "found.npz") as arrays:
        assert arrays["whole"]
    assert "target/found.npz" in kept[0]
    assert "target/person.npz" not in kept[0]
    assert "training_faces/checkpoint.safetensors" in kept[1]
    run(films, out)
    assert detector.frames == 0  # all was found before
    assert not [name for name in contents(out) if name.split("/")[-1].startswith(".")]

    ours, theirs = (contents(dance_folder(folder)) for folder in (out, made))
    assert ours["dance.mp4"] == theirs["dance.mp4"]
    for stage in ("training", "training_faces"):
        assert steps_in(out / stage) == [1, 2, 3, 4, 5]


def test_what_was_found_in_a_film_is_not_looked_for_again(films, detector, tmp_path) -> None:
    film = own_video.open_film("target", films["target"])
    detect, kept = detector.detect, tmp_path / "found.npz"
    detector.detect(puppet(1)[0], cache=False)
    detector.frames = 0

    class StoppedError(Exception):
        pass

    def stops(video: Tensor, **rest: Any) -> Tensor:
        if detector.frames == own_video.PIECE:
            raise StoppedError
        return detect(video, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_video, "detect_poses", stops)
        with pytest.raises(StoppedError):
            own_video.find_poses(film, kept)
    detector.frames = 0
    found = own_video.find_poses(film, kept)
    assert detector.frames == 160 - own_video.PIECE
    assert found.poses.shape == (160, 18, 3)
    assert len(found.people) == 10
    torch.testing.assert_close(found.poses, puppet(1)[1].repeat(10, 1, 1))


def test_who_stops_it_after_looking_at_the_sheets_is_told_that_it_goes_on(
    films, detector, monkeypatch, tmp_path
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train_both", stop)
    message = complaint(films, tmp_path / "run")
    assert "stopped; the same command goes on" in message
    assert (tmp_path / "run" / "target" / "person.npz").exists()


def test_a_second_source_uses_the_model_that_is_there(films, made, detector, tmp_path):
    out, other = tmp_path / "run", tmp_path / "other.mp4"
    shutil.copytree(made, out)
    before = contents(out)
    write_video(other, puppet(0)[0].flip(0), fps=FPS)
    run(films | {"source": other}, out)
    assert detector.frames == FPS
    after = contents(out)
    weights = {name for name in before if name.endswith("checkpoint.safetensors")}
    assert {name: after[name] for name in before.keys() - weights} == {
        name: before[name] for name in before.keys() - weights
    }
    for name in weights:  # read and written again: the same tensors
        old, new = (load_file(folder / name) for folder in (made, out))
        assert all(torch.equal(old[key], new[key]) for key in old if key != "random.cpu")
    assert len(list((out / "dances").iterdir())) == 2


# ---- The mark ------------------------------------------------------------------------------------


def test_clips_say_in_the_picture_and_in_the_file_what_they_are(films, made, detector, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(made, out)
    before = contents(out)
    run(films, out, "--no-mark")
    here = dance_folder(out)
    for name in ("dance", "side_by_side"):
        marked, plain = (read_video(here / f"{name}{end}.mp4") for end in ("", "_unmarked"))
        apart = (marked.float() - plain.float()).abs().mean((0, 3)) > 40
        where = apart.nonzero()
        assert len(where) > 100
        assert where.amin(0)[0] > 256 - 24
        assert where.amin(0)[1] > marked.shape[2] - 100  # in the generated picture alone
        for end in ("", "_unmarked"):  # the words stay, with and without the mark
            told = read_metadata(here / f"{name}{end}.mp4")
            assert told["title"] == "Generated film, not a recording"
            assert "Made by a neural network" in told["comment"]
    assert "composite" in read_metadata(here / "side_by_side.mp4")["comment"]
    after = contents(out)
    assert {name: after[name] for name in before} == before  # the marked ones are still there


# ---- What is wrong is said in one line, and nothing is lost --------------------------------------


def test_a_target_that_is_too_short_is_told_from_the_file(films, detector, tmp_path) -> None:
    swapped = {"source": films["target"], "target": films["source"]}
    message = complaint(swapped, tmp_path / "run")
    assert "target: expected a film of at least 10 seconds" in message
    assert "got 1.0 seconds in source film.mp4" in message
    assert not (tmp_path / "run").exists()


def test_a_target_with_two_people_is_refused_with_the_moment(films, detector, tmp_path) -> None:
    detector.people = 2
    message = complaint(films, tmp_path / "run")
    assert "target: expected one person, got two or more in 10 of 10 seconds" in message
    assert "first at 0:00" in message
    assert (tmp_path / "run" / "target" / "poses.png").exists()  # to see whom
    assert not (tmp_path / "run" / "training").exists()


def test_who_is_seen_twice_is_one_person_and_who_stands_beside_another(monkeypatch) -> None:
    def count(*squares: Square) -> int:
        found = [(0.9, square) for square in squares]
        monkeypatch.setattr(own_video, "_detector", lambda: SimpleNamespace(find=lambda _: found))
        return own_video.count_people(torch.zeros(480, 640, 3, dtype=torch.uint8))

    man = Square(126, 217, 271)
    assert count() == 0
    assert count(man, Square(123, 189, 262)) == 1
    assert count(man, Square(216, 217, 271)) == 2
    assert count(man, Square(216, 217, 271), Square(120, 210, 260)) == 2


def test_somebody_who_passes_is_no_second_person() -> None:
    people = torch.ones(100, dtype=torch.int64)
    people[7:20] = 2
    check_video.expect_one_person("target", Path("a.mp4"), people, Path("sheet.png"))
    people[7:40] = 2
    with pytest.raises(ValueError, match=r"in 33 of 100 seconds of a\.mp4, first at 0:07"):
        check_video.expect_one_person("target", Path("a.mp4"), people, Path("sheet.png"))


def test_too_few_whole_bodies_are_refused_with_what_is_missing(films, detector, tmp_path) -> None:
    def sit_down(poses: Tensor) -> Tensor:
        poses = poses.clone()
        poses[::4, :, 2] = 0
        poses[1:, LEGS, 2] = 0
        return poses

    detector.spoil = sit_down
    message = complaint(films, tmp_path / "run")
    assert "target: expected a whole body, from head to ankles, in at least half" in message
    assert "got 0 of 160 in target film.mp4" in message
    assert "head in 40, shoulders in 40, hips in 40, knees in 160, ankles in 160" in message
    assert (tmp_path / "run" / "target" / "poses.png").exists()


def test_a_film_without_anybody_is_refused(films, detector, tmp_path) -> None:
    detector.spoil = lambda poses: torch.cat(
        [poses[..., :2] * float("nan"), poses[..., 2:] * 0], -1
    )
    message = complaint(films, tmp_path / "run")
    assert "target: expected a person, found nobody in 160 frames of target film.mp4" in message


def test_a_film_that_is_not_there_or_none_is_named(films, detector, tmp_path) -> None:
    message = complaint(films | {"source": tmp_path / "gone.mp4"}, tmp_path / "run")
    assert "gone.mp4: no such file" in message
    words = tmp_path / "words.mp4"
    words.write_text("no film")
    message = complaint(films | {"target": words}, tmp_path / "run")
    assert "words.mp4: not a video that ffmpeg can read" in message
    assert not (tmp_path / "run").exists()


def test_a_folder_for_another_target_or_preset_is_left_alone(films, made, detector, tmp_path):
    other = tmp_path / "other.mp4"
    write_video(other, puppet(0)[0].repeat(10, 1, 1, 1), fps=FPS)
    before = contents(made)
    message = complaint(films | {"target": other}, made)
    assert "expected a folder for other.mp4, or a new one" in message
    assert "made for another target (target film.mp4)" in message
    assert "preset: expected 'smoke'" in complaint(films, made, "--preset", "laptop")
    assert contents(made) == before


@pytest.mark.parametrize("name", ["target", "training", "training_faces", "dances"])
def test_a_folder_with_other_things_by_our_names_is_left_alone(name, films, detector, tmp_path):
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("mine")
    before = contents(tmp_path)
    assert f"{tmp_path / name} is there" in complaint(films, tmp_path)
    assert contents(tmp_path) == before


def test_other_files_in_the_folder_stay(films, detector, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    run(films, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_help_names_both_films(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["dance", "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("--source", "--target", "--out", "--no-mark"))
