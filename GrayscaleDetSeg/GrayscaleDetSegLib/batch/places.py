"""Where jobs are done beside this process: processes of this machine, and Dask clusters."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from ..core.errors import DependencyError, OutputError
from .run import Place
from .silence import quiet_process
from .threads import OF_ALL, of_children

LOCAL = "local"
"""In place of an address: a cluster that is started on this machine, for the one run."""

_RETRIES = 2
_PATIENCE = 20  # seconds to wait for a scheduler, or for the end of a process


def processes(count: int, verbose: bool = False) -> Place:
    """So many processes of this machine, each with a model of its own, that share its cores.

    Results are those of one process: to the last bit where it computes on as many cores as each of these, else but for
    the rounding of sums that are added up in other parts.
    """
    threads = max(1, (os.cpu_count() or 1) // count)

    @contextmanager
    def opened() -> Iterator[Executor]:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
        python = _python_of_slicer()
        if python is not None:
            context.set_executable(python)
        with of_children(threads), _Pool(count, context, begin_worker, (threads, verbose)) as executor:
            try:
                yield executor
            except BaseException:
                workers = list((executor._processes or {}).values())
                executor.shutdown(wait=False, cancel_futures=True)
                for worker in workers:  # or those and what they have fetched already would be waited for
                    worker.terminate()
                for worker in workers:  # until then nobody can clear up behind them
                    worker.join(_PATIENCE)
                raise

    return Place(opened, 2 * count)


class _Pool(ProcessPoolExecutor):
    """Its processes are deaf to Ctrl-C from their first moment: those that it killed would break the whole pool."""

    def submit(self, *arguments: Any, **options: Any) -> Future:
        """As that of an executor; it is what starts the processes."""
        if not hasattr(signal, "pthread_sigmask"):
            return super().submit(*arguments, **options)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a new process begins with the same
        try:
            return super().submit(*arguments, **options)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def cluster(address: str, count: int | None = None, verbose: bool = False) -> Iterator[Place]:
    """The workers of a Dask cluster.

    They must see the files under the same paths, and have the same version of the software. A worker that dies costs
    the jobs that it had another try on another one.

    Parameters
    ----------
    address : str
        Of the scheduler, for example ``tcp://host:8786``; or `LOCAL`.
    count : int, optional
        Workers of a local cluster; one for each core if not given.

    Raises
    ------
    DependencyError
        If Dask is missing.
    OutputError
        If there is no scheduler at the address.
    """
    try:
        import distributed
    except ImportError as error:
        raise DependencyError(
            f"--cluster needs the Python package '{error.name}': pip install 'grayscale-detseg[cluster]'."
        ) from error
    if address == LOCAL:
        count = count or os.cpu_count() or 1
        threads = max(1, (os.cpu_count() or 1) // count)
        with of_children(threads), distributed.LocalCluster(
            n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs="CRITICAL"
        ) as local, distributed.Client(local) as client:
            client.register_plugin(_beginning(threads, verbose))  # workers in the place of dead ones get it, too
            yield _of(client)
        return
    try:
        client = distributed.Client(address, timeout=_PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise OutputError(f"There is no Dask scheduler at {address} ({error}): check the address.") from error
    with client:
        yield _of(client)


def _beginning(threads: int, verbose: bool):
    import distributed

    class Beginning(distributed.WorkerPlugin):
        def setup(self, worker) -> None:
            begin_worker(threads, verbose, watch=False)

    return Beginning()


def _of(client) -> Place:
    import distributed

    @contextmanager
    def opened() -> Iterator[Executor]:
        executor = client.get_executor(pure=False, retries=_RETRIES)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)

    workers = max(1, len(client.nthreads()))
    return Place(opened, max(64, 4 * workers), distributed.KilledWorker)


def begin_worker(threads: int, verbose: bool, watch: bool = True) -> None:
    """Prepare a process that does nothing but jobs: Ctrl-C is its parent's business, and it ends with it."""
    quiet_process(verbose)
    if watch:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=_end_with, args=(parent.join,), daemon=True).start()
    os.environ.setdefault(OF_ALL, str(threads))  # PyTorch looks at it when the first job imports it


def _end_with(wait: Callable[[], object]) -> None:
    """A pool's process whose parent was killed would wait for work for ever."""
    wait()
    os._exit(1)


def _python_of_slicer() -> str | None:
    """Slicer's Python, where this is Slicer itself: its own program would open another window."""
    slicer = sys.modules.get("slicer")
    return shutil.which("PythonSlicer") if hasattr(slicer, "app") else None
