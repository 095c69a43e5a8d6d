"""Numbers that are names: a day, a code, an amount that stands for one thing.

Trees cut a number between neighbours, so to learn what one value stands for they need two cuts for each. As a category,
its values are told apart at once, and those that are alike are put together. That pays where what a model leaves
unexplained is shared by the rows of a value and not by those of the values beside it; elsewhere it does harm, because
there are many more ways to cut a category.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from leaflab.model.candidates import Candidates, key_at
from leaflab.model.screening import Sampled, Screen, pays
from leaflab.scorer.encoder import GROUPS, Encoder, Feature

__all__ = ["name_of", "names_among", "telling_names"]

_JUDGED, _CONFIRMED, _PARTS = 50_000, 20_000, 10

_OWN, _BESIDE = range(1), range(1, 3)
"""How many steps away the values are whose rows are asked."""
_LEAST = 0.01
_SURE = 3.0  # standard errors


def telling_names(
    sampled: Sampled, made: Candidates, halves: list[Screen], random: np.random.Generator, threads: ThreadPoolExecutor
) -> tuple[tuple[Feature, ...], bool]:
    """Numbers as categories where rows of a value share what the booster of the other half leaves unexplained, and
    whether boosters confirm that they pay: with them they answer better in parts that they have not learnt from.

    Those see more rows than the sample has: little was learnt from that, and what was not may be a curve still.
    """
    outputs, rows = sampled.dataset.outputs, np.sort(random.permutation(len(sampled.frame))[:_JUDGED])
    plain, target, side = sampled.plain(rows), sampled.truth(rows), sampled.side[rows]
    left = np.empty((len(rows), outputs))
    left[~side], left[side] = threads.map(lambda half, own: half.left(plain[own], target[own]), halves, (~side, side))
    apart = side.astype("int64") if sampled.strangers else random.integers(_PARTS, size=len(rows))
    found = names_among({by: values[rows] for by, values in made.names.items()}, left, apart)
    if not found:
        return (), False
    names = {by: name_of(sampled.encoder, by, made.names[by]) for by in found}
    some = slice(None, None, -(-len(rows) // _CONFIRMED))
    codes = np.column_stack([_coded(name, made.names[by][rows[some]]) for by, name in names.items()])
    kinds = [*sampled.categorical, *range(plain.shape[1], plain.shape[1] + len(names))]
    part = (apart if sampled.strangers else apart // 2)[some]

    def gained(judging: int) -> np.ndarray:
        screen = Screen(outputs, kinds, plain[some], codes, target[some], part != judging)
        return screen.gained(np.arange(len(names)))

    return tuple(names.values()), pays(np.concatenate(list(threads.map(gained, (0, 1)))))


def _coded(name: Feature, values: np.ndarray) -> np.ndarray:
    return GROUPS[name.op](values[:, None], {**name.state, "by": 0})


def names_among(numbers: Mapping[int, np.ndarray], left: np.ndarray, apart: np.ndarray) -> list[int]:
    """Those numbers that should explain a hundredth of what is left, by what rows of a value share surely, and not with
    those of the values beside it.

    The most telling first, and each beyond those before it.

    Args:
        numbers: place to values, shape (rows,).
        left: what a model that had not seen a row left unexplained of it, shape (rows, outputs).
        apart: parts that must not learn of each other, as codes from 0, shape (rows,): of a value's rows, those in a
            row's own part are no evidence.
    """
    rest, found = dict(numbers), list[int]()
    while rest:
        shared = {place: _shared(values, left, apart) for place, values in rest.items()}
        best = max(shared, key=lambda place: shared[place][0])
        gain, explained = shared[best]
        if gain <= _LEAST:
            break
        found.append(best)
        left = left - explained
        del rest[best]
    return found


def name_of(encoder: Encoder, by: int, values: np.ndarray) -> Feature:
    """The number at a place of the encoder as a category, the commonest value first.

    Args:
        encoder: the features there are.
        by: the number's place among them.
        values: of the number in the training rows.
    """
    (name, at), column = key_at(encoder, by), encoder.features[by].column
    levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    codes = np.argsort(np.argsort(-counts, kind="stable"))
    state = {**at, "levels": levels.tolist(), "values": codes.tolist()}
    return Feature(f"{name} as a category", column, "coded", state, categorical=True)


def _shared(values: np.ndarray, left: np.ndarray, apart: np.ndarray) -> tuple[float, np.ndarray]:
    """The share of the variance that a row's value should explain, as far as that is sure, and the best guesses.

    Variance components of one way (Searle, Casella and McCulloch 1992): the mean product of two rows of a value, in
    different parts, estimates without bias what they have in common, and how sure that is each value tells once. What
    rows of values beside each other have in common is a curve's; a variogram's nugget is the rest.
    """
    levels, place = np.unique(values, return_inverse=True)  # a missing value is one, too
    parts = int(apart.max()) + 1
    cell, shape = place * parts + apart, (len(levels), parts)

    def of_others(weights: np.ndarray | None, steps: range) -> np.ndarray:
        """The sum over the other parts' rows of the values so many steps away, for each row."""
        table = np.bincount(cell, weights, len(levels) * parts).reshape(shape)
        return _stepped(table.sum(axis=1, keepdims=True) - table, steps)[place, apart]

    def means(steps: range) -> np.ndarray:
        sums = np.column_stack([of_others(output, steps) for output in left.T])
        return np.asarray(sums / np.maximum(of_others(None, steps), 1)[:, None])

    own = means(_OWN)
    products = np.bincount(place, (left * own).sum(axis=1))
    if products.sum() <= _SURE * np.sqrt((products**2).sum()):
        return 0.0, np.zeros(left.shape)
    in_common = products.sum() - max(0.0, (left * means(_BESIDE)).sum())
    share = max(0.0, float(in_common / (left**2).sum()))
    count = of_others(None, _OWN)
    weight = share * count / (share * count + 1 - share)
    return share * float(weight.mean()), own * weight[:, None]


def _stepped(table: np.ndarray, steps: range) -> np.ndarray:
    """The sum of the rows so many steps before and after each."""
    found = np.zeros(table.shape)
    for step in steps:
        found[step:] += table[: max(0, len(table) - step)]
        if step:
            found[:-step] += table[step:]
    return found
