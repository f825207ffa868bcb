# SPDX-License-Identifier: GPL-2.0-only
"""Predicates of a bisection in one line of text: `pmd_split.munmap fails`, `thp_split_pmd_failed > 0`.

TEST fails                      a planned test, or a shell pattern of several
COUNTER > N [in TEST]           its change over these tests, or all of a boot; also >= < <= == !=
splat SIGNATURE [in TEST]       a signature, a part of one, or a shell pattern; may stand in quotes
does not boot                   it dies, falls silent or resets before its first test
does not build
warning appears [in FILE]       a compiler warning that the good commit does not have
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from results.compare.evidence import is_level
from results.model.run import PlannedTest
from results.text import TextError

COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_WORD = re.compile(r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<comparison>[<>=!]=?)|(?P<plain>[^\s<>=!]+))""")
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_SHAPES = (
    "`TEST fails`, `COUNTER > N`, `splat SIGNATURE`, `does not boot`, `does not build` or `warning appears`"
)


class PredicateError(TextError):
    """A text is no predicate."""


@dataclass(frozen=True, slots=True)
class TestFails:
    """A test fails."""

    __test__ = False

    tests: str

    def __str__(self) -> str:
        return f"{self.tests} fails"


@dataclass(frozen=True, slots=True)
class CounterIs:
    """A counter changes by a value in a range."""

    counter: str
    comparison: str
    number: int
    tests: str = ""

    def __str__(self) -> str:
        return f"{self.counter} {self.comparison} {self.number}{_place(self.tests)}"

    def holds(self, change: int) -> bool:
        """Return whether a change of the counter matches."""
        return COMPARISONS[self.comparison](change, self.number)


@dataclass(frozen=True, slots=True)
class SplatSeen:
    """The kernel reports an error with this signature."""

    pattern: str
    tests: str = ""

    def __str__(self) -> str:
        quote = "'" if '"' in self.pattern else '"'
        return f"splat {quote}{self.pattern}{quote}{_place(self.tests)}"

    def matches(self, signature: str) -> bool:
        """Return whether a signature matches."""
        return self.pattern in signature or fnmatchcase(signature, self.pattern)


@dataclass(frozen=True, slots=True)
class NotBooting:
    """The kernel does not reach its first test."""

    def __str__(self) -> str:
        return "does not boot"


@dataclass(frozen=True, slots=True)
class NotBuilding:
    """The kernel does not build."""

    def __str__(self) -> str:
        return "does not build"


@dataclass(frozen=True, slots=True)
class WarningSeen:
    """The compiler emits a new warning."""

    file: str = ""

    def __str__(self) -> str:
        return f"warning appears{_place(self.file)}"


