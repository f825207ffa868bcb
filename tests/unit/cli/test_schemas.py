# SPDX-License-Identifier: GPL-2.0-only
"""The published schemas are those of the code, and what the commands print follows them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from harness.cli.schemas import schemas
from harness.commands.forecast import CellForecast, Forecast
from harness.core.check import Check
from tests import published

DOCS = Path(__file__).parents[3] / "docs"
BY_HAND = ("bench",)
NAMES = sorted({path.name.removesuffix(".schema.json") for path in DOCS.glob("*.schema.json")} - {*BY_HAND})


FRESH = schemas()


def test_every_schema_is_published() -> None:
    assert sorted(FRESH) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_published_schemas_are_up_to_date(name: str) -> None:
    published_schema = json.loads((DOCS / f"{name}.schema.json").read_text())
    assert published_schema == json.loads(json.dumps(FRESH[name])), "run `make schemas`"
    jsonschema.Draft202012Validator.check_schema(FRESH[name])


def test_a_forecast_follows_its_schema() -> None:
    cell = CellForecast("x86_64", "base", True, "", 0.0, 2.5, "tinyconfig + common")
    cast = Forecast(
        "debian-6.12", "6.12.117", "mine", "title", True, ("one",), ("pmd_split.munmap",), (cell,), ("A",)
    )
    document = json.loads(json.dumps(cast.as_document()))
    published.check(document, "plan")
    assert document["seconds"] == 2.5


def test_a_diagnosis_follows_its_schema() -> None:
    checks = [Check("a", True, "fine").as_document(), Check("b", None, "unknown", "do it").as_document()]
    document = {"schema": "thp-harness/doctor/1", "checks": checks}
    published.check(json.loads(json.dumps(document)), "doctor")
    with pytest.raises(jsonschema.ValidationError):
        published.check({**document, "schema": "other"}, "doctor")
