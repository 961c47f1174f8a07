"""From a path to a Volume: a file of three formats, or the folder of a DICOM series; one kind of error."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..reading.base import HEAD
from ..reading.common import Undecodable
from ..reading.dicom_file import is_dicom
from .files import read_file, reader_of
from .series import read_series
from .volume import Volume


def read_volume(path: str | os.PathLike) -> Volume:
    """Read one volume; its kind is told by the content.

    Parameters
    ----------
    path : str or path
        A NRRD, MetaImage (.mha, .mhd) or NIfTI (.nii, .nii.gz) file, or a folder with the slices of one DICOM series.

    Returns
    -------
    Volume
        Voxels (slices, rows, columns) in own units, after the modality LUT.

    Raises
    ------
    RadiographError
        The path holds no single gray volume, or cannot be read; the message is one sentence for the user.
    """
    path = Path(path)
    name = path.name or str(path)
    try:
        with np.errstate(all="ignore"):
            if path.is_dir():
                return read_series(path)
            if not path.is_file():
                raise RadiographError(f"{name} does not exist; check the path.")
            with open(path, "rb") as file:
                head = file.read(HEAD)
            if not head:
                raise RadiographError(f"{name} is empty (0 bytes); copy or export it again.")
            if reader_of(head) is None:
                if is_dicom(path):
                    raise RadiographError(f"{name} is a DICOM file; give the folder with all slices of its series.")
                raise RadiographError(
                    f"{name} is no volume of a known kind; choose a NRRD, MHA or NIfTI file, or a DICOM folder."
                )
            return read_file(path, head)
    except RadiographError:
        raise
    except MemoryError as error:
        raise RadiographError(f"{name} does not fit into memory; close other programs or reduce it.") from error
    except OSError as error:
        raise RadiographError(
            f"{name} cannot be read ({error.strerror or error}); check that it is still there, and the disk."
        ) from error
    except Undecodable as error:
        raise RadiographError(f"{name} cannot be read and seems to be damaged; export it again.") from error
