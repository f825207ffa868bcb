# SPDX-License-Identifier: GPL-2.0-only
"""Two network namespaces with a bad line between them: packets are late, and some are lost.

The line is a thread that carries packets from one tunnel device to the other (tun in the kernel's
Documentation/networking/tuntap.rst), since not every kernel has netem.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET_BYTES = 65536


class NoNetworkError(Exception):
    """This machine or user may not make one."""


@dataclass
class BadLine:
    """Addresses 10.99.0.1 and 10.99.0.2 on its ends; `delay` in seconds each way, `loss` as a share."""

    delay: float
    loss: float
    carried: int = 0
    lost: int = 0
    _tag: str = field(default_factory=lambda: uuid.uuid4().hex[:6])
    _ends: list[int] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @staticmethod
    def address(end: int) -> str:
        return f"10.99.0.{end + 1}"

    def inside(self, end: int) -> tuple[str, ...]:
        """What a command begins with that is to run at this end."""
        return ("ip", "netns", "exec", self._namespace(end))

    def _namespace(self, end: int) -> str:
        return f"thp-{self._tag}-{end}"

    def __enter__(self) -> BadLine:
        try:
            self._make()
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            raise NoNetworkError(str(error)) from None
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()
        return self

    def _make(self) -> None:
        for end in (0, 1):
            name, device = self._namespace(end), f"tun{self._tag}{end}"
            _ip("netns", "add", name)
            tunnel = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self._ends.append(tunnel)
            fcntl.ioctl(tunnel, _TUNSETIFF, struct.pack("16sH", device.encode(), _IFF_TUN | _IFF_NO_PI))
            _ip("link", "set", device, "netns", name)
            _ip("-n", name, "link", "set", "lo", "up")
            peer = self.address(1 - end)
            _ip("-n", name, "addr", "add", self.address(end), "peer", peer, "dev", device)
            _ip("-n", name, "link", "set", device, "up")

    def _carry(self) -> None:
        chance = random.Random(self._tag)
        waiting: list[tuple[float, int, int, bytes]] = []
        while not self._stopping.is_set():
            pause = min(waiting[0][0] - time.monotonic(), 0.1) if waiting else 0.1
            for tunnel in select.select(self._ends, [], [], max(pause, 0))[0]:
                packet = os.read(tunnel, _PACKET_BYTES)
                if chance.random() < self.loss:
                    self.lost += 1
                    continue
                self.carried += 1
                other = self._ends[1 - self._ends.index(tunnel)]
                heapq.heappush(waiting, (time.monotonic() + self.delay, self.carried, other, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, other, packet = heapq.heappop(waiting)
                os.write(other, packet)

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()
        for tunnel in self._ends:
            os.close(tunnel)
        for end in (0, 1):
            subprocess.run(("ip", "netns", "del", self._namespace(end)), capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), check=True, capture_output=True)
