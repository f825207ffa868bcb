# SPDX-License-Identifier: GPL-2.0-only
"""Durations of earlier builds and boots on this machine, for all announced times."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from harness.build.kernel.recipe import Recipe
from results.journal.journal import REACHED, VARIANTS, patch_variant

DEFAULT_SECONDS = {"build": 240.0, "boot": 15.0}
DEFAULT_STEPS = 850
DEFCONFIG_TIMES = 5
"""Factor of a defconfig build over a tinyconfig build (arm64: 4337 objects, not 673)."""
ON_TOP = "after the one before"
WITH_COUNTERS = "with counters"


def build_kind(recipe: Recipe, variant: str) -> str:
    """Return the key of a build: the configuration, and whether it is incremental."""
    if variant == REACHED:
        return f"{recipe.config_id} {WITH_COUNTERS}".strip()
    from_nothing = variant in (VARIANTS[0], patch_variant(0))
    return recipe.config_id if from_nothing else f"{recipe.config_id} {ON_TOP}".strip()


@dataclass(frozen=True, slots=True)
class Duration:
    """Duration in seconds, and number of make steps."""

    seconds: float
    steps: int = 0


class DurationHistory:
    """Durations and machines of earlier runs, in `STATE/history.json`, which may be deleted."""

    def __init__(self, state: Path) -> None:
        self._path = state / "history.json"
        self._past: dict[str, Duration] = {}
        self._machines: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError, AttributeError):
            record = json.loads(self._path.read_text())
            self._past = {key: Duration(float(item[0]), int(item[1])) for key, item in record["past"].items()}
            self._machines = {key: str(words) for key, words in record["machines"].items()}

    def expect(self, activity: str, arch: str, config_id: str = "") -> Duration:
        """Return the expected duration; `activity` is build or boot, `config_id` that of the recipe.

        For a new configuration it is estimated from the usual one of the architecture.
        """
        if known := self._past.get(_key(activity, arch, config_id)):
            return known
        usual = self._past.get(_key(activity, arch)) or Duration(DEFAULT_SECONDS[activity], DEFAULT_STEPS)
        if activity == "build" and "defconfig" in config_id:
            return Duration(usual.seconds * DEFCONFIG_TIMES, usual.steps * DEFCONFIG_TIMES)
        return usual

    def learn(self, activity: str, arch: str, seconds: float, steps: int = 0, config_id: str = "") -> None:
        """Remember a duration."""
        self._past[_key(activity, arch, config_id)] = Duration(round(seconds, 1), steps)
        self._save()

    def machine(self, arch: str, machine: str) -> str:
        """Return the huge pages of the last guest on a kind of machine; empty before the first."""
        return self._machines.get(f"{arch} {machine}", "")

    def learn_machine(self, arch: str, machine: str, words: str) -> None:
        """Remember the huge pages of a guest."""
        self._machines[f"{arch} {machine}"] = words
        self._save()

    def _save(self) -> None:
        past = {key: [item.seconds, item.steps] for key, item in sorted(self._past.items())}
        draft = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps({"past": past, "machines": self._machines}, indent=2))
            draft.replace(self._path)


def _key(activity: str, arch: str, config_id: str = "") -> str:
    return f"{activity} {arch} {config_id}".rstrip()
