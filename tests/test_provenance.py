"""A generated film says so: to those who watch it, and to programs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vidgen_lite.data.provenance import (
    TITLE,
    TOLD,
    burn_mark,
    read_metadata,
    write_generated,
)
from vidgen_lite.data.video_files import VideoError, read_video, write_video

BLANK = torch.full((2, 64, 64, 3), 128, dtype=torch.uint8)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_the_mark_can_be_read_on_any_ground(level: int, tmp_path: Path) -> None:
    frames = torch.full((4, 256, 256, 3), level, dtype=torch.uint8)
    write_generated(tmp_path / "film.mp4", frames, fps=16)
    film = read_video(tmp_path / "film.mp4").float()
    dots = burn_mark(frames)[0, ..., 0] == 255 if level < 255 else None
    if dots is None:
        dots = burn_mark(torch.zeros_like(frames))[0, ..., 0] == 255
    plate = torch.zeros_like(dots)
    rows, columns = dots.nonzero().unbind(1)
    plate[rows.amin() : rows.amax() + 1, columns.amin() : columns.amax() + 1] = True
    assert film[:, dots].mean() - film[:, plate & ~dots].mean() > 120
    assert (film[:, :200] - level).abs().amax() < 6  # the rest of the picture is as it was


def test_the_mark_is_the_word_generated_in_the_lower_right_corner() -> None:
    marked = burn_mark(torch.zeros(64, 64, 3, dtype=torch.uint8))[..., 0] == 255
    rows, columns = marked.nonzero().unbind(1)
    word = marked[rows.amin() : rows.amax() + 1, columns.amin() : columns.amax() + 1]
    lines = ["".join(".#"[int(dot)] for dot in row) for row in word]
    assert lines == [
        ".###.####.#..#.####.###...##..###.####.###.",
        "#....#....##.#.#....#..#.#..#..#..#....#..#",
        "#.##.###..#.##.###..###..####..#..###..#..#",
        "#..#.#....#..#.#....#.#..#..#..#..#....#..#",
        ".###.####.#..#.####.#..#.#..#..#..####.###.",
    ]
    assert int(rows.amin()) > 50
    assert int(columns.amin()) > 15


def test_the_mark_grows_with_the_picture_and_leaves_the_original_alone() -> None:
    def wide(side: int) -> int:
        picture = torch.zeros(side, side, 3, dtype=torch.uint8)
        marked = (burn_mark(picture)[..., 0] == 255).nonzero()[:, 1]
        assert not picture.any()
        return int(marked.amax() - marked.amin() + 1)

    assert [wide(side) for side in (64, 256, 512)] == [43, 86, 172]


def test_pictures_too_small_for_the_mark_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 47 by 9 pixels for the mark, got 32 by 32"):
        burn_mark(torch.zeros(32, 32, 3, dtype=torch.uint8))
    with pytest.raises(TypeError, match=r"video: expected a uint8 torch\.Tensor, got torch\.float"):
        burn_mark(torch.zeros(64, 64, 3))
    with pytest.raises(ValueError, match=r"video: expected \(…, H, W, 3\), got \(3, 64, 64\)"):
        burn_mark(torch.zeros(3, 64, 64, dtype=torch.uint8))


def test_without_the_mark_the_picture_is_as_it_was_and_the_words_remain(tmp_path: Path) -> None:
    write_generated(tmp_path / "film.mp4", BLANK, fps=16, mark=False)
    assert (read_video(tmp_path / "film.mp4").float() - 128).abs().amax() < 4
    told = read_metadata(tmp_path / "film.mp4")
    assert (told["title"], told["comment"]) == (TITLE, TOLD)


def test_the_file_says_what_it_was_told_to_say_letter_by_letter(tmp_path: Path) -> None:
    told = "a = b; #c \\ d\n[e] 'f' é"
    write_generated(tmp_path / "film.mp4", BLANK, fps=16, told=told)
    assert read_metadata(tmp_path / "film.mp4")["comment"] == told


def test_a_film_that_was_not_generated_says_nothing(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", BLANK, fps=16)
    assert not {"title", "comment"} & read_metadata(tmp_path / "film.mp4").keys()


def test_frames_may_come_one_by_one_and_be_odd(tmp_path: Path) -> None:
    frames = (torch.full((65, 67, 3), 100, dtype=torch.uint8) for _ in range(5))
    write_generated(tmp_path / "film.mp4", frames, fps=8)
    assert read_video(tmp_path / "film.mp4").shape == (5, 66, 68, 3)


@pytest.mark.parametrize("kind", ["another size", "an error", "floats"])
def test_a_film_that_fails_half_way_leaves_the_old_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"old")

    def frames():
        yield BLANK[0]
        if kind == "an error":
            raise KeyError("half way")
        yield BLANK[0].float() if kind == "floats" else BLANK[0, 1:]

    with pytest.raises((ValueError, KeyError, TypeError)):
        write_generated(path, frames(), fps=16)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"expected a name that ends in \.mp4"):
        write_generated(tmp_path / "film.avi", BLANK, fps=16)
    with pytest.raises(ValueError, match="frames: expected at least one, got none"):
        write_generated(tmp_path / "film.mp4", BLANK[:0], fps=16)
    with pytest.raises(ValueError, match="fps: expected a number above 0, got 0"):
        write_generated(tmp_path / "film.mp4", BLANK, fps=0)
    with pytest.raises(VideoError, match="ffmpeg could not write it"):
        write_generated(tmp_path / "no" / "folder.mp4", BLANK, fps=16)
    with pytest.raises(VideoError, match="no such file"):
        read_metadata(tmp_path / "gone.mp4")
    (tmp_path / "words.mp4").write_text("no film")
    with pytest.raises(VideoError, match="not a video that ffmpeg can read"):
        read_metadata(tmp_path / "words.mp4")
