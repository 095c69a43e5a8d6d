"""The study in a database: Optuna's own tables, written behind like the journal's file, for one driver at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import optuna
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages.journal._storage import JournalOperation as Op
from optuna.trial import TrialState

from leaflab.errors import ConfigError, ExtraError, SourceError
from leaflab.search.journal import RUNG, Journal

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy import URL, Engine

__all__ = ["Database", "database"]

_REDO = "leaflab:redo"
_MLFLOWS = {"experiments", "registered_models"}


class Database(Journal):
    """A study in Optuna's tables, which Optuna and its dashboard read like any other.

    Optuna commits there value by value, while a flush is kept whole or not at all: it is first written into one
    attribute of the study, in one transaction, and then done; who opens a study does what a crash left undone.

    Args:
        storage: the database, held by nobody else.
        name, directions: of the study.
        copy: file that holds the same study as Optuna's journal after `close`, for whoever looks at it later.
    """

    def __init__(self, storage: RDBStorage, name: str, directions: Sequence[str], copy: Path) -> None:
        super().__init__(copy.with_suffix(".absent"))
        self._storage, self._copy = storage, copy
        wanted = [optuna.study.StudyDirection[direction.upper()] for direction in directions]
        try:
            self._id = storage.create_new_study(wanted, name)
        except DuplicatedStudyError:
            self._id = storage.get_study_id_from_name(name)
        self._ids = {t.number: t._trial_id for t in storage.get_all_trials(self._id, deepcopy=False)}
        self._next = len(self._ids)
        self._do(json.loads(storage.get_study_user_attrs(self._id).get(_REDO, "[]")))
        self._load(wanted, name)

    def _load(self, directions: Any, name: str) -> None:
        """The operations that lead to what the database holds; running trials have reported nothing yet."""
        memory = optuna.storages.JournalStorage(self)
        study = memory.create_new_study(directions, name)
        for key, value in self._storage.get_study_user_attrs(self._id).items():
            if key != _REDO:
                memory.set_study_user_attr(study, key, value)
        for trial in self._storage.get_all_trials(self._id):
            if not trial.state.is_finished():
                trial.intermediate_values = {}
                trial.system_attrs = {k: v for k, v in trial.system_attrs.items() if not k.startswith(RUNG)}
            memory.create_new_trial(study, trial)
        self._waiting = []

    def _write(self, logs: list[dict[str, Any]]) -> None:
        new = [log for log in logs if log["op_code"] == Op.CREATE_TRIAL]
        for number, log in enumerate(new, self._next):
            log["number"] = number
        self._next += len(new)
        try:
            self._storage.set_study_user_attr(self._id, _REDO, json.dumps(logs))
            self._do(logs)
        except StorageInternalError as error:
            hint = "the same command continues the sweep when it is back"
            raise SourceError("The study's database", "does not answer", hint=hint) from error

    def _do(self, logs: list[dict[str, Any]]) -> None:
        """Does operations on Optuna's tables; what was done before is not done twice."""
        for log in logs:
            if log["op_code"] == Op.CREATE_TRIAL:
                if log["number"] not in self._ids:
                    self._ids[log["number"]] = self._storage.create_new_trial(self._id, _template(log))
            else:
                self._set(log)

    def _set(self, log: Mapping[str, Any]) -> None:
        storage, trial = self._storage, self._ids.get(log.get("trial_id", -1), -1)
        kind = log["op_code"]
        attributes: dict[int, tuple[Callable[..., None], int, str]] = {
            Op.SET_STUDY_USER_ATTR: (storage.set_study_user_attr, self._id, "user_attr"),
            Op.SET_STUDY_SYSTEM_ATTR: (storage.set_study_system_attr, self._id, "system_attr"),
            Op.SET_TRIAL_USER_ATTR: (storage.set_trial_user_attr, trial, "user_attr"),
            Op.SET_TRIAL_SYSTEM_ATTR: (storage.set_trial_system_attr, trial, "system_attr"),
        }
        try:
            if kind in attributes:
                put, where, name = attributes[kind]
                for key, value in log[name].items():
                    put(where, key, value)
            elif kind == Op.SET_TRIAL_PARAM:
                spread = optuna.distributions.json_to_distribution(log["distribution"])
                storage.set_trial_param(trial, log["param_name"], log["param_value_internal"], spread)
            elif kind == Op.SET_TRIAL_INTERMEDIATE_VALUE:
                storage.set_trial_intermediate_value(trial, log["step"], log["intermediate_value"])
            elif kind == Op.SET_TRIAL_STATE_VALUES:
                storage.set_trial_state_values(trial, TrialState(log["state"]), log["values"])
        except UpdateFinishedTrialError:  # done before the crash
            pass

    def close(self) -> None:
        """Leaves the copy and lets go of the database."""
        text = "".join(json.dumps(log) + "\n" for log in self._logs)
        self._copy.write_text(text, encoding="utf-8")
        self._storage.engine.dispose()


