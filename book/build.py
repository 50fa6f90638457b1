"""Build the book: fetch its front-end files, then run Jupyter Book with warnings as errors.

``python book/build.py`` builds only when something the book is made of has changed, and prints
where the result lies. The tests call the same function, so that one `make test` builds once.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import frontend
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
STAMP = ROOT / "_build" / "book.sha256"
SOURCES = ("_config.yml", "_toc.yml", "requirements.txt", "book", "notebooks", "vidgen_lite")
NOT_SOURCES = {"__pycache__", ".ipynb_checkpoints", "vendor"}


def sources_digest() -> str:
    """Hash of every file the book is made of, by path and content."""
    digest = hashlib.sha256()
    for source in SOURCES:
        path = ROOT / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and not NOT_SOURCES & set(file.relative_to(ROOT).parts):
                digest.update(f"{file.relative_to(ROOT)}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def build() -> Path:
    """Build the book unless it is up to date; return the folder of its pages.

    Raises:
        FrontendError: the front-end files could not be fetched.
        CalledProcessError: Jupyter Book reported an error or a warning.
    """
    STAMP.parent.mkdir(exist_ok=True)
    with FileLock(str(STAMP.with_suffix(".lock"))):
        frontend.ensure()
        digest = sources_digest()
        if STAMP.exists() and STAMP.read_text() == digest and (HTML / "index.html").exists():
            return HTML
        STAMP.unlink(missing_ok=True)
        for old in (HTML, HTML.with_name(".doctrees")):  # else removed pages and labels live on
            shutil.rmtree(old, ignore_errors=True)
        jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
        options = ["build", "-W", "-n", "--keep-going", str(ROOT)]
        subprocess.run([*jupyter_book, *options], cwd=ROOT, check=True)
        STAMP.write_text(digest)
    return HTML


if __name__ == "__main__":
    try:
        pages = build()
    except frontend.FrontendError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(f"book: the build failed (exit {error.returncode}); the messages are above")
    print(f"book: {(pages / 'index.html').as_uri()}")
