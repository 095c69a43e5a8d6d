"""How often `beats_champion` is wrong: false promotions under two nulls, and its power.

    python benchmarks/gates.py [--pairs 200] [--data ../shared/data/adult.parquet --target income]

(a) The predictions of two models are exchanged at random, row by row: neither is better.
(b) A model and the same model trained with another seed: better by chance alone.
(c) A challenger that is truly better by three times the margin, on 5,000 test rows, in three ways: the champion's
    predictions are blurred, blended with the base rate, or come from a model trained on fewer rows.

Of 200 pairs at a level of 5 % at most 17 false promotions may be seen; the power must reach 80 %.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import lightgbm
import numpy as np

from leaflab.gate.beats_champion import BeatsChampion
from leaflab.gate.paired import paired_gain
from leaflab.metric.probability import LogLoss

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


def promoted(truth: np.ndarray, challenger: np.ndarray, champion: np.ndarray) -> bool:
    gain = paired_gain(LOSS, truth, scores(challenger), scores(champion), alpha=GATE.alpha)
    return gain.estimate > gain.needed(GATE.min_gain)


def exchanged(truth: np.ndarray, one: np.ndarray, other: np.ndarray, pairs: int) -> int:
    rng = np.random.default_rng(1)
    count = 0
    for _ in range(pairs):
        rows = rng.choice(len(truth), TEST, replace=False)
        swap = rng.random(TEST) < 0.5
        a, b = np.where(swap, other[rows], one[rows]), np.where(swap, one[rows], other[rows])
        count += promoted(truth[rows], a, b)
    return count


def reseeded(features: np.ndarray, truth: np.ndarray, pairs: int) -> tuple[int, float]:
    rng = np.random.default_rng(2)
    count, gains = 0, []
    for pair in range(pairs):
        order = rng.permutation(len(truth))
        learn, rest = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]
        answers = [train(features[learn], truth[learn], 2 * pair + k).predict(features[rest]) for k in (0, 1)]
        count += promoted(truth[rest[:TEST]], answers[0][:TEST], answers[1][:TEST])
        losses = [LOSS.score(truth[rest], scores(a)) for a in answers]
        gains.append(1 - losses[0] / losses[1])
    return count, float(np.std(gains))


def power(truth: np.ndarray, better: np.ndarray, worse: np.ndarray, pairs: int) -> tuple[float, float]:
    """Share promoted, and the true gain over all the rows they were drawn from."""
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(pairs):
        rows = rng.choice(len(truth), TEST, replace=False)
        hits += promoted(truth[rows], better[rows], worse[rows])
    return hits / pairs, 1 - LOSS.score(truth, scores(better)) / LOSS.score(truth, scores(worse))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--target", default="income")
    asked = parser.parse_args()
    features, truth = table(asked.data, asked.target)
    order = np.random.default_rng(0).permutation(len(truth))
    learn, rest = order[: len(order) // 2], order[len(order) // 2 :]
    good = train(features[learn], truth[learn], 1).predict(features[rest])
    few = train(features[learn[: len(learn) // 4]], truth[learn[: len(learn) // 4]], 2).predict(features[rest])
    bound = round(17 * asked.pairs / 200)
    print(f"(a) exchanged rows: {exchanged(truth[rest], good, few, asked.pairs)} of {asked.pairs} promoted (≤ {bound})")
    count, spread = reseeded(features, truth, asked.pairs)
    print(f"(b) another seed:   {count} of {asked.pairs} promoted (≤ {bound}); seeds alone gain ±{spread:.2%}")
    rng = np.random.default_rng(4)
    blur = 1 / (1 + np.exp(-(np.log(good / (1 - good)) + rng.normal(0, 3, len(good)))))
    ways = {"blurred": blur, "base rate": np.full(len(good), truth[learn].mean()), "fewer rows": few}
    for name, how in ways.items():
        worse = degraded(truth[rest], good, how, 3 * GATE.min_gain)
        share, gain = power(truth[rest], good, worse, asked.pairs)
        print(f"(c) {name:<12} {share:.0%} promoted (≥ 80 %) at a true gain of {gain:.2%}")


if __name__ == "__main__":
    main()
