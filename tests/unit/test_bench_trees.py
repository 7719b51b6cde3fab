"""What scripts/bench counts of a farm's processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
from benchmarks.trees import PROC, TICKS, Times, Tree, Watch, below, difference, parsed
from farms import eventually

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_a_program_whose_name_looks_like_fields_is_read():
    line = b"42 (a) R 9 (b) S 7 42 42 0 -1 4194560 100 0 0 0 300 200 50 25 20 0 1 0 5 0 0\n"

    assert parsed(line) == Times(42, 7, 500 / TICKS, 75 / TICKS)


def test_this_process_reads_as_the_kernel_shows_it():
    assert parsed((PROC / "self" / "stat").read_bytes()).parent == os.getppid()


def test_a_tree_is_its_root_and_all_descendants_in_whatever_order_they_are_listed():
    listed = [Times(5, 4, 1, 0), Times(9, 1, 1, 0), Times(4, 2, 1, 0), Times(2, 1, 1, 0), Times(3, 2, 1, 0)]

    assert sorted(one.process for one in below(2, listed)) == [2, 3, 4, 5]
    assert below(77, listed) == []


def test_a_kind_that_was_there_in_only_one_look_counts():
    assert difference({"node": 1.0, "gone": 3.0}, {"node": 4.0, "new": 2.0}) == {"gone": -3.0, "new": 2.0, "node": 3.0}


def test_the_time_of_children_that_have_ended_is_not_lost():
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    script = (
        "import subprocess, sys\n"
        "for _ in range(2): subprocess.run([sys.executable, '-c', sys.argv[1]])\n"
        "print('done', flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, burn]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"done\n"
        taken = Tree(process.pid, lambda _: ("own", "ended")).processor_seconds()
        process.stdin.close()

    assert taken["ended"] >= 0.6
    assert 0 < taken["own"] < taken["ended"]


def test_what_an_orphan_took_is_counted_where_it_was_adopted():
    # As jsreport's browser: killed, so that its own children are left to whoever adopts them.
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    middle = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {burn!r}])"
    program = f"import signal, subprocess, sys\nsubprocess.run([sys.executable, '-c', {middle!r}])\nsignal.pause()"
    command = [sys.executable, "-m", "benchmarks.held", sys.executable, "-c", program]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(SCRIPTS)}) as process:
        by_parent = {process.pid: ("held", "adopted")}
        tree = Tree(process.pid, lambda one: by_parent.get(one.pid, ("own", "ended")))
        eventually(lambda: tree.processor_seconds().get("adopted", 0.0) >= 0.3, what="the orphan's time")
        descendants = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(timeout=30)

    assert len(descendants) == 1
    assert not descendants[0].is_running()


def test_memory_is_what_the_processes_hold_together():
    script = (
        "import sys\nheld = bytearray(64 * 1024 * 1024)\nheld[::4096] = b'x' * len(held[::4096])\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with Watch(Tree(process.pid, lambda _: ("", ""))) as watch:
            pass
        process.stdin.close()

    assert len(watch.samples) >= 2
    assert 64 < watch.peak() < 128
