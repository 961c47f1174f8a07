"""Files of weights: read by ourselves, as the package safetensors reads them; damaged ones end in one sentence."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.tensor_files import read_tensors
from GrayscaleDetSegLib.core.weights import MANIFEST, Bundle, shipped_bundle

TENSORS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "a": np.float16([0.5, -65504.0, 6e-8]),
    "count": np.array(7, np.int64),
    "odd": np.arange(5, dtype=np.uint8),
    "yes": np.array([True, False, True]),
    "double": np.array([[1e300]]),
    "none": np.zeros((0, 4), np.float32),
}


def same(one, other) -> None:
    assert set(one) == set(other)
    for name, values in one.items():
        assert values.dtype == other[name].dtype and values.shape == other[name].shape
        np.testing.assert_array_equal(values, other[name])


def test_we_read_what_the_package_safetensors_writes():
    same(read_tensors(save(TENSORS)), TENSORS)
    same(read_tensors(save(TENSORS, {"a note": "of its maker"})), TENSORS)
    same(read_tensors(save({})), {})


def test_bfloat16_is_read():
    values = np.float32([1.0, -2.5, 3.140625, 0.0])  # which need no more bits
    data = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    np.testing.assert_array_equal(read_tensors(packed({"x": entry("BF16", [4], 0, 8)}, data))["x"], values)


@pytest.mark.parametrize("path", sorted(shipped_bundle().glob("*.safetensors")), ids=lambda path: path.stem)
def test_shipped_weights_are_read_as_the_package_reads_them(path):
    data = path.read_bytes()
    ours, theirs = read_tensors(data), load(data)
    same(ours, theirs)
    if path.stem != "refinement":
        assert {values.dtype.name for values in ours.values()} <= {"float16", "int64"}, "half precision on disk"


def entry(kind: str, shape: list, start: int, end: int) -> dict:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


def packed(header, content: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + content


GOOD = entry("F32", [2], 0, 8)
BAD = {
    "nothing": (b"", "ends before its header"),
    "seven bytes": (b"1234567", "ends before its header"),
    "a longer header": (packed({"x": GOOD}, bytes(8), 10_000), "header is longer than the file"),
    "an endless header": (packed({}, length=2**63), "header is longer than the file"),
    "no JSON": (packed(b"{'x'}"), "header is no JSON"),
    "deep JSON": (packed(b"[" * 100_000), "header is no JSON"),
    "a list": (packed([1]), "no list of tensors"),
    "no offsets": (packed({"x": {"dtype": "F32", "shape": [2]}}, bytes(8)), "does not say what the tensor 'x' is"),
    "a text": (packed({"x": "F32"}, bytes(8)), "does not say what the tensor 'x' is"),
    "an unknown type": (packed({"x": entry("F8_E4M3", [8], 0, 8)}, bytes(8)), "type 'F8_E4M3', which is not known"),
    "a type that is none": (packed({"x": entry(["F32"], [2], 0, 8)}, bytes(8)), r"of the type \['F32'\]"),
    "a negative size": (packed({"x": entry("F32", [-2], 0, 8)}, bytes(8)), "does not say what the tensor 'x' is"),
    "half an offset": (packed({"x": entry("F32", [2], 0.0, 8.0)}, bytes(8)), "does not say what the tensor 'x' is"),
    "beyond the end": (packed({"x": entry("F32", [2], 4, 12)}, bytes(8)), "'x' lies outside of the file"),
    "backwards": (packed({"x": entry("F32", [0], 8, 4)}, bytes(8)), "'x' lies outside of the file"),
    "too few bytes": (packed({"x": entry("F32", [3], 0, 8)}, bytes(8)), "more or fewer bytes than its shape needs"),
    "a huge shape": (packed({"x": entry("F32", [2**40, 2**40], 0, 8)}, bytes(8)), "more or fewer bytes than its shape"),
    "overlapping": (packed({"x": GOOD, "y": entry("F32", [2], 4, 12)}, bytes(12)), "'x' and 'y' overlap"),
    "a rest": (packed({"x": GOOD}, bytes(9)), "bytes that belong to no tensor"),
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_files_are_refused_in_one_sentence(case, tmp_path):
    data, reason = BAD[case]
    with pytest.raises(ValueError, match=reason):
        read_tensors(data)
    with pytest.raises(WeightsError, match=reason) as caught:
        bundle_of(tmp_path, data).arrays("x")
    assert "\n" not in str(caught.value) and str(tmp_path / "x.safetensors") in str(caught.value)


def bundle_of(folder, data: bytes) -> Bundle:
    (folder / "x.safetensors").write_bytes(data)
    entries = {"x": {"file": "x.safetensors", "sha256": hashlib.sha256(data).hexdigest()}}
    (folder / MANIFEST).write_text(json.dumps({"format": 1, "networks": entries}), encoding="utf-8")
    return Bundle.open(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value, tmp_path):
    bundle = bundle_of(tmp_path, save({"a": np.float16([1.0, value]), "b": np.float16([1.0])}))
    with pytest.raises(WeightsError, match="its tensor 'a' holds values that are no finite numbers"):
        bundle.arrays("x")


def test_arrays_are_single_precision_whatever_the_file_holds(tmp_path):
    found = bundle_of(tmp_path, save(TENSORS | {"double": np.array([0.25])})).arrays("x")
    assert {values.dtype.name for values in found.values() if values.dtype.kind == "f"} == {"float32"}
    assert found["count"] == 7 and found["a"][0] == 0.5
