"""`-m`: one job a combination, through Hydra's launchers; a failed job does not stop the rest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from leaflab.door import searching
from leaflab.door.places import package_conf

__all__ = ["run_all"]

Job = Callable[[str, DictConfig, list[str], Path], int]


def run_all(verb: str, overrides: list[str], config: DictConfig, job: Job) -> int:
    """Runs all jobs, prints the summary table, and returns the worst exit code.

    Args:
        verb: what each job does.
        overrides: as typed, choices included.
        config: the configuration without the choices.
        job: runs one job: verb, its configuration, its overrides, and the file its outcome goes to.
    """
    folder = Path(str(OmegaConf.select(config, "hydra.sweep.dir"))).resolve()
    silent = [f"hydra/{kind}_logging=none" for kind in ("job", "hydra")]
    words = ["--multirun", f"hydra.sweep.dir='{folder}'", *silent]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    searching.register()
    sys.argv = [f"leaflab {verb}", *words, *[o for o in overrides if not o.startswith("hydra.sweep.dir=")]]
    hydra.main(version_base="1.3", config_path=str(package_conf()), config_name=verb)(partial(_job, verb, job))()
    return _summary(folder)


def _job(verb: str, job: Job, config: DictConfig) -> int:
    hydra_config = HydraConfig.get()
    full = OmegaConf.masked_copy(config, list(config))
    OmegaConf.set_struct(full, False)
    full.hydra = {"runtime": {"choices": hydra_config.runtime.choices}}
    outcome = Path(hydra_config.runtime.output_dir) / "outcome.json"
    return job(verb, full, list(hydra_config.overrides.task), outcome)


def _summary(folder: Path) -> int:
    files = sorted(folder.glob("*/outcome.json"), key=lambda p: int(p.parent.name) if p.parent.name.isdigit() else 0)
    outcomes = [json.loads(p.read_text(encoding="utf-8")) for p in files]
    shared = set.intersection(*(set(o["overrides"]) for o in outcomes)) if len(outcomes) > 1 else set()
    print(f"\n{'job':>3}  {'exit':>4}  what")
    for number, outcome in enumerate(outcomes):
        own = " ".join(o for o in outcome["overrides"] if o not in shared)
        print(f"{number:>3}  {outcome['exit_code']:>4}  {own}: {outcome['text']}")
    worst = {0: 0, 3: 1, 2: 2, 1: 3, 130: 4}
    return max((o["exit_code"] for o in outcomes), key=lambda code: worst.get(code, 3), default=0)
