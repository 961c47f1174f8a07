"""How many threads compute in a process that does nothing but jobs; decided before numpy is imported there.

The matrix products of our networks are small. On a busy machine threads that wait for each other are many times slower
than one, on a free one hardly faster; and one thread adds up in the same order wherever it runs. So numpy has one, and
many radiographs take many processes. PyTorch, where it is asked for, shares out the cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

OF_ALL, OF_NUMPY = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"


def one_for_numpy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let numpy's matrix products run in one thread, unless the user has said otherwise."""
    if OF_ALL not in environment:
        environment.setdefault(OF_NUMPY, "1")


@contextmanager
def of_children(count: int) -> Iterator[None]:
    """Processes that are started meanwhile compute with so many threads, unless the user has said otherwise."""
    before = {name: os.environ.get(name) for name in (OF_ALL, OF_NUMPY)}
    one_for_numpy()
    os.environ.setdefault(OF_ALL, str(count))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
