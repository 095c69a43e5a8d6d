"""The test-set odometer: every model scored on a test set wears it, across the whole project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["WORN", "look_tags", "looks", "worn"]

WORN = 20
"""Looks after which a new test set is advised: the next one must show about twice the gain of the first."""


def look_tags(subject: Subject) -> dict[str, str]:
    """Tags of a run that looked at a test set: which model, which rows."""
    return {
        "leaflab.dataset": subject.dataset.id,
        "leaflab.test": subject.dataset.digests["test"],
        "leaflab.model": subject.digest,
    }


def looks(lab: Lab, subject: Subject) -> int:
    """How many other models were scored on this test set before, in the whole project."""
    tags = {"leaflab.test": subject.dataset.digests["test"]}
    seen = {run.tags.get("leaflab.model") for run in lab.tracking.search(tags=tags, limit=100_000)}
    return len(seen - {subject.digest, None})


def worn(seen: int) -> str:
    """How worn a test set is, in words.

    >>> worn(0)
    'new: no other model was scored on it'
    """
    if not seen:
        return "new: no other model was scored on it"
    models = "1 other model" if seen == 1 else f"{seen} other models"
    if seen >= WORN:
        return f"worn: {models} scored on it; draw a new one (another seed, or newer rows)"
    return f"{models} scored on it; each look widens the gain that promotion asks for"
