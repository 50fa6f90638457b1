"""Real video: what is written is read again, bad files are named, the street is split fairly."""

from __future__ import annotations

import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vidgen_lite.data import street as street_module
from vidgen_lite.data import video_files
from vidgen_lite.data.video import (
    ClipFolder,
    VideoError,
    Walkers,
    cut_windows,
    read_video,
    street_clips,
    to_clips,
    write_video,
)

# ---- Files --------------------------------------------------------------------------------------


def moving_square(frames: int = 12, height: int = 48, width: int = 64) -> Tensor:
    """An orange square that goes right by two pixels a frame, on blue."""
    video = torch.empty(frames, height, width, 3, dtype=torch.uint8)
    video[:] = torch.tensor([20, 40, 160], dtype=torch.uint8)
    for t in range(frames):
        video[t, 16:32, 2 * t : 2 * t + 16] = torch.tensor([240, 160, 20], dtype=torch.uint8)
    return video


def ffmpeg(*arguments: str | Path, data: bytes = b"") -> None:
    command = [video_files._ffmpeg(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, input=data, check=True)


def error_of(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return (one.float() - other.float()).abs().mean().item()


@pytest.fixture
def film(tmp_path) -> Path:
    write_video(tmp_path / "film.mp4", moving_square(), fps=12)
    return tmp_path / "film.mp4"


def test_what_is_written_is_read_again_nearly_unchanged(film):
    video = read_video(film)
    assert video.dtype == torch.uint8
    assert error_of(video, moving_square()) < 3
    assert error_of(video.roll(1, dims=0), moving_square()) > 6, "the order of frames matters"


def test_the_file_is_what_browsers_play(film):
    told = subprocess.run(
        [video_files._ffmpeg(), "-i", str(film)], capture_output=True, text=True
    ).stderr
    assert re.search(r"Video: h264 .*yuv420p.*12 fps", told)
    raw = film.read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat"), "the index comes first, for a quick start"


@pytest.mark.parametrize(("height", "width"), [(47, 64), (48, 63), (47, 63), (1, 1)])
def test_odd_sizes_gain_one_repeated_row_or_column(tmp_path, height, width):
    ramp = torch.arange(height)[:, None] * 2 + torch.arange(width)  # darkest at the top left
    video = ramp.to(torch.uint8)[None, :, :, None].expand(4, height, width, 3)
    write_video(tmp_path / "odd.mp4", video, fps=10)
    read = read_video(tmp_path / "odd.mp4")
    assert read.shape == (4, height + height % 2, width + width % 2, 3)
    assert error_of(read[:, :height, :width], video) < 3
    assert error_of(read[:, -1, :width], video[:, -1]) < 3
    assert error_of(read[:, :height, -1], video[:, :, -1]) < 3


def test_part_of_a_file_is_the_same_part_of_the_whole(film):
    whole = read_video(film)
    assert torch.equal(read_video(film, start=5), whole[5:])
    assert torch.equal(read_video(film, start=3, frames=4), whole[3:7])


def test_resizing_averages_over_areas(film):
    small = read_video(film, size=(6, 8))
    assert small.shape == (12, 6, 8, 3)
    whole = read_video(film).float()
    areas = whole.view(12, 6, 8, 8, 8, 3).mean(dim=(2, 4))
    assert error_of(small, areas) < 0.5


def test_resampling_keeps_the_duration(film):
    assert len(read_video(film, fps=6)) == 6
    assert len(read_video(film, fps=24)) == 24
    assert error_of(read_video(film, fps=6), read_video(film)[::2]) < 6


def test_each_frame_of_an_uneven_file_comes_once(tmp_path, film):
    """A phone's video has no fixed rate: here each frame lasts longer than the one before."""
    uneven = tmp_path / "uneven.mkv"
    ffmpeg("-i", film, "-vf", "setpts=N*N/100/TB", "-fps_mode", "passthrough", uneven)
    assert len(read_video(uneven)) == 12


def test_a_grey_file_comes_with_three_equal_channels(tmp_path, film):
    ffmpeg("-i", film, "-pix_fmt", "gray", "-c:v", "ffv1", tmp_path / "grey.mkv")
    video = read_video(tmp_path / "grey.mkv")
    assert video.shape == (12, 48, 64, 3)
    assert torch.equal(video[..., 0], video[..., 1])
    assert torch.equal(video[..., 0], video[..., 2])


def test_one_frame_is_a_video_too(tmp_path):
    write_video(tmp_path / "one.mp4", moving_square(1), fps=10)
    assert read_video(tmp_path / "one.mp4").shape == (1, 48, 64, 3)


def test_a_file_whose_name_starts_with_a_dash_or_has_spaces_and_commas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-v.mp4", "a clip, of mine: 100%.mp4"):
        write_video(name, moving_square(), fps=10)
        assert len(read_video(name)) == 12


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "nowhere.mp4", tmp_path):
        with pytest.raises(VideoError, match=re.escape(f"{path}: no such file")):
            read_video(path)


@pytest.mark.parametrize("content", [b"", b"this is no video\n" * 100, b"\0" * 5000])
def test_an_empty_or_broken_file_is_named(tmp_path, content):
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=r"bad\.mp4: not a video that ffmpeg can read: \S+"):
        read_video(tmp_path / "bad.mp4")


