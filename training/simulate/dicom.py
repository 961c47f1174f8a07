"""The sample radiograph: a simulated knee as a DICOM CR file, and the truth about it beside it.

The same call writes the same bytes: all identifiers come from fixed words, and no clock is asked.
"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from ..files import write_aside
from .anatomies import ANATOMIES
from .nrrd import nrrd
from .scene import View
from .simulation import Simulation, acquire

SAMPLE_SHAPE = (928, 768)
SAMPLE_SPACING = 0.16  # mm
SAMPLE_SEED = 12
NOTICE = "SIMULATED radiograph from analytic bodies. Not a patient. Not for diagnosis."


def sample_simulation(shape: tuple[int, int] = SAMPLE_SHAPE) -> Simulation:
    """The simulated knee of the sample files: a right knee, 928 x 768 px of 0.16 mm, or other pixels of the same."""
    spec = ANATOMIES["knee"]
    look = replace(spec.look, quanta=(30000, 30001), flatten=(0.4, 0.45), sharpen=(0.5, 0.6), middle=(0.5, 0.55),
                   scatter=(0.2, 0.25), collimated=0.0, marker=1.0)  # fmt: skip
    rng = np.random.default_rng(SAMPLE_SEED)
    scene = spec.build(rng)
    row, column = (SAMPLE_SPACING * SAMPLE_SHAPE[axis] / shape[axis] for axis in (0, 1))
    view = View(shape, (0.0, -6.0), (row, column), degrees=3.0)
    return acquire(scene, view, replace(spec, look=look, mirror=True), rng)


def _uid(word: str) -> str:
    return generate_uid(entropy_srcs=["GrayscaleDetSeg simulated sample", word])


def dicom_file(simulation: Simulation, anatomy: str, orientation: tuple[str, str] = ("L", "F")) -> bytes:
    """A DICOM CR file of a simulation: MONOCHROME2, 12 bit in 16, explicit little endian.

    Parameters
    ----------
    anatomy : str
        Upper case, for example KNEE.
    orientation : tuple of 2 str
        Where the rows and columns run to on the patient.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(f"{anatomy} instance")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _uid("implementation")
    meta.ImplementationVersionName = "GDS_SIMULATE_1"
    data = FileDataset(None, Dataset(), file_meta=meta, preamble=b"\0" * 128)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageType = ["DERIVED", "SECONDARY"]
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = "20000101"
    data.StudyTime = data.SeriesTime = data.AcquisitionTime = data.ContentTime = "120000"
    data.AccessionNumber, data.ReferringPhysicianName = "", ""
    data.Modality, data.Manufacturer = "CR", "GrayscaleDetSeg simulator"
    data.StudyDescription = f"SIMULATED {anatomy}"
    data.SeriesDescription = f"SIMULATED {anatomy} AP"
    data.PatientName, data.PatientID = f"SIMULATED^{anatomy}", "SIMULATED"
    data.PatientBirthDate, data.PatientSex = "", "O"
    data.PatientIdentityRemoved, data.DeidentificationMethod = "YES", "simulated, there is no patient"
    data.BodyPartExamined, data.KVP, data.ViewPosition = anatomy, "60", "AP"
    data.ImagerPixelSpacing = [f"{step:g}" for step in simulation.spacing]
    data.StudyInstanceUID, data.SeriesInstanceUID = _uid(f"{anatomy} study"), _uid(f"{anatomy} series")
    data.StudyID, data.SeriesNumber, data.InstanceNumber = "1", "1", "1"
    data.PatientOrientation = list(orientation)
    data.ImageLaterality = "L" if simulation.metadata.get("mirrored") else "R"
    data.ImageComments = NOTICE
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = simulation.pixels.shape
    data.PixelSpacing = data.ImagerPixelSpacing
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.BurnedInAnnotation = "NO"
    data.WindowCenter, data.WindowWidth = "2048", "4096"
    data.PixelData = np.ascontiguousarray(simulation.pixels, "<u2").tobytes()
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def nrrd_file(simulation: Simulation) -> bytes:
    """A compressed NRRD file of the label map (uint8), placed as ITK places the DICOM file of the same simulation."""
    names = ", ".join(f"{value} {name}" for name, value in simulation.labels.items())
    comment = "SIMULATED: exact label map of a simulated radiograph"
    return nrrd(simulation.label_map, simulation.spacing, comment, {"labels_in_this_file": names})


def write_sample(directory: Path) -> list[Path]:
    """Write knee.dcm, knee_labels.nrrd and labels.json; returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    simulation = sample_simulation()
    contents = {
        "knee.dcm": dicom_file(simulation, "KNEE"),
        "knee_labels.nrrd": nrrd_file(simulation),
        "labels.json": (json.dumps(simulation.labels, indent=1) + "\n").encode(),
    }
    for name, content in contents.items():
        write_aside(directory / name, content)
    return [directory / name for name in contents]
