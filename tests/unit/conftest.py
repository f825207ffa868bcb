# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of the command line and of the cache share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import pytest

from harness.cli.main import main
from tests.program import Answer, Invoke, Program


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache's folder, empty."""
    folder = tmp_path / "home" / "thp-harness"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program with folders that are not there yet."""
    return Program(tmp_path / "cache", tmp_path / "state")


@pytest.fixture
def invoke(program: Program, capfd: pytest.CaptureFixture[str]) -> Iterator[Invoke]:
    """Run commands as `program` does, but without a new interpreter: quicker; an internal error fails."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def call(*arguments: str, env: Mapping[str, str] | None = None) -> Answer:
        environment = mock.patch.dict(os.environ, program.environment(env), clear=True)
        with environment, pytest.raises(SystemExit) as end:
            main(arguments, prog_name="thp-harness")
        printed = capfd.readouterr()
        assert isinstance(end.value.code, int)
        assert "internal error" not in printed.err, printed.err
        return Answer(end.value.code, printed.out, printed.err)

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)
