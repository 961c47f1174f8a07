"""Trainings of the 2D detector and the surfaces without real images, or with a few, and the pipelines they make."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.core.batch_norm_folding import fold_batch_norms
from GrayscaleDetSegLib.core.methods.surfaces import Surfaces
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.surfaces.detector import SurfaceDetector
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings, RoiDetector

from .. import detector, surfaces
from ..bundle import DETECTION
from ..films.film import Film, read_films, write_films
from ..films.real import read_set_films
from ..networks import SurfaceConfig, SurfaceNetwork, trained_yolo

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TRAININGS: dict[str, Callable] = {"detector": detector.main, "surfaces": surfaces.main}
A_FILE = 250
"""Films in one file."""


def trained(
    network: str, config: str, data: Path, films: Sequence[Path], output: Path, start: Path | None = None,
    options: Sequence[str] = (),
) -> Path:  # fmt: skip
    """The folder of a finished training of ``"detector"`` or ``"surfaces"``; one that was cut off goes on.

    Parameters
    ----------
    config : str
        A file of ``training/configs``, whose ``sets`` must be empty: nothing but `films` is seen.
    films : sequence of Path
        Folders of films.
    start : Path or None
        Run to start from.
    options : sequence of str
        Further ones of the training's command line.

    Raises
    ------
    ChildProcessError
        If the training ends with an error; it has said which.
    """
    if (output / "network.pt").exists():
        return output
    order = ["--data", data, "--config", CONFIGS / config, "--output", output, "--films", *films, *options]
    code = TRAININGS[network]([str(part) for part in (*order, *(("--from", start) if start else ()))])
    if code:
        raise ChildProcessError(f"The training in {output} ended with exit code {code}.")
    return output


def pipeline_of(shipped: Pipeline, detector_run: Path, surfaces_run: Path | None = None) -> Pipeline:
    """A pipeline of two runs, without a look at polarity.

    What is left of `shipped` decides no region and no mask: its single box, which surfaces report beside every object,
    and the post-processing. Without a run of surfaces it can only find regions.
    """
    twin = copy.copy(shipped)
    twin.roi_detector = RoiDetector(fold_batch_norms(trained_yolo(detector_run).eval()), DetectionSettings(**DETECTION))
    twin.polarity_check, twin.methods = None, {}
    if surfaces_run is not None:
        described = json.loads((surfaces_run / "network.json").read_text(encoding="utf-8"))
        fields = SurfaceNetwork(SurfaceConfig.from_dict(described["config"]))
        fields.load_state_dict(torch.load(surfaces_run / "network.pt", weights_only=True))
        method = Surfaces(SurfaceDetector(fold_batch_norms(fields.eval())), shipped.methods["box"], described["margin"])
        twin.methods = {method.name: method}
    return twin


def few_real_films(data: Path, sets: Sequence[str], count: int, folder: Path, seed: int = 1) -> Path:
    """A folder with `count` films of the train part of every set, drawn by lot; larger counts contain smaller ones."""
    path = folder / "real.npz"
    if not path.exists():
        chosen: list[Film] = []
        for number, name in enumerate(sets):
            generator = np.random.default_rng([seed, number])
            films = read_set_films(data / name, "train", generator)
            order = np.random.default_rng([seed, number, 1]).permutation(len(films))
            chosen += [films[index] for index in order[:count]]
        write_films(chosen, path)
    return folder


def films_without(folders: Iterable[Path], classes: Sequence[str], folder: Path, every: int = 1) -> Path:
    """A folder with the films of others on which no object has one of `classes`, not even one that is a crumb.

    Of these it has one in `every`.
    """
    done = folder / "done"
    if not done.exists():
        kept: list[Film] = []
        for path in sorted(path for one in folders for path in one.glob("*.npz")):
            kept += [film for film in read_films(path) if not any(item.label in classes for item in film.objects)]
        kept = kept[::every]
        for number in range(0, len(kept), A_FILE):
            write_films(kept[number : number + A_FILE], folder / f"{number // A_FILE:04d}.npz")
        done.write_text(f"{len(kept)} films\n", encoding="utf-8")
    return folder
