"""No symbol that was asked for gets lost unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build.kconfig import as_config, dropped, merge_fragments, read_symbols
from harness.errors import UsageError


def test_symbols_of_a_config() -> None:
    lines = ["# a comment", "CONFIG_A=y", "# CONFIG_B is not set", "", 'CONFIG_C="text=x"', "CONFIG_D=0x10"]
    assert read_symbols(lines) == {
        "CONFIG_A": "y",
        "CONFIG_B": "n",
        "CONFIG_C": '"text=x"',
        "CONFIG_D": "0x10",
    }


def test_a_config_survives_a_round_trip() -> None:
    symbols = {"CONFIG_B": "n", "CONFIG_A": "y", "CONFIG_C": '"x"'}
    assert read_symbols(as_config(symbols).splitlines()) == symbols


def test_later_fragments_win(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("CONFIG_A=y\nCONFIG_B=y\n")
    (tmp_path / "two").write_text("# CONFIG_A is not set\n")
    assert merge_fragments([tmp_path / "one", tmp_path / "two"]) == {"CONFIG_A": "n", "CONFIG_B": "y"}


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.config").write_text("CONFIG_A=y\nDEBUG_VM=y\n")
    with pytest.raises(UsageError, match=r"bad\.config:2: not a configuration line: 'DEBUG_VM=y'"):
        merge_fragments([tmp_path / "bad.config"])


def test_a_missing_fragment_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"fragment .*gone\.config: No such file"):
        merge_fragments([tmp_path / "gone.config"])


@pytest.mark.parametrize(
    ("final", "lost"),
    [
        ({"CONFIG_A": "y", "CONFIG_B": "n"}, ()),
        ({"CONFIG_A": "y"}, ()),
        ({"CONFIG_B": "n"}, ("CONFIG_A=y (is n)",)),
        ({"CONFIG_A": "m", "CONFIG_B": "y"}, ("CONFIG_A=y (is m)", "CONFIG_B=n (is y)")),
    ],
)
def test_dropped_symbols(final: dict[str, str], lost: tuple[str, ...]) -> None:
    assert dropped({"CONFIG_A": "y", "CONFIG_B": "n"}, final) == lost
