# SPDX-License-Identifier: GPL-2.0-only
"""No symbol that was asked for gets lost unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build.kernel.kconfig import (
    ABSENT,
    LARGEST,
    Fragment,
    as_config,
    dropped,
    merge,
    overrides,
    read_fragment,
    read_symbols,
)
from harness.core.errors import UsageError


def fragment(name: str, **symbols: str) -> Fragment:
    return Fragment(name, f"{name}.config", {f"CONFIG_{symbol}": value for symbol, value in symbols.items()})


def read(path: Path) -> Fragment:
    return read_fragment(path, path.stem, str(path))


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


def test_a_symbol_may_stand_twice_but_not_with_two_values() -> None:
    assert read_symbols(["CONFIG_A=y", "CONFIG_A=y"]) == {"CONFIG_A": "y"}
    with pytest.raises(UsageError, match=r"mine:3: CONFIG_A is n here and y above"):
        read_symbols(["CONFIG_A=y", "", "# CONFIG_A is not set"], "mine")


def test_later_fragments_win_and_it_is_said() -> None:
    one, two, three = fragment("one", A="y", B="y"), fragment("two", A="n", B="y"), fragment("three", A="m")
    assert merge([one, two]) == {"CONFIG_A": "n", "CONFIG_B": "y"}
    assert overrides([one, two, three]) == (
        "CONFIG_A=n of two overrides y of one",
        "CONFIG_A=m of three overrides n of two",
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"CONFIG_A=y\nDEBUG_VM=y\n", r"bad\.config:2: not a configuration line: 'DEBUG_VM=y'"),
        (b"CONFIG_A=y\nCONFIG_A=n\n", r"bad\.config:2: CONFIG_A is n here and y above"),
        (b"", "asks for nothing"),
        (b"# only a comment\n\n", "asks for nothing"),
        (b"\x7fELF\x02\x01\x01\x00", r"is not a text file \(byte 7\)"),
        (b"CONFIG_A=\xff\n", r"is not a text file \(byte 9\)"),
        (b"CONFIG_A=y\nCONFIG_B=y\r\n", r"line 2, ends as lines do on DOS"),
        (b"\xef\xbb\xbfCONFIG_A=y\n", r"bad\.config:1: not a configuration line: '\\ufeffCONFIG_A=y'"),
        (b"#" * (LARGEST + 1), "more than 1 MiB"),
    ],
    ids=["no symbol", "two values", "empty", "comments", "binary", "not UTF-8", "CRLF", "BOM", "large"],
)  # fmt: skip
def test_what_is_no_fragment_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / "bad.config").write_bytes(content)
    with pytest.raises(UsageError, match=complaint) as raised:
        read(tmp_path / "bad.config")
    assert str(tmp_path / "bad.config") in str(raised.value)


def test_a_fragment_without_a_line_end_at_its_end_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("CONFIG_A=y\nCONFIG_B=y")
    assert read(tmp_path / "mine").symbols == {"CONFIG_A": "y", "CONFIG_B": "y"}


def test_a_missing_fragment_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"fragment .*gone\.config: No such file"):
        read(tmp_path / "gone.config")
    with pytest.raises(UsageError, match=rf"fragment {tmp_path}: Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("final", "lost"),
    [
        ({"CONFIG_A": "y", "CONFIG_B": "n"}, ()),
        ({"CONFIG_A": "y"}, ()),
        ({"CONFIG_A": "n"}, ("CONFIG_A=y (is n), asked for by two",)),
        ({"CONFIG_B": "n"}, (f"CONFIG_A=y ({ABSENT}), asked for by two",)),
        (
            {"CONFIG_A": "m", "CONFIG_B": "y"},
            ("CONFIG_A=y (is m), asked for by two", "CONFIG_B=n (is y), asked for by one"),
        ),
    ],
)
def test_dropped_symbols_are_named_with_the_fragment_that_has_the_last_word(
    final: dict[str, str], lost: tuple[str, ...]
) -> None:
    assert dropped([fragment("one", A="m", B="n"), fragment("two", A="y")], final) == lost
