# SPDX-License-Identifier: GPL-2.0-only
"""Records of LAVA labs, the jobs that follow from them, and what is said of a lab before a boot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config.catalogue import find, load_all
from harness.config.lab import LabRecord, read_token
from harness.core.errors import InfrastructureError, UsageError
from harness.machines.lava.artifacts import ArtifactStore, Published
from harness.machines.lava.job import WantedBoot, as_yaml, definition
from harness.plan.plan import PlanRequest, make_plan
from tests import published
from tests.lava.schema import complaint, complaints, needs_schema
from tests.lava.server import TOKEN, LavaLab, lava_lab
from tests.private_sshd import write_record
from tests.program import Invoke

GOLDEN = Path(__file__).parents[2] / "golden" / "lava"
RECORD: dict[str, Any] = {
    "name": "far",
    "about": "a lab",
    "uri": "https://lava.example/RPC2",
    "user": "ci",
    "token": {"variable": "LAVA_TOKEN"},
    "artifacts": {"folder": "/srv/files", "url": "https://files.example/thp"},
    "boards": {"x86_64": {"device_type": "qemu", "method": "qemu", "cmdline": ["console=ttyS0"]}},
}
EMULATOR = RECORD["boards"]["x86_64"]


def record_of(home: Path, **changes: Any) -> LabRecord:
    write_record(home, {**RECORD, **changes}, "labs")
    return find(LabRecord, "far", (home / "thp-harness",))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"urll": ""}, "urll: unknown key"),
        ({"uri": "lava.example/RPC2"}, "is not an http or https address"),
        ({"uri": "https://ci:secret@lava.example/RPC2"}, "user and token do not belong into an address"),
        ({"token": {}}, "one of file and variable must be given"),
        ({"token": {"file": "a", "variable": "B"}}, "one of file and variable must be given"),
        ({"token": "secret-secret"}, "token: "),
        ({"artifacts": {"url": "https://files.example"}}, "one of folder and command must be given"),
        (
            {"artifacts": {"url": "https://files.example", "command": ["cp", "{file}", "/srv"]}},
            "must have {file} and {name}",
        ),
        ({"boards": {}}, "boards: "),
        ({"boards": {"x86_64": {"cmdline": []}}}, "device_type and method must be given"),
        ({"boards": {"x86_64": {"tuxlava": "a", "method": "b", "cmdline": []}}}, "give one of the two"),
        ({"boards": {"x86_64": {**EMULATOR, "cmdline": ['console="a b"']}}}, "must be one word"),
        ({"limits": {"queue_seconds": 0}}, "limits.queue_seconds: "),
        ({"visibility": "secret"}, "visibility: "),
    ],
)
def test_a_wrong_record_is_refused_with_its_file(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = write_record(tmp_path, {**RECORD, **changes}, "labs")
    with pytest.raises(UsageError) as refused:
        load_all(LabRecord, (tmp_path / "thp-harness",))
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_a_token_is_read_from_where_nobody_else_can(tmp_path: Path) -> None:
    record = record_of(tmp_path, token={"file": "far.token"})
    with pytest.raises(InfrastructureError, match=r"labs/far\.token holds no token"):
        read_token(record)
    token = tmp_path / "thp-harness" / "labs" / "far.token"
    token.write_text(f"{TOKEN}\nand more\n")
    token.chmod(0o640)
    with pytest.raises(UsageError, match="others may read"):
        read_token(record)
    token.chmod(0o600)
    assert read_token(record) == TOKEN
    with_variable = record_of(tmp_path)
    assert read_token(with_variable, {"LAVA_TOKEN": TOKEN}) == TOKEN
    with pytest.raises(InfrastructureError, match=r"\$LAVA_TOKEN holds no token") as refused:
        read_token(with_variable, {"LAVA_TOKEN": "two words"})
    assert "two words" not in str(refused.value)


# Jobs

WANTED = WantedBoot(
    name="thp-harness arm64-base-1 0123456789abcdef",
    kernel=Published("thp-k.image", "https://files.example/thp-harness/thp-k.image", "1" * 64),
    initramfs=Published("thp-i.cpio", "https://files.example/thp-harness/thp-i.cpio", "2" * 64),
    cmdline=("thp.token=0011223344556677", "console=ttyS1,115200", "panic=-1"),
    nonce="0123456789abcdef",
    seconds=400,
)
BOARDS: dict[str, dict[str, Any]] = {
    "u-boot": {"device_type": "bcm2711-rpi-4-b", "method": "u-boot", "kernel_type": "image",
               "dtb": "https://files.example/board.dtb", "tags": ["4gb"], "cmdline": []},
    "grub": {"device_type": "x86-64-server", "method": "grub", "cmdline": []},
    "emulator": {"device_type": "qemu", "method": "qemu", "cmdline": [],
                 "context": {"arch": "x86_64", "no_kvm": True, "extra_options": ["-no-reboot", "-smp 2"]}},
    "tuxlava-emulator": {"tuxlava": "qemu-x86_64", "cmdline": []},
    "tuxlava-board": {"tuxlava": "nfs-x86_64", "device_type": "my-x86", "cmdline": []},
}  # fmt: skip


def job_text(home: Path, kind: str, **changes: Any) -> str:
    record = record_of(home, boards={"arm64": BOARDS[kind]}, **changes)
    return as_yaml(definition(record, record.boards["arm64"], WANTED))


@pytest.mark.parametrize("kind", ["u-boot", "grub", "emulator"])
def test_jobs_are_what_they_were(tmp_path: Path, kind: str) -> None:
    """To write them anew, remove the files."""
    golden = GOLDEN / f"{kind}.yaml"
    text = job_text(tmp_path, kind)
    if not golden.exists():
        golden.write_text(text)
        pytest.fail(f"{golden} was not there, and is written")
    assert text == golden.read_text()


@pytest.mark.parametrize("kind", ["tuxlava-emulator", "tuxlava-board"])
def test_tuxlava_says_how_and_we_say_what(tmp_path: Path, kind: str) -> None:
    """The rest of its answer is its own affair, and changes with its versions."""
    job = yaml.safe_load(job_text(tmp_path, kind))
    (_, deploy), (_, boot) = (next(iter(action.items())) for action in job["actions"])
    files = {
        part["url"]: part["sha256sum"] for part in deploy.get("images", deploy).values() if "url" in part
    }
    assert files == {WANTED.kernel.url: "1" * 64, WANTED.initramfs.url: "2" * 64}
    assert job["device_type"] == {"tuxlava-emulator": "qemu", "tuxlava-board": "my-x86"}[kind]
    assert "thp.token=0011223344556677" in json.dumps(job)
    assert "auto_login" not in boot  # there is no login: LAVA would wait for one until its time is up
    assert boot["prompts"] == ["THP:0123456789abcdef:[0-9]+:[0-9a-f]{8} done [0-9]"]


@needs_schema
def test_lava_takes_our_jobs(tmp_path: Path) -> None:
    """By LAVA's own schema. Strictly it knows `ignore_kernel_messages` only inside of a login."""
    texts = [job_text(tmp_path, kind) for kind in BOARDS]
    texts.append(job_text(tmp_path, "grub", groups=["kernel"]))
    *found, wrong = complaints(*texts, texts[0].replace("job_name", "name"))
    assert found == [{}] * len(texts)
    assert wrong["path"] in ("['name']", "['job_name']")


