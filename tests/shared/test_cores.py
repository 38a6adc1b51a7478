"""The desk's threads stay on one core; what works outside the interpreter takes any; a crowded core is left."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lib.shared.cores import Reading, quieter_core
from tests.serving import ROOT, child_environment

needs_cores = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two cores",
)
STORY = """
import json, os, threading
from lib.shared import cores

def here():
    return sorted(os.sched_getaffinity(0))

told = {"allowed": here()}
cores.keep_to_one()
told["kept"] = here()
told["new thread"] = []
busy, moved = threading.Event(), threading.Event()
thread = threading.Thread(target=lambda: told["new thread"].extend(here()))
thread.start()
thread.join()

def hash_something():
    with cores.any_core():
        busy.set()
        moved.wait()
        told["within"] = here()
    told["afterwards"] = here()

thread = threading.Thread(target=hash_something)
thread.start()
busy.wait()
if told["kept"] != told["allowed"]:
    told["to"] = [next(core for core in told["allowed"] if [core] != told["kept"])]
    cores.gather(*told["to"])
told["moved"] = here()
moved.set()
thread.join()
print(json.dumps(told))
"""


def story(tmp_path, **environment):
    told = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=ROOT,
        env=child_environment(tmp_path, **environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


@needs_cores
def test_threads_stay_together_and_only_work_outside_the_interpreter_takes_any_core(tmp_path):
    told = story(tmp_path)
    allowed = told["allowed"]
    assert told["kept"] == told["new thread"]
    assert len(told["kept"]) == 1
    assert told["kept"][0] in allowed
    assert told["within"] == allowed
    assert told["moved"] == told["afterwards"] == told["to"]


@needs_cores
def test_a_desk_that_is_to_take_all_cores_does_so(tmp_path):
    told = story(tmp_path, ONE_CORE="false")
    assert told["kept"] == told["within"] == told["allowed"]


@needs_cores
@pytest.mark.web
def test_all_threads_of_the_desk_are_on_one_core(server):
    tasks = Path(f"/proc/{server.process.pid}/task")
    deadline = time.monotonic() + 20
    cores: set[int] = set()
    while len(cores) != 1:
        # At first it hashes a password beside, on any core.
        assert time.monotonic() < deadline, f"threads are on the cores {cores}"
        threads = [int(each.name) for each in tasks.iterdir()]
        cores = set()
        for thread in threads:
            # One may end meanwhile.
            with suppress(ProcessLookupError):
                cores |= os.sched_getaffinity(thread)
    assert len(threads) > 3


def share(others_here: float, busy_there: float, own: float = 0.5) -> int | None:
    """Where to go after ten seconds from core 1, of cores 0 and 1."""
    before = Reading(100.0, 7.0, {0: 1000.0, 1: 2000.0})
    after = Reading(
        110.0, 7.0 + 10 * own, {0: 1000.0 + 10 * busy_there, 1: 2000.0 + 10 * (own + others_here)}
    )
    return quieter_core(before, after, 1, frozenset({0, 1}))


@pytest.mark.parametrize(
    ("others_here", "busy_there", "to"),
    [
        (0.0, 0.0, None),
        (0.2, 0.0, None),
        (0.3, 0.0, 0),
        (0.3, 0.2, None),
        (0.5, 0.2, 0),
        (0.5, 0.5, None),
    ],
)
def test_a_core_is_left_when_others_crowd_it_and_another_is_clearly_quieter(
    others_here, busy_there, to
):
    assert share(others_here, busy_there) == to


def test_what_the_desk_itself_does_never_drives_it_away():
    assert share(0.0, 0.0, own=1.0) is None


def test_a_core_that_the_system_does_not_tell_of_is_stayed_on():
    reading = Reading(1.0, 1.0, {})
    assert quieter_core(reading, Reading(2.0, 1.0, {}), 1, frozenset({0, 1})) is None
