"""Reading of radiographs: DICOM, PNG, JPEG, TIFF, NRRD, MetaImage and NIfTI files to one bone-bright Radiograph."""

from .info import describe, describe_text
from .reader import read_radiograph

__all__ = ["describe", "describe_text", "read_radiograph"]