def test_a_file_cut_before_its_index_is_not_a_video(tmp_path, film):
    ffmpeg("-i", film, "-c", "copy", "-movflags", "-faststart", tmp_path / "index_last.mp4")
    raw = (tmp_path / "index_last.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(VideoError, match=r"cut\.mp4: not a video"):
        read_video(tmp_path / "cut.mp4")


def truncated(path: Path) -> Path:
    """A file of many frames of noise that ends in the middle of one of them."""
    noise = torch.randint(0, 256, (20, 48, 64, 3), generator=torch.Generator().manual_seed(0))
    write_video(path, noise.to(torch.uint8), fps=10)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 6 // 10])
    return path


def test_of_a_truncated_file_what_is_there_is_read_with_a_warning(tmp_path):
    path = truncated(tmp_path / "truncated.mp4")
    with pytest.warns(UserWarning, match=r"truncated\.mp4: damaged; \d+ frames could be decoded"):
        video = read_video(path)
    assert 5 <= len(video) < 20


def test_fewer_frames_than_asked_for_is_an_error(film):
    with pytest.raises(VideoError, match="expected 10 frames from frame 4 on, got 8"):
        read_video(film, start=4, frames=10)
    with pytest.raises(VideoError, match="from frame 12 on, got 0"):
        read_video(film, start=12)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"size": (0, 8)}, "size: height"),
        ({"size": (8, 2.5)}, "size: width"),
        ({"fps": 0}, "fps"),
        ({"fps": float("nan")}, "fps"),
        ({"start": -1}, "start"),
        ({"frames": 0}, "frames"),
    ],
)
def test_a_senseless_wish_is_named(film, wrong, named):
    with pytest.raises(ValueError, match=f"^{named}: expected .*, got "):
        read_video(film, **wrong)


@pytest.mark.parametrize(
    ("video", "error", "message"),
    [
        (torch.zeros(4, 8, 8), ValueError, r"video: expected \(T, H, W, 3\), got \(4, 8, 8\)"),
        (torch.zeros(4, 8, 8, 3), TypeError, r"video: expected uint8, got torch\.float32"),
        (torch.zeros(0, 8, 8, 3, dtype=torch.uint8), ValueError, "video: T: expected a positive"),
    ],
)
def test_what_is_no_video_is_not_written(tmp_path, video, error, message):
    with pytest.raises(error, match=message):
        write_video(tmp_path / "no.mp4", video, fps=10)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_older_file_as_it_was(film, monkeypatch):
    before = film.read_bytes()
    run = subprocess.run

    def full_disk(command, **options):
        """Writes the beginning of the file, then fails as ffmpeg does on a full disk."""
        run([*command[:-1], command[-1]], **options)
        said = b"av_interleaved_write_frame(): No space left on device\n"
        return subprocess.CompletedProcess(command, 1, b"", said)

    monkeypatch.setattr(video_files.subprocess, "run", full_disk)
    with pytest.raises(VideoError, match=r"film\.mp4: ffmpeg could not write it: .*No space left"):
        write_video(film, moving_square(3), fps=10)
    assert film.read_bytes() == before
    assert list(film.parent.iterdir()) == [film]


