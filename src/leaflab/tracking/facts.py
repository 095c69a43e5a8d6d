"""What every run says of its surroundings: code, libraries, machine."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import platform
import re
import socket
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from leaflab.tracking.address import masked
from leaflab.values import Artifact, Item, Tag

__all__ = ["cores", "git_facts", "libraries", "surroundings"]

_LIBRARIES = ("leaflab", "lightgbm", "mlflow", "numpy", "optuna", "pandas", "pyarrow", "scikit-learn")
_SECRET_FILE = re.compile(
    r"(^|/)(\.env[^/]*|\.netrc|id_[a-z0-9]+|[^/]*\.(pem|key|p12|pfx)|[^/]*(secret|credential)[^/]*)$", re.I
)
_SECRET_LINE = re.compile(r"(password|passwd|secret|token|api_?key|access_?key|credential)", re.I)
_LONGEST_DIFF = 1_000_000


def surroundings(home: Path, verb: str) -> Iterator[Item]:
    """Tags and files of a top-level run: git state with its diff, versions, host and cores."""
    yield Tag("mlflow.source.name", f"leaflab {verb}")
    yield Tag("mlflow.source.type", "LOCAL")
    yield Tag("mlflow.user", _user())
    yield Tag("leaflab.host", socket.gethostname())
    yield Tag("leaflab.cores", str(cores()))
    yield Tag("leaflab.python", platform.python_version())
    known = libraries()
    for name, number in known.items():
        yield Tag(f"leaflab.version.{name}", number)
    environment = {"host": socket.gethostname(), "cores": cores(), "platform": platform.platform(),
                   "python": platform.python_version(), "libraries": known, "memory_bytes": _memory()}  # fmt: skip
    yield Artifact("environment.json", json.dumps(environment, indent=1))
    yield from git_facts(home)


def libraries() -> dict[str, str]:
    """Installed versions of what can change a result."""
    found = {}
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def git_facts(home: Path) -> Iterator[Item]:
    """Commit, branch, whether the tree is dirty, and the difference without its secrets."""
    commit = _git(home, "rev-parse", "HEAD")
    if commit is None:
        return
    status = _git(home, "status", "--porcelain", "--", ".") or ""
    yield Tag("mlflow.source.git.commit", commit)
    yield Tag("mlflow.source.git.branch", _git(home, "rev-parse", "--abbrev-ref", "HEAD") or "")
    yield Tag("mlflow.source.git.dirty", str(bool(status)).lower())
    if status:
        diff = _git(home, "diff", "HEAD", "--no-color", "--no-ext-diff") or ""
        yield Artifact("code/status.txt", status + "\n")
        yield Artifact("code/diff.patch", without_secrets(diff)[:_LONGEST_DIFF] + "\n")


def without_secrets(diff: str) -> str:
    """A diff with secret files left out, and lines that seem to hold a secret hidden."""
    kept, hidden = [], False
    for line in diff.splitlines():
        if line.startswith("diff --git "):
            hidden = bool(_SECRET_FILE.search(line.rpartition(" b/")[2]))
            kept.append(line if not hidden else f"{line}\n(left out: it may hold secrets)")
        elif not hidden:
            body = line[:1] in "+- " and _SECRET_LINE.search(line) and re.search(r"[=:]", line)
            kept.append(f"{line[:1]}(left out: it may hold a secret)" if body else masked(line))
    return "\n".join(kept)


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
