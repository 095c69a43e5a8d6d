"""How often `beats_champion` is wrong: false promotions under two nulls, and its power.

    python benchmarks/gates.py [--pairs 200] [--data ../shared/data/adult.parquet --target income]

(a) The predictions of two models are exchanged at random, row by row: neither is better.
(b) A model and the same model trained with other seeds: better by chance alone. Single boosters, where the challenger
    is trained again with three more seeds, as `promote` does; and means of two, where their members are asked.
(c) A challenger that is truly better, on 5,000 test rows, in three ways: the champion's predictions are blurred,
    blended with the base rate, or come from a model trained on fewer rows. By three times `gate.min_gain`, and by three
    times the margin that its seeds show where that is more.

Of 200 pairs at a level of 5 % at most 17 false promotions may be seen; the power must reach 80 %.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from leaflab.gate.beats_champion import BeatsChampion
from leaflab.gate.exchange import upper
from leaflab.metric.probability import LogLoss
from leaflab.values import Evidence, Judged, Seeds

GATE = BeatsChampion()
LOSS = LogLoss()
TEST = 5000


def table(path: Path | None, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and 0/1 truth; without a file, a made-up problem of like size."""
    if path is None:
        rng = np.random.default_rng(0)
        features = rng.normal(size=(45_000, 12))
        logit = features[:, 0] * features[:, 1] + np.sin(2 * features[:, 2]) + 0.7 * features[:, 3] - 1
        return features, (rng.random(45_000) < 1 / (1 + np.exp(-logit))).astype(int)
    import pandas as pd

    frame = pd.read_parquet(path)
    truth = frame.pop(target).astype(str).str.strip(" .")
    columns = [frame[c].to_numpy(float) if frame[c].dtype.kind in "iuf" else pd.factorize(frame[c])[0] for c in frame]
    return np.column_stack(columns), (truth == truth.value_counts().index[-1]).astype(int).to_numpy()


def train(features: np.ndarray, truth: np.ndarray, seed: int) -> lightgbm.Booster:
    params = {
        "objective": "binary", "learning_rate": 0.1, "num_leaves": 31, "feature_fraction": 0.8,
        "bagging_fraction": 0.8, "bagging_freq": 1, "seed": seed, "verbosity": -1, "num_threads": 2,
    }  # fmt: skip
    return lightgbm.train(params, lightgbm.Dataset(features, truth), 80)


def scores(positive: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - positive, positive])


def seeds_of(answers: list[np.ndarray], truth: np.ndarray, members: int = 1) -> Seeds:
    """What other seeds would make of the loss of a mean of so many boosters; read off some."""
    return Seeds(float(np.var([LOSS.score(truth, scores(a)) for a in answers], ddof=1)) / members, len(answers) - 1)


def promoted(truth: np.ndarray, challenger: np.ndarray, champion: np.ndarray, *seeds: Seeds) -> bool:
    sides = [Judged(name, scores(own), {}) for name, own in (("challenger", challenger), ("champion", champion))]
    nothing: Any = None
    evidence = Evidence(nothing, nothing, truth, None, *sides, {}, LOSS, extra={"seeds": seeds})
    return GATE.judge(evidence).outcome == "passed"


def exchanged(truth: np.ndarray, one: np.ndarray, other: np.ndarray, pairs: int) -> int:
    rng = np.random.default_rng(1)
    count = 0
    for _ in range(pairs):
        rows = rng.choice(len(truth), TEST, replace=False)
        swap = rng.random(TEST) < 0.5
        a, b = np.where(swap, other[rows], one[rows]), np.where(swap, one[rows], other[rows])
        count += promoted(truth[rows], a, b)
    return count


def reseeded(features: np.ndarray, truth: np.ndarray, pairs: int) -> tuple[list[int], float]:
    """How many were promoted: single boosters by the margin alone and with seeds, and means of two; what seeds gain."""
    rng = np.random.default_rng(2)
    counts, gains = [0, 0, 0], []
    for pair in range(pairs):
        order = rng.permutation(len(truth))
        learn, rest = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]
        whole = [train(features[learn], truth[learn], 5 * pair + k).predict(features[rest]) for k in range(5)]
        known, answers = truth[rest[:TEST]], [a[:TEST] for a in whole]
        means = [(answers[k] + answers[k + 1]) / 2 for k in (0, 2)]
        witnesses = [seeds_of(answers[k : k + 2], known, members=2) for k in (0, 2)]
        counts[0] += promoted(known, answers[0], answers[1])
        counts[1] += promoted(known, answers[0], answers[1], seeds_of(answers[2:], known))
        counts[2] += promoted(known, *means, *witnesses)
        losses = [LOSS.score(truth[rest], scores(a)) for a in whole]
        gains.append(1 - losses[0] / losses[1])
    return counts, float(np.std(gains))


