"""A change of a result that fails, or is interrupted, costs no state that undo could bring back, and leaves none."""

from __future__ import annotations

import pytest

from GrayscaleDetSegLib.logic import following, history
from Testing.rigged import Bench

pytest.importorskip("slicer", reason="slicer-core is not installed")


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_change_that_fails_pushes_no_state_out(error, scene, monkeypatch):
    bench = Bench(scene)
    bench.paint()
    oldest = bench.mask("femur").tobytes()
    for number in range(history.STATES):
        bench.space.remember(bench.node)
        bench.paint(rows=(10 + number, 12 + number))
    before = {each: bench.mask(each).tobytes() for each in bench.segments()}

    def fail(*_, **__):
        raise error("no")

    with monkeypatch.context() as patch:
        patch.setattr(following.table, "fill_table", fail)
        with pytest.raises(error):
            bench.show(bench.node)
    assert {each: bench.mask(each).tobytes() for each in bench.segments()} == before
    assert sum(bench.space.undo(bench.node) for _ in range(history.STATES + 1)) == history.STATES
    assert bench.mask("femur").tobytes() == oldest
