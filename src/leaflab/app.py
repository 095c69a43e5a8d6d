"""The door: `leaflab VERB …` and the small commands, exit codes, and the sentence a mistake deserves."""

from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.door import help as helping
from leaflab.door.hparams import expanded
from leaflab.door.nearest import did_you_mean
from leaflab.door.places import package_conf, verbs
from leaflab.door.quoting import one_budget, quoted
from leaflab.errors import ConfigError, Interrupted, LakeError, LeaflabError

if TYPE_CHECKING:
    from omegaconf import DictConfig


__all__ = ["call", "main"]

_LEVELS = {"-q": logging.WARNING, "--quiet": logging.WARNING, "-v": logging.DEBUG, "--verbose": logging.DEBUG}
_MULTIRUN = ("-m", "--multirun")
_HYDRA_FLAGS = (
    "--cfg",
    "-c",
    "--info",
    "-i",
    "--shell_completion",
    "-sc",
    "--hydra-help",
    "--resolve",
    "--package",
    "-p",
)
_COMPLETION = ("-sc", "--shell_completion", "--shell-completion")
_SILENT = ("hydra/job_logging=none", "hydra/hydra_logging=none")


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 1 a bug, 2 a mistake, 3 a check said no, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return _dispatch(words)
    except LeaflabError as error:
        print(f"leaflab: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("leaflab: interrupted.", file=sys.stderr)
        return Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        traceback.print_exc()
        print("leaflab: this is a bug in leaflab; the lines above say where.", file=sys.stderr)
        return 1


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(helping.general())
        return 0
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"leaflab {version('leaflab')}")
        return 0
    if words[0] in _COMPLETION:
        return _complete(words)
    verb, rest = words[0], words[1:]
    if verb in helping.commands():
        return _command(verb, rest)
    if verb not in verbs():
        hint = did_you_mean(verb, [*verbs(), *helping.commands()])
        raise ConfigError(f"`{verb}`", "is no verb or command", hint=hint)
    return _workflow(verb, rest)


def _command(name: str, words: list[str]) -> int:
    import click

    _configure(logging.INFO)
    words[:1] = [word.removeprefix("name=") for word in words[:1]]  # as people type it after a verb
    command = importlib.import_module(f"leaflab.commands.{name}").command
    try:
        code = command.main(words, prog_name=f"leaflab {name}", standalone_mode=False)
    except click.exceptions.Abort as error:
        raise KeyboardInterrupt from error
    except click.ClickException as error:
        print(f"leaflab: {error.format_message()}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def _workflow(verb: str, words: list[str]) -> int:
    level = next((_LEVELS[w] for w in words if w in _LEVELS), logging.INFO)
    words = [w for w in words if w not in _LEVELS]
    if "--help" in words or "-h" in words:
        print(helping.of_verb(verb))
        return 0
    os.environ["LEAFLAB_LOG_LEVEL"] = str(level)
    _configure(level)
    multirun = any(w in _MULTIRUN for w in words)
    words = [quoted(w, multirun=multirun) for w in expanded(words)]
    overrides = one_budget([w for w in words if not w.startswith("-")])
    if any(w.split("=")[0] in _HYDRA_FLAGS for w in words):
        return _hydra(verb, words)
    from leaflab.door.compose import compose

    config = compose(verb, overrides, multirun=multirun)
    if multirun:
        from leaflab.door.multirun import run_all

        return run_all(verb, overrides, config, job)
    result = call(verb, config, overrides)
    text = str(result) if result is not None else ""
    if text:
        print(text)
    return int(getattr(result, "exit_code", 0))


def _complete(words: list[str]) -> int:
    """Shell completion: `leaflab -sc install=bash` prints the rule, which asks back with the line typed so far."""
    line = os.environ.get("COMP_LINE", "")
    typed = line.split()
    if any(w.startswith("query=") for w in words) and len(typed) + line.endswith(" ") < 3:
        print(" ".join([*verbs(), *helping.commands()]))
        return 0
    verb = typed[1] if len(typed) > 1 else "run"
    if verb not in verbs():
        return 0
    os.environ["COMP_LINE"] = line.replace(f" {verb}", "", 1)
    return _hydra(verb, words, name="leaflab")


def _hydra(verb: str, words: list[str], *, name: str = "") -> int:
    """Hydra's own looks at the configuration (`--cfg job`, `--info`, `-sc`)."""
    import hydra

    from leaflab.door import searching

    searching.register()
    completing = any(w in _COMPLETION for w in words)
    silent = [s for s in _SILENT if not completing and not any(w.startswith(s.partition("=")[0]) for w in words)]
    overrides = [w for w in words if "=" in w and not w.startswith("-")]
    sys.argv = [name or f"leaflab {verb}", *silent, *overrides, *[w for w in words if w not in overrides]]
    hydra.main(version_base="1.3", config_path=str(package_conf()), config_name=verb)(lambda config: None)()
    return 0


def call(verb: str, config: DictConfig, overrides: list[str]) -> Any:
    """Builds the Lab of a composed configuration and runs the verb's workflow on it."""
    from leaflab.door.compose import lab_from

    lab = lab_from(config, verb, overrides)
    try:
        return getattr(importlib.import_module(f"leaflab.workflow.{verb}"), verb)(lab)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "make room, and the same command goes on where it stopped"
            raise LakeError(f"The disk of '{lab.home}'", "has no space left", hint=hint) from error
        if error.errno in (errno.EROFS, errno.EACCES):
            raise LakeError(f"'{error.filename}'", "cannot be written", hint="give yourself access to it") from error
        raise


def _configure(level: int) -> None:
    """What a user wants to read goes to stderr as plain sentences; results go to stdout."""
    own = logging.getLogger("leaflab")
    own.setLevel(level)
    own.propagate = False
    if not own.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        own.addHandler(handler)
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR" if level > logging.DEBUG else "INFO")
    for noisy in ("alembic", "optuna", "lightgbm"):
        logging.getLogger(noisy).setLevel(logging.ERROR if level > logging.DEBUG else logging.INFO)


def job(verb: str, config: DictConfig, overrides: list[str], outcome: Path) -> int:
    """One job of a multirun: never raises for a mistake, and leaves its outcome in a file for the summary."""
    _configure(int(os.environ.get("LEAFLAB_LOG_LEVEL", logging.INFO)))
    try:
        result = call(verb, config, overrides)
        logging.getLogger(__name__).info("%s", result)
        code, text = int(getattr(result, "exit_code", 0)), str(getattr(result, "headline", "done"))
    except LeaflabError as error:
        code, text = error.exit_code, str(error)
    except Exception:
        traceback.print_exc()
        code, text = 1, traceback.format_exc().strip().splitlines()[-1]
    outcome.parent.mkdir(parents=True, exist_ok=True)
    outcome.write_text(json.dumps({"overrides": overrides, "exit_code": code, "text": text}), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
