# SPDX-License-Identifier: GPL-2.0-only
"""`walk.json`: a `Walk` as a JSON document; `docs/walk.schema.json` describes it for machines."""

from __future__ import annotations

import json
from typing import Any

from results.model.document import plain, with_non_finite
from results.model.walk import Walk

SCHEMA = "thp-harness/walk/1"
"""Name and version of the layout; the number changes when a key goes away or changes its meaning."""


def to_json(walk: Walk) -> str:
    """Write a walk as JSON: keys in the model's order, ASCII only, one newline at the end."""
    return json.dumps({"schema": SCHEMA, **plain(walk)}, indent=2, allow_nan=False) + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON schema of what `to_json` writes."""
    from pydantic import TypeAdapter

    layout = with_non_finite(TypeAdapter(Walk).json_schema(mode="serialization"))
    name = {"const": SCHEMA, "description": "Name and version of this layout.", "type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **layout,
        "title": "A walk of thp-harness through a series",
        "properties": {"schema": name, **layout["properties"]},
        "required": ["schema", *layout["required"]],
    }
