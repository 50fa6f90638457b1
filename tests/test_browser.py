"""Every page in a headless browser, as a reader meets it: on a screen, on a phone, from a folder.

All requests that leave this machine are stopped and counted. Without a browser these tests are
skipped with a warning; where CI is set, they fail.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, built_book, frontend, notebook_pages, pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
ROOM = {"width": 1280, "height": 720}
# The slide in the middle of the window, and slides on which something is cut off.
SHOWN = "document.elementFromPoint(640, 360).closest('.slide').id"
OVERFULL = """[...document.querySelectorAll('.slide')].filter(slide => {
    const body = slide.querySelector('.body');
    const boxes = [body, ...body.querySelectorAll('.math, pre, table')];
    return body.scrollHeight > body.clientHeight + 2
        || boxes.some(box => box.scrollWidth > body.clientWidth + 2);
}).map(slide => slide.id)"""
# The theme's own: its colour button shows an icon and is named by its title.
AXE_OFF = ("label-content-name-mismatch",)


@dataclass
class Visit:
    """A loaded page and what went wrong while it loaded."""

    page: Any
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def book() -> Path:
    return built_book()


@pytest.fixture(scope="module")
def address(book: Path) -> Iterator[str]:
    """Where the built book is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(book))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all pages."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        message = f"NO BROWSER ({', '.join(BROWSERS)}): the pages were NOT looked at"
        if os.environ.get("CI"):
            pytest.fail(message)
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


def visit(browser: Any, url: str, *, scheme: str = "light") -> Visit:
    """Open a page in a fresh profile and wait until its formulas are set."""
    context = browser.new_context(viewport=DESKTOP, color_scheme=scheme, reduced_motion="reduce")
    context.set_default_timeout(90_000)  # a busy machine is no broken page
    seen = Visit(context.new_page())

    def route(request_route: Any) -> None:
        target = request_route.request.url
        if target.startswith(("http://127.0.0.1", "file:", "data:", "blob:")):
            request_route.continue_()
        else:
            seen.foreign.append(target)
            request_route.abort()

    def on_console(message: Any) -> None:
        if message.type == "error":
            seen.errors.append(message.text)

    def on_response(response: Any) -> None:
        if response.status >= 400:
            seen.errors.append(f"{response.status} {response.url}")

    context.route("**/*", route)
    seen.page.on("console", on_console)
    seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
    seen.page.on("response", on_response)
    seen.page.on("requestfailed", lambda request: seen.errors.append(f"failed {request.url[:200]}"))
    seen.page.goto(url, wait_until="load")
    seen.page.evaluate("() => window.MathJax ? window.MathJax.startup.promise : null")
    return seen


def expect_healthy(seen: Visit) -> None:
    assert not seen.foreign, "a request to another host"
    assert not seen.errors
    formulas = seen.page.evaluate(
        """() => ({
            wanted: document.querySelectorAll('article .math').length,
            made: document.querySelectorAll('article .math mjx-container').length,
            wrong: [...document.querySelectorAll('mjx-merror')].map(e => e.dataset.mjxError),
        })"""
    )
    assert not formulas["wrong"], "a formula that MathJax does not understand"
    assert formulas["made"] >= formulas["wanted"], "a formula that was not set"


def play_clips(page: Any) -> list[str]:
    """Play all clips of a page at once; return those whose time stood still."""
    return page.evaluate(
        """async () => {
            const moves = async (clip) => {
                clip.muted = true;
                await clip.play();
                for (let i = 0; i < 50 && clip.currentTime < 0.05; i++)
                    await new Promise(done => setTimeout(done, 100));
                clip.pause();
                return clip.currentTime >= 0.05;
            };
            const clips = [...document.querySelectorAll('video')], still = [];
            for (let i = 0; i < clips.length; i += 4)
                await Promise.all(clips.slice(i, i + 4).map(async clip => {
                    if (!await moves(clip).catch(() => false))
                        still.push(clip.getAttribute('aria-label') || clip.currentSrc.slice(0, 80));
                }));
            return still;
        }"""
    )


