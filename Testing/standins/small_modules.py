"""Small modules: `slicer.i18n`, `slicer.packaging` and `SampleData`, which translate, install and download nothing."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def module(name: str, **contents: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(contents)
    return made


def i18n() -> ModuleType:
    """`tr` and `translate` give the text back, as where there is no translation."""
    return module("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text)


def packaging(installed: list[str]) -> ModuleType:
    """`pip_check` is true of what `pip_install` and `pip_ensure` were asked for, which `installed` lists."""

    def names(requirements):
        return requirements.split() if isinstance(requirements, str) else [str(each) for each in requirements]

    def pip_install(requirements, **_):
        installed.extend(names(requirements))

    def pip_check(requirements):
        return all(each in installed for each in names(requirements))

    def pip_ensure(requirements, **_):
        pip_install([each for each in names(requirements) if each not in installed])

    return module("slicer.packaging", pip_install=pip_install, pip_check=pip_check, pip_ensure=pip_ensure)


def sample_data(registered: list[dict[str, Any]]) -> ModuleType:
    """SampleData's registration: `registered` lists the data sets."""

    class SampleDataLogic:
        @staticmethod
        def registerCustomSampleDataSource(**source):
            registered.append(source)

        @staticmethod
        def registerCustomSampleDataCategory(category, **_):
            pass

    return module("SampleData", SampleDataLogic=SampleDataLogic)