def _template(log: Mapping[str, Any]) -> FrozenTrial | None:
    """A trial that is put into the study ready made; None: one that starts now."""
    if "state" not in log:
        return None
    attributes = {"user_attrs": log["user_attrs"], "system_attrs": log["system_attrs"]}
    return optuna.trial.create_trial(state=TrialState(log["state"]), **attributes)


@contextmanager
def database(url: str, folder: Path, name: str, directions: Sequence[str]) -> Iterator[Database]:
    """The study of a sweep in a database, locked there, so that drivers on other machines are refused too.

    Raises:
        ConfigError: no PostgreSQL or SQLite URL; MLflow's own database; another driver holds it.
        SourceError: it does not answer.
    """
    from sqlalchemy.exc import OperationalError

    place = _place(url)
    with ExitStack() as stack:
        try:
            engine = _checked(place)
            stack.callback(engine.dispose)
            _lock(stack, engine, name)
            storage = optuna.storages.RDBStorage(place.render_as_string(hide_password=False))
        except (OperationalError, StorageInternalError) as error:
            reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
            raise SourceError(f"The study's database {place}", f"cannot be used ({reason})") from error
        kept = Database(storage, name, directions, folder / "journal.log")
        stack.callback(kept.close)
        yield kept


def _place(url: str) -> URL:
    from importlib.util import find_spec

    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    way = "search.study=postgresql://user@host/studies"
    try:
        place = make_url(url)
    except ArgumentError:
        raise ConfigError("`search.study`", "must be journal or the URL of a database", got=url, hint=way) from None
    if place.drivername in ("postgres", "postgresql"):
        place = place.set(drivername="postgresql+psycopg")
        if find_spec("psycopg") is None:
            raise ExtraError("`search.study` in PostgreSQL", "postgres")
    if place.get_backend_name() not in ("postgresql", "sqlite") or not place.database:
        raise ConfigError("`search.study`", "must be PostgreSQL or a SQLite file", got=str(place), hint=way)
    return place


def _checked(place: URL) -> Engine:
    """An engine of its own for the lock.

    MLflow and Optuna both keep their migrations in a table `alembic_version`; in one database each would take the
    other's for its own.
    """
    from sqlalchemy import create_engine, inspect

    engine = create_engine(place)
    if set(inspect(engine).get_table_names()) >= _MLFLOWS:
        engine.dispose()
        hint = "give the study a database of its own, or a schema (?options=-csearch_path%3Dstudies)"
        raise ConfigError("`search.study`", "must not be MLflow's own database", got=str(place), hint=hint)
    return engine


def _lock(stack: ExitStack, engine: Engine, name: str) -> None:
    """Held by a connection (or an open file), which the system closes however its process ends."""
    from sqlalchemy import text

    if engine.dialect.name == "sqlite":
        file = Path(str(engine.url.database))
        opened = os.open(file, os.O_RDWR | os.O_CREAT)
        stack.callback(os.close, opened)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _held(engine) from None
        return
    connection = stack.enter_context(engine.connect().execution_options(isolation_level="AUTOCOMMIT"))
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    if not cast("bool", connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key})):
        raise _held(engine)


def _held(engine: Engine) -> ConfigError:
    hint = "wait for it, or change the seed to start another sweep"
    return ConfigError("This sweep", f"is already being run by another driver on {engine.url}", hint=hint)
