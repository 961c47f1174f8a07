"""The module's simulated radiographs for Slicer's Sample Data module. They are files of this module; no network is
needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from slicer.i18n import tr as _

CATEGORY = "Grayscale Detection Segmentation"
"""The title of the module."""

RESOURCES = Path(__file__).resolve().parents[2] / "Resources"


@dataclass(frozen=True)
class Sample:
    """A sample radiograph.

    Parameters
    ----------
    name : str
        Name of the file and of the node.
    title : str
        Name in Sample Data. It is not translated, because scripts use it.
    sha256 : str
        Checksum of the file. Sample Data replaces the copy in its cache if the checksum differs.
    """

    name: str
    title: str
    sha256: str

    @property
    def file(self) -> Path:
        """The compressed NRRD file."""
        return RESOURCES / "Samples" / f"{self.name}.nrrd"

    @property
    def thumbnail(self) -> Path:
        """The PNG file of the thumbnail."""
        return RESOURCES / "Icons" / f"Sample{self.name.title().replace('_', '')}.png"


SAMPLES = (
    Sample("knee", "Simulated knee", "e4bf8fe595bf0d264ea5b2b2f4cb373f3f82710d9a7399e0437fbc4a70502aba"),
    Sample("chest", "Simulated chest", "5498f325f1f10181820029c7c874509c9a8b7c4f2c4c6a3f0561262e9fef9716"),
    Sample("leg", "Simulated leg", "cf1de69878265a239eeb1e8f7e4733c391d4706ef9965b997108ec27e5167fe9"),
    Sample("both_knees", "Simulated both knees", "d4abceee76cbea50bb7814f65181ffaeb7ee2c1163eea0a8b94959a8e87f0747"),
    Sample("hand", "Simulated hand", "54c7bdb0ba9a1d256b66089476b2c5557ab5ef1b425539c5a2585197273f8a11"),
    Sample("pelvis", "Simulated pelvis", "87b9fd16c47168f27ff6c2f40f4a0a9cdec940319a4696c8a3bc30783d6e96ec"),
)


def register() -> None:
    """Register the samples with Sample Data. Repeated calls change nothing.

    Connect it to the signal startupCompleted of ``slicer.app``, and call it if the module is loaded later. Without the
    module Sample Data, it does nothing.
    """
    try:
        from SampleData import SampleDataLogic
    except ImportError:
        return
    if hasattr(SampleDataLogic, "registerCustomSampleDataCategory"):  # where categories can have translated titles
        SampleDataLogic.registerCustomSampleDataCategory(CATEGORY, title=_("Grayscale Detection Segmentation"))
    for sample in SAMPLES:
        SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=sample.title,
            uris=uri(sample.file),
            fileNames=f"GrayscaleDetSeg-{sample.file.name}",
            nodeNames=sample.title,
            checksums=f"SHA256:{sample.sha256}",
            loadFileTypes="VolumeFile",
            thumbnailFileName=str(sample.thumbnail),
        )


def uri(path: PurePath) -> str:
    """The file URI of a path for urllib, which accepts a network share only without a host (file:////server/share)."""
    address = path.as_uri()
    return address if address.startswith("file:///") else address.replace("file://", "file:////", 1)
