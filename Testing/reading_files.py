"""Small image files of every kind the reader takes, made from one asymmetric phantom."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
DICOM = SHARED / "data" / "dicom"

IMPLICIT, EXPLICIT, DEFLATED, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", \
    "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
JPEG_BASELINE, JPEG_LOSSLESS, JPEG_LOSSLESS_SV1 = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 57, 70))
J2K_LOSSLESS, J2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"


def phantom(rows: int = 24, columns: int = 32, top: int = 255, dtype=np.uint8) -> np.ndarray:
    """A slope with a bright L in it, from 0 to `top`: no symmetry of the rectangle maps it to itself."""
    y, x = np.mgrid[:rows, :columns]
    image = (2 * x + 3 * y) / (2 * columns + 3 * rows) * 0.6
    image[3:rows - 6, 4:8] = 0.8
    image[rows - 9:rows - 6, 4:columns // 2] = 0.9
    image[-1, -1] = 1.0
    return np.rint(image * top).astype(dtype)


def dataset(pixels: np.ndarray, syntax: str = EXPLICIT, bits: int | None = None, **tags) -> Dataset:
    """A CR data set of integer `pixels` (rows, columns[, 3]); `tags` replace or (None) remove what it says."""
    result = Dataset()
    result.file_meta = FileMetaDataset()
    result.file_meta.TransferSyntaxUID = UID(syntax)
    result.file_meta.MediaStorageSOPClassUID = result.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID = "2.25.123"
    result.Modality = "CR"
    result.Rows, result.Columns = pixels.shape[:2]
    result.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    result.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        result.PlanarConfiguration = 0
    result.BitsAllocated = 8 * pixels.dtype.itemsize
    result.BitsStored = bits or result.BitsAllocated
    result.HighBit = result.BitsStored - 1
    result.PixelRepresentation = int(pixels.dtype.kind == "i")
    if syntax == BIG and pixels.dtype.itemsize > 1:
        pixels = pixels.astype(pixels.dtype.newbyteorder(">"))
    result.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    result["PixelData"].VR = "OW" if result.BitsAllocated > 8 else "OB"
    for keyword, value in tags.items():
        if value is None:
            delattr(result, keyword)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                setattr(result, keyword, value)
    return result


def encapsulated(pixels: np.ndarray, syntax: str, stream: bytes, **tags) -> Dataset:
    """The same with the code stream of one frame for pixel data."""
    result = dataset(pixels, syntax, **tags)
    result.PixelData = encapsulate([stream])
    result["PixelData"].VR = "OB"
    result["PixelData"].is_undefined_length = True
    return result


def dicom_bytes(source: Dataset) -> bytes:
    """The file of a data set."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(buffer, source, enforce_file_format=True)
    return buffer.getvalue()


def write_dicom(path: Path, pixels: np.ndarray, syntax: str = EXPLICIT, bits: int | None = None, **tags) -> Path:
    """Write a CR file; RLE is compressed on the way."""
    source = dataset(pixels, EXPLICIT if syntax == RLE else syntax, bits, **tags)
    if syntax == RLE:
        source.compress(RLE, generate_instance_uid=False)
    path.write_bytes(dicom_bytes(source))
    return path


def lossless_stream(pixels: np.ndarray, folder: Path, compressor: str) -> bytes:
    """A JPEG lossless ("JPEG") or JPEG 2000 ("JPEG2000") code stream of `pixels`, written by GDCM."""
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(folder / "stream.dcm"))
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.Execute(sitk.GetImageFromArray(pixels))
    from pydicom.encaps import generate_frames

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = pydicom.dcmread(folder / "stream.dcm")
        return next(generate_frames(written.PixelData, number_of_frames=1))


def pil_bytes(pixels: np.ndarray, kind: str, mode: str | None = None, **options) -> bytes:
    """An image file by Pillow."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def write_itk(path: Path, pixels: np.ndarray, spacing=None, origin=None, direction=None, *, vector: bool = False,
              compressed: bool = False) -> Path:
    """An ITK file; `pixels` in numpy's axis order."""
    image = sitk.GetImageFromArray(pixels, isVector=vector)
    if spacing is not None:
        image.SetSpacing(spacing)
    if origin is not None:
        image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction)
    sitk.WriteImage(image, str(path), compressed)
    return path


def sample_files(folder: Path) -> dict[str, bytes]:
    """One valid file of every kind, by the ending of its name."""
    gray, deep = phantom(), phantom(top=4095, dtype=np.uint16)
    write_dicom(folder / "rle.dcm", deep, RLE, bits=12)
    files = {
        "explicit.dcm": dicom_bytes(dataset(deep, bits=12, PhotometricInterpretation="MONOCHROME1",
                                            PixelSpacing=[0.2, 0.1], WindowCenter=2000, WindowWidth=3000)),
        "implicit.dcm": dicom_bytes(dataset(deep, IMPLICIT, bits=12)),
        "deflated.dcm": dicom_bytes(dataset(deep, DEFLATED, bits=12)),
        "rle.dcm": (folder / "rle.dcm").read_bytes(),
        "baseline.dcm": dicom_bytes(encapsulated(gray, JPEG_BASELINE, pil_bytes(gray, "JPEG", quality=95))),
        "lossless.dcm": dicom_bytes(encapsulated(deep, JPEG_LOSSLESS_SV1, lossless_stream(deep, folder, "JPEG"))),
        "j2k.dcm": dicom_bytes(encapsulated(deep, J2K_LOSSLESS, lossless_stream(deep, folder, "JPEG2000"))),
        "gray.png": pil_bytes(gray, "PNG"),
        "deep.png": pil_bytes(deep, "PNG"),
        "gray.jpg": pil_bytes(gray, "JPEG", quality=90),
        "progressive.jpg": pil_bytes(gray, "JPEG", quality=90, progressive=True),
        "gray.tif": pil_bytes(gray, "TIFF"),
        "lzw.tif": pil_bytes(deep, "TIFF", compression="tiff_lzw"),
    }
    for name in ("plain.nrrd", "plain.mha", "plain.nii", "packed.nrrd", "packed.mha", "packed.nii.gz"):
        write_itk(folder / name, deep[None], (0.2, 0.3, 1.0), compressed=name.startswith("packed"))
        files[name] = (folder / name).read_bytes()
    return files
