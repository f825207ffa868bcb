# SPDX-License-Identifier: GPL-2.0-only
"""What `--kconfig` and `--defconfig` make of an architecture's configuration."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.build.kernel.recipe import OWN_DEFCONFIG, TINY, Recipe, make_recipes
from harness.config.arch import ArchRecord
from harness.config.catalogue import find, load_all
from harness.core.errors import UsageError
from harness.core.shipped import CONFIGS
from harness.sources.git.mirror import open_mirror
from harness.sources.trees.defconfigs import require_defconfigs
from tests.samples.tiny_kernel import FILES, git, make_kernel

ARCHES = tuple(load_all(ArchRecord).values())
X86_64, ARM64 = (find(ArchRecord, name) for name in ("x86_64", "arm64"))


def recipe(arch: ArchRecord, *asked: str, defconfig: str | None = None) -> Recipe:
    return make_recipes((arch,), asked, defconfig)[arch.name]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.config"
    path.write_text("CONFIG_MINE=y\n# CONFIG_TTY is not set\n")
    return path


@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: str(arch.name))
def test_the_shipped_fragments_of_an_architecture_never_contradict_each_other(arch: ArchRecord) -> None:
    from harness.build.kernel.kconfig import overrides

    usual = recipe(arch)
    assert usual.base == TINY
    assert usual.config_id == ""
    assert usual.symbols["CONFIG_TRANSPARENT_HUGEPAGE"] == "y"
    assert overrides(usual.fragments) == ()


def test_a_defconfig_is_not_put_on_a_diet() -> None:
    tiny, big = recipe(X86_64), recipe(X86_64, defconfig=OWN_DEFCONFIG)
    assert tiny.symbols["CONFIG_IO_URING"] == "n"
    assert "CONFIG_IO_URING" not in big.symbols
    assert big.base == big.config_id == "defconfig"
    assert big.symbols.items() < tiny.symbols.items()
    assert big.symbols["CONFIG_SERIAL_8250_CONSOLE"] == "y"


@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: str(arch.name))
def test_every_architecture_has_a_diet(arch: ArchRecord) -> None:
    assert recipe(arch).symbols["CONFIG_IO_URING"] == "n"


@pytest.mark.parametrize(
    ("name", "target"),
    [("x86_64", "x86_64_defconfig"), ("x86_64_defconfig", "x86_64_defconfig"), ("defconfig", "defconfig")],
)
def test_a_defconfig_by_name(name: str, target: str) -> None:
    assert recipe(X86_64, defconfig=name).base == target


@pytest.mark.parametrize("name", ["-k", "../x", "a b", "x;y"])
def test_what_cannot_be_a_defconfig(name: str) -> None:
    with pytest.raises(UsageError, match=f"--defconfig {name}: not a name"):
        recipe(X86_64, defconfig=name)


def test_a_fragment_is_added_last_and_has_the_last_word(mine: Path) -> None:
    own = recipe(X86_64, "lockdep", str(mine), "lockdep")
    assert [fragment.name for fragment in own.extra] == ["lockdep", str(mine)]
    assert own.fragments[-1].file == str(mine)
    assert own.symbols["CONFIG_TTY"] == "n"
    assert own.symbols.items() >= recipe(X86_64, "lockdep").symbols.items() - {("CONFIG_TTY", "y")}
    assert own.title.endswith(f" + lockdep + {mine}")
    assert own.title.startswith("tinyconfig + common + ")
    assert own.config_id == f"lockdep + {mine}"


def test_a_fragment_for_one_architecture() -> None:
    recipes = make_recipes((X86_64, ARM64), ["arm64:kasan", "lockdep"])
    assert recipes["x86_64"].config_id == "lockdep"
    assert recipes["arm64"].config_id == "kasan + lockdep"


def test_a_file_in_the_current_folder_needs_no_slash_unless_a_shipped_one_has_its_name(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine.parent)
    Path("kasan").write_text("CONFIG_OTHER=y\n")
    assert "CONFIG_MINE" in recipe(X86_64, "mine.config").symbols
    assert "CONFIG_KASAN" in recipe(X86_64, "kasan").symbols
    assert "CONFIG_OTHER" in recipe(X86_64, "./kasan").symbols


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("lokdep", ["unknown kernel configuration fragment 'lokdep'. Did you mean 'lockdep'?", "kasan"]),
        ("kasan.config", ["unknown kernel configuration fragment 'kasan.config'. Did you mean 'kasan'?"]),
        ("", ["unknown kernel configuration fragment ''."]),
        ("./gone.config", ["gone.config: No such file"]),
        ("arm46:kasan", ["unknown architecture 'arm46'. Did you mean 'arm64'?"]),
        ("arm64:kasan", ["--kconfig arm64:kasan: arm64 is not an architecture of this run"]),
        ("x86_64:kasna", ["unknown kernel configuration fragment 'kasna'. Did you mean 'kasan'?"]),
    ],
)
def test_an_unknown_fragment_is_named_with_the_nearest(asked: str, said: Sequence[str]) -> None:
    with pytest.raises(UsageError) as raised:
        recipe(X86_64, asked)
    for words in said:
        assert words in f"{raised.value} {raised.value.hint}"


def test_what_a_shipped_fragment_says_is_read_once(tmp_path: Path) -> None:
    configs = Path(shutil.copytree(CONFIGS, tmp_path / "configs"))
    fixed = make_recipes((X86_64,), ["kasan"], folders=(configs,))["x86_64"]
    (configs / "kconfig" / "kasan.config").write_text("CONFIG_CHANGED=y\n")
    assert fixed.symbols["CONFIG_KASAN"] == "y"


def test_a_defconfig_must_be_of_the_tree(tmp_path: Path) -> None:
    tree = make_kernel(
        tmp_path / "tree",
        {
            **FILES,
            "arch/x86/configs/x86_64_defconfig": "CONFIG_SMP=y\n",
            "arch/powerpc/Makefile": "ppc64le_defconfig:\n\t$(call merge_into_defconfig)\n",
        },
    )
    commit = git(tree, "rev-parse", "HEAD")
    open_mirror(tmp_path).run("fetch", "--quiet", str(tree), "master")
    require_defconfigs(tmp_path, commit, ["defconfig", "x86_64_defconfig", "ppc64le_defconfig"])
    for wrong, guess in (("x86_46_defconfig", " Did you mean 'x86_64_defconfig'?"), ("z_defconfig", "")):
        with pytest.raises(UsageError) as raised:
            require_defconfigs(tmp_path, commit, ["defconfig", wrong])
        assert str(raised.value).startswith(f"the tree has no {wrong}.{guess}")
