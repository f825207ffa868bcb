# SPDX-License-Identifier: GPL-2.0-only
"""Histories of the stub tree for bisections: commits whose kernels boot, don't boot, or don't build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.integration.stub_series import IMAGE, WITH_TAIL
from tests.integration.stub_tree import MAKEFILE, StubTree, gate_of, make_stub_tree
from tests.samples.tiny_kernel import commit, git

SECTOR = 512
SETUP_SECTORS = 0x1F1
"""Documentation/arch/x86/boot.rst: the size of the real-mode part; the kernel's entry follows it."""
INVALID_INSTRUCTION = b"\x0f\x0b"
FREE = 0x1C0
"""Offset from the entry of some bytes that nobody uses: the 64-bit entry must be at 0x200."""
BEGINNING = bytes.fromhex("fcfa8da6e8010000")
"""cld; cli; lea 0x1e8(%esi),%esp: these run as well anywhere else."""
BUILDS, BROKEN = "int gate;\n", "int gate\n"


def dead_image(image: Path, path: Path) -> Path:
    """A copy of an x86 kernel that resets the machine at its first instruction."""
    content = bytearray(image.read_bytes())
    entry = (content[SETUP_SECTORS] + 1) * SECTOR
    content[entry : entry + len(INVALID_INSTRUCTION)] = INVALID_INSTRUCTION
    path.write_bytes(content)
    return path


def flaky_image(image: Path, path: Path, percent: int) -> Path:
    """A copy of an x86 kernel that resets the machine at once in so many of a hundred boots."""
    content = bytearray(image.read_bytes())
    entry = (content[SETUP_SECTORS] + 1) * SECTOR
    code = bytes.fromhex("0f31 c1e804 3c") + bytes([256 * percent // 100])  # rdtsc; shr $4,%eax; cmp $N,%al
    code += bytes.fromhex("7302") + INVALID_INSTRUCTION + BEGINNING  # jae over it
    code += _jump(FREE + len(code), len(BEGINNING))
    assert content[entry : entry + len(BEGINNING)] == BEGINNING
    assert not any(content[entry + FREE : entry + FREE + len(code)])
    content[entry + FREE : entry + FREE + len(code)] = code
    content[entry : entry + 5] = _jump(0, FREE)
    path.write_bytes(content)
    return path


def _jump(place: int, target: int) -> bytes:
    return b"\xe9" + (target - place - 5).to_bytes(4, "little", signed=True)


def make_stub_history(path: Path, image: Path, steps: Sequence[str]) -> tuple[StubTree, list[str]]:
    """One commit for each word, on top of `base`; returns the tree and the ids, that of base first.

    `dies` makes the kernel reset from then on, `flakes` in 30 of 100 boots, and `lives` mends it;
    `breaks` keeps it from building and
    `builds` mends that; `warns` adds a compiler warning; `same` changes no byte of the image;
    anything else changes the image's last bytes.
    """
    makefile = MAKEFILE.replace("@cp image $@", "@cat `cat mm/which` mm/tail > $@")
    gate = gate_of(path)
    makefile = makefile.replace(IMAGE, WITH_TAIL.replace("mm/tail", "mm/tail mm/which"))
    files = {"Makefile": makefile.replace("GATE", str(gate.path)), "mm/tail": "base", "mm/which": "image\n"}
    tree = make_stub_tree(path, image, base=files)
    git(path, "checkout", "--quiet", "-B", "topic", "base")
    dead_image(image, path / "dead")
    flaky_image(image, path / "flaky", 30)
    commits = [commit(path, "base, and a kernel that is dead", {})]
    for number, word in enumerate(steps, start=1):
        commits.append(commit(path, f"mm: {number}: {word}", _changes(word, number)))
    return tree, commits


def _changes(word: str, number: int) -> dict[str, str]:
    match word:
        case "dies":
            return {"mm/which": "dead\n", "mm/tail": str(number)}
        case "flakes":
            return {"mm/which": "flaky\n", "mm/tail": str(number)}
        case "lives":
            return {"mm/which": "image\n", "mm/tail": str(number)}
        case "breaks":
            return {"mm/gate.c": BROKEN}
        case "builds":
            return {"mm/gate.c": BUILDS}
        case "warns":
            return {"mm/before.c": "static int unused;\nint before;\n"}
        case "same":
            return {"Documentation/mm.rst": f"said {number}\n"}
        case _:
            return {"mm/tail": str(number)}
