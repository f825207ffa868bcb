# SPDX-License-Identifier: GPL-2.0-only
"""Choose the few lines of a long excerpt that decide: what was reported, where, and who called it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from results.reports.content.excerpt import NumberedLines
from results.splats.frames import frames, program_counter, starts_trace
from results.splats.machinery import is_machinery
from results.text import without_printk_prefix

DECISIVE_LINES = 8
_REPORT = re.compile(
    r"\bBUG\b|\bWARNING: |\bOops\b|\bUBSAN|\bKASAN|Kernel panic|Unable to handle|general protection"
    r"|page allocation failure|blocked for more than|detected stalls|lockup"
)
_FAILURE = re.compile(
    r"\bnot ok\b|\bFAIL|\b(?:fatal )?error: |\bexpected\b|\bAssertion\b|\*\*\* ", re.IGNORECASE
)
_HARMLESS = re.compile(r"\b(?:0 (?:failed|errors)|fail:0|error:0)\b")
_MOST_HEADS = 3


def decisive(lines: NumberedLines, most: int = DECISIVE_LINES) -> NumberedLines:
    """Choose at most `most` lines, in their order."""
    if len(lines) <= most:
        return lines
    texts = [without_printk_prefix(line) for _, line in lines]
    heads = [place for place, text in enumerate(texts) if _REPORT.search(text)][:_MOST_HEADS]
    chosen = [*heads, *_places_of_code(texts)]
    if not chosen:
        chosen = _failures(texts)
    chosen = list(dict.fromkeys(chosen))[:most]
    chosen += [place for place in _fill(len(lines), chosen) if place not in chosen][: most - len(chosen)]
    return tuple(lines[place] for place in sorted(chosen))


def _places_of_code(texts: Sequence[str]) -> list[int]:
    """Return the program counter, then the frames that are nobody's machinery, innermost first."""
    found = []
    if program_counter(texts):
        found += [place for place, text in enumerate(texts) if program_counter([text])][:1]
    start = next((place for place, text in enumerate(texts) if starts_trace(text)), None)
    if start is not None:
        found += [place for place in range(start + 1, len(texts)) if _is_guilty(texts[place])]
    return found


def _is_guilty(text: str) -> bool:
    return any(not is_machinery(function) for function in frames([text]))


def _failures(texts: Sequence[str]) -> list[int]:
    return [place for place, text in enumerate(texts) if _FAILURE.search(text) and not _HARMLESS.search(text)]


def _fill(count: int, chosen: Sequence[int]) -> Sequence[int]:
    """Lines beside the chosen ones: after the first, or the last lines of all."""
    return range(chosen[0] + 1, count) if chosen else range(count - 1, -1, -1)
