"""A room for one submission: its own file system, processes and limits, and no network.

Linux has all that is needed, and util-linux the tools (unshare, mount, setpriv): the submission
sees the system's libraries, Python, ``vidgen_lite`` and the worker, all of them to read only, and
an empty folder in memory to write to. The hidden tests, the other submissions, the gradebook and
the teacher's files are not there at all. When the room closes, all its processes end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COURSE = HERE if (HERE / "vidgen_lite").is_dir() else HERE.parent  # in the archive, or at home
sys.path.insert(0, str(COURSE))  # the grader's library is the worker's
PATIENCE = 3  # seconds by the clock for each second of work: the machine may be busy
TOO_LONG = int(signal.SIGXCPU)  # ends a process that has worked for as long as it may
TRIAL = [sys.executable, "-c", "import torch"]
OPEN = (
    "This machine could not shut the submissions in: they ran with limits on time, memory and "
    "output, but the network and the files of this account were within their reach."
)

# Makes the room in the folder $1 from the paths up to "--", each of them to read only, and runs
# what follows in it. The shell stays the first process of the room: with it, all the others end.
ROOM = """
set -e
room=$1; shift
mount -t tmpfs -o size=64m,mode=755,nosuid tmpfs "$room"
mkdir -m 1777 "$room/scratch"
mkdir "$room/proc" "$room/dev" "$room/course"
mount -t proc proc "$room/proc" || true
for device in null zero urandom; do
  touch "$room/dev/$device"; mount --bind "/dev/$device" "$room/dev/$device"
done
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -p "$room$2"; else touch "$room$2"; fi
  mount -o bind,ro,nosuid "$1" "$room$2"
  shift 2
done
shift
chroot "$room" /bin/sh -c 'cd /scratch && exec "$@"' sh "$@"
exit 0
"""


def run(job: dict[str, Any]) -> tuple[list[Any], str]:
    """Run a job in a room of its own.

    Args:
        job: for ``worker.py``; its ``limits`` are ``seconds`` of work, ``seconds_each`` (a
            cell, and each question put to it), ``memory``, ``output`` (in bytes) and ``processes``.

    Returns:
        The lines of JSON that came, and why it ended early ("" if it did not).
    """
    limits = job["limits"]
    with (
        tempfile.TemporaryDirectory(prefix="homework-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as told,
    ):
        given.write(json.dumps(job).encode())
        given.seek(0)
        Path(folder).chmod(0o777)
        process = subprocess.Popen(
            closed(folder, worker("/course")) if available() else opened(worker(str(HERE))),
            stdin=given,
            stdout=told,
            stderr=subprocess.DEVNULL,
            cwd="/" if available() else folder,
            env=environment(folder),
            start_new_session=True,
        )
        try:
            code = process.wait(PATIENCE * limits["seconds"])
        except subprocess.TimeoutExpired:
            code = TOO_LONG
        end(process)
        told.seek(0)
        lines = told.read(limits["output"]).split(b"\n")
    if code in (TOO_LONG, 128 + TOO_LONG, -TOO_LONG):
        return [read(line) for line in lines], f"stopped after {limits['seconds']} seconds"
    return [read(line) for line in lines], "its process ended early" if code else ""


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started; a room's processes end with the room."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


def read(line: bytes) -> Any:
    """A line of JSON, or None: the worker's output may be anything."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def worker(folder: str) -> list[str]:
    """The command that runs the worker."""
    return [sys.executable, "-B", f"{folder}/worker.py"]


def environment(folder: str) -> dict[str, str]:
    """What a submission learns of the machine: next to nothing."""
    scratch = "/scratch" if available() else folder
    return {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": "/course" if available() else str(COURSE),
        "PYTHONHASHSEED": "0",
        "HOME": scratch,
        "TMPDIR": scratch,
        "OMP_NUM_THREADS": "1",
        "VIDGEN_PRESET": "laptop",
        "LC_ALL": "C.UTF-8",
    }


def closed(folder: str, command: list[str]) -> list[str]:
    """A command in a room of its own, made in an empty folder."""
    shown = [word for path in visible() for word in (path, path)]
    shown += [str(COURSE / "vidgen_lite"), "/course/vidgen_lite"]
    shown += [str(HERE / "worker.py"), "/course/worker.py"]
    alone = ["--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"]
    alone += [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    room = ["unshare", *alone, "sh", "-c", ROOM, "sh", folder, *shown, "--"]
    # Should the grader be stopped, the rooms it has open close with it.
    return ["setpriv", "--pdeathsig", "KILL", *room, *as_nobody(command)]


def opened(command: list[str]) -> list[str]:
    """A command where no room can be made; at least it has no privilege, if that can be had."""
    return as_nobody(command) if works(*as_nobody(TRIAL)) else command


def as_nobody(command: list[str]) -> list[str]:
    """A command without a privilege; if root grades, as somebody who owns nothing.

    Each is another nobody, since one user's processes are counted together.
    """
    less = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    if os.geteuid() == 0:
        nobody = 20_000 + threading.get_native_id() % 40_000
        less += [f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
    return [*less, *command]


def visible() -> list[str]:
    """The system's folders that Python needs, none inside another."""
    wanted = ["/usr", "/bin", "/lib", "/lib64", sys.base_prefix, sys.prefix]
    there = [path for path in dict.fromkeys(wanted) if Path(path).is_dir()]
    return [p for p in there if not any(p != q and Path(p).is_relative_to(q) for q in there)]


@cache
def available() -> bool:
    """Whether this machine lets us make such rooms."""
    with tempfile.TemporaryDirectory(prefix="homework-") as folder:
        return works(*closed(folder, TRIAL))


@cache
def works(*command: str) -> bool:
    """Whether a command runs here, from beginning to end."""
    try:
        return subprocess.run(command, capture_output=True, cwd="/").returncode == 0
    except FileNotFoundError:
        return False
