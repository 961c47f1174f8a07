"""Jobs in other processes: results as in one, what dies is done again or named, and a killed run goes on."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch import outputs, places, threads
from GrayscaleDetSegLib.batch.inputs import Job
from GrayscaleDetSegLib.batch.process import made_with_of, process
from GrayscaleDetSegLib.batch.run import Place, run
from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.options import SegmentOptions
from Testing import place_work
from Testing.fakes import FakePipeline, fake_reader
from Testing.test_batch_command import process as command_process

pytest.importorskip("slicer", reason="slicer-core is not installed")

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "GrayscaleDetSeg" / "Resources" / "Samples"
OPTIONS = SegmentOptions(method="box")
unix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def spawned(count: int = 2) -> Place:
    """Processes without the preparation that real ones need, which takes seconds."""

    @contextlib.contextmanager
    def opened():
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as executor:
            yield executor

    return Place(opened, 2 * count)


def jobs(folder: Path, *names: str, **fields) -> list[Job]:
    return [Job(folder / name, Path(name).with_suffix(""), **fields) for name in names]


def what(results) -> dict[str, str]:
    return {result.job.path.name: result.message for result in results}


# ---- any executor


def test_jobs_results_and_options_can_be_sent(tmp_path):
    (job,) = jobs(tmp_path, "a.dcm", directory=tmp_path / "out")
    for item in (job, OPTIONS, process(job, OPTIONS), process):
        assert pickle.loads(pickle.dumps(item)) == item


@pytest.mark.parametrize("place", [None, Place(lambda: ThreadPoolExecutor(3), 3), spawned()])
def test_every_executor_does_all_jobs(place, tmp_path):
    names = [f"{number}" for number in range(9)]
    results = list(run(jobs(tmp_path, *names), OPTIONS, place, place_work.work))
    assert what(results) == dict.fromkeys(names, "done")
    assert {result.document["method"] for result in results} == {"box"}
    if place is None:
        assert [result.job.path.name for result in results] == names


@pytest.mark.parametrize("place", [None, spawned()])
def test_what_no_other_input_would_survive_ends_the_run(place, tmp_path):
    with pytest.raises(WeightsError, match="damaged"):
        list(run(jobs(tmp_path, "a", "weights", "b"), OPTIONS, place, place_work.work))


def test_a_process_that_dies_costs_its_own_job_alone(tmp_path):
    names = ["a", "b", "dies 1", "c", "d", "dies once", "e"]
    results = what(run(jobs(tmp_path, *names), OPTIONS, spawned(), place_work.work))
    assert results.pop("dies 1") == "The process that worked on it has died, perhaps for want of memory."
    assert results == dict.fromkeys(["a", "b", "c", "d", "dies once", "e"], "done")


def test_what_was_finished_before_a_process_died_is_not_done_again(tmp_path):
    """Killed between two files of a result: the other process finds all of them written, and gives them their names."""
    (job,) = jobs(tmp_path, "a.dcm", directory=tmp_path / "out", run="this")
    job.path.touch()
    pool = spawned(1)
    results = list(run([job, *jobs(tmp_path, "b.dcm", run="this")], OPTIONS, pool, place_work.die_while_writing))
    assert all(result.ok for result in results) and (tmp_path / "died").exists()
    (kept,) = (result for result in results if result.job == job)
    assert kept.is_kept and sorted(os.listdir(tmp_path / "out")) == ["a.json", "a.png", "a.seg.nrrd"]


def test_nothing_of_the_process_changes(tmp_path):
    """Neither warnings nor streams nor the collector: other threads would notice."""
    import gc

    import SimpleITK as sitk

    names = [str(SAMPLES / "leg.nrrd")]
    seen = []

    def state():
        return (list(warnings.filters), os.fstat(1), os.fstat(2), gc.isenabled(), sys.stderr,
                sitk.ProcessObject.GetGlobalWarningDisplay())

    def look(image):
        seen.append(state())

    from GrayscaleDetSegLib.core.reading import read_radiograph

    def read(path, **options):
        look(None)
        return read_radiograph(path, **options)

    before = state()
    job = Job(Path(names[0]), Path("leg"), tmp_path)
    assert process(job, SegmentOptions(), load=lambda *_: FakePipeline(look), read=read).ok
    assert len(seen) == 2 and all(each[0] == before[0] and each[2:] == before[2:] for each in [*seen, state()])


def test_children_share_the_cores_and_the_user_has_the_last_word(monkeypatch):
    for name in (threads.OF_ALL, threads.OF_NUMPY):
        monkeypatch.delenv(name, raising=False)
    with threads.of_children(3):  # before numpy is imported there
        assert (os.environ[threads.OF_ALL], os.environ[threads.OF_NUMPY]) == ("3", "1")
    assert threads.OF_ALL not in os.environ and threads.OF_NUMPY not in os.environ
    monkeypatch.setenv(threads.OF_ALL, "5")
    with threads.of_children(3):
        assert os.environ[threads.OF_ALL] == "5" and threads.OF_NUMPY not in os.environ
    threads.one_for_numpy()
    assert os.environ[threads.OF_ALL] == "5" and threads.OF_NUMPY not in os.environ


def test_threads_work_side_by_side(tmp_path):
    """Two at once, in one process, each with files of its own."""
    both = threading.Barrier(2, timeout=20)
    pipeline = FakePipeline(lambda image: both.wait())

    def work(job, options):
        return process(job, options, load=lambda *_: pipeline, read=fake_reader)

    two = jobs(tmp_path, "a.dcm", "b.dcm", directory=tmp_path / "out")
    assert all(result.ok for result in run(two, OPTIONS, Place(lambda: ThreadPoolExecutor(2), 2), work))
    assert len(os.listdir(tmp_path / "out")) == 6


# ---- the command, for real


def grayscale_detseg(*arguments: object, folder: Path) -> subprocess.CompletedProcess:
    paths = [str(ROOT), str(ROOT / "GrayscaleDetSeg"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-m", "GrayscaleDetSegLib.batch.main", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def content(folder: Path) -> dict[str, object]:
    """All files of a folder, the reports without what differs from run to run."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            document = json.loads(path.read_text())
            del document["seconds"], document["made_with"]["run"]
            found[path.name] = document
        elif path.is_file():
            found[path.name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Samples and a damaged file, segmented by one process: the folder of both, and its results."""
    folder = tmp_path_factory.mktemp("one")
    for name in ("leg.nrrd", "knee.nrrd"):
        (folder / name).write_bytes((SAMPLES / name).read_bytes())
    (folder / "torn.nrrd").write_bytes((SAMPLES / "leg.nrrd").read_bytes()[:5000])
    done = grayscale_detseg("segment", "leg.nrrd", "knee.nrrd", "torn.nrrd", "-o", "out", folder=folder)
    assert done.returncode == 3 and done.stdout.endswith("2 done, 1 failed.\n"), done.stderr
    return folder, content(folder / "out")


@pytest.mark.parametrize("place", [["--jobs", 2], ["--jobs", 2, "--cluster", "local"]])
def test_two_processes_make_what_one_makes(place, one, tmp_path):
    if "--cluster" in place:
        pytest.importorskip("distributed")
    folder, expected = one
    inputs = ("leg.nrrd", "knee.nrrd", "torn.nrrd")
    done = grayscale_detseg("segment", *inputs, "-o", tmp_path, "--json", tmp_path / "all", *place, folder=folder)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr and "torn.nrrd is cut short" in done.stderr
    documents = json.loads((tmp_path / "all").read_text())
    assert [each.get("file", each.get("input", {}).get("file")) for each in documents] == list(inputs)
    (tmp_path / "all").unlink()
    assert content(tmp_path) == expected
    again = grayscale_detseg("segment", *inputs[:2], "-o", tmp_path, *place, "--resume", folder=folder)
    assert again.returncode == 0 and again.stdout.endswith("2 done, 2 of them before, 0 failed.\n"), again.stderr


# ---- going on


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Runs `segment` in a folder of its own; returns the exit code, and which inputs were segmented."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.dcm", "b.dcm", "c.dcm"):
        Path(name).write_bytes(name.encode())

    def run_command(*arguments: str) -> tuple[int, list[str]]:
        pipeline = FakePipeline()
        code = command.main(["segment", *arguments, "-o", "out"], lambda *_: pipeline, fake_reader)
        return code, [image.source.name for image, *_ in pipeline.calls]

    return run_command


ALL = ("a.dcm", "b.dcm", "c.dcm", "--resume")


def test_complete_results_are_left_as_they_are(call, capsys):
    assert call("a.dcm", "b.dcm") == (0, ["a.dcm", "b.dcm"])
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    assert call(*ALL) == (0, ["c.dcm"])
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert "3 done, 2 of them before, 0 failed." in capsys.readouterr().out
    assert call(*ALL, "--json", "-") == (0, [])
    assert [each["objects"][0]["name"] for each in json.loads(capsys.readouterr().out)] == ["right lung"] * 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: Path("b.dcm").write_bytes(b"another"), "made with another file"),
        (lambda: os.utime("b.dcm", (1, 1)), "made with another file"),
        (lambda: Path("out/b.seg.nrrd").unlink(), "not complete (b.seg.nrrd is missing"),
        (lambda: Path("out/b.seg.nrrd").write_bytes(b""), "not complete (b.seg.nrrd is missing or cut short"),
        (lambda: Path("out/b.json").unlink(), "not complete (b.json is missing"),
        (lambda: Path("out/b.json").write_text("{}"), "b.json is damaged"),
        (lambda: Path("out/b.json").write_text("["), "b.json is damaged"),
    ],
)
def test_what_is_not_the_same_is_made_again_if_it_may_be(change, said, call, capsys):
    assert call(*ALL) == (0, ["a.dcm", "b.dcm", "c.dcm"])
    change()
    assert call(*ALL) == (3, [])
    error = capsys.readouterr().err
    assert said in error and "--overwrite" in error
    assert call(*ALL, "--overwrite") == (0, ["b.dcm"])
    assert call(*ALL) == (0, [])


@pytest.mark.parametrize("option", [["--no-clean-up"], ["--method", "box"], ["--score-threshold", "0.2"],
                                    ["--window", "voi"], ["--polarity", "as-is"], ["--model", "."]])
def test_other_options_make_other_results(option, call):
    assert call(*ALL) == (0, ["a.dcm", "b.dcm", "c.dcm"])
    assert call(*ALL, "--overwrite", *option)[1] == ["a.dcm", "b.dcm", "c.dcm"]
    assert call(*ALL, "--overwrite", *option) == (0, [])
    assert call(*ALL, "--device", "cpu", "--overwrite", *option) == (0, []), "what computes it makes no difference"


def test_a_model_that_was_trained_anew_is_another_one(tmp_path):
    (tmp_path / "manifest.json").write_text("one")
    (job,) = jobs(tmp_path, "a.dcm")
    first = made_with_of(job, SegmentOptions(model=tmp_path))
    (tmp_path / "manifest.json").write_text("two")
    assert made_with_of(job, SegmentOptions(model=tmp_path)) != first


def test_resume_needs_an_output_folder(capsys):
    assert command.main(["segment", "a.dcm", "--json", "-", "--resume"]) == 2
    assert "nothing to resume" in capsys.readouterr().err


@unix
@pytest.mark.parametrize("where", ["pipeline", "renaming"])
def test_a_run_that_is_killed_loses_what_was_in_work(where, call, tmp_path, capsys):
    """By kill -9, which nobody can catch: in the middle of an image, or between two files of its result."""
    hang = "lambda *_: (pathlib.Path('hanging').touch(), time.sleep(60))"
    if where == "pipeline":
        body = f"effect = lambda image: image.source.name == 'b.dcm' and ({hang})()"
    else:
        body = f"import os; put = os.replace; os.replace = lambda a, b: ({hang})() if 'b.json' in str(b) else put(a, b)"
    child = command_process(tmp_path, body, "segment", "a.dcm", "b.dcm", "c.dcm", "-o", "out")
    end = time.monotonic() + 60
    while not (tmp_path / "hanging").exists() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    child.kill()
    child.communicate(timeout=60)
    files = sorted(path.name for path in Path("out").iterdir() if not path.name.startswith("."))
    assert files == ["a.json", "a.png", "a.seg.nrrd"] + (["b.seg.nrrd"] if where == "renaming" else [])
    assert call(*ALL) == (0, ["b.dcm", "c.dcm"] if where == "pipeline" else ["c.dcm"])
    assert sorted(os.listdir("out")) == [f"{n}.{e}" for n in "abc" for e in ("json", "png", "seg.nrrd")]


def test_files_of_processes_that_live_are_left_alone(tmp_path):
    mine = tmp_path / f".grayscale-detseg-{outputs._here()}-{os.getpid()}-abc"
    elsewhere = tmp_path / ".grayscale-detseg-another_host-1-abc"
    for folder in (mine, elsewhere):
        folder.mkdir()
    assert not outputs.recover(tmp_path)
    assert mine.exists() and elsewhere.exists()


@unix
def test_processes_end_with_a_parent_that_is_killed(tmp_path):
    code = f"""if True:
        from pathlib import Path
        from GrayscaleDetSegLib.batch.inputs import Job
        from GrayscaleDetSegLib.batch.places import processes
        from GrayscaleDetSegLib.batch.run import run
        from GrayscaleDetSegLib.core.options import SegmentOptions
        from Testing.place_work import work
        if __name__ == "__main__":
            both = [Job(Path({str(tmp_path)!r}) / name, Path(name)) for name in ("hangs 1", "hangs 2")]
            list(run(both, SegmentOptions(), processes(2), work))
        """
    paths = [str(ROOT), str(ROOT / "GrayscaleDetSeg"), str(ROOT / "Testing")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 300  # both import torch, which takes long where the machine is busy
    while len(os.listdir(tmp_path)) < 2 and time.monotonic() < end and parent.poll() is None:
        time.sleep(0.1)
    workers = [int(name.split()[-1]) for name in os.listdir(tmp_path)]
    assert len(workers) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait(30)
    end = time.monotonic() + 20
    while any(_is_running(worker) for worker in workers) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(_is_running(worker) for worker in workers)


def _is_running(number: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


# ---- Dask


def test_a_worker_of_a_cluster_that_dies_costs_a_retry(tmp_path):
    pytest.importorskip("distributed")
    names = ["a", "dies once", "b", "c"]
    with places.cluster("local", 2) as place:
        results = what(run(jobs(tmp_path, *names), OPTIONS, place, place_work.work))
    assert results == dict.fromkeys(names, "done") and (tmp_path / "dies once died").exists()


def test_a_cluster_by_its_address(call, tmp_path, monkeypatch, capsys):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("GrayscaleDetSegLib.batch.segmenting.process", place_work.fake)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, protocol="tcp", dashboard_address=None, processes=False
    ) as cluster:
        code, here = call("a.dcm", "b.dcm", "bad.dcm", "--cluster", cluster.scheduler_address)
    assert (code, here) == (3, []), "an input that is not there"
    assert sorted(os.listdir("out")) == [f"{n}.{e}" for n in "ab" for e in ("json", "png", "seg.nrrd")]
    assert json.loads(Path("out/a.json").read_text())["input"]["file"] == "a.dcm", "as the user called it"


def test_a_cluster_that_is_not_there(call, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(places, "_PATIENCE", 0.5)
    assert call("a.dcm", "--cluster", "tcp://127.0.0.1:9") == (2, [])
    assert "There is no Dask scheduler at tcp://127.0.0.1:9" in capsys.readouterr().err
    assert call("a.dcm", "--cluster", "tcp://127.0.0.1:9", "--jobs", "2") == (2, [])
    assert "has workers of its own" in capsys.readouterr().err


def test_without_dask_the_command_says_how_to_get_it(call, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert call("a.dcm", "--cluster", "local") == (4, [])
    assert "pip install 'grayscale-detseg[cluster]'" in capsys.readouterr().err
