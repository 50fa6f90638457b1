"""Clips are shown as films that play, with controls, a poster, and words for who can't see."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from torch import Tensor

from vidgen_lite.show import (
    clip,
    contact_sheet,
    encode,
    filmstrip,
    flipbook,
    plot_losses,
    write_film,
)


def colours(n: int = 2, *, frames: int = 6, height: int = 8, width: int = 10) -> Tensor:
    """Clips (n, 3, T, H, W): clip i is one flat colour, brighter from frame to frame."""
    video = torch.full((n, 3, frames, height, width), -1.0)
    for i in range(n):
        video[i, i % 3] = torch.linspace(-0.5, 1, frames).view(frames, 1, 1)
    return video


class Page(HTMLParser):
    """The tags of a piece of HTML with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: dict[str, dict[str, str | None]] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(video: Tensor, **options: object) -> Page:
    return Page(clip(video, **{"label": "a clip", **options}).data)


def film_of(page: Page) -> np.ndarray:
    """The frames (T, H, W, 3) of the film inside a page."""
    kind, _, data = str(page.tags["source"]["src"]).partition(";base64,")
    assert kind == "data:video/mp4"
    return iio.imread(base64.b64decode(data), extension=".mp4", plugin="FFMPEG")


# ---- Films in a notebook -------------------------------------------------------------------------


def test_a_clip_is_a_film_with_controls_that_can_loop_on_any_page():
    video = shown(colours()).tags["video"]
    assert {"controls", "loop", "muted", "playsinline"} <= video.keys()


def test_a_film_is_h264_with_every_frame_at_the_wanted_scale():
    page = shown(colours(1), scale=4)
    film = film_of(page)
    assert film.shape == (6, 32, 40, 3)
    assert page.tags["video"]["width"] == "40"
    data = base64.b64decode(str(page.tags["source"]["src"]).partition(",")[2])
    assert b"avc1" in data  # H.264
    assert data.index(b"moov") < data.index(b"mdat")  # a browser can start before the end


def test_a_film_shows_the_colours_of_the_clip():
    film = film_of(shown(colours(1), scale=4)).astype(float)
    wanted = (np.linspace(-0.5, 1, 6) + 1) * 127.5
    np.testing.assert_allclose(film[..., 0].mean((1, 2)), wanted, atol=8)
    assert film[..., 1:].mean() < 12


def test_frames_a_second_are_the_wanted_ones(tmp_path):
    path = tmp_path / "film.mp4"
    write_film(path, colours(1), fps=7)
    assert iio.immeta(path, plugin="FFMPEG")["fps"] == 7


def test_the_label_is_the_films_caption_and_its_text_alternative():
    page = shown(colours(), label="puppets that walk")
    assert page.tags["video"]["aria-label"] == "puppets that walk"
    assert "figcaption" in page.tags
    assert page.text.count("puppets that walk") == 2  # inside the film's tag, and below it


@pytest.mark.parametrize("columns", [1, 8, 16])
@pytest.mark.parametrize("across", [700, 1500])
def test_the_controls_have_a_strip_below_the_film(columns: int, across: int):
    """They take 76 pixels, and would hide a film of one row; as seen in Chromium."""
    video = shown(colours(columns, height=32, width=32), columns=columns).tags["video"]
    style = dict(rule.split(":") for rule in str(video["style"]).split(";"))
    width, height = map(int, style["aspect-ratio"].split("/"))
    assert width == int(str(video["width"]))
    shrunk = min(1, across / width)
    assert (height - 32 * 4) * shrunk >= 76
    assert (style["object-fit"], style["object-position"]) == ("contain", "top")
    assert style["min-height"] == "152px"  # on a phone


def test_a_label_cannot_break_out_of_its_place():
    label = """<script>alert("x")</script> & 'more' "so\""""
    html = clip(colours(), label=label).data
    assert "<script" not in html
    page = Page(html)
    assert page.tags["video"]["aria-label"] == label
    assert "script" not in page.tags
    assert {"controls", "poster"} <= page.tags["video"].keys()


def test_the_poster_is_the_middle_frame():
    kind, _, data = str(shown(colours(1)).tags["video"]["poster"]).partition(";base64,")
    assert kind == "data:image/jpeg"
    poster = iio.imread(io.BytesIO(base64.b64decode(data)))
    assert poster.shape == (32, 40, 3)
    assert poster[..., 0].mean() == pytest.approx((colours(1)[0, 0, 3, 0, 0] + 1) * 127.5, abs=6)


@pytest.mark.parametrize(("height", "width"), [(7, 9), (8, 9), (7, 10), (1, 1)])
def test_odd_sides_get_one_row_or_column_more(height: int, width: int):
    film = film_of(shown(colours(1, height=height, width=width), scale=1))
    assert film.shape == (6, height + height % 2, width + width % 2, 3)


