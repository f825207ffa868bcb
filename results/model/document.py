# SPDX-License-Identifier: GPL-2.0-only
"""`results.json`: a `Run` as a JSON document, and back.

The layout is that of `results.model.run`; `docs/results-json.md` describes it for people and
`docs/results.schema.json` for machines.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from results.model.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import TypeAdapter, ValidationError

SCHEMA = "thp-harness/results/1"
"""Name and version of the layout; the number changes when a key goes away or changes its meaning."""

_SHOWN_ERRORS = 5
_NON_FINITE = ("NaN", "Infinity", "-Infinity")


Document = TypeVar("Document")


class ResultsError(ValueError):
    """A text is not a results document that this program can read."""


def to_json(run: Run) -> str:
    """Write a run as JSON: keys in the model's order, ASCII only, one newline at the end."""
    document = {"schema": SCHEMA, **plain(run)}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Run:
    """Read a run back; raise `ResultsError` naming what is wrong with the text."""
    return read_as(Run, SCHEMA, text)


def read_as(model: type[Document], schema: str, text: str) -> Document:
    """Read a document of any of our layouts back, by its model and the name of its schema.

    Raises:
        ResultsError: naming what is wrong with the text.
    """
    from pydantic import ValidationError

    document = _parse(text)
    _check_schema(document, schema)
    kind: Any = model  # mypy can't see that a class is hashable
    try:
        found: Document = _adapter(kind).validate_python(document)
        return found
    except ValidationError as error:
        raise ResultsError(_describe(error, schema)) from None


def schema() -> dict[str, Any]:
    """Return the JSON schema of what `to_json` writes."""
    layout = with_non_finite(_adapter(Run).json_schema(mode="serialization"))
    assert isinstance(layout, dict)
    name = {"const": SCHEMA, "description": "Name and version of this layout.", "type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **layout,
        "title": "Results of one run of thp-harness",
        "properties": {"schema": name, **layout["properties"]},
        "required": ["schema", *layout["required"]],
    }


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    # Imported here because pydantic takes longer to load than most commands take to run.
    from pydantic import TypeAdapter

    return TypeAdapter(model)


def plain(value: Any) -> Any:
    """Reduce a value of the model to what `json` writes and every JSON reader takes."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return value


def _text(text: str) -> str:
    # JSON can spell a lone surrogate but most readers refuse the whole document for it.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _number(number: float) -> float | str:
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _parse(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ResultsError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"not readable as JSON: {error}") from None
    if not isinstance(document, dict):
        raise ResultsError(f"not a results document: expected an object, found {type(document).__name__}")
    return document


def _check_schema(document: Mapping[str, Any], schema: str) -> None:
    if "schema" not in document:
        raise ResultsError(f"not a results document: it has no 'schema', expected {schema!r}")
    if document["schema"] != schema:
        found = str(document["schema"])[:80]
        raise ResultsError(f"results document of version {found!r}; this program reads {schema!r}")


def _describe(error: ValidationError, schema: str) -> str:
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{_path(item['loc'])}: {item['msg']}" for item in wrong[:_SHOWN_ERRORS]]
    if len(wrong) > _SHOWN_ERRORS:
        shown.append(f"and {len(wrong) - _SHOWN_ERRORS} more")
    return f"not a valid {schema} document: " + "; ".join(shown)


def _path(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return path.removeprefix(".") or "document"


def with_non_finite(part: Any) -> Any:
    """Let every number of a schema also be one of the names that stand for non-finite ones."""
    if isinstance(part, list):
        return [with_non_finite(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "number":
        rest = {key: item for key, item in part.items() if key != "type"}
        return {"anyOf": [{"type": "number"}, {"enum": list(_NON_FINITE)}], **rest}
    return {key: with_non_finite(item) for key, item in part.items()}
