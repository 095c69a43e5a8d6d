"""Fixtures every room shares."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import runpy
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A job that a shell starts in the background ignores Ctrl-C, and so would every command that the tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _fresh_log() -> None:
    """A command sets up the log of its process; in one process of tests the next one starts anew."""
    own = logging.getLogger("leaflab")
    own.handlers.clear()
    own.propagate = True
    own.setLevel(logging.NOTSET)
    logging.disable(logging.NOTSET)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("leaflab") and isinstance(logger, logging.Logger):
            logger.disabled = False


@pytest.fixture(autouse=True)
def _closed_stores() -> Iterator[None]:
    """Closes the databases that MLflow opened in a test. It keeps the connections to each for as long as the process
    lives, a new project a test is a thousand open files in the end, and beyond these `select` no longer works."""
    yield
    for store in ("tracking", "model_registry"):
        if module := sys.modules.get(f"mlflow.store.{store}.sqlalchemy_store"):
            engines = module.SqlAlchemyStore._engine_map
            while engines:
                engines.popitem()[1].dispose()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the real datasets (../shared/data) are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly migrated MLflow database: creating one takes seconds, copying it none."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = tmp_path_factory.mktemp("store")
    store = SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", str(folder / "mlartifacts"))
    store.engine.dispose()
    return folder / "mlflow.db"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_template: Path) -> Path:
    """An empty project folder that is also the current one, with the MLflow database already made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAFLAB_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    shutil.copy(store_template, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture(scope="session")
def toys() -> SimpleNamespace:
    """Small real models: `constant(share)`, `boosted(rounds, seed)`, and the raw table they read, `RAW`."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "tracking" / "models.py")))


@pytest.fixture
def evidence():
    """Makes `values.Evidence` of known order: `evidence(gain=0.1)` has a challenger with a tenth less noise."""
    import numpy as np
    import pyarrow as pa

    from leaflab.metric.all import score_all
    from leaflab.metric.probability import LogLoss
    from leaflab.scorer import Column
    from leaflab.values import Dataset, Evidence, Judged, Roles

    def make(rows=2000, seed=0, noise=1.0, champion_noise=1.3, champion=True, **changed):
        rng = np.random.default_rng(seed)
        logit = rng.normal(-0.5, 1.5, rows)
        truth = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype("int64")

        def judged(label, amount, kind="boosters"):
            positive = (
                1 / (1 + np.exp(-(logit + rng.normal(0, amount, rows)))) if amount else np.full(rows, truth.mean())
            )
            scores = np.column_stack([1 - positive, positive])
            facts = {"kind": kind, "columns": columns, "classes": ("no", "yes"), "ms_per_1k_rows": 2.0, "bytes": 10_000}
            return Judged(label, scores, score_all("binary", truth, scores), facts)

        columns = (Column("x", "number"), Column("colour", "category"))
        table = pa.table({"x": logit, "colour": rng.choice(["red", "green", "blue"], rows)})
        roles = Roles(name="toy", target="y", task="binary", positive="yes")
        parts = {"train": table, "valid": table.slice(0, 0), "test": table}
        digests = {"train": "a", "valid": "b", "test": "c"}
        dataset = Dataset("toy", "binary", roles, ("no", "yes"), columns, parts, digests, facts={"leaks": []})
        known = {
            "challenger": judged("challenger", noise),
            "champion": judged("champion", champion_noise) if champion else None,
            "baselines": {"dummy": judged("dummy", 0, "constant"), "linear": judged("linear", 2.5, "linear")},
            "extra": {"leaks": []},
        }
        return Evidence(dataset, table, truth, None, metric=LogLoss(), **(known | changed))

    return make


@pytest.fixture
def bench(home):
    """A project with a dataset and a way to register models of known quality: `bench.train(skill=0.8)`."""
    from dataclasses import replace

    import numpy as np
    import pyarrow as pa

    from leaflab.gate.beats_baseline import BeatsBaseline
    from leaflab.gate.beats_champion import BeatsChampion
    from leaflab.gate.floor import Floor
    from leaflab.gate.no_leak import NoLeak
    from leaflab.gate.parity import Parity
    from leaflab.gate.same_schema import SameSchema
    from leaflab.lake.delta import Delta
    from leaflab.metric.auto import Auto
    from leaflab.prepare.default import Default
    from leaflab.scorer import Encoder, Feature, Scorer
    from leaflab.scorer.predictor import Linear
    from leaflab.split.random import Random
    from leaflab.tracking.base import RunSpec
    from leaflab.tracking.local import Local
    from leaflab.values import Metric, Model, Raw, Roles
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.prepare import prepare
    from leaflab.workflow.settings import Collect, Evaluate, Predict, Promote

    class Bench:
        """Its models are linear in x and z, of which only x matters as much as `skill` says."""

        def __init__(self):
            gates = {"floor": Floor(), "beats_baseline": BeatsBaseline(), "beats_champion": BeatsChampion()}
            self.lab = Lab(
                name="toy", seed=0, home=home, dataset=Roles(name="toy", target="y", id="key"), source=None,
                lake=Delta(path=str(home / "lake")), prepare=Default(), split=Random(), model=None, search=None,
                executor=None, metric=Auto(),
                gate={**gates, "no_leak": NoLeak(), "same_schema": SameSchema(), "parity": Parity()},
                tracking=Local(home=str(home)), collect=Collect(), evaluate=Evaluate(), promote=Promote(),
                predict=Predict(), verb="promote",
            )  # fmt: skip
            self.dataset = self.prepare()

        def prepare(self, rows=4000, seed=0, start=0, **roles):
            rng = np.random.default_rng(seed)
            x, z = rng.normal(size=(2, rows))
            target = np.where(rng.random(rows) < 1 / (1 + np.exp(-2 * x)), "yes", "no")
            colour = rng.choice(["red", "green", "blue"], rows)
            keys = [f"k{start + i}" for i in range(rows)]
            raw = pa.table({"key": keys, "x": x, "z": z, "colour": colour, "y": target, "w": rng.random(rows) + 0.5})
            lab = replace(self.lab, dataset=replace(self.lab.dataset, drop="w", **roles))
            return prepare(lab, Raw("toy", seed, f"digest {seed} {rows}", lambda: raw, rows=rows))

        def train(self, skill=1.0, dataset=None, alias="challenger"):
            """Registers a model; skill 1 is the truth, 0 a constant."""
            dataset = dataset or self.dataset
            registry = self.lab.tracking.registry
            spec = RunSpec("toy", "sweep", f"sweep {skill}", tags={"leaflab.dataset": dataset.id, "leaflab.sweep": "s"})
            names = [c.name for c in dataset.columns if c.kind == "number"]
            blocks = tuple({"mean": 0.0, "scale": 1.0} for _ in names)
            coef = tuple(2.0 * skill if name == "x" else 0.0 for name in names)
            encoder = Encoder(tuple(Feature(name, name, "number") for name in names))
            scorer = Scorer(dataset.task, dataset.classes, dataset.columns, encoder,
                            Linear(blocks, (coef,), (0.0,), "logistic"))  # fmt: skip
            with self.lab.tracking.start(spec) as run:
                run.log([Metric("time/fit_seconds", 1.0), Model(scorer.files())])
            version = registry.register("toy", run.id, {"leaflab.dataset": dataset.id})
            if alias:
                registry.point("toy", alias, version.number)
            return registry.version("toy", number=version.number)

        def asking(self, verb="promote", **settings):
            """The lab of a command with these settings of its verb."""
            changed = replace(getattr(self.lab, verb if verb != "run" else "promote"), **settings)
            return replace(self.lab, verb=verb, **{verb if verb != "run" else "promote": changed})

    return Bench()


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory, store_template, new_port):
    """The address of a real MLflow server on loopback."""
    import time
    import urllib.request

    folder = tmp_path_factory.mktemp("server")
    shutil.copy(store_template, folder / "mlflow.db")
    port = new_port()
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words], cwd=folder, env=environment, stdout=log, stderr=log
    )
    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                assert process.poll() is None, (folder / "log.txt").read_text()
                time.sleep(0.1)
        else:
            raise AssertionError("the server does not answer")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
        log.close()


@pytest.fixture(scope="session")
def new_port() -> Callable[[], int]:
    """Gives ports of this machine that nobody listens on, below those that the system itself hands out: one of these
    may be another process's before the server of the test is up."""

    def new() -> int:
        for port in random.SystemRandom().sample(range(10_000, 30_000), 100):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
        pytest.fail("every port that was tried is taken")

    return new


@pytest.fixture
def free_port(new_port: Callable[[], int]) -> int:
    return new_port()


@pytest.fixture(scope="session")
def program():
    """Finds a program; where the variable `asked` is set and it is not there, tests fail instead of being skipped."""

    def find(asked: str, *names: str) -> str:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin"
        found = next(filter(None, (shutil.which(name, path=path) for name in names)), None)
        if found is None:
            if os.environ.get(asked):
                pytest.fail(f"{asked} is set and there is no {names[0]}")
            pytest.skip(f"there is no {names[0]} on this machine")
        return found

    return find


@pytest.fixture(scope="module")
def browser(program):
    """Headless Chromium, without any business of its own on the network."""
    path = program("LEAFLAB_REQUIRE_BROWSER", "chromium", "chromium-browser", "google-chrome")
    from playwright.sync_api import sync_playwright

    flags = "--no-sandbox --disable-sync --disable-gpu --disable-quic --no-first-run"
    flags += " --disable-background-networking --disable-component-update"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=flags.split())
        yield made
        made.close()


