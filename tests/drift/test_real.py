"""Drift that really happened: a market that grew, and gas sensors that aged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leaflab.drift.base import Drift, Pair
from leaflab.drift.classifier import Classifier
from leaflab.drift.jensen_shannon import JensenShannon
from leaflab.drift.ks import KS
from leaflab.drift.profile import batches_of, kinds_of, profile, reference_profile
from leaflab.drift.psi import PSI


def pair_of(before: pa.Table, now: pa.Table) -> Pair:
    known = reference_profile(batches_of(before), kinds_of(before.schema), sample=4000)
    return Pair(known, profile(batches_of(now)(), known.columns, sample=4000))


def drifted(test: Drift, pair: Pair) -> set[str]:
    return {f.column for f in test.compare(pair) if f.verdict(1e-4).outcome == "failed"}


@pytest.mark.parametrize("test", [KS(), PSI(), JensenShannon()], ids=lambda test: test.name)
def test_the_market_of_victoria_joins_in_the_thirteenth_month(shared_data: Path, test: Drift) -> None:
    table = pq.read_table(shared_data / "electricity_elec2.parquet").drop_columns(["date", "class"])
    months = [table.slice(start, 1440) for start in range(0, 17_424 + 3 * 1440, 1440)]
    reference = pa.concat_tables(months[:3])
    found = [drifted(test, pair_of(reference, month)) for month in months[3:]]
    first = next(i for i, columns in enumerate(found, 3) if {"vicprice", "vicdemand", "transfer"} <= columns)
    assert first == 12
    assert not any("period" in columns or "day" in columns for columns in found)


def test_sensors_age_and_together_they_give_the_season_away(shared_data: Path) -> None:
    raw = pq.read_table(shared_data / "air_quality_uci.parquet").to_pandas().dropna(subset=["Date"])
    sensors = [name for name in raw.columns if name.startswith("PT08")]
    values = raw[sensors].apply(lambda column: pd.to_numeric(column.str.replace(",", ".")))
    values = values.mask(values == -200, np.nan).dropna().reset_index(drop=True)
    spring, next_spring = values.iloc[:1500], values.iloc[-1500:]
    pair = pair_of(*(pa.Table.from_pandas(part, preserve_index=False) for part in (spring, next_spring)))
    assert len(drifted(KS(), pair)) >= 4
    area = next(iter(Classifier().compare(pair)))
    assert area.verdict(1e-6).outcome == "failed"
    assert area.effect > 0.4
