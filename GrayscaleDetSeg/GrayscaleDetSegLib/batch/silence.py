"""A console for what we say alone; imports nothing that takes time."""

from __future__ import annotations

import os
import sys
import warnings


def quiet_process(verbose: bool) -> None:
    """For a process of our own, at its start: the console shows what we say, and nothing that libraries do.

    What matters of their warnings has become a note or an error; libjpeg and libtiff write theirs to the process's own
    stream. `verbose` leaves all as it is.
    """
    if verbose:
        return
    warnings.simplefilter("ignore")
    try:
        if sys.stderr.fileno() != 2:
            return
        sys.stderr.flush()
        own = os.dup(2)
    except (AttributeError, OSError, ValueError):  # no console, or one that is not the process's own
        return
    try:
        discard(2)
    except OSError:  # no descriptor left: then the console shows more
        os.close(own)
        return
    sys.stderr = os.fdopen(own, "w", encoding="utf-8", errors="replace", buffering=1)


def discard(descriptor: int) -> None:
    """Let nobody see what is written to a descriptor from now on; raises OSError and changes nothing if it fails."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
    finally:
        os.close(nowhere)