def power(truth: np.ndarray, better: np.ndarray, worse: np.ndarray, boosters: list[np.ndarray], members: int) -> float:
    """Share promoted of 200 draws.

    Three other seeds of a single booster are known, or the members of two means of two: any four of these boosters.
    """
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        rows = rng.choice(len(truth), TEST, replace=False)
        drawn = [boosters[k][rows] for k in rng.choice(len(boosters), 4, replace=False)]
        groups = [drawn[:3]] if members == 1 else [drawn[:2], drawn[2:]]
        hits += promoted(truth[rows], better[rows], worse[rows], *(seeds_of(g, truth[rows], members) for g in groups))
    return hits / 200


def degraded(truth: np.ndarray, good: np.ndarray, how: np.ndarray, aim: float) -> np.ndarray:
    """Predictions between `good` and `how`, on the logit scale, such that `good` gains `aim` on them."""
    logit = lambda p: np.log(np.clip(p, 1e-9, 1 - 1e-9) / (1 - np.clip(p, 1e-9, 1 - 1e-9)))  # noqa: E731
    start, end = logit(good), logit(how)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        mixed = 1 / (1 + np.exp(-(start + middle * (end - start))))
        gain = 1 - LOSS.score(truth, scores(good)) / LOSS.score(truth, scores(mixed))
        low, high = (middle, high) if gain < aim else (low, middle)
    return mixed


def found(truth: np.ndarray, boosters: list[np.ndarray], few: np.ndarray, rate: float) -> None:
    """What true gains are found, by one booster and by a mean of two."""
    rng = np.random.default_rng(4)
    gains = [1 - LOSS.score(truth, scores(a)) / LOSS.score(truth, scores(b)) for a, b in combinations(boosters, 2)]
    for members in (1, 2):
        good = np.mean(boosters[:members], axis=0)
        blur = 1 / (1 + np.exp(-(np.log(good / (1 - good)) + rng.normal(0, 3, len(good)))))
        margin = max(GATE.min_gain, upper(GATE.alpha) * float(np.sqrt(np.mean(np.square(gains)) / members)))
        for aim in sorted({3 * GATE.min_gain, 3 * margin}):
            shares = []
            for how in (blur, np.full(len(good), rate), few):
                worse = degraded(truth, good, how, aim)
                shares.append(power(truth, good, worse, boosters[members:], members))
            said = ", ".join(f"{share:.0%}" for share in shares)
            print(f"(c) mean of {members}: {said} promoted (≥ 80 %) at a true gain of {aim:.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--target", default="income")
    parser.add_argument("--only", default="abc", help="which of the three are measured")
    asked = parser.parse_args()
    features, truth = table(asked.data, asked.target)
    order = np.random.default_rng(0).permutation(len(truth))
    learn, rest = order[: len(order) // 2], order[len(order) // 2 :]
    boosters = [train(features[learn], truth[learn], seed).predict(features[rest]) for seed in range(1, 14)]
    few = train(features[learn[: len(learn) // 4]], truth[learn[: len(learn) // 4]], 2).predict(features[rest])
    bound = round(17 * asked.pairs / 200)
    if "a" in asked.only:
        count = exchanged(truth[rest], boosters[0], few, asked.pairs)
        print(f"(a) exchanged rows: {count} of {asked.pairs} promoted (≤ {bound})")
    if "b" in asked.only:
        (alone, single, means), spread = reseeded(features, truth, asked.pairs)
        print(
            f"(b) another seed: {single} of {asked.pairs} promoted, means of two {means} (≤ {bound}); seeds=0: {alone}"
        )
        print(f"    seeds alone gain ±{spread:.2%}")
    if "c" in asked.only:
        found(truth[rest], boosters, few, truth[learn].mean())


if __name__ == "__main__":
    main()