def test_a_clip_of_one_frame_is_a_film_too():
    assert film_of(shown(colours(1, frames=1))).shape == (1, 32, 40, 3)


def test_a_clip_without_a_batch_axis_is_one_clip():
    video = colours(1)
    np.testing.assert_array_equal(film_of(shown(video[0])), film_of(shown(video)))


def test_one_channel_is_shown_as_grey():
    grey = colours(1)[:, :1]
    film = film_of(shown(grey)).astype(float)
    wanted = (np.linspace(-0.5, 1, 6) + 1) * 127.5
    for channel in range(3):
        np.testing.assert_allclose(film[..., channel].mean((1, 2)), wanted, atol=6)
    assert film_of(shown(grey[0])).shape == film.shape


def test_several_clips_stand_side_by_side_with_a_white_gap():
    film = film_of(shown(colours(3), columns=2, scale=4, gap=2)).astype(float)
    assert film.shape == (6, (8 + 2 + 8) * 4, (10 + 2 + 10) * 4, 3)
    places = [(slice(4, 28), slice(4, 36)), (slice(4, 28), slice(52, 84)), (slice(44, 68),) * 2]
    for i, (y, x) in enumerate(places[:2]):
        assert film[-1, y, x].mean((0, 1)).argmax() == i
    assert film[-1, 44:68, 4:36].mean((0, 1)).argmax() == 2
    assert film[:, 44:68, 52:84].mean() > 250  # no fourth clip: white
    assert film[:, 4:28, 42:46].mean() > 200


def test_eight_clips_fill_a_row_unless_told_otherwise():
    assert film_of(shown(colours(9), scale=1, gap=0)).shape == (6, 16, 80, 3)


def test_values_beyond_the_range_are_cut_not_wrapped():
    film = film_of(shown(torch.full((1, 3, 2, 8, 8), 1.5)))
    assert film.min() > 250


def test_half_precision_with_gradients_can_be_shown():
    video = colours(1).to(torch.bfloat16).requires_grad_()
    assert film_of(shown(video)).shape == (6, 32, 40, 3)


