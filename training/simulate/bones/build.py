"""Build a library of parts: python -m training.simulate.bones.build BONES OUTPUT [--only lower | upper]

Writes OUTPUT/KIND/NAME.npz for every part of a skeleton that the research bones yield, and prints what was refused.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

BUILDERS = {"lower": ("lower_body", "build_lower_body"), "upper": ("upper_body", "build_upper_body")}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bones", type=Path, help="folder with index.csv, PERSON.npz and opensim")
    parser.add_argument("output", type=Path, help="folder of the library; outside the repository")
    parser.add_argument("--only", choices=sorted(BUILDERS), help="only this half of the body")
    options = parser.parse_args(arguments)
    for half, (module, function) in BUILDERS.items():
        if options.only in (None, half):
            build = getattr(importlib.import_module(f"{__package__}.{module}"), function)
            print(*build(options.bones, options.output), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
