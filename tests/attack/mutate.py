# SPDX-License-Identifier: GPL-2.0-only
"""Changes inputs as bad disks, old programs and strangers do; the same seed changes them in the same way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Any

HOSTILE = (
    b"9" * 5000, b"-1", b"0", b"1e999", b"NaN", b"\0", b"\xff\xfe", b"\x1b]0;x\x07\x1b[2J", b"::error::x",
    b"\r\n", b"\xe2\x80\xae", b"[" * 3000, b"{" * 3000, b"(" * 200, b"&a [*a]", b"<<: *a", b"!!timestamp 1",
    b"!!python/object:os.system x", b"$(touch /tmp/x)", b"'; touch x; '", b"`x`", b"../../../etc/passwd",
    b"[PATCH 1/999999999999]", b"@@ -" + b"1" * 5000 + b" +1 @@", b"\xc2\xb2", "٣".encode(),
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, float("nan"), float("-inf"), "", "x", "\x1b[2Jx", "::error::x", "$(id)",
    "'\"`$;\n", "../../../../etc/passwd", "/etc/passwd", "/dev/zero", "logs", "a\0b", "\ud800", "9" * 5000,
    [], {}, [[]], [None], {"x": {}}, "patch/x", "patch/-1", "series", "base", "x86_64", "run", "rerun", 2**63,
)  # fmt: skip


def mutated(content: bytes, random: Random) -> bytes:
    """Change some bytes, lines or blocks."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        content = _once(content, random)
    return content


def _once(content: bytes, random: Random) -> bytes:
    here = random.randrange(len(content) + 1)
    there = min(len(content), here + random.choice((1, 1, 4, 16, 80, 1000)))
    match random.randrange(8):
        case 0:
            return content[:here] + bytes([random.randrange(256)]) + content[here + 1 :]
        case 1:
            return content[:here] + content[there:]
        case 2:
            return content[:here] + random.choice(HOSTILE) + content[here:]
        case 3:
            return content[:here] + random.choice(HOSTILE) + content[there:]
        case 4:
            return content[:here]
        case 5:
            return content[:there] + content[here:there] * random.choice((1, 2, 50)) + content[there:]
        case 6:
            lines = content.split(b"\n")
            random.shuffle(lines)
            return b"\n".join(lines)
        case _:
            lines = content.split(b"\n")
            place = random.randrange(len(lines))
            head, mark, _ = lines[place].partition(random.choice((b":", b" ", b"=", b",")))
            lines[place] = head + mark + random.choice(HOSTILE)
            return b"\n".join(lines)


def mutated_json(content: bytes, random: Random) -> bytes:
    """Change values of a JSON document, so that it stays JSON."""
    document = json.loads(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        _change_value(document, random)
    return json.dumps(document).encode()


def mutated_facts(facts: Sequence[dict[str, Any]], random: Random) -> list[dict[str, Any]]:
    """Change values of a journal, or its lines, so that it stays JSON."""
    changed: list[dict[str, Any]] = json.loads(json.dumps(list(facts)))
    for _ in range(random.choice((1, 1, 2, 4))):
        match random.randrange(6):
            case 0:
                changed.insert(random.randrange(len(changed) + 1), random.choice(changed))
            case 1 if len(changed) > 1:
                changed.pop(random.randrange(len(changed)))
            case _:
                _change_value(random.choice(changed), random)
    return changed


def _change_value(value: Any, random: Random) -> None:
    """Walk down to some value, and replace, remove or repeat it."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = random.choice(keys)
        if isinstance(value[key], dict | list) and value[key] and random.random() < 0.85:
            value = value[key]
            continue
        match random.randrange(4):
            case 0 if isinstance(value, list):
                value.extend(value[key : key + 1] * random.choice((1, 3)))
            case 1:
                del value[key]
            case _:
                value[key] = deepcopy(random.choice(VALUES))
        return
