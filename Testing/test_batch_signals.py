"""Ctrl-C and SIGTERM: the first one ends the run, those that follow disturb nothing; and streams that take nothing."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch import places
from GrayscaleDetSegLib.batch.console import Console
from GrayscaleDetSegLib.batch.inputs import Job
from GrayscaleDetSegLib.batch.interruption import uninterrupted
from GrayscaleDetSegLib.batch.run import run
from GrayscaleDetSegLib.core.options import SegmentOptions
from Testing import place_work

unix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
BOTH = (signal.SIGINT, signal.SIGTERM)


@unix
@pytest.mark.parametrize(("first", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_that_follow_do_not_break_into_the_cleaning_up(first, code):
    before = [signal.getsignal(number) for number in BOTH]
    cleaned = []

    def working():
        try:
            signal.raise_signal(first)
        finally:
            for number in (*BOTH, *BOTH):
                signal.raise_signal(number)
            cleaned.append(True)

    assert command.as_process(working) == code and cleaned
    assert [signal.getsignal(number) for number in BOTH] == before


@unix
def test_nothing_disturbs_the_end_of_the_process():
    script = """
        import atexit, signal, sys
        from GrayscaleDetSegLib.batch import main as command
        atexit.register(lambda: signal.raise_signal(signal.SIGINT))
        command.main = lambda: signal.raise_signal(signal.SIGINT)
        command.entry()
        """
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), str(root / "GrayscaleDetSeg")])
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env={**os.environ, "PYTHONPATH": path},
                          capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "")


@unix
def test_processes_are_deaf_to_ctrl_c_from_their_first_moment():
    """Before their own program runs: one that Ctrl-C ends breaks the pool, and that in the middle of its end."""
    with places.processes(1).open() as executor:
        blocked = executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result(120)
        assert signal.SIGINT in blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@unix
def test_what_has_not_begun_is_dropped(tmp_path):
    jobs = [Job(tmp_path / f"slow {number}", Path(str(number))) for number in range(9)]
    results = run(jobs, SegmentOptions(), places.processes(1), place_work.work)
    next(results)
    results.close()
    assert len(list(tmp_path.iterdir())) < 6, "two at a time, and what lies in the queue of the process"


def test_a_cluster_is_left_without_a_fault(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    jobs = [Job(tmp_path / str(number), Path(str(number))) for number in range(9)]
    with places.cluster("local", 1) as place:
        results = run(jobs, SegmentOptions(), place, place_work.work)
        assert next(results).message == "done"
        results.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize(
    ("arguments", "redirected", "code"),
    [
        ("segment a.dcm -o out", ">&-", 2),
        ("segment a.dcm -o out", "> /dev/full", 2),
        ("segment a.dcm --json -", "> /dev/full", 2),
        ("info a.dcm", "> /dev/full", 2),
        ("segment a.dcm gone.dcm -o out", "2> /dev/full", 3),
        ("segment a.dcm gone.dcm -o out", "2>&-", 3),
    ],
)
def test_an_output_that_cannot_be_written_to_is_told_in_a_sentence(arguments, redirected, code, tmp_path):
    (tmp_path / "a.dcm").touch()
    script = (
        "from GrayscaleDetSegLib.batch import main as command; from Testing.fakes import FakePipeline, fake_reader; "
        "plain = command.main; command.main = lambda: plain(None, lambda *_: FakePipeline(), fake_reader); "
        "command.entry()"
    )
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), str(root / "GrayscaleDetSeg")])
    done = subprocess.run(f"'{sys.executable}' -c '{script}' {arguments} {redirected}", shell=True, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == code, done.stderr
    if code == 2:
        assert done.stderr.splitlines()[-1].startswith("Nothing can be written to standard output: ")
        assert "Traceback" not in done.stderr and "fault" not in done.stderr
    else:
        assert "1 done, 1 failed." in done.stdout and done.stderr == ""


@unix
def test_what_processes_work_on_is_ended_with_the_run(tmp_path):
    """Or Ctrl-C would wait for jobs of minutes, and for those that lie in the queue."""
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), places.processes(1).open() as executor:
        assert executor.submit(abs, -1).result(120) == 1
        executor.submit(time.sleep, 60)
        executor.submit(time.sleep, 60)
        began = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - began < 30


@unix
def test_a_terminal_that_is_gone_gets_no_more_and_stops_nothing():
    import pty

    near, far = pty.openpty()
    errors, said = os.fdopen(far, "w"), io.StringIO()
    console = Console(said, errors)
    console.start(3)
    console.working_on("a")
    os.close(near)
    console.complain("x")
    console.done("one")
    console.working_on("b")
    console.close()
    assert said.getvalue() == "[1/3] one\n"


@unix
@pytest.mark.parametrize("fails", [False, True])
def test_what_must_not_be_cut_in_two_is_ended_first(fails):
    done = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(True)
            if fails:
                raise OSError("the disk is full")
    assert done
