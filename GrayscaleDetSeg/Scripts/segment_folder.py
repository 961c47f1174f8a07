"""Segments many radiographs in Slicer without its window, as `grayscale-detseg segment` does outside.

    Slicer segment_folder.py INPUT... --output DIR [options]
    Slicer --no-main-window --no-splash --python-script segment_folder.py -- INPUT... --output DIR [options]

Options, files and exit codes are those of `grayscale-detseg segment`; `Slicer segment_folder.py -- --help` lists them.
Do not add --exit-after-startup, which replaces every exit code by 0 or 1.
"""

import sys
import traceback
from pathlib import Path

FAULT = 1  # as in batch.arguments, which may be what is broken


def run(arguments):
    """Segment what the arguments name; returns the exit code."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from GrayscaleDetSegLib.batch.arguments import folder_parser
    from GrayscaleDetSegLib.batch.main import as_process, main
    from GrayscaleDetSegLib.logic.dependencies import require

    return as_process(lambda: main(arguments, arguments_parser=folder_parser(), before=require))


def leave(code):
    """End the process with this exit code, in Slicer as in any Python."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        from slicer import app, util
    except ImportError:  # PythonSlicer, or a Python that is none of Slicer's
        sys.exit(code)
    util.exit(code)
    if code and getattr(app.commandOptions(), "exitAfterStartup", False):
        # Slicer sets its own exit code after the script then: 1 after an exception, else 0
        raise RuntimeError(f"the exit code is {code}; without --exit-after-startup it would be Slicer's, too")


def entry():
    """Everything, whatever happens: where a script lets an exception out, Slicer goes on running."""
    try:
        code = run(sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        code = FAULT
    leave(code)


if __name__ == "__main__":
    entry()
