"""Readers and writers of other packages: found when installed, used, and harmless when broken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch import outputs
from GrayscaleDetSegLib.batch.inputs import collect, plan
from GrayscaleDetSegLib.batch.writers import writers
from GrayscaleDetSegLib.core.errors import OutputError, RadiographError
from GrayscaleDetSegLib.core.radiograph import Radiograph, Source
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.reading.dicom import dataset_of
from GrayscaleDetSegLib.core.reading.readers import extensions, readers
from reading_files import dataset, dicom_bytes, phantom, pil_bytes, sample_files, write_dicom
from Testing.fakes import FakePipeline, result
from Testing.stranger_packages import install, installed

READER = """
    import numpy as np
    from GrayscaleDetSegLib.core.errors import RadiographError
    from GrayscaleDetSegLib.core.radiograph import Radiograph, Source

    class Raw:
        name, extensions = "FLAT", (".flat",)

        def recognises(self, head):
            return head.startswith(b"FLAT")

        def read(self, path, options):
            data = path.read_bytes()
            if b"torn" in data:
                raise RadiographError(f"{path.name} is torn; mend it.")
            if b"bug" in data:
                raise IndexError("a bug of theirs")
            if b"none" in data:
                return None
            from dataclasses import replace
            pixels = np.frombuffer(data[4:], np.uint8).reshape(24, 32)
            return replace(Radiograph.from_array(pixels), source=Source(path))
    """
WRITER = """
    class Csv:
        suffix, content = ".csv", "areas"

        def write(self, result, path):
            if result.radiograph.source and "torn" in str(result.radiograph.source):
                raise IndexError("a bug of theirs")
            path.write_text("".join(f"{item.name},{item.pixel_count}\\n" for item in result.objects))
    """
READERS, WRITERS = "grayscale_detseg.readers", "grayscale_detseg.writers"
GRAY = phantom()


@pytest.fixture
def stranger(tmp_path):
    """Both packages, installed."""
    folder = install(tmp_path / "site", "flat_files", READER, {READERS: {"flat": "flat_files:Raw"}})
    install(folder, "areas", WRITER, {WRITERS: {"csv": "areas:Csv"}})
    with installed(folder):
        yield folder


def test_no_kind_of_file_is_named_where_readers_are_chosen():
    code = Path(command.__file__).parents[1] / "core" / "reading" / "reader.py"
    assert "if kind" not in code.read_text(encoding="utf-8")


def test_every_built_in_reader_takes_its_own_files_alone(tmp_path):
    kinds = {"dcm": "DICOM", "png": "PNG", "jpg": "JPEG", "tif": "TIFF", "nrrd": "NRRD", "mha": "MetaImage",
             "nii": "NIfTI", "gz": "NIfTI"}
    for name, data in sample_files(tmp_path).items():
        takers = [reader.name for reader in readers().parts if reader.recognises(data[:4096])]
        assert takers == [kinds[name.rpartition(".")[2]]], name
    assert [name for name in ("a.NII.GZ", "a.dcm", "a.flat") if name.lower().endswith(extensions())] == [
        "a.NII.GZ", "a.dcm"]


def test_a_reader_of_another_package(stranger, tmp_path):
    path = tmp_path / "in" / "x.flat"
    path.parent.mkdir()
    path.write_bytes(b"FLAT" + GRAY.tobytes())
    image = read_radiograph(path)
    np.testing.assert_array_equal(image.pixels, GRAY)
    assert image.source.path == path
    found, problems = collect([path.parent])
    assert [each.path for each in found] == [path] and not problems
    assert str(plan(found, tmp_path)[0].name) == "x"
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(RadiographError, match="is a text file; choose .* or FLAT"):
        read_radiograph(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"torn", "is torn; mend it"),
        (b"bug", r"reader 'FLAT' of the package flat_files has failed \(IndexError: a bug of theirs\)"),
        (b"none", "has given no radiograph"),
    ],
)
def test_what_goes_wrong_in_their_reader_is_one_sentence(content, message, stranger, tmp_path):
    (tmp_path / "x.flat").write_bytes(b"FLAT" + content)
    with pytest.raises(RadiographError, match=message) as caught:
        read_radiograph(tmp_path / "x.flat")
    assert "\n" not in str(caught.value)


BROKEN = {
    "import": ("import nothing_of_this_name", "cannot be imported (ModuleNotFoundError"),
    "absent": ("x = 1", "cannot be imported (AttributeError"),
    "no name": ("class Raw:\n    extensions = ()", "it has no name"),
    "lacking": ("class Raw:\n    name, extensions = 'X', ()", "it lacks recognises and read"),
    "endings": (
        "class Raw:\n    name, extensions = 'X', '.x'\n    def recognises(self, head): pass\n    read = recognises",
        "its extensions are no tuple",
    ),
    "twice": (
        "class Raw:\n    name, extensions = 'PNG', ()\n    def recognises(self, head): return 1\n    read = recognises",
        "there is a reader called 'PNG' already",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_reader_is_one_sentence_and_the_others_go_on(how, tmp_path, capsys):
    code, message = BROKEN[how]
    folder = install(tmp_path / "site", "bad_files", code, {READERS: {"bad": "bad_files:Raw"}})
    install(folder, "flat_files", READER, {READERS: {"flat": "flat_files:Raw"}})
    (tmp_path / "x.flat").write_bytes(b"FLAT" + GRAY.tobytes())
    (tmp_path / "x.png").write_bytes(pil_bytes(GRAY, "PNG"))
    with installed(folder):
        (problem,) = readers().problems
        assert problem.startswith("The reader 'bad' of the package bad_files cannot be used: ") and message in problem
        for name in ("x.flat", "x.png"):
            np.testing.assert_array_equal(read_radiograph(tmp_path / name).pixels, GRAY)
        assert command.main(["segment", str(tmp_path / "x.png"), "--json", "-"], lambda *_: FakePipeline()) == 0
        assert problem in capsys.readouterr().err.splitlines()


def test_a_reader_that_breaks_on_other_kinds_takes_no_file(tmp_path):
    code = READER.replace('return head.startswith(b"FLAT")', "return head.no_such_thing")
    folder = install(tmp_path / "site", "flat_files", code, {READERS: {"flat": "flat_files:Raw"}})
    (tmp_path / "a.txt").write_text("text")
    with installed(folder), pytest.raises(RadiographError, match="text file"):
        read_radiograph(tmp_path / "a.txt")


# ---- writers


def test_a_writer_of_another_package(stranger, tmp_path, capsys):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.flat").write_bytes(b"FLAT" + GRAY.tobytes())
    assert command.main(["segment", str(tmp_path / "in"), "-o", str(tmp_path / "out")], lambda *_: FakePipeline()) == 0
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["x.csv", "x.json", "x.png", "x.seg.nrrd"]
    assert (tmp_path / "out" / "x.csv").read_text().startswith("right lung,")
    again, _ = collect([tmp_path / "out"], [writer.suffix for writer in writers().parts])
    assert again == [], "no result is an input"
    assert command.main(["segment", str(tmp_path / "in"), "-o", str(tmp_path / "out")], lambda *_: FakePipeline()) == 3


def test_their_file_is_one_of_those_that_are_not_overwritten(stranger, tmp_path):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    (tmp_path / "x.csv").write_text("mine")
    with pytest.raises(OutputError, match="x.csv exists already"):
        outputs.write(result(), tmp_path, Path("x"))
    assert (tmp_path / "x.csv").read_text() == "mine" and not (tmp_path / "x.json").exists()


def test_a_writer_that_fails_costs_its_own_file_alone(stranger, tmp_path, capsys):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    (tmp_path / "torn.png").write_bytes(pil_bytes(GRAY, "PNG"))
    arguments = ["segment", str(tmp_path / "torn.png"), "-o", str(tmp_path / "out")]
    assert command.main(arguments, lambda *_: FakePipeline()) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["torn.json", "torn.png", "torn.seg.nrrd"]
    complaints = capsys.readouterr().err
    assert "No .csv was written: the package areas has failed (IndexError: a bug of theirs)." in complaints


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("class Csv:\n    suffix, content = '../x', ''", "its suffix is no ending"),
        ("class Csv:\n    suffix, content = '.csv', ''", "it lacks content or write"),
        ("class Csv:\n    suffix, content = '.PNG', ''\n    def write(self, result, path): pass", "a writer of .PNG"),
        ("raise SystemError('no licence')", "SystemError: no licence"),
    ],
)
def test_a_broken_writer_is_one_sentence(code, message, tmp_path):
    folder = install(tmp_path / "site", "areas", code, {WRITERS: {"csv": "areas:Csv"}})
    with installed(folder):
        (problem,) = writers().problems
        assert message in problem and [each.suffix for each in writers().parts] == [".seg.nrrd", ".json", ".png"]


# ---- where a radiograph comes from


def test_the_source_of_a_dicom_file(tmp_path):
    tags = {"SeriesInstanceUID": "2.25.7", "StudyInstanceUID": "2.25.8", "PatientName": "Smith^Anna"}
    path = write_dicom(tmp_path / "a.dcm", GRAY, **tags)
    source = read_radiograph(path).source
    assert source == Source(path, "CR", "1.2.840.10008.5.1.4.1.1.1", "2.25.123", "2.25.7", "2.25.8",
                            "1.2.840.10008.1.2.1")
    assert pydicom.dcmread(source).PatientName == "Smith^Anna", "it can be opened like a path"
    assert dataset_of(source).PatientName == "Smith^Anna" and "PixelData" not in dataset_of(source)
    assert dataset_of(source, with_pixels=True).PixelData == GRAY.tobytes()
    assert not any(isinstance(value, pydicom.Dataset) for value in vars(source).values()), "it is not held"


def test_the_data_set_is_that_of_the_image_or_none(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GRAY)
    source = read_radiograph(path).source
    path.write_bytes(dicom_bytes(dataset(GRAY, SOPInstanceUID="2.25.999")))
    with pytest.raises(RadiographError, match="holds another image"):
        dataset_of(source)
    path.unlink()
    with pytest.raises(RadiographError, match="No such file"):
        dataset_of(source)
    (tmp_path / "a.png").write_bytes(pil_bytes(GRAY, "PNG"))
    picture = read_radiograph(tmp_path / "a.png").source
    assert picture == Source(tmp_path / "a.png")
    with pytest.raises(RadiographError, match="is no DICOM file"):
        dataset_of(picture)


def test_a_path_becomes_a_source():
    image = Radiograph.from_array(GRAY)
    assert image.source is None
    assert json.dumps(str(Radiograph(GRAY, image.mapping, source=Path("a.png")).source)) == '"a.png"'
