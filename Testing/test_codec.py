"""Values to plain ones and back, to the bit; and what cannot be stored, or is no such document, is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.core import codec
from GrayscaleDetSegLib.core.explain import Stability
from GrayscaleDetSegLib.core.explanations.base import Explanation, UnknownExplanation
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.explanations.thresholds import ThresholdRule
from GrayscaleDetSegLib.core.schemas import schema_of
from GrayscaleDetSegLib.core.types import Box2D, Interval, Share


@dataclass(frozen=True)
class Sample:
    """One of everything.

    Parameters
    ----------
    number, share : float
        Two numbers.
    box : Box2D or None
        A box.
    """

    number: float
    share: Share
    box: Box2D | None
    texts: tuple[str, ...]
    pair: tuple[int, bool]
    times: dict[str, float]
    interval: Interval
    explanation: Explanation | None = None
    hidden: Any = field(default=None, metadata={"stored": False})


def sample(**fields) -> Sample:
    given_fields = {
        "number": 0.1, "share": 1.0, "box": Box2D(0.5, 1.0, 2.0, 3.25), "texts": ("a", "ä"), "pair": (3, True),
        "times": {"masks": 0.5}, "interval": Interval(-np.inf, 3.5),
    }  # fmt: skip
    return Sample(**{**given_fields, **fields})


def through_text(value, exact=True):
    return json.loads(json.dumps(codec.encode(value, exact), allow_nan=False))


@settings(deadline=None)
@given(number=st.floats(allow_nan=False, allow_infinity=False), texts=st.lists(st.text()).map(tuple), box=st.booleans())
def test_there_and_back(number, texts, box):
    before = sample(number=number, texts=texts, box=Box2D(0, 1, 2, 3) if box else None)
    assert codec.decode(Sample, through_text(before)) == before


def test_open_ends_are_null_and_the_field_that_is_not_stored_is_given():
    plain = through_text(sample(hidden=object()))
    assert plain["interval"] == {"bottom": None, "top": 3.5} and "hidden" not in plain
    assert codec.decode(Sample, plain, hidden=7).hidden == 7
    assert codec.decode(Sample, {**plain, "later": 1}) == sample(), "what a later version adds is left out"


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_arrays_come_back_to_the_bit(seed):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 6, 2))
    before = ThresholdMap((0.0, 1.0, 5.0, 6.0), *random.normal(100, 80, (2, *shape)), bottom=1.5, reach=(1.0, 2.0))
    after = codec.decode(ThresholdMap, through_text(before))
    assert (after.low.tobytes(), after.high.tobytes()) == (before.low.tobytes(), before.high.tobytes())
    assert (after.roi, after.bottom, after.top, after.reach) == (before.roi, 1.5, 0.0, (1.0, 2.0))
    read = codec.decode(ThresholdMap, through_text(before, exact=False))
    assert max(np.abs(a - b).max() for a, b in zip(read.cells, before.cells)) < 0.051 and read.bottom == 0.0


def test_the_readable_form_says_what_follows():
    assert codec.encode(Stability(0.25, 0.5), exact=False) == {"bottom": 0.25, "top": 0.5, "value": 0.25}
    assert codec.encode(Stability(0.25, 0.5)) == {"bottom": 0.25, "top": 0.5}


@pytest.mark.parametrize("value", [object(), {1: 2}, float("nan"), np.array(["a"]), [object()]])
def test_what_has_no_plain_form(value):
    with pytest.raises(codec.CodecError):
        codec.encode(value)


@pytest.mark.parametrize("change", [
    {"number": "1"}, {"number": True}, {"box": [0, 1, 2, 3]}, {"box": {"x0": 0.0}}, {"texts": "ab"}, {"pair": [1]},
    {"times": []}, {"interval": None}, {"explanation": {"rule": 1}}, {"explanation": {"kind": "thresholds"}},
])  # fmt: skip
def test_what_is_no_such_document(change):
    with pytest.raises(codec.CodecError):
        codec.decode(Sample, {**through_text(sample()), **change})


@pytest.mark.parametrize("change", [
    {"shape": [100000, 100000]}, {"shape": [2, 3]}, {"shape": [-1, 2]}, {"dtype": "O"}, {"data": "AAAA"}, {"data": ""},
])  # fmt: skip
def test_an_array_of_somebody_else_is_taken_for_no_more_than_it_says(change):
    plain = codec.encode(ThresholdMap((0, 0, 1, 1), np.zeros((2, 2)), np.ones((2, 2))))
    plain["low"] = {**plain["low"], **change}
    with pytest.raises(codec.CodecError):
        codec.decode(ThresholdMap, plain)


def test_an_explanation_that_nobody_knows_is_kept_as_it_is():
    stored = {"kind": "of somebody", "map": [1, 2], "deep": {"a": None}}
    before = codec.decode(Sample, {**through_text(sample()), "explanation": stored})
    assert before.explanation == UnknownExplanation("of somebody", stored)
    assert through_text(before)["explanation"] == stored


@dataclass(frozen=True)
class Good:
    kind: ClassVar[str] = "good"
    value: float


@dataclass(frozen=True)
class Bad:
    kind: ClassVar[str] = "bad"
    value: Any


class NoDataclass:
    kind = "none"


def test_what_can_be_stored():
    codec.check_storable(None)
    codec.check_storable(Good(1.0))
    for wrong in (Bad(object()), Good("text"), NoDataclass(), ThresholdRule.of_interval((0, 0, 1, 1), 1, 2), 3):
        with pytest.raises(codec.CodecError):
            codec.check_storable(wrong)


def test_a_schema_takes_its_words_from_the_docstrings():
    schema = schema_of(Sample, "A sample")
    assert (schema["title"], schema["description"]) == ("A sample", "One of everything.")
    limits = {"type": "number", "minimum": 0, "maximum": 1}
    assert schema["properties"]["share"] == {"description": "Two numbers.", **limits}
    box = schema["properties"]["box"]
    assert box["anyOf"] == [{"$ref": "#/$defs/Box2D"}, {"type": "null"}] and box["description"] == "A box."
    assert schema["$defs"]["Interval"]["properties"]["bottom"] == {"type": ["number", "null"]}
