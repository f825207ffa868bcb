# SPDX-License-Identifier: GPL-2.0-only
"""The JSON schemas in docs/, each read once."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator

DOCS = Path(__file__).parents[1] / "docs"


def check(document: object, name: str) -> None:
    """Check a document against a schema; that the schema itself is valid is checked in test_schemas.py.

    Raises:
        jsonschema.ValidationError: if the document does not follow it.
    """
    _validator(name).validate(document)


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((DOCS / f"{name}.schema.json").read_text()))
