"""The split a table's roles call for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.option import option
from leaflab.split.shares import Sized

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["Auto"]


@option
class Auto(Sized):
    """By time where `dataset.time` is named, else by group where `dataset.group` is, else stratified or random."""

    def chosen(self, prepared: Prepared) -> Sized:
        """The split that does the work."""
        from leaflab.split.group import Group
        from leaflab.split.random import Random
        from leaflab.split.stratified import Stratified
        from leaflab.split.time import Time

        roles = prepared.roles
        kind = Time if roles.time else Group if roles.group else Stratified if prepared.classes else Random
        return kind(test_size=self.test_size, valid_size=self.valid_size, folds=self.folds, fold=self.fold)

    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        return self.chosen(prepared).assign(prepared, seed)
