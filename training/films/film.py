"""One film: a small gray picture, its objects as masks that may overlap, and what its labels say nothing about."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files import write_aside

Window = tuple[int, int, int, int]
"""First row, first column, row and column behind the last."""


@dataclass(frozen=True)
class FilmObject:
    """An object: its class, and its mask in the window that holds it, eight pixels a byte.

    `asked` is False for crumbs at an edge, which nobody has to find and nobody may call false.
    """

    label: str
    window: Window
    bits: np.ndarray
    asked: bool = True

    @classmethod
    def of(cls, label: str, mask: np.ndarray, asked: bool = True) -> FilmObject:
        """The object of a mask (rows, columns) of the whole picture, which must not be empty."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        window = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
        return cls(label, window, np.packbits(mask[window[0] : window[2], window[1] : window[3]]), asked)

    def crop(self) -> np.ndarray:
        """The mask, bool, in its window."""
        shape = self.window[2] - self.window[0], self.window[3] - self.window[1]
        return np.unpackbits(self.bits, count=shape[0] * shape[1]).reshape(shape).astype(bool)

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """The mask, bool, in the whole picture."""
        whole = np.zeros(shape, bool)
        whole[self.window[0] : self.window[2], self.window[1] : self.window[3]] = self.crop()
        return whole


@dataclass(frozen=True)
class Film:
    """A radiograph for training.

    Parameters
    ----------
    set_name, name : str
    image : ndarray of uint8 (rows, columns)
        Gray levels with bone bright.
    objects : tuple of FilmObject
    settled : frozenset of str
        Classes of which every object in the picture is marked, and those that cannot be in it. What is in neither is
        left out of the film's loss.
    ignore_mask : ndarray of bool (rows, columns) or None
        Places that carry no loss: there something of a settled class shows that nobody marked.
    kind : str
        Which scene it is, for tables.
    boxed : bool
        Whether the objects are boxes that somebody set, and their masks these rectangles.
    """

    set_name: str
    name: str
    image: np.ndarray
    objects: tuple[FilmObject, ...]
    settled: frozenset[str]
    ignore_mask: np.ndarray | None = None
    kind: str = ""
    boxed: bool = False


def write_films(films: Iterable[Film], path: Path) -> int:
    """Write films to one file (numpy's npz, nothing pickled); returns how many."""
    index, images, bits = [], [], []
    for film in films:
        objects = [(item.label, item.window, len(item.bits), item.asked) for item in film.objects]
        ignore_mask = np.packbits(film.ignore_mask) if film.ignore_mask is not None else np.zeros(0, np.uint8)
        index.append({
            "set": film.set_name, "name": film.name, "shape": film.image.shape, "objects": objects,
            "settled": sorted(film.settled), "void": len(ignore_mask), "kind": film.kind, "boxed": film.boxed,
        })  # fmt: skip
        images.append(film.image.reshape(-1))
        bits += [item.bits for item in film.objects] + [ignore_mask]
    stream, none = io.BytesIO(), np.zeros(0, np.uint8)
    np.savez(stream, index=np.array(json.dumps(index)), images=np.concatenate(images or [none]),
             bits=np.concatenate(bits or [none]))  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, stream.getvalue())
    return len(index)


def read_films(path: Path) -> Iterator[Film]:
    """The films of a file that :func:`write_films` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        index, images, bits = json.loads(str(stored["index"])), stored["images"], stored["bits"]
    at = place = 0
    for item in index:
        shape = tuple(item["shape"])
        image = images[at : at + shape[0] * shape[1]].reshape(shape)
        at += image.size
        objects = []
        for label, window, count, *asked in item["objects"]:
            objects.append(FilmObject(label, tuple(window), bits[place : place + count], *asked))
            place += count
        ignore_mask = None
        if item["void"]:
            packed = bits[place : place + item["void"]]
            ignore_mask = np.unpackbits(packed, count=image.size).reshape(shape).astype(bool)
            place += item["void"]
        yield Film(item["set"], item["name"], image, tuple(objects), frozenset(item["settled"]), ignore_mask,
                   item["kind"], item.get("boxed", False))  # fmt: skip
