# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import pytest

from results.text import quantity


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "B", "absent"),
        (0, "", "0"),
        (198, "", "198"),
        (5632, "", "5632"),
        (12_345, "", "12,345"),
        (2_199_110, "", "2,199,110"),
        (4096, "B", "4096 B"),
        (4117.4, "B", "4117 B"),
        (9999.6, "B", "10000 B"),
        (12_288, "B", "12 KiB"),
        (21.5, "B", "21.5 B"),
        (12_582_912, "B", "12 MiB"),
        (3 << 30, "B", "3 GiB"),
        (-20_480, "B", "-20 KiB"),
        (93.75, "%", "93.8 %"),
        (100, "%", "100 %"),
        (4.847, "%", "4.8 %"),
        (0, "ns", "0 ns"),
        (850, "ns", "850 ns"),
        (1000, "ns", "1.00 µs"),
        (12_440, "ns", "12.4 µs"),
        (412_000, "ns", "412 µs"),
        (999_990, "ns", "1.00 ms"),
        (3_204_000, "ns", "3.20 ms"),
        (1_050_000_000, "ns", "1.05 s"),
    ],
)
def test_numbers_are_short(value: float | None, unit: str, words: str) -> None:
    assert quantity(value, unit) == words
