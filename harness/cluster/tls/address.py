# SPDX-License-Identifier: GPL-2.0-only
"""Where a scheduler is, and whether it may be spoken to as asked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from harness.core.errors import UsageError

DEFAULT_PORT = 8786
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?/?")
_EXAMPLE = "Like tls://build-1:8786, or tcp://127.0.0.1:8786 for a scheduler on this machine."


@dataclass(frozen=True, slots=True)
class Address:
    """Of a scheduler."""

    protocol: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.protocol}://{self.host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        """Whether both sides show certificates."""
        return self.protocol == "tls"


def parse_address(text: str) -> Address:
    """Read `tls://HOST[:PORT]` or `tcp://127.0.0.1[:PORT]`.

    Raises:
        UsageError: if it is anything else, or plain TCP to another machine.
    """
    found = _ADDRESS.fullmatch(text)
    port = int(found[3] or DEFAULT_PORT) if found else 0
    if not found or not 0 < port < 1 << 16:
        raise UsageError(f"{text!r} is not the address of a scheduler", hint=_EXAMPLE)
    address = Address(found[1], found[2], port)
    if not address.encrypted and not is_loopback(address.host):
        raise UsageError(
            f"{text}: plain TCP would let anybody on that network run programs here",
            hint="Use tls://, with certificates made by `thp-harness cluster certs DIR`.",
        )
    return address


def is_loopback(host: str) -> bool:
    """Whether only this machine can be meant."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
