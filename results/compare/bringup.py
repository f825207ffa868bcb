# SPDX-License-Identifier: GPL-2.0-only
"""Base against series before any test has run: does the kernel build, without new warnings, and boot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from results.compare.reason import SURE, Reason
from results.compare.tally import boot_is_infrastructures, guest_died_in, reached_tests
from results.model.run import (
    Boot,
    BootEnd,
    Build,
    Cell,
    CompilerWarning,
    Verdict,
)
from results.text import amount, first_line


def new_warnings(base: Build | None, series: Build | None) -> tuple[CompilerWarning, ...]:
    """Return the compiler warnings that only the series has, wherever their lines have moved to."""
    if base is None or series is None or not (base.ok and series.ok):
        return ()
    known = {_identity(warning) for warning in base.warnings}
    new = {_identity(warning): warning for warning in series.warnings if _identity(warning) not in known}
    return tuple(new.values())


def _identity(warning: CompilerWarning) -> tuple[str, str, str]:
    return warning.file, warning.flag, warning.text


def compare_warnings(warnings: Sequence[CompilerWarning]) -> list[Reason]:
    """Say that there are new warnings."""
    if not warnings:
        return []
    first = warnings[0]
    count = amount(len(warnings), "new compiler warning")
    flag = f" [{first.flag}]" if first.flag else ""
    text = f"{count}: {first.file}:{first.line}: {first.text}{flag}"
    return [Reason(Verdict.REGRESSION, text, f"{count}: {first.file}")]


def compare_builds(base: Build | None, series: Build | None) -> list[Reason]:
    """Say what is wrong with the builds."""
    for build, name in ((base, "base"), (series, "the series")):
        if build is None:
            return [Reason(Verdict.INFRASTRUCTURE, f"{name} was not built")]
        if not build.ok and build.error_is_infrastructure:
            return [
                Reason(
                    Verdict.INFRASTRUCTURE,
                    f"{name} could not be built here: {first_line(build.error)}",
                    f"{name} could not be built: {first_line(build.error)}",
                )
            ]
    assert base is not None
    assert series is not None
    if base.ok and series.ok:
        return []
    if base.ok:
        text = f"does not build with the series: {first_line(series.error)}"
        return [Reason(Verdict.REGRESSION, text, f"the series does not build: {first_line(series.error)}")]
    if series.ok:
        text = f"base does not build: {first_line(base.error)}"
        return [Reason(Verdict.INFRASTRUCTURE, text, "base does not build")]
    text = f"neither kernel builds: {first_line(series.error)}"
    return [Reason(Verdict.FAILS_ON_BOTH, text, "neither kernel builds")]


def compare_boots(base: Cell, series: Cell) -> list[Reason]:
    """Say which kernels don't get to their first test, or die when no test is running; by kind of machine."""
    machines = list(dict.fromkeys(boot.machine for boot in (*base.boots, *series.boots)))
    reasons = []
    for machine in machines:
        where = f"on {machine}: " if len(machines) > 1 else ""
        found = _compare_boots_on_one(base.on(machine), series.on(machine))
        reasons += [replace(reason, text=where + reason.text) for reason in found]
    return reasons


def _compare_boots_on_one(base: Cell, series: Cell) -> list[Reason]:
    if not base.boots or not series.boots:
        return []
    return [*_compare_bringup(base, series), *_compare_deaths_between_tests(base, series)]


def _compare_bringup(base: Cell, series: Cell) -> list[Reason]:
    for cell, name in ((base, "base"), (series, "the series")):
        if all(boot_is_infrastructures(boot) for boot in cell.boots) and not _reached(cell):
            return [Reason(Verdict.INFRASTRUCTURE, f"{name} never got to a test: {_how(cell.boots[-1])}")]
    dead_base, dead_series = _dead_before_tests(base), _dead_before_tests(series)
    if not dead_base and not dead_series:
        return []
    if _reached(base) and not _reached(series) and len(dead_series) >= SURE and not dead_base:
        rate = _rate(dead_series, series)
        return [
            Reason(
                Verdict.REGRESSION,
                f"does not boot with the series ({rate}), base does: {_how(dead_series[0])}",
                "the series does not boot",
            )
        ]
    if not _reached(base) and not _reached(series):
        return [Reason(Verdict.FAILS_ON_BOTH, f"neither kernel boots: {_how(dead_series[0])}")]
    if _reached(series) and not dead_series and not _reached(base):
        return [Reason(Verdict.FIXED, f"base does not boot, the series does: {_how(dead_base[0])}")]
    return [Reason(Verdict.FLAKY, text) for text in _flaky_bringup(base, dead_base, series, dead_series)]


def _flaky_bringup(base: Cell, dead_base: list[Boot], series: Cell, dead_series: list[Boot]) -> list[str]:
    texts = []
    if dead_series:
        texts.append(
            f"did not get to a test in {_rate(dead_series, series)} with the series: {_how(dead_series[0])}"
        )
    if dead_base:
        texts.append(f"did not get to a test in {_rate(dead_base, base)} of base: {_how(dead_base[0])}")
    return texts


def _compare_deaths_between_tests(base: Cell, series: Cell) -> list[Reason]:
    """No test takes the blame for a guest that dies after the last one, or between two."""
    dead_base, dead_series = _dead_between_tests(base), _dead_between_tests(series)
    if not dead_series:
        return []
    rate, how = _rate(dead_series, series), _how(dead_series[0])
    text = f"died while no test was running in {rate} with the series: {how}"
    if dead_base:
        return [Reason(Verdict.FAILS_ON_BOTH, f"{text}; and so did base")]
    return [Reason(Verdict.REGRESSION if len(dead_series) >= SURE else Verdict.FLAKY, text)]


def _reached(cell: Cell) -> bool:
    return any(reached_tests(boot) for boot in cell.boots)


def _dead_before_tests(cell: Cell) -> list[Boot]:
    return [
        boot
        for boot in cell.boots
        if boot.end.is_kernels and boot.end is not BootEnd.TIMEOUT and not reached_tests(boot)
    ]


def _dead_between_tests(cell: Cell) -> list[Boot]:
    return [
        boot
        for boot in cell.boots
        if boot.end.is_kernels
        and boot.end is not BootEnd.TIMEOUT
        and reached_tests(boot)
        and not any(guest_died_in(boot, result) for result in boot.tests)
    ]


def _how(boot: Boot) -> str:
    return boot.detail or str(boot.end)


def _rate(some: Sequence[Boot], cell: Cell) -> str:
    counted = [boot for boot in cell.boots if not boot_is_infrastructures(boot)]
    return f"{len(some)} of {amount(len(counted), 'boot')}"
