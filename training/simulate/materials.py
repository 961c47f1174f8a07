"""Linear attenuation coefficients at about 60 keV, the effective energy of a diagnostic beam, in 1/mm.

Rounded products of mass attenuation and density as tabulated by NIST (XCOM / X-ray mass attenuation coefficients) and
ICRU 44 for these tissues. One energy stands for the spectrum: there is no beam hardening in this simulator.
"""

from __future__ import annotations

AIR = 0.00002
LUNG = 0.0055
FAT = 0.0188
WATER = 0.0206
MUSCLE = 0.0215
CARTILAGE = 0.0228
MARROW = 0.0195
CORTEX = 0.0605
DENTIN = 0.066
ENAMEL = 0.110
METAL = 0.60


def spongiosa(bone_fraction: float) -> float:
    """Attenuation (1/mm) of marrow of which `bone_fraction` (0..1) of the volume is trabecular bone."""
    return MARROW + bone_fraction * (CORTEX - MARROW)