def test_a_device_that_tuxlava_does_not_know_is_refused(tmp_path: Path) -> None:
    record = record_of(tmp_path, boards={"arm64": {"tuxlava": "qemu-arm46", "cmdline": []}})
    with pytest.raises(UsageError, match="Unknown device qemu-arm46"):
        definition(record, record.boards["arm64"], WANTED)


# Files for the lab


def test_a_command_puts_files_there(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    command = ["cp", "{file}", f"{there}/{{name}}"]
    record = record_of(tmp_path, artifacts={"url": "https://files.example/thp/", "command": command})
    published = ArtifactStore(record).put(b"kernel", ".image")
    assert (there / published.name).read_bytes() == b"kernel"
    assert published.url == f"https://files.example/thp/{published.name}"


@pytest.mark.parametrize(
    ("artifacts", "said"),
    [
        ({"command": ["false", "{file}{name}"]}, "false ended with status 1"),
        ({"command": ["no-such-program", "{file}{name}"]}, "no-such-program: No such file"),
        ({"folder": "not/there"}, "No such file or directory"),
    ],
)
def test_files_that_can_not_be_put_there_are_no_kernels_fault(
    tmp_path: Path, artifacts: dict[str, Any], said: str
) -> None:
    record = record_of(tmp_path, artifacts={"url": "https://files.example", **artifacts})
    with pytest.raises(InfrastructureError, match=said):
        ArtifactStore(record).put(b"kernel", ".image")


# Commands


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LavaLab]:
    (tmp_path / "files").mkdir()
    with lava_lab(tmp_path / "files") as opened:
        yield opened


