# SPDX-License-Identifier: GPL-2.0-only
"""Mutated inputs for each reader alone, which takes a hundred thousand of them in minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from harness.build.kernel.kconfig import read_symbols
from harness.cluster.step_messages import Delivery, Order, from_text, to_text
from harness.core.shipped import CONFIGS
from harness.machines.host.remote.ssh import _enforce_known_keys
from harness.sources.series.diff import parse_diff
from harness.sources.series.mail.headers import header_text, identifiers, read_headers, sender, sent_at
from harness.sources.series.mail.mime import as_plain
from harness.sources.series.mail.subject import read_subject
from results.console.ktap import parse_ktap
from results.console.outcome import ProcessEnd, judge
from results.console.read import answer, read_log
from results.journal.journal import JOURNAL, folder_kind, read_events
from results.model.document import Outcome, from_json, to_json
from results.model.rerun import Rerun
from results.model.run import Run
from results.model.walk import Walk
from tests.attack.bounds import bounded, seeds
from tests.attack.mutate import mutated, mutated_json
from tests.samples.golden_runs import NAMES, RUNS, golden_run
from tests.samples.patch_mail import diff, mail
from tests.samples.sample_run import hostile_run, regression_run
from tests.samples.sample_walk import mixed_walk

GOLDEN = Path(__file__).parent.parent / "golden"
LOGS = tuple(path.read_bytes() for path in sorted(GOLDEN.glob("*/*.log")))
PARTS = b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\na\n--x--\n"
WORDS = (
    mail("=?utf-8?q?=5BPATCH_v2_2=2F3=5D?= mm: a", headers="Cc: =?iso-8859-1?q?J=F6?= <jo@kernel.example>\n"),
    mail("[PATCH 1/3] mm: b", answers="0", number="1"),
    mail("[PATCH] c", headers="Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n"),
)
KTAP = (
    b"KTAP version 1\n1..2\n  KTAP version 1\n  1..2\n  ok 1 a # SKIP no\n  not ok 2 b\n"
    b"# why\nnot ok 1 c\nok 2 d\n",
    b"TAP version 13\n1..3\nok 1 - a\n# Totals: pass:1 fail:0\nok 2 b # TODO x\nBail out! no\n",
    b"1..1\n# selftests: mm: x\n# ok 1 y\nok 1 selftests: mm: x # exit=1\n",
)  # fmt: skip
KNOWN_HOSTS = (
    b"h1,10.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
    b"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6Nbh\n"
    b"[h2]:2222 ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEez\n",
)
ORDER = Order(SimpleNamespace(answer=dict[str, int], leaves=("logs/x86_64",)), "key", "parcels/run", "", "1")
OUTCOMES: tuple[Outcome, ...] = (*map(golden_run, NAMES), regression_run(), hostile_run(), mixed_walk())
DELIVERY = Delivery("key", "w", {"a": 1}, "parcels/run/" + 32 * "0", {"logs/x86_64-1.log": 64 * "0"})
FRAGMENTS = tuple(path.read_bytes() for path in sorted((CONFIGS / "kconfig").glob("*.config")))


def read_mail(content: bytes, _: Path) -> None:
    headers, _end, body = content.partition(b"\n\n")
    parsed = read_headers(content)
    sender(parsed)
    sent_at(parsed)
    identifiers(parsed, "Message-ID", "References")
    read_subject(header_text(parsed, "Subject"))
    as_plain(headers + b"\n", body)
    parse_diff(content.decode("utf-8", "surrogateescape"))


def read_ktap(content: bytes, _: Path) -> None:
    lines = content.decode("utf-8", "replace").splitlines()
    parse_ktap(lines)
    judge(ProcessEnd("exit", 0, 1), lines)


def read_console(content: bytes, _: Path) -> None:
    lines = content.decode("utf-8", "replace").splitlines(keepends=True)
    answer(read_log("x.log", lambda: lines))


def read_journal(content: bytes, folder: Path) -> None:
    (folder / JOURNAL).write_bytes(content)
    folder_kind(list(read_events(folder)))


def read_document(content: bytes, _: Path) -> None:
    for model in (Run, Walk, Rerun):
        if f"/{model.__name__.lower()}/".encode() in content[:200]:
            from_json(model, content.decode("utf-8", "replace"))


def read_known_hosts(content: bytes, folder: Path) -> None:
    import paramiko

    (folder / "known_hosts").write_bytes(content)
    record: Any = SimpleNamespace(path=partial(Path, folder), ssh=SimpleNamespace(known_hosts="known_hosts"))
    _enforce_known_keys(record, paramiko.SSHClient())


def read_delivery(content: bytes, _: Path) -> None:
    try:
        from_text(content.decode("utf-8", "replace"), ORDER)
    except ValueError:
        return


def read_config(content: bytes, _: Path) -> None:
    read_symbols(content.decode("utf-8", "replace").splitlines())


@dataclass(frozen=True)
class Reader:
    """A reader, and the inputs that are mutated for it."""

    read: Callable[[bytes, Path], object]
    inputs: tuple[bytes, ...]
    a_night: int
    is_json: bool = False


READERS = {
    "mail": Reader(read_mail, (*(text.encode() for text in WORDS), PARTS, diff().encode()), 20_000),
    "ktap": Reader(read_ktap, KTAP, 25_000),
    "console": Reader(read_console, LOGS, 5_000),
    "journal": Reader(read_journal, tuple((RUNS / name / JOURNAL).read_bytes() for name in NAMES), 15_000),
    "document": Reader(
        read_document,
        tuple(to_json(outcome).encode() for outcome in OUTCOMES),
        6_000,
        is_json=True,
    ),
    "known_hosts": Reader(read_known_hosts, KNOWN_HOSTS, 10_000),
    "delivery": Reader(
        read_delivery,
        (to_text(DELIVERY).encode(),),
        20_000,
        is_json=True,
    ),
    "config": Reader(read_config, FRAGMENTS, 10_000),
}
CASES = [
    pytest.param(name, *each.values, marks=each.marks, id=f"{name}-{each.id}")
    for name, reader in READERS.items()
    for each in seeds(reader.a_night, block=5000)
]


@pytest.mark.parametrize(("name", "seeds"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_readers(tmp_path: Path, name: str, seeds: range) -> None:
    reader = READERS[name]
    for seed in seeds:
        random = Random(seed)
        content = random.choice(reader.inputs)
        if reader.is_json and random.random() < 0.6:
            content = mutated_json(content, random)
        else:
            content = mutated(content, random)
        with bounded(seed):
            reader.read(content, tmp_path)
