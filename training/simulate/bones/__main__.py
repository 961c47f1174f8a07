"""Draw films of a library of parts: python -m training.simulate.bones LIBRARY OUTPUT --films 20000 --seed 1

LIBRARY is a folder that `build.py` filled, or the word analytic: parts made by formula.
Writes OUTPUT/NNNN.npz with 250 films each; a file that is there is not drawn again, so that a run which was cut off
goes on, and several processes (--part 0/2, --part 1/2) share the work. At the end the table of scenes and classes that
were really drawn is printed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from ...films.film import read_films, write_films
from .analytic import analytic_library
from .draw import draw_films
from .parts import load_library

A_FILE = 250


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, help="a folder, or the word analytic")
    parser.add_argument("output", type=Path)
    parser.add_argument("--films", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", default="0/1", help="K/N: every N-th file, from the K-th on")
    parser.add_argument("--scenes", nargs="*", help="only these of the table in scenes.py (default: all)")
    parser.add_argument("--children", type=float, help="share of people under eighteen (default: each scene's own)")
    options = parser.parse_args(arguments)
    own, processes = map(int, options.part.split("/"))
    library = analytic_library() if options.library == Path("analytic") else load_library(options.library)
    files = [options.output / f"{options.seed}-{number:04d}.npz" for number in range(-(-options.films // A_FILE))]
    for number in range(own, len(files), processes):
        if not files[number].exists():
            films = draw_films(library, A_FILE, options.seed, number * A_FILE, options.scenes, options.children)
            write_films(films, files[number])
            print(files[number], flush=True)
    print(table(path for path in files if path.exists()))
    return 0


def table(paths) -> str:
    """What was drawn: films of every scene, and in how many of them each class shows."""
    scenes, classes, total = Counter(), Counter(), 0
    for path in paths:
        for film in read_films(path):
            total += 1
            scenes[film.kind] += 1
            for label in {item.label for item in film.objects}:
                classes[film.kind, label] += 1
    lines = [f"{total} films"]
    for kind, count in scenes.most_common():
        shown = ", ".join(f"{label} {number / count:.0%}" for (scene, label), number in classes.most_common()
                          if scene == kind)  # fmt: skip
        lines.append(f"{kind:16s} {count / max(total, 1):6.1%}  {shown}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
