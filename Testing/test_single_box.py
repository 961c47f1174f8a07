"""The 3D detector of the single box: anchors, proposals, refinement, suppression."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.single_box.detector import BoxDetector, BoxSettings
from Testing.pipelines import radiograph
from training.networks import PointNet, PointNetConfig

ANCHORS = AnchorConfig(16, (4, 8), 2)


def box_detector(**settings) -> BoxDetector:
    torch.manual_seed(0)
    network = PointNet(PointNetConfig(("femur", "tibia"), 0.125)).eval()
    weights = {
        "femur": np.zeros((network.pooled_features + 1, 2)),
        "tibia": np.vstack([np.zeros((network.pooled_features, 2)), [[0.25, np.log(0.5)]]]),
    }
    return BoxDetector(network, ANCHORS, weights, BoxSettings(side=12, **settings))


ROI = (14.0, 8.0, 68.0, 48.0)


@pytest.mark.parametrize("separate", [False, True])
def test_the_best_anchor_of_the_class_is_the_proposal(separate):
    detector, gray = box_detector(separate=separate), radiograph().gray()
    scores, pooled = detector.anchor_scores(gray, ROI)
    assert scores.shape == (len(ANCHORS.intervals()), 3) and len(pooled) == len(scores)
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    for column, label in ((1, "femur"), (2, "tibia")):
        best = int(scores[:, column].argmax())
        found = detector.detect(gray, ROI, label)
        assert found.score == pytest.approx(scores[best, column])
        assert found.proposal == pytest.approx(tuple(ANCHORS.boxes(ROI)[best]))


def test_the_proposal_is_refined_by_the_map_of_its_class():
    detector, gray = box_detector(), radiograph().gray()
    femur, tibia = (detector.detect(gray, ROI, label) for label in ("femur", "tibia"))
    assert femur.box == pytest.approx(femur.proposal)
    low, high = tibia.proposal[2], tibia.proposal[5]
    centre, width = (low + high) / 2 + 0.25 * (high - low), 0.5 * (high - low)
    expected = np.clip([centre - width / 2, centre + width / 2], 0, 255)
    assert (tibia.box[2], tibia.box[5]) == pytest.approx(tuple(expected))
    assert tibia.box[:2] + tibia.box[3:5] == (*ROI[:2], *ROI[2:])


def test_proposals_survive_suppression_best_first():
    detector, gray = box_detector(suppression=0.3), radiograph().gray()
    found = detector.proposals(gray, ROI, "femur")
    assert found[0] == detector.detect(gray, ROI, "femur") and len(found) > 2
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    corners = np.array([item.proposal for item in found])
    overlaps = boxes.iou(corners[:, None], corners[None]) - np.eye(len(corners))
    assert overlaps.max() <= 0.3


def test_the_same_seed_gives_the_same_box_and_unknown_classes_are_refused():
    gray = radiograph().gray()
    assert box_detector().detect(gray, ROI, "femur") == box_detector().detect(gray, ROI, "femur")
    with pytest.raises(KeyError, match="teeth"):
        box_detector().detect(gray, ROI, "teeth")
