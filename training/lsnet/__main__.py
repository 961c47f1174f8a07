"""Training of L-SNet, on radiographs or on slices of volumes.

    python -m training.lsnet --data ../shared/data --config training/configs/lsnet/knee.toml --output runs/lsnet

The configuration decides: with a table ``[target]`` the sets hold volumes, see ``training.volumes``; without, they are
labelled radiographs. ``[pretrained]`` names files of weights for the encoders, ``locator`` and ``segmenter``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import tomllib

from GrayscaleDetSegLib.core.lsnet.networks import Networks
from GrayscaleDetSegLib.core.lsnet.settings import LAYOUTS, LSNetConfig, LSNetSettings

from ..augmentation import AugmentationSettings
from ..baselines.training import AUGMENTATION, WholeImageDataset
from ..imagenet import load_encoder
from ..runs import Run, RunError, command
from ..runs.record import say
from ..volumes.data import LEAST
from ..volumes.run import VolumeRun
from .data import EMPTY, SLICES, LocatedDataset, SlicesDataset, collate
from .training import CLIP, LSNetTraining, RadiographValidation, SlicesValidation, StepSettings

MODULE = "training.lsnet"


def understood(make: Any, table: str, content: dict[str, Any]) -> Any:
    """What a table of the configuration says; RunError where it cannot be."""
    unknown = [key for key in content if key not in {each.name for each in fields(make)}]
    if unknown:
        raise RunError(f"The table [{table}] of the configuration knows no '{unknown[0]}'; check its name.")
    try:
        return make(**content)
    except (TypeError, ValueError) as error:
        raise RunError(f"The table [{table}] of the configuration cannot be used: {error}.") from error


def run_of(description: str, arguments: list[str] | None) -> Run:
    """The run that is ordered, on radiographs or on volumes."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config", type=Path)
    path = parser.parse_known_args(arguments)[0].config
    if path is not None and not path.is_file():
        raise RunError(f"There is no configuration {path}; check the path.")
    try:
        of_volumes = path is not None and "target" in tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RunError(f"The configuration {path} is no TOML file: {error}.") from error
    run: Run = (VolumeRun if of_volumes else Run).of(MODULE, description, arguments)
    if run.machine.processes > 1 or run.machine.precision == "16":
        raise RunError("L-SNet is trained by one process, with 32 bits or bf16; change --devices or --precision.")
    if isinstance(run, VolumeRun) and run.target is not None and run.target.within is not None:
        raise RunError("L-SNet is not trained for what lies within something else; leave out 'within'.")
    return run


def config_of(run: Run) -> LSNetConfig:
    """The networks that a run trains: a class for the target, or for each label that the sets have."""
    given = dict(run.settings.get("network", {}))
    if isinstance(run, VolumeRun):
        given["classes"] = (run.target.label,)
    elif "classes" not in given:
        given["classes"] = tuple(dict.fromkeys(label for case in run.training_cases() for label in case.labels))
    return understood(LSNetConfig, "network", given)


def settings_of(run: Run) -> LSNetSettings:
    """How the networks of a run are used."""
    return understood(LSNetSettings, "settings", run.settings.get("settings", {}))


def images_of(run: Run, config: LSNetConfig, settings: LSNetSettings, side: int) -> Any:
    """The train part of a run as squares of `side` px, a data set of `WholeImageSample`."""
    given, seed = run.settings.get("augmentation", {}), run.settings["seed"]
    own = run.settings.get("training", {})
    base = SLICES if isinstance(run, VolumeRun) else AUGMENTATION
    augmentation = understood(AugmentationSettings, "augmentation", {**vars(base), **given})
    if isinstance(run, VolumeRun):
        return SlicesDataset(
            run.prepared("train"), settings.views, side, augmentation, seed, own.get("least", LEAST),
            own.get("empty", EMPTY),
        )  # fmt: skip
    cases = [case for case in run.training_cases() if set(case.labels) & set(config.classes)]
    return WholeImageDataset(cases, config.classes, augmentation, seed, side)


def pretrained(run: Run, networks: Networks) -> None:
    """Start encoders from the files that the configuration names; what is of no use in them is said."""
    for part, file in run.settings.get("pretrained", {}).items():
        if part not in ("locator", "segmenter"):
            raise RunError(f"The table [pretrained] names 'locator' and 'segmenter', not '{part}'.")
        layout = getattr(networks.config, part)
        if LAYOUTS[layout].colours != 3:
            raise RunError(f"The layout '{layout}' has no pretrained weights; choose resnet18 or resnet34.")
        say(f"{part}: {load_encoder(getattr(networks, part).encoder, Path(file)).text}")


def describe(run: Run, config: LSNetConfig) -> None:
    """Write ``network.json``: all that a bundle says of these networks."""
    content = {
        "method": "lsnet", "config": config.to_dict(), "settings": run.settings.get("settings", {}),
        "sets": run.settings["sets"],
    }  # fmt: skip
    if isinstance(run, VolumeRun):
        what = "L-Net, which locates it in slices, and S-Net, which segments it there"
        content |= {"label": run.target.label, "volume": run.settings.get("volume", {}), "what": what}
    run.describe(content)


def train(run: Run) -> Networks:
    """Train to the end of the schedule; the networks, in evaluation mode."""
    config, settings = config_of(run), settings_of(run)
    own = {key: value for key, value in run.settings.get("training", {}).items() if key not in ("least", "empty")}
    steps = understood(StepSettings, "training", own)
    networks = Networks(config)
    if not run.start:
        pretrained(run, networks)
    describe(run, config)
    dataset = LocatedDataset(images_of(run, config, settings, config.source))
    say(f"{len(dataset)} {'slices' if isinstance(run, VolumeRun) else 'radiographs'} show {', '.join(config.classes)}")
    loader = run.loader(dataset, collate)
    module = LSNetTraining(networks, run.stages, len(loader), steps, settings.margin)
    every, most = run.settings["validate_every"], run.settings.get("validate_with")
    if isinstance(run, VolumeRun):
        validation: Any = SlicesValidation(run.prepared("val", most), settings, every)
    else:
        validation = RadiographValidation(run.validation_cases()[:most], settings, every)
    run.fit(module, loader, validation, CLIP, quiet=True)
    run.end()
    return module.network


@command
def main(arguments: list[str] | None = None) -> int:
    train(run_of(__doc__, arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
