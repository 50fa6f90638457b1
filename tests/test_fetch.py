"""What is fetched is what was pinned, and a failed fetch harms nothing that was there before."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from vidgen_lite.data import fetch as module
from vidgen_lite.data.fetch import SOURCES, FetchError, Source, cache_dir, fetch

ROOT = Path(__file__).parents[1]
CONTENT = {"toy/data/one.txt": b"one\n" * 1000, "toy/data/two.txt": b"two\n"}
REAL_DOWNLOAD = module._download


class Web:
    """Stands in for pip: writes a small package archive and counts how often it was asked."""

    def __init__(self) -> None:
        self.downloads = 0
        self.content = dict(CONTENT)
        self.folder: Path | None = None

    def download(self, source: Source, folder: Path) -> Path:
        self.downloads += 1
        self.folder = folder
        if "--no-binary" in source.options:
            archive = folder / "toy-1.0.tar.gz"
            with tarfile.open(archive, "w:gz") as tar:
                for name, data in self.content.items():
                    entry = tarfile.TarInfo(f"toy-1.0/{name}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
        else:
            archive = folder / "toy-1.0-py3-none-any.whl"
            with zipfile.ZipFile(archive, "w") as wheel:
                for name, data in self.content.items():
                    wheel.writestr(name, data)
        return archive


@pytest.fixture
def web(monkeypatch, tmp_path) -> Web:
    """An empty cache, a package of two files called "toy", and no network."""
    web = Web()
    members = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}
    toy = Source("two toys", "toy==1.0", 0.1, ("--only-binary=:all:",), members)
    monkeypatch.setitem(SOURCES, "toy", toy)
    monkeypatch.setattr(module, "_download", web.download)
    monkeypatch.setenv("VIDGEN_CACHE", str(tmp_path / "cache"))
    return web


def everything_in(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.mark.parametrize("option", ["--only-binary=:all:", "--no-binary"])
def test_a_wheel_and_a_source_archive_give_the_same_files(web, monkeypatch, option):
    monkeypatch.setitem(SOURCES, "toy", replace(SOURCES["toy"], options=(option,)))
    files = fetch("toy")
    assert {name: file.read_bytes() for name, file in files.items()} == {
        "one.txt": CONTENT["toy/data/one.txt"],
        "two.txt": CONTENT["toy/data/two.txt"],
    }
    assert files["one.txt"] == cache_dir() / "toy" / "one.txt"


def test_only_the_named_members_are_kept_and_the_archive_is_deleted(web):
    web.content["toy/unwanted.bin"] = b"\0" * 100
    fetch("toy")
    assert sorted(everything_in(cache_dir())) == ["toy/one.txt", "toy/two.txt"]
    assert web.folder is not None
    assert not web.folder.exists()


def test_a_second_call_touches_no_network(web):
    assert fetch("toy") == fetch("toy")
    assert web.downloads == 1


def test_a_harmed_cached_file_is_fetched_anew_and_never_used(web):
    harmed = fetch("toy")["one.txt"]
    harmed.write_bytes(b"one\n" * 999 + b"0ne\n")
    assert fetch("toy")["one.txt"].read_bytes() == CONTENT["toy/data/one.txt"]
    assert web.downloads == 2


def test_a_download_whose_hash_differs_is_refused_and_removed(web):
    web.content["toy/data/two.txt"] = b"other\n"
    expected = SOURCES["toy"].members["toy/data/two.txt"]
    got = hashlib.sha256(b"other\n").hexdigest()
    with pytest.raises(FetchError, match=rf"two\.txt .*removed: expected {expected}, got {got}"):
        fetch("toy")
    assert sorted(everything_in(cache_dir())) == ["toy/one.txt"]


def test_a_member_that_the_package_lacks_is_named(web):
    del web.content["toy/data/two.txt"]
    with pytest.raises(FetchError, match=r"toy==1\.0: no toy/data/two\.txt in toy-1\.0"):
        fetch("toy")


def test_a_full_disk_leaves_what_was_there_before(web, monkeypatch):
    fetch("toy")["two.txt"].write_bytes(b"harmed, but mine\n")
    before = everything_in(cache_dir())

    def copy_until_full(stream, out):
        out.write(stream.read(2))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "_copy", copy_until_full)
    with pytest.raises(FetchError, match=r"disk is full.*partial files were removed.*VIDGEN_CACHE"):
        fetch("toy")
    assert everything_in(cache_dir()) == before
    assert web.folder is not None
    assert not web.folder.exists()


def test_other_errors_of_the_disk_keep_their_own_name(web, monkeypatch):
    def refuse(stream, out):
        raise PermissionError(errno.EACCES, "not yours")

    monkeypatch.setattr(module, "_copy", refuse)
    with pytest.raises(PermissionError):
        fetch("toy")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(FetchError, match=r"one of street, balance, mocap.*got 'steet'"):
        fetch("steet")


@pytest.fixture
def pip(web, monkeypatch, tmp_path):
    """The real download function, with a script in the place of Python and pip."""

    def says(script: str) -> None:
        stand_in = tmp_path / "python"
        stand_in.write_text(f"#!/bin/sh\n{script}\n")
        stand_in.chmod(0o755)
        monkeypatch.setattr(module, "_download", REAL_DOWNLOAD)
        monkeypatch.setattr(module.sys, "executable", str(stand_in))

    return says


OFFLINE_OLD = (
    "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError': /toy/\n"
    "ERROR: No matching distribution found for toy==1.0"
)
OFFLINE_NEW = "error: connection-failed\n× Failed to connect to the index"


@pytest.mark.parametrize("said", [OFFLINE_OLD, OFFLINE_NEW])
def test_without_a_network_the_error_says_what_is_missing(pip, said):
    pip(f"cat <<'EOF'\n{said}\nEOF\nexit 1")
    with pytest.raises(FetchError) as caught:
        fetch("toy")
    for words in ("two toys", "toy==1.0", "can't be reached", "needs the web once", "goes on"):
        assert words in str(caught.value)


def test_when_pip_fills_the_disk_the_error_says_so(pip):
    pip("echo 'ERROR: [Errno 28] No space left on device'; exit 1")
    with pytest.raises(FetchError, match="disk is full"):
        fetch("toy")


def test_any_other_word_of_pip_is_passed_on(pip):
    pip("echo 'ERROR: No matching distribution found for toy==1.0'; exit 1")
    with pytest.raises(FetchError, match=r"could not download toy==1\.0.*\n.*No matching"):
        fetch("toy")


def test_without_pip_the_error_says_how_to_get_it(web, monkeypatch):
    monkeypatch.setattr(module, "_download", REAL_DOWNLOAD)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FetchError, match=r"pip is not installed.*ensurepip"):
        fetch("toy")


def test_pip_downloads_with_the_row_s_options_and_keeps_no_second_copy(pip, tmp_path):
    """The stand-in is given the real command line: it leaves an archive where ``-d`` points."""
    ready = tmp_path / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(ready, "w") as wheel:
        for name, data in CONTENT.items():
            wheel.writestr(name, data)
    pip(f'echo "$@" > {tmp_path}/line; while [ "$1" != -d ]; do shift; done; cp {ready} "$2"')
    assert fetch("toy")["two.txt"].read_bytes() == b"two\n"
    line = (tmp_path / "line").read_text().split()
    assert line[:4] == ["-m", "pip", "download", "--no-deps"]
    assert "--no-cache-dir" in line
    assert line[-2:] == ["--only-binary=:all:", "toy==1.0"]


def test_the_cache_is_the_user_s_unless_the_environment_names_another(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDGEN_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("VIDGEN_CACHE")
    assert cache_dir().name.startswith("vidgen_lite") or cache_dir().parent.name == "vidgen_lite"


def test_every_package_is_pinned_and_every_file_has_a_hash():
    for source in SOURCES.values():
        assert "==" in source.package
        names = [member.rpartition("/")[2] for member in source.members]
        assert len(set(names)) == len(names), "two members would share a place in the cache"
        for sha256 in source.members.values():
            assert len(sha256) == 64
            int(sha256, 16)
    assert len(SOURCES["mocap"].members) == 15


def test_the_licences_page_names_every_package_and_file():
    page = (ROOT / "book" / "licences.md").read_text(encoding="utf-8")
    for source in SOURCES.values():
        assert source.package in page
        for member in source.members:
            assert member.rpartition("/")[2] in page


def test_importing_fetch_brings_in_neither_torch_nor_pip():
    code = "import sys, vidgen_lite.data.fetch; print({'torch', 'pip', 'tqdm'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
