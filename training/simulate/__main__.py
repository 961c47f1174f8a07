"""Command line: ``python -m training.simulate --anatomy knee --count 100 --size 512 --output DIR --seed 0``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .anatomies import ANATOMIES
from .sets import write_set


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("training.simulate", description="Simulated radiographs with exact label maps.")
    parser.add_argument("--anatomy", action="append", choices=sorted(ANATOMIES), help="may be given more than once")
    parser.add_argument("--count", type=int, default=100, help="images of each anatomy (default 100)")
    parser.add_argument("--size", type=int, default=512, help="longest side in px (long legs: twice that; default 512)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first image (default 0)")
    parser.add_argument("--output", type=Path, help="folder of the set")
    parser.add_argument("--sample", type=Path, metavar="FOLDER", help="write the sample radiograph there, nothing else")
    parser.add_argument(
        "--module-samples", type=Path, metavar="FOLDER", help="write the module's samples below its Resources folder"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.sample is not None:
        from .dicom import write_sample  # only this needs pydicom

        for path in write_sample(options.sample):
            print(path)
        return 0
    if options.module_samples is not None:
        from .samples import write_module_samples

        for path in write_module_samples(options.module_samples):
            print(path)
        return 0
    if options.output is None or not options.anatomy:
        parser.error("a set needs --anatomy and --output")
    if options.count < 1 or options.size < 64 or options.seed < 0:
        parser.error("--count must be 1 or more, --size 64 or more and --seed 0 or more")
    anatomies = list(dict.fromkeys(options.anatomy))

    def report(done: int, total: int) -> None:
        print(f"{done} of {total}", flush=True)

    write_set(options.output, anatomies, options.count, options.size, options.seed, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
