"""Sets of volumes with label maps: ``images/``, ``labels/``, ``split.csv`` and ``labels.json``."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.core.reading.base import HEAD
from GrayscaleDetSegLib.core.volumes.files import EXTENSIONS, reader_of
from GrayscaleDetSegLib.core.volumes.reading import read_volume
from GrayscaleDetSegLib.core.volumes.volume import Volume


class VolumeDataError(GrayscaleDetSegError):
    """A set of volumes cannot be used."""


@dataclass(frozen=True)
class VolumeCase:
    """One volume with its label map, still in their files.

    Parameters
    ----------
    set_name, name : str
    image, labels : Path
    split : str
        ``"train"`` or ``"val"``.
    patient : str
        Whose volumes must stay on one side.
    """

    set_name: str
    name: str
    image: Path
    labels: Path
    split: str
    patient: str

    def volume(self) -> Volume:
        """The image."""
        return read_volume(self.image)

    def mask(self, values: Iterable[int]) -> np.ndarray:
        """The voxels (bool, in the image's grid) that have one of these values.

        Raises
        ------
        VolumeDataError
            If the label map has another size than the image, or other values than whole numbers.
        """
        with open(self.labels, "rb") as file:
            read = reader_of(file.read(HEAD))
        if read is None:
            raise VolumeDataError(f"{self.labels} is no volume of a known kind.")
        header, _, found = read(self.labels)
        found = found.reshape(header.size[2::-1])
        with open(self.image, "rb") as file:
            size = reader_of(file.read(HEAD))(self.image)[0].size
        if size[:3] != header.size[:3]:
            raise VolumeDataError(f"{self.labels} has {header.size[:3]} voxels, and its image {size[:3]}.")
        if not np.array_equal(found, np.rint(found)):
            raise VolumeDataError(f"{self.labels} holds values that are no whole numbers.")
        return np.isin(found, list(values))


def read_volume_set(folder: Path) -> list[VolumeCase]:
    """The cases of one set, as its split.csv lists them.

    The patient is the column ``patient``, or else the name up to its first underscore behind a number.

    Raises
    ------
    VolumeDataError
        If files are missing, a split is neither train nor val, or a patient is on both sides.
    """
    table = folder / "split.csv"
    if not table.is_file():
        raise VolumeDataError(f"{folder} is no set of volumes: it has no split.csv.")
    cases = []
    with open(table, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name, split = row["name"], row["split"]
            if split not in ("train", "val"):
                raise VolumeDataError(f"{table} puts {name} into '{split}', which is neither train nor val.")
            image, labels = (_file(folder / part, name) for part in ("images", "labels"))
            patient = row.get("patient") or _patient(name)
            cases.append(VolumeCase(folder.name, name, image, labels, split, patient))
    sides = {case.patient: case.split for case in cases}
    for case in cases:
        if sides[case.patient] != case.split:
            raise VolumeDataError(f"The patient {case.patient} is in train and in val of {table}.")
    return cases


def folded(cases: Iterable[VolumeCase], number: int, folds: int) -> list[VolumeCase]:
    """The same cases, split anew by patient: one of so many folds is val, and the others are train.

    The patients of a set, in an order drawn once and for all, go to the folds in turn; `number` counts from 1.

    Raises
    ------
    VolumeDataError
        If there is no such fold, or a set has fewer patients than folds.
    """
    cases = list(cases)
    if not 1 <= number <= folds or folds < 2:
        raise VolumeDataError(f"There is no fold {number} of {folds}; folds count from 1, and there are two or more.")
    places: dict[tuple[str, str], int] = {}
    for name in sorted({case.set_name for case in cases}):
        patients = sorted({case.patient for case in cases if case.set_name == name})
        if len(patients) < folds:
            raise VolumeDataError(f"{name} has {len(patients)} patients, too few for {folds} folds.")
        order = np.random.default_rng(0).permutation(len(patients))
        places |= {(name, patients[at]): place % folds for place, at in enumerate(order)}
    return [
        replace(case, split="val" if places[case.set_name, case.patient] == number - 1 else "train") for case in cases
    ]


def cases_of(settings: Mapping[str, Any], data: Path) -> list[VolumeCase]:
    """The cases of a configuration's sets: as their tables split them, or by its ``fold = [number, folds]``."""
    cases = [case for name in settings["sets"] for case in read_volume_set(data / name)]
    return folded(cases, *settings["fold"]) if "fold" in settings else cases


def label_values(folder: Path, named: Mapping[str, int] | None = None) -> dict[str, int]:
    """Label name -> value of a set: as a configuration names them, or else its ``labels.json``."""
    if named:
        return dict(named)
    path = folder / "labels.json"
    if not path.is_file():
        raise VolumeDataError(f"{folder} has no labels.json: name its labels in the configuration under [labels].")
    return {str(name): int(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()}


def fingerprint_of(cases: Iterable[VolumeCase]) -> str:
    """A digest of the names, sizes and splits of all files: a run does not go on with other data."""
    digest = hashlib.blake2b(digest_size=16)
    for case in cases:
        sizes = case.image.stat().st_size, case.labels.stat().st_size
        digest.update(f"{case.set_name} {case.name} {case.split} {sizes}\n".encode())
    return digest.hexdigest()


def _file(folder: Path, name: str) -> Path:
    for extension in EXTENSIONS:
        path = folder / f"{name}{extension}"
        if path.is_file():
            return path
    raise VolumeDataError(f"{folder} has no volume called {name}; copy the set again.")


def _patient(name: str) -> str:
    """"patient002" of "patient002_frame01"; the whole name where it has no such parts."""
    head, _, rest = name.partition("_")
    return head if rest and any(letter.isdigit() for letter in head) else name
