"""Ctrl-C and SIGTERM: the first one ends what runs, and what must not be cut in two is not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(BaseException):
    """SIGTERM has come; as a BaseException it passes all handlers of errors but no `finally`."""


@contextmanager
def _handled(handler: Callable[[int, object], object], is_all: bool = False) -> Iterator[None]:
    """Both signals are `handler`'s until the end of the block, then whose they were before, or nobody's if `is_all`."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, former in before.items():
            # None is a handler that Python did not install and cannot put back
            former = signal.SIG_DFL if former is None else former
            signal.signal(number, signal.SIG_IGN if is_all else former)


@contextmanager
def interruptible(is_all: bool = False) -> Iterator[None]:
    """KeyboardInterrupt or :class:`Terminated` by the first signal in the block; those that follow change nothing.

    Parameters
    ----------
    is_all : bool
        Whether the process does nothing else: nobody listens any more then, so that its end is not disturbed.
    """

    def stop(number: int, _frame: object) -> None:
        for each in SIGNALS:  # they would break into the cleaning up, which may then hang
            signal.signal(each, lambda *_: None)  # not SIG_IGN: Python complains of one that has come already
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    with _handled(stop, is_all):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds both signals back until the end of the block, which takes no noticeable time."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread is ever interrupted
        yield
        return
    caught: list[int] = []
    try:
        with _handled(lambda number, _frame: caught.append(number)):
            yield
    finally:
        if caught:
            signal.raise_signal(caught[0])