def test_only_mp4_is_written(tmp_path):
    with pytest.raises(VideoError, match=r"film\.avi: expected a name that ends in \.mp4"):
        write_video(tmp_path / "film.avi", moving_square(), fps=10)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"nowhere.film\.mp4: ffmpeg could not write it"):
        write_video(tmp_path / "nowhere" / "film.mp4", moving_square(), fps=10)


# ---- Windows ------------------------------------------------------------------------------------


def test_windows_slide_by_half_a_window_in_space_and_time():
    video = torch.arange(8 * 6 * 10).view(8, 6, 10, 1)
    windows = cut_windows(video, size=4, frames=4)
    assert windows.shape == (3, 2, 4, 4, 4, 4, 1)
    assert torch.equal(windows[2, 1, 3], video[4:8, 2:6, 6:10])


def test_windows_slide_as_they_are_told_and_copy_nothing():
    video = torch.zeros(8, 6, 10, 3)
    windows = cut_windows(video, size=4, frames=4, stride=1, step=4)
    assert windows.shape == (2, 3, 7, 4, 4, 4, 3)
    assert windows.data_ptr() == video.data_ptr()


def test_a_video_smaller_than_a_window_is_named():
    with pytest.raises(ValueError, match="video: expected at least 4 frames of 8 x 8, got"):
        cut_windows(torch.zeros(8, 6, 10, 3), size=8, frames=4)


def test_clips_are_channels_first_and_between_minus_one_and_one():
    frames = torch.zeros(2, 5, 4, 4, 3, dtype=torch.uint8)
    frames[..., 1] = 255
    clips = to_clips(frames)
    assert clips.shape == (2, 3, 5, 4, 4)
    assert clips.unique().tolist() == [-1, 1]
    assert (clips[:, 1] == 1).all()


# ---- The street ---------------------------------------------------------------------------------

LENGTH, END = 100, 80  # frames of the stand-in street; its training time ends at frame 80
WALKERS = ((184, 288), (280, 32))  # top and leftmost place of each, in pixels of the file


def stand_in_street() -> Tensor:
    """A street at a quarter of its size, with two walkers of 80 pixels who keep to their places.

    Red holds the frame's number on every walker, so a clip tells when it was cut.
    """
    video = torch.full((LENGTH, 144, 192, 3), 90, dtype=torch.uint8)
    for t in range(LENGTH):
        for top, left in WALKERS:
            y, x = top // 4, left // 4 + 3 * t % 22
            video[t, y : y + 20, x : x + 6] = torch.tensor([t + 128, 0, 0], dtype=torch.uint8)
    return video


@pytest.fixture
def street(monkeypatch, tmp_path):
    """The stand-in street in place of the file; counts how often it is read."""
    reads: list[tuple[int, int]] = []

    def read(path, *, size):
        reads.append(size)
        return stand_in_street() if size == (144, 192) else enlarged(size)

    def enlarged(size):
        video = stand_in_street().permute(0, 3, 1, 2)
        return torch.nn.functional.interpolate(video, size, mode="nearest").permute(0, 2, 3, 1)

    monkeypatch.setenv("VIDGEN_CACHE", str(tmp_path))
    monkeypatch.setattr(street_module, "fetch", lambda name: {"vtest.avi": tmp_path / name})
    monkeypatch.setattr(street_module, "read_video", read)
    return reads


def times_of(clips: Tensor) -> list[tuple[int, int]]:
    """First and last frame number seen in each clip, as its walkers' red tells."""
    red = ((clips[:, 0] + 1) * 127.5).round().long() - 128  # (N, T, H, W)
    green = clips[:, 1]
    seen = [red[n][green[n] < -0.9] for n in range(len(clips))]
    return [(int(s.min()), int(s.max())) for s in seen]