def complaints(page: Any) -> list[str]:
    """What axe finds against reading a page by keyboard, screen reader or with weak eyes."""
    tools = frontend.ensure(frontend.TESTS, frontend.TEST_TOOLS)
    page.add_script_tag(path=str(tools / "axe" / "axe.min.js"))
    return page.evaluate(
        """async (off) => {
            const rules = Object.fromEntries(off.map(rule => [rule, {enabled: false}]));
            const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
            const found = await axe.run(document, {rules, runOnly, resultTypes: ['violations']});
            return found.violations.flatMap(
                violation => violation.nodes.map(n => violation.id + ': ' + n.html.slice(0, 120)));
        }""",
        list(AXE_OFF),
    )


@pytest.mark.parametrize("name", pages())
def test_a_page_works(browser: Any, address: str, name: str) -> None:
    seen = visit(browser, f"{address}/{name}.html")
    expect_healthy(seen)
    assert not play_clips(seen.page), "a clip that does not play"
    assert not complaints(seen.page)
    seen.page.set_viewport_size(PHONE)
    width = seen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], "a phone would have to scroll sideways"
    expect_healthy(seen)
    seen.page.context.close()


@pytest.mark.parametrize("name", pages())
def test_a_page_is_readable_in_the_dark(browser: Any, address: str, name: str) -> None:
    seen = visit(browser, f"{address}/{name}.html", scheme="dark")
    assert seen.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert not complaints(seen.page)
    seen.page.context.close()


@pytest.mark.parametrize("name", ["book/index", *notebook_pages()])
def test_a_page_works_from_an_unpacked_folder(browser: Any, book: Path, name: str) -> None:
    seen = visit(browser, (book / f"{name}.html").as_uri())
    expect_healthy(seen)
    assert not play_clips(seen.page)
    seen.page.context.close()


def test_the_search_finds_a_word_from_an_unpacked_folder(browser: Any, book: Path) -> None:
    seen = visit(browser, (book / "search.html").as_uri() + "?q=discriminator")
    seen.page.locator("#search-results li a").first.wait_for()
    expect_healthy(seen)
    seen.page.context.close()


@pytest.mark.parametrize("name", notebook_pages())
def test_a_slider_moves_something_without_a_kernel(browser: Any, address: str, name: str) -> None:
    seen = visit(browser, f"{address}/{name}.html")
    page = seen.page
    sliders = page.locator(".widget-slider [role=slider]")
    if "widget-state+json" not in (ROOT / f"{name}.ipynb").read_text():
        pytest.skip("this notebook shows no widget")
    sliders.first.wait_for()
    looks = """() => {
        const shown = document.querySelector('.widget-slider').closest('.cell_output');
        const output = shown.cloneNode(true);
        output.querySelectorAll('.widget-slider').forEach(slider => slider.remove());
        const inputs = [...document.querySelectorAll('.cell_output input')].map(i => i.value);
        return output.innerHTML + inputs.join();
    }"""
    before = page.evaluate(looks)
    sliders.first.focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft"):  # it may stand at an end
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        if page.evaluate(looks) != before:
            break
    else:
        pytest.fail("the slider moves nothing but itself")
    expect_healthy(seen)
    page.context.close()


DECKS = [name for name in pages() if re.match(r"book/([0-9]_|open_questions)", name)]


@pytest.mark.parametrize("name", DECKS)
def test_a_deck_goes_slide_by_slide_and_every_slide_fits(
    browser: Any, book: Path, name: str
) -> None:
    seen = visit(browser, (book / "slides" / f"{Path(name).name}.html").as_uri())
    page = seen.page
    page.set_viewport_size(ROOM)
    page.locator("html[data-ready]").wait_for(state="attached")
    assert not seen.foreign
    assert not seen.errors
    assert not page.evaluate("document.querySelectorAll('mjx-merror').length")
    for number in (2, 3):
        page.keyboard.press("ArrowRight")
        assert page.evaluate(SHOWN) == f"slide-{number}"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(SHOWN) == "slide-2"
    page.keyboard.press("End")
    assert page.evaluate(SHOWN) == page.locator(".slide").last.get_attribute("id")
    page.keyboard.press("n")
    assert page.locator(".notes[open]").count() == page.locator(".notes").count() > 0
    page.keyboard.press("n")
    assert not page.evaluate(OVERFULL), "a slide that does not fit"
    assert not complaints(page)
    page.context.close()