@pytest.fixture
def puzzle():
    """Makes an encoded problem a model can learn: `puzzle("binary", rows=200, weight=True, group=8)`."""
    import numpy as np

    from leaflab.metric.all import score_all
    from leaflab.metric.auto import Auto
    from leaflab.model.base import Problem

    def made(task="binary", rows=200, *, weight=False, group=0, temporal=False, monotone=(0, 0, 0, 0), seed=0):
        random = np.random.default_rng(seed)
        matrix = np.column_stack([random.normal(size=(rows, 3)), random.integers(0, 5, rows)]).astype("float64")
        matrix[random.random(rows) < 0.1, 0] = np.nan
        signal = 2 * np.nan_to_num(matrix[:, 0]) + matrix[:, 1] * (matrix[:, 3] > 2) + random.normal(0, 0.5, rows)
        cut = {"regression": signal, "binary": signal > 0, "multiclass": np.digitize(signal, [-1, 1])}[task]
        return Problem(
            task=task,
            outputs={"regression": 1, "binary": 2, "multiclass": 3}[task],
            metric=Auto().resolve(task),
            names=("a", "b,c", "b:c", "kind"),
            categorical=(3,),
            monotone=monotone,
            matrix=matrix,
            target=cut.astype("float64" if task == "regression" else "int64"),
            weight=random.random(rows) + 0.1 if weight else None,
            group=np.arange(rows) % group if group else None,
            boundary=int(rows * 0.8),
            temporal=temporal,
            score=score_all,
        )

    return made


@pytest.fixture
def small_disk_at():
    """Puts a folder on a file system of its own; what comes back mounts it anew, larger or read-only."""
    mounted: list[Path] = []

    def small(folder: Path, size: str = "3m"):
        folder.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
            pytest.skip("only root may mount a small disk")
        mounted.append(folder)
        return lambda how: subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)

    yield small
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