def test_train_clips_end_before_test_clips_begin_with_a_gap_of_one_clip(street):
    train, test = (street_clips(split, size=32, frames=8) for split in ("train", "test"))
    assert max(last for _, last in times_of(train)) < END
    assert min(first for first, _ in times_of(test)) >= END + 8
    assert len(train) > len(test) > 0


def test_clips_have_the_course_s_shape_and_range(street):
    clips = street_clips("train", size=32, frames=8)
    assert clips.shape[1:] == (3, 8, 32, 32)
    assert clips.dtype == torch.float32
    assert clips.min() >= -1
    assert clips.max() <= 1


def test_walkers_are_whole_and_those_cut_off_are_left_out(street):
    """Windows slide past the walkers; kept are those that show head and feet in every frame."""
    clips = street_clips("train", size=32, frames=8, walkers=Walkers(sides=(128,)))
    tall = (clips[:, 1] < -0.9).any(dim=-1).sum(dim=-1)  # (N, T): rows with a walker in them
    assert len(clips) > 50
    assert tall[tall > 0].unique().tolist() == [20]


def test_the_background_is_still(street):
    clips = street_clips("train", size=32, frames=8)
    still = clips.median(dim=2, keepdim=True).values
    moving = ((clips - still).abs().amax(dim=1) > 0.2).float().mean(dim=(1, 2, 3))
    assert moving.min() > 0.01
    assert moving.max() < 0.4


def test_fewer_positions_are_the_busiest_ones_and_come_first(street):
    every = street_clips("train", size=32, frames=8)
    one = street_clips("train", size=32, frames=8, positions=1)
    assert 0 < len(one) < len(every)
    assert torch.equal(every[: len(one)], one)


def test_no_two_positions_share_more_than_half_their_area():
    place = street_module._Place
    counts = street_module.Counter(
        {place(128, 0, 0): 9, place(128, 0, 32): 8, place(128, 0, 64): 7, place(96, 24, 24): 6}
    )
    chosen = street_module._best_places(counts, None)
    assert chosen == [place(128, 0, 0), place(128, 0, 64)]
    assert street_module._best_places(counts, 1) == [place(128, 0, 0)]


def test_mirror_images_follow_and_are_for_training_only(street):
    plain = street_clips("train", size=32, frames=8)
    both = street_clips("train", size=32, frames=8, mirror=True)
    assert torch.equal(both, torch.cat([plain, plain.flip(-1)]))
    with pytest.raises(ValueError, match="mirror: expected False for the test split"):
        street_clips("test", size=32, frames=8, mirror=True)


def test_a_second_call_reads_no_video_and_gives_the_same(street):
    first = street_clips("train", size=32, frames=8)
    street.clear()
    assert torch.equal(street_clips("train", size=32, frames=8), first)
    street_clips("test", size=32, frames=8)  # kept by the same first call
    assert street == []


def test_other_arguments_are_kept_apart(street):
    wide = street_clips("train", size=32, frames=8)
    narrow = street_clips("train", size=32, frames=8, walkers=Walkers(sides=(128,)))
    assert wide.shape != narrow.shape or not torch.equal(wide, narrow)
    assert street_clips("train", size=64, frames=8, positions=1).shape[-1] == 64


def test_a_harmed_kept_file_is_made_anew(street, tmp_path):
    first = street_clips("train", size=32, frames=8)
    for file in (tmp_path / "street_clips").glob("*.npy"):
        file.write_bytes(file.read_bytes()[:500])
    assert torch.equal(street_clips("train", size=32, frames=8), first)


def test_when_nothing_can_be_kept_the_clips_come_all_the_same(street, monkeypatch, tmp_path):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.warns(UserWarning, match="not kept for the next call: .*No space left"):
        clips = street_clips("train", size=32, frames=8)
    assert len(clips) > 0
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"split": "all"}, "split: expected one of train, test; got 'all'"),
        ({"size": 30}, "size: expected a multiple of 4, got 30"),
        ({"frames": 0}, "frames: expected a positive integer, got 0"),
        ({"positions": 0}, "positions: expected a positive integer, got 0"),
        ({"walkers": Walkers(moving=(0.9, 1.0))}, "no train clip of 8 frames"),
    ],
)
def test_a_senseless_street_is_named(street, wrong, message):
    with pytest.raises(ValueError, match=message):
        street_clips(**{"split": "train", "size": 32, "frames": 8, **wrong})


