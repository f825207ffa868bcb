# SPDX-License-Identifier: GPL-2.0-only
"""What machines of a cluster tell and send each other, without a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from harness.build.build_cache import sha256_of, write_sums
from harness.build.guest.programs import ARCHIVE
from harness.cluster.connect import local_workers
from harness.cluster.exchange import PARCELS, PROGRAMS, Exchange
from harness.cluster.node.worker_session import WorkerSession
from harness.cluster.site import Cluster
from harness.cluster.step_messages import Delivery, MissingCommit, Order, WorkerContext, from_text, to_text
from harness.cluster.steps import BootDone
from harness.cluster.tags import Ability, demand, from_document
from harness.cluster.tls.address import parse_address
from harness.cluster.tls.certificates import make_certificates, read_certificates
from harness.core.errors import HarnessError, InfrastructureError, UsageError
from harness.core.process import Stopped
from harness.core.version import program_version
from harness.core.workspace import Workspace
from harness.sources.git.mirror import open_mirror
from results.journal.journal import BootFact
from results.model.run import BootEnd
from tests.samples.tiny_kernel import commit, git, make_kernel

RUN = "20270101-120000-run"


def ability(**changes: Any) -> Ability:
    known = {"worker": "w-1", "machine": "w", "harness": program_version(), "cores": 2, "memory_mb": 4096}
    return Ability(**{**known, **changes})


# Addresses


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tls://build-1:9000", "tls://build-1:9000"),
        ("tls://10.0.0.7", "tls://10.0.0.7:8786"),
        ("tls://[fd00::1]:9000/", "tls://[fd00::1]:9000"),
        ("tcp://127.0.0.1:9000", "tcp://127.0.0.1:9000"),
        ("tcp://[::1]", "tcp://[::1]:8786"),
        ("tcp://localhost", "tcp://localhost:8786"),
    ],
)
def test_an_address_is_read(text: str, meant: str) -> None:
    assert str(parse_address(text)) == meant


@pytest.mark.parametrize(
    "text", ["", "build-1:8786", "http://build-1", "tls://", "tls://a b", "tls://a:0", "tls://a:65536"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not the address of a scheduler"):
        parse_address(text)


@pytest.mark.parametrize("host", ["build-1", "10.0.0.7", "0.0.0.0", "[fd00::1]", "127.0.0.1.example"])
def test_plain_tcp_is_refused_but_on_loopback(host: str) -> None:
    with pytest.raises(UsageError, match="plain TCP") as refused:
        parse_address(f"tcp://{host}:8786")
    assert "cluster certs" in refused.value.hint


@pytest.mark.parametrize("text", ["", "local", "local:0", "local:-1", "local:65", "remote:2", "local:2x"])
def test_a_local_cluster_has_a_number_of_workers(text: str) -> None:
    assert local_workers("local:4") == 4
    with pytest.raises(UsageError, match="local:N"):
        local_workers(text)


# Tags


def test_a_machine_tells_what_it_has_and_nothing_else() -> None:
    told = ability(
        compilers={"arm64": "gcc 12"}, qemu={"arm64": "7.2", "x86_64": "7.2"}, kvm=("x86_64",), kvm_untried=()
    )
    assert told.tags == {
        f"harness {program_version()}",
        "toolchain-arm64 gcc 12",
        "qemu-arm64 7.2",
        "qemu-x86_64 7.2",
        "kvm-x86_64",
    }
    assert from_document(told.as_document()) == told
    wanted = demand(frozenset({"qemu-arm64 7.2"}), 1024)
    has = told.resources(2)
    assert wanted and all(amount <= has[name] for name, amount in wanted.items())
    assert not set(demand(frozenset({"qemu-arm64 8.0"}), 0)) <= set(has)


# The exchange


def programs(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / ARCHIVE).write_bytes(b"programs")
    write_sums(folder, (ARCHIVE,))
    return folder


def test_what_one_machine_makes_another_one_takes(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path / "exchange")
    made = programs(tmp_path / "one" / PROGRAMS / "key")
    assert exchange.take(PROGRAMS, "key", tmp_path / "other") is None
    exchange.offer(PROGRAMS, made)
    taken = exchange.take(PROGRAMS, "key", tmp_path / "other")
    assert taken == tmp_path / "other" / PROGRAMS / "key"
    assert (taken / ARCHIVE).read_bytes() == b"programs"


def test_what_is_damaged_on_the_way_is_not_taken(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path / "exchange")
    made = programs(tmp_path / "one" / PROGRAMS / "key")
    exchange.offer(PROGRAMS, made)
    there = exchange.folder / PROGRAMS / "key" / ARCHIVE
    there.write_bytes(b"pr0grams")
    assert exchange.take(PROGRAMS, "key", tmp_path / "other") is None
    exchange.offer(PROGRAMS, made)
    assert there.read_bytes() == b"programs", "the next one that has it whole puts it right"


def test_a_parcel_arrives_as_it_was_sent_or_not_at_all(tmp_path: Path) -> None:
    exchange, out, run = Exchange(tmp_path / "exchange"), tmp_path / "out", tmp_path / "run"
    (out / "logs").mkdir(parents=True)
    (run / "logs").mkdir(parents=True)
    (out / "logs" / "boot.log").write_text("booted")
    exchange.await_parcels(RUN)
    sums = exchange.send(f"{RUN}/boot#1/once", out)
    exchange.receive(f"{RUN}/boot#1/once", sums, run)
    assert (run / "logs" / "boot.log").read_text() == "booted"

    (exchange.folder / PARCELS / RUN / "boot#1" / "once" / "logs" / "boot.log").write_text("b00ted")
    with pytest.raises(InfrastructureError, match="as it was sent"):
        exchange.receive(f"{RUN}/boot#1/once", sums, run)
    assert (run / "logs" / "boot.log").read_text() == "booted"
    exchange.forget(RUN)
    with pytest.raises(InfrastructureError, match="No such file"):
        exchange.receive(f"{RUN}/boot#1/once", sums, run)
    with pytest.raises(InfrastructureError, match="No such file"):
        exchange.send(f"{RUN}/boot#2/once", out)


def test_commits_get_from_one_mirror_to_another_without_their_history(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path / "exchange")
    linux = make_kernel(tmp_path / "linux")
    base = commit(linux, "base", {"mm/memory.c": "base\n"})
    mirror = open_mirror(tmp_path / "one")
    mirror.run("fetch", "--quiet", "--depth=1", f"file://{linux}", "master:refs/trees/linux")
    top = commit(linux, "top", {"mm/memory.c": "top\n"})
    mirror.run("fetch", "--quiet", str(linux), "master:refs/series/mine")
    assert not exchange.take_commit(base, tmp_path / "other")
    for each in (base, top):
        exchange.offer_commit(each, tmp_path / "one")
        exchange.offer_commit(each, tmp_path / "one")
        assert exchange.take_commit(each, tmp_path / "other")
    assert git(tmp_path / "other" / "mirror.git", "cat-file", "-p", f"{top}:mm/memory.c") == "top"


# A worker's bench


@dataclass(frozen=True)
class Doing:
    """A step that is a function."""

    action: Callable[[WorkerContext], Any]
    name: str = "doing"
    tags: frozenset[str] = frozenset()
    memory_mb: int = 0
    answer: Any = int
    leaves: tuple[str, ...] = ("logs/doing.",)

    def carry_out(self, station: WorkerContext) -> Any:
        return self.action(station)


@pytest.fixture
def bench(tmp_path: Path) -> WorkerSession:
    Exchange(tmp_path / "exchange").await_parcels(RUN)
    return WorkerSession(ability(), Workspace(tmp_path / "cache", tmp_path / "state"), lambda line: None)


def order(bench_folder: Path, action: Callable[[WorkerContext], Any], harness: str = "") -> Order:
    version = harness or program_version()
    return Order(Doing(action), "doing#1", f"{RUN}/doing#1", str(bench_folder / "exchange"), version)


def test_a_step_delivers_its_value_and_its_files(bench: WorkerSession, tmp_path: Path) -> None:
    def act(station: WorkerContext) -> int:
        (station.out / "log").write_text("done")
        return 7

    first, again = (bench.perform(order(tmp_path, act)) for _ in range(2))
    assert (first.value, first.trouble, set(first.sums)) == (7, "", {"log"})
    assert first.parcel != again.parcel, "dask may carry out one attempt twice"


def test_a_worker_refuses_a_controller_of_another_version(bench: WorkerSession, tmp_path: Path) -> None:
    delivery = bench.perform(order(tmp_path, lambda station: 7, harness="0.0.1+older"))
    assert delivery.value is None
    assert "0.0.1+older" in delivery.trouble
    assert program_version() in delivery.trouble


def test_a_worker_that_does_not_reach_the_exchange_says_so(bench: WorkerSession, tmp_path: Path) -> None:
    Exchange(tmp_path / "exchange").forget(RUN)
    assert "--exchange" in bench.perform(order(tmp_path, lambda station: 7)).trouble


def test_a_worker_without_room_says_so(
    bench: WorkerSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cluster.node.worker_session.DISK_FREE_BYTES", 1 << 60)
    assert "MiB left" in bench.perform(order(tmp_path, lambda station: 7)).trouble


def test_what_a_machine_cannot_do_is_told_with_its_remedy(bench: WorkerSession, tmp_path: Path) -> None:
    def fail(station: WorkerContext) -> None:
        raise HarnessError("no compiler", hint="install it")

    def lack(station: WorkerContext) -> None:
        raise MissingCommit("c" * 40)

    assert bench.perform(order(tmp_path, fail)).trouble == "no compiler; install it"
    assert bench.perform(order(tmp_path, lack)).lacks_commit == "c" * 40


def test_a_cancelled_step_delivers_nothing(bench: WorkerSession, tmp_path: Path) -> None:
    def cancel(station: WorkerContext) -> None:
        bench.cancel("doing#1")
        station.children.raise_if_stopping()

    with pytest.raises(Stopped):
        bench.perform(order(tmp_path, cancel))
    with pytest.raises(Stopped):
        bench.perform(order(tmp_path, lambda station: pytest.fail("it was cancelled before it began")))
    assert not list((tmp_path / "exchange" / PARCELS / RUN).iterdir())


PARCEL = f"{RUN}/doing#1/{'0' * 32}"
SUM = {"logs/doing.log": "a" * 64}


@pytest.mark.parametrize(
    "change",
    [
        {"key": "doing#2"},
        {"parcel": f"{RUN}/other#1/{'0' * 32}"},
        {"parcel": f"{PARCEL}/../../../../x"},
        {"sums": {"events.jsonl": "a" * 64}},
        {"sums": {"../../../.bashrc": "a" * 64}},
        {"sums": {"/etc/passwd": "a" * 64}},
        {"sums": {"logs/other.log": "a" * 64}},
        {"sums": {"logs/doing.log": "../x"}},
        {"value": "seven"},
        {"value": {"a": []}},
        {"worker": None},
    ],
    ids=str,
)
def test_only_an_answer_to_the_order_is_taken(tmp_path: Path, change: dict[str, Any]) -> None:
    sent = order(tmp_path, lambda station: 7)
    good = {"key": sent.key, "worker": "w", "value": 7, "parcel": PARCEL, "sums": SUM}
    assert from_text(json.dumps(good), sent).value == 7
    with pytest.raises(ValueError):
        from_text(json.dumps({**good, **change}), sent)


@pytest.mark.parametrize("sent", [b"", None, 7, "", "[]", "[" * 100_000, "{}", '{"key": 1}'])
def test_what_is_no_delivery_is_refused(tmp_path: Path, sent: object) -> None:
    with pytest.raises(ValueError):
        from_text(sent, order(tmp_path, lambda station: 7))


def test_a_parcel_with_links_is_not_followed(tmp_path: Path) -> None:
    exchange, run = Exchange(tmp_path / "exchange"), tmp_path / "run"
    (run / "logs").mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    parcel = exchange.folder / PARCELS / PARCEL / "logs"
    parcel.mkdir(parents=True)
    (parcel / "doing.log").symlink_to(secret)
    with pytest.raises(InfrastructureError, match="not a plain file"):
        exchange.receive(PARCEL, {"logs/doing.log": sha256_of(secret)}, run)
    assert not list((run / "logs").iterdir())


def test_deliveries_of_real_steps_come_back_as_they_went(tmp_path: Path) -> None:
    fact = BootFact(
        "b-1", "arm64", "base", "first", "0a", ("t",), "qemu", "tcg", BootEnd.DONE, "", 1.5, "l", ()
    )
    done = BootDone(fact, {"/w/out": "out"})
    sent = replace(order(tmp_path, lambda station: 7), step=Doing(lambda station: 7, answer=BootDone))
    delivery = Delivery(sent.key, "w", done, PARCEL, SUM)
    assert from_text(to_text(delivery), sent) == delivery


# Certificates


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    make_certificates(folder, ["hub", "build-1"], 30)
    make_certificates(folder / "others", ["hub"], 30)
    return folder


def test_only_their_owner_can_read_keys_and_the_authority_stays_the_same(certs: Path) -> None:
    read_certificates(certs / "hub")
    keys = [certs / "ca-key.pem", certs / "hub" / "key.pem", certs / "build-1" / "key.pem"]
    assert [path.stat().st_mode & 0o777 for path in keys] == [0o600] * 3
    assert not list(certs.glob("hub/ca-key*"))
    before = (certs / "ca.pem").read_bytes()
    make_certificates(certs, ["build-2"], 30)
    assert (certs / "build-2" / "ca.pem").read_bytes() == before


@pytest.mark.parametrize("name", ["hub", "../x", "", ".hidden", "a b"])
def test_nothing_is_overwritten_and_no_name_leads_elsewhere(certs: Path, name: str) -> None:
    before = (certs / "hub" / "key.pem").read_bytes()
    with pytest.raises(UsageError):
        make_certificates(certs, [name], 30)
    assert (certs / "hub" / "key.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "instead", "said"),
    [
        ("cert.pem", "", "No such file"),
        ("key.pem", "nonsense", "not a key"),
        ("ca.pem", "nonsense", "not a certificate"),
        ("cert.pem", "others/hub/cert.pem", "was not signed by"),
        ("ca.pem", "others/hub/ca.pem", "was not signed by"),
        ("key.pem", "build-1/key.pem", "is not the key of"),
    ],
)
def test_what_is_wrong_with_certificates_is_said(
    certs: Path, tmp_path: Path, file: str, instead: str, said: str
) -> None:
    own = shutil.copytree(certs / "hub", tmp_path / "own")
    (own / file).unlink()
    if instead == "nonsense":
        (own / file).write_text(instead)
    elif instead:
        shutil.copyfile(certs / instead, own / file)
    with pytest.raises(UsageError, match=said):
        read_certificates(own)


def test_a_certificate_that_has_expired_is_told_with_the_clock(certs: Path, tmp_path: Path) -> None:
    (own,) = make_certificates(tmp_path / "old", ["hub"], -1)
    with pytest.raises(UsageError, match="this machine's clock says"):
        read_certificates(own)


def test_a_clock_that_is_behind_takes_a_new_certificate(certs: Path) -> None:
    certificate = x509.load_pem_x509_certificate((certs / "hub" / "cert.pem").read_bytes())
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert certificate.not_valid_before_utc < yesterday


def test_an_authority_in_pieces_is_not_made_anew(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["hub"], 30)
    (tmp_path / "ca-key.pem").unlink()
    with pytest.raises(UsageError, match="but not"):
        make_certificates(tmp_path, ["build-1"], 30)


@pytest.mark.parametrize("place", ["host", "lab"])
def test_what_only_this_machine_reaches_is_not_asked_of_workers(place: str, tmp_path: Path) -> None:
    plan: Any = SimpleNamespace(**{"host": None, "lab": None, place: SimpleNamespace(name="desk")})
    with pytest.raises(UsageError, match=f"the {place} desk .* from this machine only"):
        Cluster(None, Exchange(tmp_path), print).find_tools(plan)
