# SPDX-License-Identifier: GPL-2.0-only
"""Results as JSON documents, and back: `results.json`, `walk.json`, and so on.

The layouts are those of `results.model`; docs/results-json.md describes them for people, and the schemas in
docs/ for machines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from results.model.bisect import Bisection
from results.model.configs import Configs
from results.model.rerun import Rerun
from results.model.run import Run
from results.model.walk import Walk

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SHOWN_ERRORS = 5
_NON_FINITE = ("NaN", "Infinity", "-Infinity")

Outcome = Run | Walk | Bisection | Rerun | Configs
"""The results of a folder, whatever its kind."""
Document = TypeVar("Document", bound=Outcome)


class FolderKind(StrEnum):
    """What a folder of facts and logs is of."""

    RUN = "run"
    WALK = "walk"
    BISECT = "bisect"
    RERUN = "rerun"
    CONFIG = "config"


@dataclass(frozen=True, slots=True)
class DocumentType:
    """The document that a kind of folder has."""

    model: type[Outcome]
    schema: str
    """Name and version of the layout; the number changes when a key goes away or changes its meaning."""
    file: str
    noun: str
    """What people call such a folder."""
    title: str


DOCUMENTS: Mapping[FolderKind, DocumentType] = {
    FolderKind.RUN: DocumentType(
        Run, "thp-harness/results/2", "results.json", "run", "Results of one run of thp-harness"
    ),
    FolderKind.WALK: DocumentType(
        Walk, "thp-harness/walk/2", "walk.json", "walk", "A walk of thp-harness through a series"
    ),
    FolderKind.BISECT: DocumentType(
        Bisection, "thp-harness/bisect/2", "bisect.json", "bisection", "A bisection of thp-harness"
    ),
    FolderKind.RERUN: DocumentType(
        Rerun, "thp-harness/rerun/1", "rerun.json", "rerun", "Kernels that thp-harness booted many times"
    ),
    FolderKind.CONFIG: DocumentType(
        Configs,
        "thp-harness/configs/1",
        "configs.json",
        "study of configurations",
        "Objects that thp-harness compiled in many configurations",
    ),
}
_KINDS: Mapping[type[Any], FolderKind] = {document.model: kind for kind, document in DOCUMENTS.items()}


class ResultsError(ValueError):
    """A text is not a results document that this program can read."""


def kind_of(outcome: Outcome) -> FolderKind:
    """Return the kind of folder that has such results."""
    return _KINDS[type(outcome)]


def to_json(outcome: Outcome) -> str:
    """Write results as JSON: keys in the model's order, ASCII only, one newline at the end."""
    document = {"schema": DOCUMENTS[kind_of(outcome)].schema, **plain(outcome)}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def from_json(model: type[Document], text: str) -> Document:
    """Read the results of one kind back.

    Raises:
        ResultsError: naming what is wrong with the text.
    """
    from pydantic import ValidationError

    kind = _KINDS[model]
    schema = DOCUMENTS[kind].schema
    document = _parse(text)
    _check_schema(document, schema)
    try:
        found: Document = _adapter(kind).validate_python(document)
        return found
    except ValidationError as error:
        raise ResultsError(_describe(error, schema)) from None


def json_schema(kind: FolderKind) -> dict[str, Any]:
    """Return the JSON schema of what `to_json` writes for a kind of folder."""
    document = DOCUMENTS[kind]
    layout = _with_non_finite(_adapter(kind).json_schema(mode="serialization"))
    name = {"const": document.schema, "description": "Name and version of this layout.", "type": "string"}
    return {
        "$schema": DRAFT,
        **layout,
        "title": document.title,
        "properties": {"schema": name, **layout["properties"]},
        "required": ["schema", *layout["required"]],
    }


@cache
def _adapter(kind: FolderKind) -> TypeAdapter[Any]:
    # Imported here because pydantic takes longer to load than most commands take to run.
    from pydantic import TypeAdapter

    return TypeAdapter(DOCUMENTS[kind].model)


def plain(value: Any) -> Any:
    """Reduce a value of the model to what `json` writes and every JSON reader takes."""
    # The most frequent kinds first: a run has 100,000 values.
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        return {_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _text(text: str) -> str:
    # JSON can spell a lone surrogate but most readers refuse the whole document for it.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


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


def _with_non_finite(part: Any) -> Any:
    """Let every number of a schema also be one of the names that stand for non-finite ones."""
    if isinstance(part, list):
        return [_with_non_finite(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "number":
        rest = {key: item for key, item in part.items() if key != "type"}
        return {"anyOf": [{"type": "number"}, {"enum": list(_NON_FINITE)}], **rest}
    return {key: _with_non_finite(item) for key, item in part.items()}
