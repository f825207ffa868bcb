# SPDX-License-Identifier: GPL-2.0-only
"""Strict YAML, with line numbers.

PyYAML alone reads `6.10` as a number, `no` as false, and keeps the last of two equal keys. Here only what the
core schema of YAML 1.2 says is a number or a boolean, and a key occurs once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.core.errors import UsageError

# libyaml's parser reads all records in a fifth of the time; where PyYAML was built without it, its own does.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[misc]
    """SafeLoader that knows only `true`/`false` as booleans and has no base-60 numbers."""


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] in {"null", "merge"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


_TAG = "tag:yaml.org,2002:"
_TAGS: Mapping[type[yaml.Node], tuple[str, ...]] = {
    yaml.ScalarNode: ("null", "bool", "int", "float", "str", "merge"),
    yaml.SequenceNode: ("seq",),
    yaml.MappingNode: ("map",),
}
_MOST_NODES = 20_000
"""A node counts as often as aliases repeat it; the largest record of `configs/` has some hundreds."""
_DEEPEST = 40
_MOST_DIGITS = 18
"""Digits of a number: a larger one fits in no C type that it could stand for."""


def _add_core_schema() -> None:
    """Resolve scalars by YAML 1.2's core schema, https://yaml.org/spec/1.2.2/#103-core-schema."""
    for kind, pattern, first in (
        ("bool", r"^(?:true|false)$", "tf"),
        ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ):
        _StrictLoader.add_implicit_resolver(f"{_TAG}{kind}", re.compile(pattern), list(first))


_add_core_schema()
_RESOLVER = _StrictLoader("")


def parse(path: Path, text: str) -> tuple[yaml.MappingNode, Any]:
    """Return the nodes of a document, which know their lines, and its values.

    Raises:
        UsageError: with file and line, for what is not YAML, or not a mapping with unique keys.
    """
    node = _compose(path, text)
    try:
        return node, _StrictLoader("").construct_document(node)
    except yaml.constructor.ConstructorError as error:
        raise UsageError(f"{path}:{_line(error.problem_mark)}: {error.problem}") from None


def _compose(path: Path, text: str) -> yaml.MappingNode:
    try:
        _refuse_depth(path, text)
        node = yaml.compose(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        raise UsageError(f"{path}:{_line(error.problem_mark)}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{path}:1: a record must be a mapping of keys to values")
    _Checks(path).check(node)
    return node


def _refuse_depth(path: Path, text: str) -> None:
    """Count the levels of a document before it is composed: the composer recurses, in C."""
    if len(text) < _DEEPEST:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_StrictLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise UsageError(f"{path}:{_line(event.start_mark)}: more than {_DEEPEST} levels")


class _Checks:
    """What a document must be before its values are made, as aliases may repeat a node for ever."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0

    def check(self, node: yaml.Node, depth: int = 0) -> None:
        """Check a node and what is in it.

        Raises:
            UsageError: with file and line, for a tag, a number, a key or an alias that a record can't have.
        """
        self._count += 1
        if self._count > _MOST_NODES or depth > _DEEPEST:
            raise self._refuse(node, f"aliases make more than {_MOST_NODES} values, or {_DEEPEST} levels")
        kind = node.tag.removeprefix(_TAG)
        if kind not in _TAGS.get(type(node), ()):
            raise self._refuse(node, f"the tag !!{kind} can't be used in a record")
        if isinstance(node, yaml.ScalarNode):
            self._check_scalar(node, kind)
        elif isinstance(node, yaml.MappingNode):
            self._check_keys(node, depth)
        else:
            for item in node.value:
                self.check(item, depth + 1)

    def _check_scalar(self, node: yaml.ScalarNode, kind: str) -> None:
        if kind != "str" and node.tag != _RESOLVER.resolve(yaml.ScalarNode, node.value, (True, False)):
            raise self._refuse(node, f"'{node.value[:40]}' is not of the type !!{kind}")
        if kind in ("int", "float") and sum(map(str.isdigit, node.value)) > _MOST_DIGITS:
            raise self._refuse(node, f"a number has at most {_MOST_DIGITS} digits")

    def _check_keys(self, node: yaml.MappingNode, depth: int) -> None:
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._refuse(key, "a key must be a plain word")
            if key.value in seen:
                first = f"first defined on line {seen[key.value]}"
                raise self._refuse(key, f"duplicate key '{key.value}' ({first})")
            seen[key.value] = _line(key.start_mark)
            self.check(key, depth + 1)
            self.check(value, depth + 1)

    def _refuse(self, node: yaml.Node, why: str) -> UsageError:
        return UsageError(f"{self._path}:{_line(node.start_mark)}: {why}")


def find_line(node: yaml.Node, location: Sequence[Any]) -> int:
    """Return the line of the deepest node on the way to `location`, a path of keys and indexes."""
    line = _line(node.start_mark)
    for part in location:
        if isinstance(node, yaml.MappingNode):
            match = [(key, value) for key, value in node.value if key.value == str(part)]
            if not match:
                break
            line, node = _line(match[0][0].start_mark), match[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = _line(node.start_mark)
        else:
            break
    return line


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark else 1
