"""Where configurations lie: the project's own first, then the package's (a checkout's folders, or the wheel's)."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["conf_folders", "descriptions", "experiment_folders", "home", "nouns", "options", "package_conf", "verbs"]

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]


def home() -> Path:
    """The project folder: LEAFLAB_HOME, else the current directory; absolute."""
    return Path(os.environ.get("LEAFLAB_HOME") or ".").resolve()


def package_conf() -> Path:
    """The package's own `conf/`."""
    return _own("conf")


def conf_folders() -> list[Path]:
    """Folders searched for options, the project's first."""
    return _folders("conf")


def experiment_folders() -> list[Path]:
    """Folders searched for `experiment=NAME`, the project's first."""
    return _folders("experiments")


def _own(kind: str) -> Path:
    checkout = _CHECKOUT / kind
    return checkout if (_CHECKOUT / "conf" / "_lab.yaml").is_file() else _PACKAGE / f"_{kind}"


def _folders(kind: str) -> list[Path]:
    own, project = _own(kind), home() / kind
    return [own] if not project.is_dir() or project == own else [project, own]


def verbs() -> list[str]:
    """The workflow verbs: every `conf/<verb>.yaml`, in the order of the workflow."""
    found = {p.stem for folder in conf_folders() for p in folder.glob("*.yaml") if not p.stem.startswith("_")}
    order = ["collect", "prepare", "sweep", "evaluate", "promote", "predict", "serve", "monitor", "backtest", "run"]
    return sorted(found, key=lambda verb: (order.index(verb) if verb in order else len(order), verb))


def descriptions() -> dict[str, str]:
    """Verb to what it does: the first comment line of its configuration, after the colon."""
    lines = {verb: _first_line(verb) for verb in verbs()}
    return {verb: line.partition(":")[2].strip().rstrip(".") for verb, line in lines.items()}


def _first_line(verb: str) -> str:
    file = next(f / f"{verb}.yaml" for f in conf_folders() if (f / f"{verb}.yaml").is_file())
    return file.read_text(encoding="utf-8").partition("\n")[0]


def nouns() -> list[str]:
    """The groups: every folder of `conf/` that holds options, and `experiment`."""
    found = {p.name for folder in conf_folders() for p in folder.iterdir() if p.is_dir() and any(p.glob("*.yaml"))}
    return sorted(found | {"experiment"})


def options(noun: str) -> list[str]:
    """The options of a noun or of a sub-group (`search/space`)."""
    folders = experiment_folders() if noun == "experiment" else [f / noun for f in conf_folders()]
    return sorted({p.stem for folder in folders for p in folder.glob("*.yaml") if not p.stem.startswith("_")})