# ---- A folder of files --------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "mine"
    for name, frames in {"run/a.mp4": 8, "walk/b.mp4": 12, "walk/c.MP4": 5}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(root / name, moving_square(frames), fps=10)
    return root


def test_each_video_gives_its_clips_in_order_without_overlap(folder):
    clips = ClipFolder(folder, size=16, frames=4)
    assert [file.name for file in clips.files] == ["a.mp4"] * 2 + ["b.mp4"] * 3 + ["c.MP4"]
    assert clips[0].shape == (3, 4, 16, 16)
    assert clips[0].dtype == torch.float32
    assert -1 <= clips[0].min() < clips[0].max() <= 1
    assert len(ClipFolder(folder, size=16, frames=4, step=1)) == 5 + 9 + 2


def test_subfolders_are_classes(folder):
    clips = ClipFolder(folder, size=16, frames=4)
    assert clips.classes == ("run", "walk")
    assert clips.labels.tolist() == [0, 0, 1, 1, 1, 1]


def test_a_folder_without_subfolders_is_one_class(folder):
    clips = ClipFolder(folder / "walk", size=16, frames=4)
    assert clips.classes == ("walk",)
    assert clips.labels.tolist() == [0, 0, 0, 0]


def test_a_clip_is_the_middle_square(tmp_path):
    video = torch.zeros(4, 32, 64, 3, dtype=torch.uint8)
    video[:, :, 16:48] = 255
    write_video(tmp_path / "wide.mp4", video, fps=10)
    assert ClipFolder(tmp_path, size=32, frames=4)[0].mean() > 0.95


def test_resampling_gives_fewer_clips(folder):
    assert len(ClipFolder(folder, size=16, frames=2, fps=5)) == 2 + 3 + 1


def test_a_loader_can_batch_the_clips(folder):
    loader = torch.utils.data.DataLoader(ClipFolder(folder, size=16, frames=4), batch_size=6)
    assert next(iter(loader)).shape == (6, 3, 4, 16, 16)


def test_what_is_left_out_is_named_in_one_warning(folder):
    (folder / "run" / "broken.avi").write_bytes(b"no video")
    (folder / "notes.txt").write_text("what I filmed")
    (folder / ".hidden").write_text("not looked at")
    truncated(folder / "walk" / "truncated.mp4")
    write_video(folder / "short.mp4", moving_square(3), fps=10)
    with pytest.warns(UserWarning, match="not used in full") as caught:
        clips = ClipFolder(folder, size=16, frames=4)
    assert len(caught) == 1
    said = str(caught[0].message)
    for words in (
        "4 files not used in full",
        "run/broken.avi: not a video that ffmpeg can read",
        "notes.txt: not a video by its name",
        "walk/truncated.mp4: damaged",
        "short.mp4: 3 frames, 4 needed",
    ):
        assert words in said
    assert "hidden" not in said
    assert folder / "walk" / "truncated.mp4" in clips.files


def test_a_good_folder_gives_no_warning(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ClipFolder(folder, size=16, frames=4)


def test_a_folder_without_a_clip_says_why(tmp_path):
    with pytest.raises(VideoError, match="no such folder"):
        ClipFolder(tmp_path / "nowhere", size=16, frames=4)
    with pytest.raises(VideoError, match="no video gives a clip of 4 frames"):
        ClipFolder(tmp_path, size=16, frames=4)
    write_video(tmp_path / "short.mp4", moving_square(3), fps=10)
    with pytest.raises(VideoError, match=r"(?s)no video gives a clip.*short\.mp4: 3 frames"):
        ClipFolder(tmp_path, size=16, frames=4)
