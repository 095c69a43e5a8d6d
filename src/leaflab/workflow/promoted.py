"""What a promotion came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaflab.values import Shown

if TYPE_CHECKING:
    from leaflab.values import Verdict, Version

__all__ = ["Promoted"]


@dataclass(frozen=True)
class Promoted(Shown):
    """What a promotion came to.

    Args:
        outcome: "promoted", "refused", "forced", "pending", "rolled back", "copied", "already champion",
            "not applicable" or "dry run".
        version: the version judged; None where nothing could be judged.
        headline: the outcome and its reason, one sentence.
        verdicts: what every gate said.
        run_id: the ledger entry's run; "" where none was written.
        exit_code: 0, or 3 where it was refused.
    """

    outcome: str
    version: Version | None
    headline: str
    verdicts: tuple[Verdict, ...] = ()
    run_id: str = ""
    exit_code: int = 0

    def __str__(self) -> str:
        width = max((len(v.name) for v in self.verdicts), default=0)
        lines = [f"{v.outcome:<14}  {v.name:<{width}}  {v.sentence}" for v in self.verdicts]
        return "\n".join([*lines, self.headline])
