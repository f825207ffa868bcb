# SPDX-License-Identifier: GPL-2.0-only
"""A run as a mail: a reply to the cover letter, or a block for its author to paste into the next one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from results.compare.evidence import total_change
from results.model.run import ArchComparison, Cell, Run, Verdict
from results.reports.content import excerpt, lookup, wording
from results.reports.content.finding import MOST_REASON, Finding, page_address
from results.reports.content.findings import findings
from results.reports.content.folds import folds, grouped
from results.reports.content.measured import overviews, sentences
from results.reports.mail import text
from results.reports.mail.text import wrapped
from results.text import abbrev

_MOST_FINDINGS = 10
_LONGEST_SUBJECT = 120
"""Characters of a finding in the subject."""
_INDENT = "  "
_SIGNS = str.maketrans({"→": "->", "–": "-", "µ": "u", "×": "x"})


def report_mail(run: Run, run_dir: Path, cc: Sequence[str] = (), url: str = "") -> str:
    """Write the mail with its headers; `cc` are further addresses, `url` is that of the run folder."""
    letter = run.subject.letter
    found = findings(run)
    parts = [
        _header(run, found, cc),
        text.greeting(letter.author if letter else ""),
        wrapped("this series was built and booted, with and without it:"),
        "\n".join(_subject(run)),
        *_doubts(run),
        wrapped(run.headline),
        "\n".join(_table(run)),
        *(_told(finding, run_dir, url) for finding in found[:_MOST_FINDINGS]),
        *_left_out(len(found) - _MOST_FINDINGS),
        *_folded(run),
        *_evidence(run),
        *_measured(run),
        "\n".join(_reproduction(run, found)),
        f"-- \nthp-harness {run.harness}, run {wording.visible(run.id)}",
    ]
    head, *body = map(_plain, parts)
    return text.mail(head, "\n\n".join(map(text.harmless, body))) + "\n"


def cover_block(run: Run, url: str = "") -> str:
    """Write what an author pastes below the `---`: nothing in it begins a patch; `url` as for a mail."""
    subject = run.subject
    parts = [
        wrapped(
            f"Tested with thp-harness {run.harness} on {_tree(run)}, with and without "
            f"{_words(len(subject.patches), 'this patch', 'these {} patches')}:"
        ),
        *_doubts(run),
        "\n".join(_table(run)),
        wrapped(run.headline),
        *(_said(finding, url) for finding in findings(run)[:_MOST_FINDINGS]),
        *_folded(run),
        *_evidence(run),
        *_measured(run),
        wrapped("Reproduce with:") + f"\n\n{_INDENT}{_command(run)}",
    ]
    return text.harmless("\n\n".join(map(_plain, parts))) + "\n"


def _header(run: Run, found: Sequence[Finding], cc: Sequence[str]) -> str:
    letter = run.subject.letter
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    worst = f"{excerpt.cut_line(found[0].headline, _LONGEST_SUBJECT)}{more}: " if found else ""
    subject = f"Test report: {worst}{wording.series_name(run.subject)}"
    if letter is None:
        return text.header("", cc, subject)
    others = [address for address in (*letter.recipients, *cc) if address != letter.author]
    if not letter.message_id:
        return text.header(letter.author, others, subject)
    identifier = f"<{wording.visible(letter.message_id)}>"
    thread = (f"In-Reply-To: {identifier}", f"References: {identifier}")
    return text.header(letter.author, others, f"Re: {letter.subject}", thread)


def _subject(run: Run) -> Iterator[str]:
    """What was tested, in three lines."""
    subject = run.subject
    count = _words(len(subject.patches), "1 patch", "{} patches")
    yield f"{_INDENT}tree    {wording.visible(_tree(run))}"
    yield f"{_INDENT}series  {count}, to {abbrev(subject.series_commit)}"
    machines = grouped((_machines(run, arch), arch.arch) for arch in run.arches)
    arches = ", ".join(f"{', '.join(names)} ({words})" for words, names in machines.items())
    yield wrapped(f"on      {arches}", _INDENT, _INDENT + " " * 8)


def _tree(run: Run) -> str:
    subject = run.subject
    fixes = len(subject.tree_fixes)
    more = f", with {_words(fixes, 'one fix', '{} fixes')} of ours" if fixes else ""
    return f"{subject.tree} {subject.tree_version} ({abbrev(subject.base_commit)}{more})"


def _machines(run: Run, arch: ArchComparison) -> str:
    boots = [boot for cell in run.cells if cell.arch == arch.arch for boot in cell.boots]
    kinds = dict.fromkeys(f"{boot.machine} {boot.accelerator}" for boot in boots)
    return " and ".join(kinds) or "not booted"


def _doubts(run: Run) -> Iterator[str]:
    """What must be known before any of the rest is believed."""
    subject = run.subject
    if not run.complete:
        yield wrapped(f"INCOMPLETE: {wording.unfinished('run')}.")
    if subject.stand_in:
        yield wrapped(f'What was tested is a STAND-IN for the real series: "{subject.series_title}".')
    for hunk in subject.fuzzed:
        yield wrapped(f"{hunk.file} hunk {hunk.hunk} was placed with fuzz {hunk.fuzz} ({hunk.patch}).")
    for note in subject.notes:
        yield wrapped(f"Note: {note}")


def _table(run: Run) -> Iterator[str]:
    columns = overviews(run)
    rows: list[tuple[str, ...]] = [("arch", "verdict", "tests", "exercised", "failing", *columns)]
    for number, arch in enumerate(run.arches):
        rows.append(
            (
                arch.arch,
                str(arch.verdict),
                str(len(arch.tests)) if arch.tests else "-",
                _both(_reached(run, arch, variant) for variant in ("base", "series")),
                _both(str(_failing(arch, variant)) for variant in ("base", "series")),
                *(cells[number] for cells in columns.values()),
            )
        )
    yield from text.table(rows)
    yield f"{_INDENT}(base | series)"


def _both(sides: Iterable[str]) -> str:
    return " | ".join(sides)


def _reached(run: Run, arch: ArchComparison, variant: str) -> str:
    """How many tests gave their evidence, or how far the kernel came."""
    cell: Cell | None = lookup.cell_of(run, arch.arch, variant)
    if cell is None or cell.build is None or not cell.build.ok:
        return "no kernel"
    if not cell.boots:
        return "no boot"
    return str(sum(wording.tally_of(test.base, test.series, variant).exercised for test in arch.tests))


def _failing(arch: ArchComparison, variant: str) -> int:
    tallies = [wording.tally_of(test.base, test.series, variant) for test in arch.tests]
    return sum(tally.failures > 0 for tally in tallies)


def _evidence(run: Run) -> Iterator[str]:
    """What moved: a test counts only if its counter did."""
    lines = []
    for arch in run.arches:
        words = [f"{name} {_moved(arch, name)}" for name in lookup.wanted_counters(run)]
        if arch.tests:
            lines.append(wrapped(f"{arch.arch}: {', '.join(words)}", _INDENT, _INDENT * 2))
    if lines and lookup.wanted_counters(run):
        yield "Evidence, counters over all tests (base | series):\n\n" + "\n".join(lines)


def _moved(arch: ArchComparison, counter: str) -> str:
    sides = ([test.base.counters for test in arch.tests], [test.series.counters for test in arch.tests])
    changes = [total_change(side, counter) for side in sides]
    return _both("absent" if change is None else f"{change:+d}" if change else "0" for change in changes)


def _measured(run: Run) -> Iterator[str]:
    """What tests measured; the same words of several architectures stand once."""
    said = ((words, arch.arch) for kind in _KINDS for arch in run.arches for words in kind(arch))
    lines = [
        wrapped(f"{', '.join(arches)}: {words}", _INDENT, _INDENT * 2)
        for words, arches in grouped(said).items()
    ]
    if lines:
        yield "Measured:\n\n" + "\n".join(lines)


def _claimed(arch: ArchComparison) -> Iterator[str]:
    for item in arch.claims:
        claim = item.claim
        holds = "as the series says" if item.verdict is Verdict.UNCHANGED else str(item.verdict)
        seen = _both((item.base_seen, item.series_seen))
        wanted = _both((claim.base or "any", claim.series or "any"))
        yield f"{claim.counter} should be {wanted} and is {seen}: {holds}"


_KINDS = (_claimed, sentences)


def _told(finding: Finding, run_dir: Path, url: str) -> str:
    """One finding, with the decisive lines of its log."""
    quoted = finding.quote(run_dir)
    return "\n".join((_said(finding, url), *(("", *_quotation(quoted)) if quoted else ())))


def _said(finding: Finding, url: str) -> str:
    head = f"{str(finding.verdict).capitalize()} on {finding.arch}: {finding.title}"
    lines = [*_short(finding.reason).splitlines(), *(f"{name}: {_short(it)}" for name, it in finding.facts)]
    place = [f"{_INDENT}({wording.visible(finding.place)})"] if finding.log else []
    whole = (page_address(finding, url), finding.command)  # not wrapped
    return "\n".join(
        (
            wrapped(_short(head)),
            *(wrapped(line, _INDENT) for line in lines if line),
            *place,
            *(f"{_INDENT}{wording.visible(each)}" for each in whole if each),
        )
    )


def _short(text: str) -> str:
    return excerpt.cut_line(text, MOST_REASON)


def _quotation(quoted: Sequence[tuple[int, str]]) -> Iterator[str]:
    """Lines of a log; they are not wrapped."""
    last = quoted[0][0] - 1
    for number, line in quoted:
        if number != last + 1:
            yield f"{_INDENT}| [...]"
        yield f"{_INDENT}| {wording.visible(line)}".rstrip()
        last = number


def _left_out(more: int) -> Iterator[str]:
    if more > 0:
        yield wrapped(f"And {more} more, see the report.")


def _folded(run: Run) -> Iterator[str]:
    """What needs no attention or was not tested, a line each."""
    lines = [wrapped(_short(fold.words), "  - ", "    ") for fold in folds(run)]
    if lines:
        yield "In short:\n\n" + "\n".join(lines)


def _reproduction(run: Run, found: Sequence[Finding]) -> Iterator[str]:
    """Commands: they are not wrapped."""
    yield "How to reproduce:"
    yield ""
    yield f"{_INDENT}{_command(run)}"
    arches = dict.fromkeys(finding.arch for finding in found if not finding.excused)
    if arches:
        yield "\nor without thp-harness, with the script that this prints:\n"
        yield from (f"{_INDENT}thp-harness repro {arch}/series" for arch in arches)


def _command(run: Run) -> str:
    quiet = ("-q", "--quiet", "--json")
    return wording.visible(shlex.join(word for word in run.command if word not in quiet))


def _words(number: int, one: str, many: str) -> str:
    return one if number == 1 else many.format(number)


def _plain(text: str) -> str:
    """Spell typographic signs as mails do."""
    return text.translate(_SIGNS)
