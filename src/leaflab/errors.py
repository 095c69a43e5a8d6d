"""Every way leaflab says no.

    LeaflabError             exit 2   something a person can put right; the root is never raised itself
    ├── ConfigError                   a key, an option or a value
    ├── SourceError                   a file, database, broker or package that cannot be read
    ├── DataError                     a table that is not fit for the job
    ├── LakeError                     the lake cannot be read or written
    ├── ModelError                    a model that is missing, unfit or cannot be loaded
    ├── TrackingError                 the tracking store or the registry
    ├── ExtraError                    an optional package that is not installed
    ├── CheckFailed          exit 3   a gate, a leak, an alarm or an audit said no
    └── Interrupted          exit 130 the user stopped it

Anything else that escapes is a bug and exits 1 with its traceback. One shape: subject, rule, value seen, way out.

>>> print(ConfigError("`split.test_size`", "must be between 0 and 1", got=1.5))
`split.test_size` must be between 0 and 1, got 1.5.
>>> print(ModelError("'flights'", "has no champion yet", hint="run `leaflab promote name=flights` first"))
'flights' has no champion yet: run `leaflab promote name=flights` first.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "CheckFailed",
    "ConfigError",
    "DataError",
    "ExtraError",
    "Interrupted",
    "LakeError",
    "LeaflabError",
    "ModelError",
    "SourceError",
    "TrackingError",
]

_NOTHING = object()


class LeaflabError(Exception):
    """The root: a sentence made of its parts, which stay readable as attributes.

    Args:
        subject: what is wrong, as the user knows it (a key in backticks, a column or file in quotes).
        rule: what it must be or what it is not, as the rest of the sentence.
        got: the value seen; left out of the sentence when not given.
        hint: the way out, in the imperative, without a full stop.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, subject: str, rule: str, *, got: object = _NOTHING, hint: str = "") -> None:
        self.subject = subject
        self.rule = rule
        self.got = None if got is _NOTHING else got
        self.hint = hint
        seen = "" if got is _NOTHING else f", got {_short(got)}"
        sentence = f"{subject} {rule}{seen}{': ' + hint if hint else ''}"
        super().__init__(sentence if sentence.endswith("?") else f"{sentence}.")
        self._rebuild = (subject, rule, got is not _NOTHING, self.got, hint)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (type(self), *self._rebuild))


class ConfigError(LeaflabError):
    """A key, an option or a value of the configuration."""


class SourceError(LeaflabError):
    """A source that cannot be reached, read or believed."""


class DataError(LeaflabError):
    """A table that is not fit for what is asked of it."""


class LakeError(LeaflabError):
    """The lake cannot be read or written."""


class ModelError(LeaflabError):
    """A model that is missing, unfit for the table, or cannot be loaded."""


class TrackingError(LeaflabError):
    """The tracking store or the registry cannot be reached, read or written."""


class ExtraError(LeaflabError):
    """An optional package that is not installed; the sentence ends with the command that installs it.

    Packages too large for an extra of ours (`package`) are installed by their own name.
    """

    def __init__(self, feature: str, extra: str, package: str = "") -> None:
        self.extra, self.package = extra, package
        what = f"'leaflab[{extra}]'" if extra else package
        super().__init__(feature, "needs an optional package", hint=f"pip install {what}")

    def __reduce__(self) -> tuple[object, ...]:
        return (ExtraError, (self.subject, self.extra, self.package))


class CheckFailed(LeaflabError):
    """The work was done and a check said no."""

    exit_code = 3


class Interrupted(LeaflabError):
    """The user stopped the work; nothing half-written stays."""

    exit_code = 130


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _rebuilt(kind: type[LeaflabError], subject: str, rule: str, has_got: bool, got: object, hint: str) -> LeaflabError:
    return kind(subject, rule, got=got, hint=hint) if has_got else kind(subject, rule, hint=hint)
