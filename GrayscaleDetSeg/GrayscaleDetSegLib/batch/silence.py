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
        ours = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace", buffering=1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    except (AttributeError, OSError, ValueError):  # no console, or one that is not the process's own
        return
    sys.stderr = ours