def test_labs_are_listed_without_their_tokens(invoke: Invoke, tmp_path: Path) -> None:
    write_record(tmp_path, RECORD, "labs")
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "LAVA_TOKEN": TOKEN}
    answer = invoke("labs", "list", "--json", env=environment)
    published.check(answer.json, "labs")
    example, far = answer.json["labs"]
    assert (example["name"], far["name"], far["arches"]) == ("example", "far", ["x86_64"])
    assert TOKEN not in answer.stdout


def checked(invoke: Invoke, home: Path, lab: LavaLab, **changes: Any) -> dict[str, Any]:
    """What `labs check` says, by what it looks at."""
    write_record(home, lab.record(EMULATOR, **changes), "labs")
    environment = {"XDG_CONFIG_HOME": str(home), "LAVA_TOKEN": TOKEN}
    answer = invoke("labs", "check", "testlab", "--json", env=environment)
    published.check(answer.json, "lab-check")
    checks = {check["name"]: check for check in answer.json["checks"]}
    assert answer.code == (3 if any(check["ok"] is False for check in checks.values()) else 0)
    assert TOKEN not in answer.stdout + answer.stderr
    return checks


def test_a_lab_that_is_fit_is_called_so(invoke: Invoke, tmp_path: Path, lab: LavaLab) -> None:
    checks = checked(invoke, tmp_path, lab)
    assert {name: check["ok"] for name, check in checks.items()} == dict.fromkeys(
        ("reachable", "login", "boards for x86_64", "artifacts"), True
    )
    assert list(lab.folder.iterdir()) == []


def test_what_is_wrong_with_a_lab_is_said_with_what_to_do(
    invoke: Invoke, tmp_path: Path, lab: LavaLab
) -> None:
    lab.types = ("panda",)
    assert "The lab has: panda" in checked(invoke, tmp_path, lab)["boards for x86_64"]["fix"]
    lab.types = ("qemu",)
    unknown = {"x86_64": {**EMULATOR, "context": {"colour": "red"}}}
    if complaint("{}"):  # only LAVA's own schema knows the variables
        board = checked(invoke, tmp_path, lab, boards=unknown)["boards for x86_64"]
        assert "would not take our job" in board["detail"]
    wrong_url = {"folder": str(lab.folder), "url": f"{lab.files}/elsewhere"}
    assert checked(invoke, tmp_path, lab, artifacts=wrong_url)["artifacts"]["ok"] is False
    lab.token = "another"
    assert "is refused (401" in checked(invoke, tmp_path, lab)["login"]["detail"]
    lab.token, lab.status = TOKEN, lambda method: 500
    assert "HTTP 500" in checked(invoke, tmp_path, lab)["reachable"]["detail"]
    nobody = checked(invoke, tmp_path, lab, uri="http://127.0.0.1:9/RPC2")
    assert "refused" in nobody["reachable"]["detail"]


# Plans


def planned(home: Path, monkeypatch: pytest.MonkeyPatch, **asked: Any) -> Any:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    return make_plan(PlanRequest(lab="far", **asked))


def test_a_lab_says_which_architectures_there_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards = {"x86_64": {**EMULATOR, "kconfig": ["lockdep"]}, "arm64": EMULATOR}
    write_record(tmp_path, {**RECORD, "boards": boards, "defconfig": ""}, "labs")
    plan = planned(tmp_path, monkeypatch)
    assert [arch.name for arch in plan.arches] == ["x86_64", "arm64"]
    assert "lockdep" in plan.recipes["x86_64"].title
    assert "lockdep" not in plan.recipes["arm64"].title
    assert plan.label.startswith("far-x86_64+arm64-")
    assert not plan.emulated
    with pytest.raises(UsageError, match="lab far has no boards for s390"):
        planned(tmp_path, monkeypatch, arches=("s390",))
    with pytest.raises(UsageError, match="exclude each other"):
        planned(tmp_path, monkeypatch, host="example")
