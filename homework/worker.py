"""Run one submission's answers, put the questions to them, and say what came: no judgement here.

This runs in a process of its own, which the code handed in may do to as it likes. It is told what
is asked and never what is expected; the grader compares, in another process. So whatever the code
does here, all it can change is what it answers.

A job comes as JSON on the standard input. For each answer a line of JSON goes to the standard
output, as soon as it is there: who crashes at the fifth question keeps the first four.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import traceback
from typing import Any

import numpy as np
import torch

from vidgen_lite.homework.probes import NotAnswered, outcome

# Work and the clock: what stops an answer, and after how many times the seconds it may take.
TIMERS = ((signal.ITIMER_PROF, signal.SIGPROF, 1), (signal.ITIMER_REAL, signal.SIGALRM, 3))


def main() -> None:
    """Do the job on the standard input."""
    job = json.loads(sys.stdin.read())
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence()
    limit(job["limits"])
    names: dict[str, Any] = {"__name__": "__main__"}
    for code in job["setup"]:
        patiently(job["limits"], execute, code, names)
    for asked in job["answers"]:
        outcomes = answer(asked, names, job["limits"])
        told.write(json.dumps({"id": asked["id"], "outcomes": outcomes}) + "\n")
        told.flush()
    os._exit(0)  # what the code handed in has left for the end is not waited for


def silence() -> None:
    """Let what is printed go nowhere, be it gigabytes."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def limit(limits: dict[str, int]) -> None:
    """Take limits that can't be widened again, and be the first to go when memory runs out."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits["seconds"]),
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["output"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
    ):
        _, allowed = resource.getrlimit(kind)
        hard = most + 5 if kind == resource.RLIMIT_CPU else most  # first a signal that says why
        hard = hard if allowed == resource.RLIM_INFINITY else min(hard, allowed)
        resource.setrlimit(kind, (min(most, hard), hard))
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass  # not Linux, or a /proc that is closed
    torch.set_num_threads(1)


def answer(asked: dict[str, Any], names: dict[str, Any], limits: dict[str, int]) -> list[Any]:
    """Run one answer's cell, and put its probes to what it defines."""
    names.pop(asked["name"], None)
    failed = patiently(limits, execute, asked["code"], names)
    if asked["name"] not in names:
        return [failed or {"missing": True}] * len(asked["probes"])
    return [
        patiently(limits, outcome, names[asked["name"]], probe) or {"missing": True}
        for probe in asked["probes"]
    ]


def execute(code: str, names: dict[str, Any]) -> None:
    """Run a cell, with the same random numbers every time."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - what a submission may draw from
    torch.manual_seed(0)
    exec(compile(code, "<answer>", "exec"), names)


def patiently(limits: dict[str, int], act: Any, *args: Any) -> Any:
    """Do something for so long and no longer; where it fails, say how, as an outcome.

    What counts is the work done, which is the same on a busy machine; only who sleeps is stopped
    by the clock.
    """
    seconds = limits["seconds_each"]

    def too_long(*_: Any) -> None:
        raise TimeoutError(f"it ran longer than {seconds} seconds")

    try:
        for timer, stop, after in TIMERS:
            signal.signal(stop, too_long)
            signal.setitimer(timer, after * seconds)
        return act(*args)
    except (NotImplementedError, NotAnswered):
        return {"missing": True}
    except BaseException as error:  # SystemExit too: who calls exit() ends one answer
        return failure(error)
    finally:
        for timer, _, _ in TIMERS:
            signal.setitimer(timer, 0)


def failure(error: BaseException) -> dict[str, Any]:
    """What went wrong, in the form of an outcome."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "<answer>"]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 0
    return {"error": type(error).__name__, "message": str(error)[:200], "line": line or 0}


if __name__ == "__main__":
    main()
