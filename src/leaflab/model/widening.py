"""Boosters that learnt from fewer features made to read as many as the others, so that one matrix serves them all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from leaflab.scorer.predictor import features_of

__all__ = ["alike"]

_SAME = re.compile(r"^(max_feature_idx|feature_names)=.*$", re.MULTILINE)
_INFOS = re.compile(r"^feature_infos=.*$", re.MULTILINE)


def alike(texts: Sequence[str]) -> list[str]:
    """The boosters' texts, the narrow ones told of the features that the widest has after theirs.

    Args:
        texts: of boosters that learnt from the first columns of one matrix, one or more.
    """
    widest = max(texts, key=features_of)
    width = features_of(widest)
    if all(features_of(text) == width for text in texts):
        return list(texts)
    lines = {line[1]: line[0] for line in _SAME.finditer(widest)}
    return [_widened(text, lines, width - features_of(text)) for text in texts]


def _widened(text: str, lines: dict[str, str], more: int) -> str:
    """The text with the widest booster's lines; of the features it never saw nothing is known."""
    if not more:
        return text
    text = _SAME.sub(lambda line: lines[line[1]], text, count=len(lines))
    return _INFOS.sub(lambda line: line[0] + " none" * more, text, count=1)
