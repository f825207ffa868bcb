# SPDX-License-Identifier: GPL-2.0-only
"""Strict YAML, with line numbers.

PyYAML alone reads `6.10` as a number, `no` as false, and keeps the last of two equal keys. Here only what the
core schema of YAML 1.2 says is a number or a boolean, and a key occurs once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
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


def _add_core_schema() -> None:
    """Resolve scalars by YAML 1.2's core schema, https://yaml.org/spec/1.2.2/#103-core-schema."""
    for kind, pattern, first in (
        ("bool", r"^(?:true|false)$", "tf"),
        ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ):
        _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), list(first))


_add_core_schema()


@cache  # slow, and several commands read the same records more than once
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
        node = yaml.compose(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        raise UsageError(f"{path}:{_line(error.problem_mark)}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{path}:1: a record must be a mapping of keys to values")
    _refuse_duplicates(path, node)
    return node


def _refuse_duplicates(path: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            where = f"{path}:{_line(key.start_mark)}"
            if not isinstance(key, yaml.ScalarNode):
                raise UsageError(f"{where}: a key must be a plain word")
            if key.value in seen:
                first = f"first defined on line {seen[key.value]}"
                raise UsageError(f"{where}: duplicate key '{key.value}' ({first})")
            seen[key.value] = _line(key.start_mark)
            _refuse_duplicates(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(path, item)


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


def _line(mark: yaml.Mark | None) -> int:
    return mark.line + 1 if mark else 1
