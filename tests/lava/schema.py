# SPDX-License-Identifier: GPL-2.0-only
"""LAVA's own schema for jobs, out of Debian's package lava-common, by the Python that has it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"
PACKAGE = Path("/usr/lib/python3/dist-packages/lava_common/schemas/__init__.py")
_ASK = """
import json, sys, voluptuous, yaml
from lava_common import schemas
def complaint(job):
    try:
        schemas.validate(job, strict=sys.argv[1] == "strict")
    except voluptuous.Invalid as error:
        return {"path": str(error.path), "msg": error.msg}
    return {}
print(json.dumps([complaint(job) for job in yaml.safe_load_all(sys.stdin)]))
"""

needs_schema = pytest.mark.skipif(
    not PACKAGE.exists(), reason="lava-common is not installed (ci/test-packages)"
)


def complaint(definition: str, *, strict: bool = False) -> dict[str, str]:
    """As `scheduler.jobs.validate` answers; nothing where the package is not there."""
    return complaints(definition, strict=strict)[0] if PACKAGE.exists() else {}


def complaints(*definitions: str, strict: bool = False) -> list[dict[str, str]]:
    """The same for several jobs, in no more time."""
    done = subprocess.run(
        [PYTHON, "-c", _ASK, "strict" if strict else "lenient"],
        input="\n---\n".join(definitions),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found