def test_a_film_of_a_notebook_is_small():
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(8, 3, 4, 4, 4), size=(16, 32, 32))
    assert len(clip(smooth * 2 - 1, label="eight clips").data) < 200_000


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (torch.zeros(3, 8, 8), r"expected \(N, 3, T, H, W\) or \(3, T, H, W\), got \(3, 8, 8\)"),
        (torch.zeros(2, 4, 6, 8, 8), r"got \(2, 4, 6, 8, 8\)"),
        (torch.zeros(6, 8, 8, 3), r"got \(6, 8, 8, 3\)"),
        (torch.zeros(0, 3, 6, 8, 8), r"got \(0, 3, 6, 8, 8\)"),
        (torch.zeros(3, 0, 8, 8), r"got \(3, 0, 8, 8\)"),
    ],
)
def test_what_is_no_clip_is_refused(video: Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        clip(video, label="x")


@pytest.mark.parametrize(
    ("video", "got"),
    [
        (torch.zeros(3, 4, 8, 8, dtype=torch.uint8), "got torch.uint8"),
        (np.zeros((3, 4, 8, 8), np.float32), "got ndarray"),
    ],
)
def test_whole_numbers_and_other_arrays_are_refused(video: object, got: str):
    for show in (lambda v: clip(v, label="x"), lambda v: contact_sheet("x.png", v), filmstrip):
        with pytest.raises(
            TypeError, match=rf"video: expected a floating-point torch\.Tensor .* {got}"
        ):
            show(video)


@pytest.mark.parametrize("name", ["scale", "columns"])
def test_a_size_below_one_is_refused(name: str):
    with pytest.raises(ValueError, match=f"{name}: expected a positive integer, got 0"):
        clip(colours(), label="x", **{name: 0})


def test_frames_are_encoded_as_they_come():
    frames = torch.full((3, 5, 6, 3), 200, dtype=torch.uint8)
    film = iio.imread(encode(frames, fps=10), extension=".mp4", plugin="FFMPEG")
    assert film.shape == (3, 6, 6, 3)
    assert abs(film.astype(float) - 200).max() < 8


def test_a_film_can_be_written_to_a_file(tmp_path):
    write_film(tmp_path / "film.mp4", colours(2), scale=2)
    assert iio.imread(tmp_path / "film.mp4", plugin="FFMPEG").shape == (6, 16, 44, 3)


# ---- Pictures ------------------------------------------------------------------------------------


def test_a_contact_sheet_has_a_row_a_clip_and_moments_from_first_to_last(tmp_path):
    path = tmp_path / "new" / "sheet.png"
    contact_sheet(path, colours(2, frames=9), frames=3, scale=2)
    assert path.read_bytes().startswith(b"\x89PNG")
    sheet = iio.imread(path)
    assert sheet.shape == ((8 + 1 + 8) * 2, (10 + 1 + 10 + 1 + 10) * 2, 3)
    first, middle, last = (sheet[4, x, 0] for x in (4, 26, 50))
    assert [first, middle, last] == [round((v + 1) * 127.5) for v in (-0.5, 0.25, 1.0)]
    assert sheet[-4, 4].argmax() == 1  # the second clip is green


def test_a_contact_sheet_of_a_short_clip_shows_each_frame_once(tmp_path):
    contact_sheet(tmp_path / "sheet.png", colours(1, frames=2), frames=8, scale=1)
    assert iio.imread(tmp_path / "sheet.png").shape == (8, 10 + 1 + 10, 3)


def test_a_contact_sheet_of_what_is_no_clip_is_refused_and_writes_nothing(tmp_path):
    for video in (torch.zeros(3, 4, 8, 8), torch.zeros(2, 2, 4, 8, 8)):
        with pytest.raises(ValueError, match=re.escape(str(tuple(video.shape)))):
            contact_sheet(tmp_path / "sheet.png", video)
    assert list(tmp_path.iterdir()) == []


def test_a_filmstrip_has_a_row_a_clip_with_its_title():
    figure = filmstrip(colours(2, frames=9), titles=["two streams", "one stream"], frames=3)
    assert [axes.get_ylabel() for axes in figure.axes] == ["two streams", "one stream"]
    images = [axes.get_images()[0].get_array() for axes in figure.axes]
    assert [image.shape for image in images] == [(8, 10 * 3 + 2, 3)] * 2
    assert [image[4, -2].argmax() for image in images] == [0, 1]


def test_a_filmstrip_with_too_few_titles_is_refused():
    with pytest.raises(ValueError, match="titles: expected 2, got 1"):
        filmstrip(colours(2), titles=["one"])


def test_losses_are_drawn_by_name_as_running_means():
    records = [{"step": i + 1, "d_real": float(i), "g": 1.0} for i in range(100)]
    figure = plot_losses(records, smooth=10)
    (axes,) = figure.axes
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert lines.keys() == {"d_real", "g"}
    assert len(lines["g"]) == 91
    assert lines["d_real"][0, 1] == pytest.approx(4.5)  # the mean of 0 to 9
    assert "10 steps" in axes.get_ylabel()


def test_losses_of_a_short_run_say_how_they_are_smoothed():
    figure = plot_losses([{"d": 1.0}, {"d": 2.0}, {"d": 3.0}])
    (axes,) = figure.axes
    assert axes.lines[0].get_ydata().tolist() == [1, 2, 3]
    assert "mean of 1 steps" in axes.get_ylabel()


def test_chosen_losses_alone_are_drawn():
    figure = plot_losses([{"a": 1.0, "b": 2.0}] * 8, names=["b"])
    assert [line.get_label() for line in figure.axes[0].lines] == ["b"]


def test_no_records_cannot_be_drawn():
    with pytest.raises(ValueError, match="records: expected at least one, got none"):
        plot_losses([])


def test_drawing_leaves_no_figure_open_to_be_shown_twice():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    filmstrip(colours(1))
    plot_losses([{"a": 1.0}])
    assert plt.get_fignums() == before


def test_a_place_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path):
    with pytest.raises(OSError, match="nowhere"):
        write_film(tmp_path / "nowhere" / "film.mp4", colours(1))


# ---- Pages to leaf through -----------------------------------------------------------------------


def test_a_flipbooks_slider_is_linked_in_the_browser():
    import ipywidgets
    import matplotlib.pyplot as plt

    figures = [plt.figure(figsize=(1, 1)) for _ in range(3)]
    box = flipbook(figures, ["0", "1", "2"], label="step")
    (controls, pages) = box.children
    assert [child.value[:4] for child in pages.children] == [b"\x89PNG"] * 3
    assert pages.selected_index == controls.children[1].value == 2
    # No widget that ipywidgets 7.7 lacks.
    used = {type(w).__name__ for w in (box, controls, *controls.children, pages, *pages.children)}
    assert used <= {"VBox", "HBox", "Play", "IntSlider", "Tab", "Image"}
    assert all(isinstance(w, ipywidgets.DOMWidget) for w in (box, pages))
    with pytest.raises(ValueError, match="titles: expected 3"):
        flipbook(figures, ["0"], label="step")
