# SPDX-License-Identifier: GPL-2.0-only
"""Tells QEMU's monitor one thing: monitor.py SOCKET COMMAND [NAME=VALUE ...]."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any


def execute(monitor: Path, command: str, **arguments: Any) -> None:
    """Run one command of QMP, whose socket serves one client at a time."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(20)
        control.connect(str(monitor))
        answers = control.makefile("r")
        for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
            control.sendall(json.dumps(request).encode() + b"\n")
        seen = 0
        for line in answers:
            answer = json.loads(line)
            assert "error" not in answer, answer
            seen += "return" in answer
            if seen == 2:
                return
    raise AssertionError("the monitor did not answer")


if __name__ == "__main__":
    execute(Path(sys.argv[1]), sys.argv[2], **dict(word.split("=", 1) for word in sys.argv[3:]))
