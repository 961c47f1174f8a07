"""Files of one film in every format that is read, which say of themselves what they are told to say."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, RLELossless

TOP = 4095
SPACING = 0.4
"""mm at the detector between the pixels of the films."""
ORIENTATION, PHOTOMETRIC = 274, 262


@dataclass(frozen=True)
class Film:
    """A film as it is hung: 12 bit values in uint16 (rows, columns), bone bright."""

    name: str
    pixels: np.ndarray


@dataclass(frozen=True)
class Format:
    """A kind of file: its ending, its bits, and what it can say."""

    ending: str
    bits: int = 12
    syntax: str = ""
    has_exif: bool = False
    has_spacing: bool = False

    @property
    def is_dicom(self) -> bool:
        """Whether it has DICOM's tags."""
        return bool(self.syntax)


FORMATS = {
    "explicit": Format(".dcm", 12, "1.2.840.10008.1.2.1"),
    "implicit": Format(".dcm", 12, "1.2.840.10008.1.2"),
    "big endian": Format(".dcm", 12, "1.2.840.10008.1.2.2"),
    "deflated": Format(".dcm", 12, "1.2.840.10008.1.2.1.99"),
    "RLE": Format(".dcm", 12, str(RLELossless)),
    "8 bits": Format(".dcm", 8, "1.2.840.10008.1.2.1"),
    "png": Format(".png", 8, has_exif=True),
    "png16": Format(".png", 12),
    "jpeg": Format(".jpg", 8, has_exif=True),
    "tiff": Format(".tif", 8, has_exif=True),
    "tiff16": Format(".tif", 12, has_exif=True),
    "bmp": Format(".bmp", 8),
    "nrrd": Format(".nrrd", 12, has_spacing=True),
    "mha": Format(".mha", 12, has_spacing=True),
    "nii": Format(".nii", 12, has_spacing=True),
}


@dataclass(frozen=True)
class Said:
    """What a file says.

    Parameters
    ----------
    format : str
        One of `FORMATS`.
    inverted : bool
        Whether its values are stored with bone dark.
    honest : bool
        Whether its tags say that; where they don't, they say the opposite.
    axes : tuple of 2 str, or None
        PatientOrientation.
    exif : int or None
        Orientation of EXIF or TIFF.
    more : dict
        DICOM tags, or the unit of a NRRD file.
    """

    format: str
    inverted: bool = False
    honest: bool = True
    axes: tuple[str, str] | None = None
    exif: int | None = None
    more: dict[str, Any] = field(default_factory=dict)


def write(pixels: np.ndarray, said: Said, path: Path) -> Path:
    """Write stored `pixels` (12 bit, bone bright) as the file that says so; returns its path, with its ending."""
    form = FORMATS[said.format]
    values = TOP - pixels if said.inverted else pixels
    if form.bits == 8:
        values = (values >> 4).astype(np.uint8)
    path = path.with_name(path.name + form.ending)
    if form.is_dicom:
        path.write_bytes(_dicom(values, said, form))
    elif form.has_spacing:
        _volume(values, said, path)
    else:
        path.write_bytes(_picture(values, said, form))
    return path


def _dicom(values: np.ndarray, said: Said, form: Format) -> bytes:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    syntax = UID("1.2.840.10008.1.2.1" if form.syntax == RLELossless else form.syntax)
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "2.25.1"
    data.Modality = "CR"
    data.Rows, data.Columns = values.shape
    data.SamplesPerPixel, data.PixelRepresentation = 1, 0
    data.BitsAllocated = 8 * values.dtype.itemsize
    data.BitsStored, data.HighBit = form.bits, form.bits - 1
    data.PhotometricInterpretation = "MONOCHROME1" if said.inverted == said.honest else "MONOCHROME2"
    if said.axes is not None:
        data.PatientOrientation = list(said.axes)
    for keyword, value in said.more.items():
        if keyword == "falling":
            table = Dataset()
            table.add_new(0x00283002, "US", [TOP + 1, 0, 16])
            table.add_new(0x00283006, "OW", np.arange(TOP, -1, -1).astype("<u2").tobytes())
            data.VOILUTSequence = Sequence([table])
        else:
            setattr(data, keyword, value)
    stored = values.astype(values.dtype.newbyteorder(">" if "big" in said.format else "<"))
    data.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
    data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form.syntax == RLELossless:
            data.compress(RLELossless, generate_instance_uid=False)
        pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


def _volume(values: np.ndarray, said: Said, path: Path) -> None:
    unit = said.more.get("unit", "mm")
    step = SPACING / {"mm": 1.0, "um": 1e-3, "cm": 10.0}[unit]
    image = sitk.GetImageFromArray(values[None].astype(np.int16))
    image.SetSpacing((step, step, 1.0))
    sitk.WriteImage(image, str(path))
    if unit != "mm":
        head, pixels = path.read_bytes().split(b"\n\n", 1)
        path.write_bytes(head + f'\nspace units: "{unit}" "{unit}" "{unit}"'.encode() + b"\n\n" + pixels)


def _picture(values: np.ndarray, said: Said, form: Format) -> bytes:
    says_white = form.ending == ".tif" and said.inverted and said.honest
    if says_white and form.bits == 8:
        values = 255 - values  # Pillow turns these over itself when it is to say that 0 is white
    buffer, image = io.BytesIO(), Image.fromarray(values)
    options: dict[str, Any] = {}
    if form.ending == ".tif":
        tags = ImageFileDirectory_v2()
        if said.exif is not None:
            tags[ORIENTATION] = said.exif
        if says_white:
            tags[PHOTOMETRIC] = 0
        options["tiffinfo"] = tags
    elif said.exif is not None:
        exif = Image.Exif()
        exif[ORIENTATION] = said.exif
        options["exif"] = exif
    kind = {".tif": "TIFF", ".jpg": "JPEG"}.get(form.ending, form.ending[1:].upper())
    image.save(buffer, kind, **options, **({"quality": 97} if kind == "JPEG" else {}))
    return buffer.getvalue()
