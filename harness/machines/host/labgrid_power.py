# SPDX-License-Identifier: GPL-2.0-only
"""Switches a host's power by labgrid; a separate program, `python -m … ENVIRONMENT TARGET ACTION`.

labgrid knows switchable sockets of many makers, USB hubs and boards; which of them, an environment
configuration says (https://labgrid.readthedocs.io/, "Environment Configuration"). Its drivers wait without a
limit, so the caller starts this and kills it. It ends with 1 and one line on stderr if that fails.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.config.host import HostRecord, PowerFacts

ACTIONS = ("cycle", "off", "on")
CHECK = "check"
"""An action that only looks whether the others can be carried out."""
FIX = "pip install 'thp-harness[labgrid]'"


def command(environment: Path, target: str, action: str) -> tuple[str, ...]:
    """What does this, to be run with a time-out."""
    return (sys.executable, "-m", __name__, str(environment), target, action)


def switched(record: HostRecord) -> PowerFacts:
    """The record's `power`, with labgrid's commands for cycle, off and on where it asks for them."""
    if not (asked := record.power.labgrid):
        return record.power
    file = record.path(asked.environment)
    return record.power.model_copy(update={action: command(file, asked.target, action) for action in ACTIONS})


def is_installed() -> bool:
    """Whether labgrid, an optional extra, is there."""
    return importlib.util.find_spec("labgrid") is not None


def main(arguments: Sequence[str]) -> int:
    """Carry out one action; returns the exit status."""
    environment, target, action = arguments
    try:
        driver = _driver(environment, target)
        if action != CHECK:
            getattr(driver, action)()
    except Exception as error:  # whatever its drivers raise
        words = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"labgrid: {environment}: {target}: {words}", file=sys.stderr)
        return 1
    return 0


def _driver(environment: str, target: str) -> Any:
    """The driver for the power of a target, ready to be used."""
    found = importlib.import_module("labgrid").Environment(environment).get_target(target)
    if found is None:
        raise LookupError("the environment has no such target")
    return found.get_driver("PowerProtocol")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