Predicate = TestFails | CounterIs | SplatSeen | NotBooting | NotBuilding | WarningSeen


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a predicate may use."""

    tests: tuple[str, ...]
    counters: tuple[str, ...] = ()
    """Known counters, for suggestions."""
    counted: tuple[str, ...] = ("thp_",)
    """Prefixes of the names of all counters that a guest reports."""


def is_booted(predicate: Predicate) -> bool:
    """Return whether a kernel must be booted to be judged; else its build decides."""
    return not isinstance(predicate, NotBuilding | WarningSeen)


def tests_for(predicate: Predicate, planned: Sequence[PlannedTest]) -> tuple[PlannedTest, ...]:
    """Return the tests that a boot must run to be judged."""
    match predicate:
        case TestFails(tests) | CounterIs(tests=tests) | SplatSeen(tests=tests):
            return tuple(test for test in planned if fnmatchcase(test.name, tests or "*"))
        case NotBooting():
            return tuple(planned[:1])
        case _:
            return ()


def _place(name: str) -> str:
    return f" in {name}" if name else ""


@dataclass(frozen=True, slots=True)
class _Word:
    """One word and where it begins."""

    text: str
    column: int
    quoted: bool = False


def parse(text: str, vocabulary: Vocabulary) -> Predicate:
    """Read a predicate.

    Raises:
        PredicateError: for a syntax error, or a test or counter that does not exist.
    """
    return _Parser(text, vocabulary).predicate()


class _Parser:
    """Takes word after word."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text = text
        self._known = vocabulary
        self._words = self._split()
        self._next = 0

    def predicate(self) -> Predicate:
        """Parse the whole text."""
        first = self._take(_SHAPES)
        following = self._peek()
        found: Predicate
        if first.text == "does" and not first.quoted:
            found = self._does_not()
        elif first.text == "splat" and following and following.text != "fails":
            return self._splat(following)
        elif first.text == "warning" and following and following.text != "fails":
            self._expect("appears")
            found = WarningSeen(self._in("a file").text if self._peek() else "")
        elif following and following.text in COMPARISONS:
            found = self._counter(first)
        else:
            found = self._test_fails(first)
        self._end()
        return found

    def _does_not(self) -> Predicate:
        self._expect("not")
        word = self._take("`boot` or `build`")
        if word.text not in ("boot", "build"):
            raise self._wrong(word, "`boot` or `build`")
        return NotBooting() if word.text == "boot" else NotBuilding()

    def _splat(self, pattern: _Word) -> Predicate:
        """Parse a signature; without quotes it is the rest of the text, since signatures have spaces."""
        if not pattern.quoted:
            return SplatSeen(self._text[pattern.column :].strip())
        self._take("a signature")
        if not pattern.text:
            raise self._wrong(pattern, "a signature")
        tests = self._tests(self._in("a test")) if self._peek() else ""
        self._end()
        return SplatSeen(pattern.text, tests)

    def _counter(self, name: _Word) -> Predicate:
        self._check_counter(name)
        comparison = self._take("a comparison").text
        number = self._take("a whole number")
        if not _NUMBER.fullmatch(number.text):
            raise self._wrong(number, "a whole number")
        tests = self._tests(self._in("a test")) if self._peek() else ""
        return CounterIs(name.text, comparison, int(number.text), tests)

    def _check_counter(self, name: _Word) -> None:
        if is_level(name.text) or name.text.startswith("meminfo."):
            problem = f"'{name.text}' is a level, which moves with all that runs; expected a count of events"
            raise PredicateError(self._text, name.column, problem)
        if not name.text.startswith(self._known.counted):
            begins = " or ".join(f"{prefix}…" for prefix in self._known.counted)
            guess = _guess(name.text, self._known.counters)
            problem = f"no counter '{name.text}': expected one of {begins} in /proc/vmstat.{guess}"
            raise PredicateError(self._text, name.column, problem)

    def _test_fails(self, name: _Word) -> Predicate:
        word = self._peek()
        if word is None and "." not in name.text and not name.text.startswith(self._known.counted):
            raise self._wrong(name, _SHAPES)
        if word is None or word.text != "fails":
            may_be_counter = name.text.startswith(self._known.counted) or (word and word.text[0] in "<>=!")
            comparison = f", or a comparison: {' '.join(COMPARISONS)}" if may_be_counter else ""
            raise self._wrong(word, f"`fails`{comparison}")
        self._next += 1
        return TestFails(self._tests(name))

    def _tests(self, word: _Word) -> str:
        """A name or pattern of planned tests."""
        if any(fnmatchcase(name, word.text) for name in self._known.tests):
            return word.text
        suites = sorted({name.partition(".")[0] for name in self._known.tests})
        if word.text in suites:
            guess = f" Did you mean '{word.text}.*'?"
        else:
            guess = _guess(word.text, (*self._known.tests, *suites))
        raise PredicateError(self._text, word.column, f"no planned test is called '{word.text}'.{guess}")

    def _in(self, what: str) -> _Word:
        self._expect("in")
        return self._take(what)

    def _split(self) -> list[_Word]:
        words, column = [], 0
        text = self._text.rstrip()
        while column < len(text):
            match = _WORD.match(text, column)
            if match is None:
                start = column + len(text[column:]) - len(text[column:].lstrip())
                raise PredicateError(self._text, start, "this quote is never closed")
            kind = match.lastgroup or ""
            word = match[kind]
            if kind == "plain" and word[0] in "\"'":
                raise PredicateError(self._text, match.start(kind), "this quote is never closed")
            quoted = kind == "quoted"
            words.append(_Word(word[1:-1] if quoted else word, match.start(kind), quoted))
            column = match.end()
        return words

    def _peek(self) -> _Word | None:
        return self._words[self._next] if self._next < len(self._words) else None

    def _take(self, expected: str) -> _Word:
        word = self._peek()
        if word is None:
            raise self._wrong(None, expected)
        self._next += 1
        return word

    def _expect(self, wanted: str) -> None:
        word = self._take(f"`{wanted}`")
        if word.text != wanted or word.quoted:
            raise self._wrong(word, f"`{wanted}`")

    def _end(self) -> None:
        if word := self._peek():
            raise self._wrong(word, "nothing more")

    def _wrong(self, word: _Word | None, expected: str) -> PredicateError:
        if word is None:
            ended = "it ends here" if self._words else "nothing is said"
            return PredicateError(self._text, len(self._text.rstrip()), f"{ended}; expected {expected}")
        return PredicateError(self._text, word.column, f"expected {expected}, found '{word.text}'")


def _guess(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
