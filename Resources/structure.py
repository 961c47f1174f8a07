"""Figures of the program's structure, as Resources/Documentation/structure.md has them.

    python Resources/structure.py lines [COMMIT...]
    python Resources/structure.py help
    python Resources/structure.py stops [--deep N] [--library FOLDER]

`lines` counts the lines of Python files by git; `help` times ``grayscale-detseg --help``; `stops` follows a radiograph
through ``Pipeline.segment`` and counts how often the reader of the code changes files, going at most N files deep.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("GrayscaleDetSeg", "training", "Testing")
TIMES = 7
VALUES = ("stopwatch.py", "types.py", "gray_image.py", "radiograph.py", "regions.py", "windowed.py")
"""What nobody has to look into to follow a radiograph: the values that go along."""


def lines(commits: list[str]) -> None:
    """Files and lines of Python of each part, at some commits."""
    for commit in commits:
        for part in PARTS:
            names = git("ls-tree", "-r", "--name-only", commit, "--", part).split("\n")
            names = [name for name in names if name.endswith(".py")]
            count = sum(git("show", f"{commit}:{name}").count("\n") for name in names)
            print(f"{commit} {part}: {count} lines in {len(names)} files")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def help_time() -> None:
    """The median times of the command's help, by the clock and of the processor, in a process of its own."""
    command = [sys.executable, "-c", "from GrayscaleDetSegLib.batch.main import entry; entry()", "--help"]
    taken, busy = [], []
    for _ in range(TIMES):
        began, before = time.perf_counter(), os.times()
        subprocess.run(command, cwd=ROOT / "GrayscaleDetSeg", stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        taken.append(time.perf_counter() - began)
        busy.append(after.children_user + after.children_system - before.children_user - before.children_system)
    clock, processor = statistics.median(taken), statistics.median(busy)
    print(f"--help: {clock:.2f} s, {processor:.2f} s of the processor (medians of {TIMES})")


class Reader:
    """Follows calls as somebody who reads the code does: into each function where it is first called, and back.

    A call that was followed once, from the same line, is not followed again, nor is what it calls; nor is one that
    leads deeper than so many files, or into one of :data:`VALUES`.
    """

    def __init__(self, folder: Path, deep: int) -> None:
        self.folder, self.deep = str(folder), deep
        self.stops: list[str] = []
        self._seen: set[tuple[CodeType, int, CodeType]] = set()
        self._stack: list[CodeType] = []
        self._skipped = 0

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event not in ("call", "return") or not frame.f_code.co_filename.startswith(self.folder):
            return
        if event == "call":
            caller = frame.f_back
            call = caller.f_code, caller.f_lineno, frame.f_code
            files = [code.co_filename for code in (*self._stack, frame.f_code)]
            is_deep = sum(one != other for one, other in zip(files, files[1:])) > self.deep
            if self._skipped or call in self._seen or is_deep or files[-1].endswith(VALUES):
                self._skipped += 1
                return
            self._seen.add(call)
            self._stack.append(frame.f_code)
        elif self._skipped:
            self._skipped -= 1
            return
        elif self._stack:
            self._stack.pop()
        if self._stack:
            name = str(Path(self._stack[-1].co_filename).relative_to(self.folder))
            if not self.stops or self.stops[-1] != name:
                self.stops.append(name)


def stops(library: Path, deep: int) -> None:
    """The stops of a radiograph's way through the pipeline of the shipped model, with its default method."""
    sys.path.insert(0, str(library))
    from GrayscaleDetSegLib.core.loading import load_pipeline
    from GrayscaleDetSegLib.core.reading import read_radiograph

    pipeline = load_pipeline(None, "cpu")
    image = read_radiograph(ROOT / "Resources" / "Samples" / "knee.dcm")
    pipeline.segment(image)  # what is loaded or kept at first use is there
    reader = Reader(library / "GrayscaleDetSegLib", deep)
    sys.setprofile(reader)
    try:
        pipeline.segment(image)
    finally:
        sys.setprofile(None)
    files = len(set(reader.stops))
    print("\n".join(f"{number:3d} {name}" for number, name in enumerate(reader.stops, start=1)))
    print(f"{len(reader.stops)} stops in {files} files, {len(reader.stops) - files} of them returns")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lines").add_argument("commits", nargs="*", default=["HEAD"], metavar="COMMIT")
    commands.add_parser("help")
    follow = commands.add_parser("stops")
    follow.add_argument("--deep", type=int, default=1, metavar="N")
    follow.add_argument("--library", type=Path, default=ROOT / "GrayscaleDetSeg", metavar="FOLDER")
    chosen = parser.parse_args()
    if chosen.command == "lines":
        lines(chosen.commits)
    elif chosen.command == "help":
        help_time()
    else:
        stops(chosen.library.resolve(), chosen.deep)


if __name__ == "__main__":
    main()
