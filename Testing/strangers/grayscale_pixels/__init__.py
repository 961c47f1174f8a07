"""A method of somebody else: a network labels every pixel. It has weights in a model bundle, and explains nothing."""

from __future__ import annotations

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.methods.base import Method
from GrayscaleDetSegLib.core.regions import RegionMask

NETWORK = "label_pixels"


class Pixels(Method):
    """A label for every pixel, by a network of one layer."""

    name = "label-pixels"
    title = "Label per pixel"
    stages = {"labels": "Labelling pixels"}
    networks = (NETWORK,)
    needs_torch = True

    def __init__(self, network, classes: tuple[str, ...]) -> None:
        self.network, self._classes = network, classes

    @property
    def classes(self):
        return self._classes

    @classmethod
    def from_bundle(cls, bundle, device):
        classes = tuple(bundle.network(NETWORK)["config"]["classes"])
        return cls(bundle.load_into(build(len(classes)), NETWORK).to(device), classes)

    def segment(self, radiograph, regions, stopwatch):
        import torch

        with stopwatch("labels"), torch.inference_mode():
            gray = torch.from_numpy(radiograph.gray()[None, None] / 255.0)
            inside = self.network(gray)[0].cpu().numpy() > 0.0
        parts = []
        for region in regions.found:
            window = boxes.pixel_slices(region.roi, radiograph.shape)
            parts.append(RegionMask(region, region.roi, inside[self._classes.index(region.label)][window]))
        return parts


def build(classes: int):
    """The network: brightness in, a score for each class out."""
    import torch

    return torch.nn.Sequential(torch.nn.Conv2d(1, classes, 1))
