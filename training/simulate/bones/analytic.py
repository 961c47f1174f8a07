"""A library of parts made by formula: no measured bone is in it, so it may ship with the project and its tests.

Their shapes are those of bones at a glance. Networks that shall find bones of patients train on parts built from
research bones (`build.py`); these here draw samples, and test what draws.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from .analytic_lower import TERMS, all_lower
from .analytic_trunk import trunk
from .analytic_upper import all_upper
from .parts import KINDS, Joint, Part
from .surface import Surface
from .variation import Warp

VARIANTS = 3
"""Adults and children, each."""
CHILD = 0.62
"""Size of the child whose bones are made."""
CHILD_CORTEX = 0.8
"""Share of the compact bone that a child of that size has of the adult's, beside its size."""
REACH = {"pelvis": 300.0, "trunk": 700.0}
"""mm of the body that a variation changes; of other kinds 260."""
MIDDLE = ("pelvis", "trunk")


def analytic_library(variants: int = VARIANTS, seed: int = 1) -> dict[str, list[Part]]:
    """Parts of every kind: as many adults as `variants` says, and as many children.

    Parameters
    ----------
    variants : int
        The first adult and the first child are the plain forms, the others vary them.
    seed : int
        Decides the variations.
    """
    library: dict[str, list[Part]] = {kind: [] for kind in KINDS}
    for child in (False, True):
        for part in plain_parts(child):
            for number in range(variants):
                generator = np.random.default_rng([seed, KINDS.index(part.kind), number])
                library[part.kind].append(_varied(part, number, generator) if number else part)
    return library


@lru_cache(maxsize=2)
def plain_parts(child: bool) -> tuple[Part, ...]:
    """One part of each kind."""
    found = [*all_lower(child), trunk(child), *all_upper(child)]
    found = [replace(part, name="child-0" if child else "adult-0", child=child, source="analytic.py", terms=TERMS,
                     plates=child)
             for part in found]  # fmt: skip
    return tuple(_scaled(part, CHILD) for part in found) if child else tuple(found)


def _scaled(part: Part, size: float) -> Part:
    bones = tuple(
        replace(bone, surface=Surface((size * bone.surface.vertices).astype(np.float32), bone.surface.faces),
                cortex=(size * CHILD_CORTEX * bone.cortex).astype(np.float32))
        for bone in part.bones
    )  # fmt: skip
    joints = {name: replace(joint, centre=tuple(size * value for value in joint.centre))
              for name, joint in part.joints.items()}  # fmt: skip
    return replace(part, bones=bones, joints=joints, width=size * part.width,
                   widths={name: size * width for name, width in part.widths.items()})  # fmt: skip


def _varied(part: Part, number: int, generator: np.random.Generator) -> Part:
    """Another part of the same build; its origin stays, and left and right stay alike in the middle of the body."""
    symmetric = part.kind in MIDDLE
    warp = Warp(generator, REACH.get(part.kind, 260.0), 2.0, (0.05, 0.05, 0.06), symmetric)
    rest = warp(np.zeros((1, 3)))[0]

    def moved(points: np.ndarray) -> np.ndarray:
        return warp(points) - rest

    bones = tuple(replace(bone, surface=Surface(moved(bone.surface.vertices).astype(np.float32), bone.surface.faces))
                  for bone in part.bones)  # fmt: skip
    joints = {name: _moved(joint, moved) for name, joint in part.joints.items()}
    wide = float(warp.factors[0])
    return replace(part, name=f"{part.name[:-1]}{number}", bones=bones, joints=joints, width=wide * part.width,
                   widths={name: wide * width for name, width in part.widths.items()})  # fmt: skip


def _moved(joint: Joint, moved) -> Joint:
    centre = moved(np.array([joint.centre]))[0]
    return replace(joint, centre=tuple(map(float, centre)))
