# SPDX-License-Identifier: GPL-2.0-only
"""The published schemas are those of the code, and what the commands print follows them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from harness.cli.schemas import write_all
from harness.commands.forecast import CellForecast, Forecast
from harness.core.check import Check

DOCS = Path(__file__).parents[3] / "docs"
BY_HAND = ("bench",)
NAMES = sorted({path.name.removesuffix(".schema.json") for path in DOCS.glob("*.schema.json")} - {*BY_HAND})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All schemas as they are made now."""
    folder = tmp_path_factory.mktemp("schemas")
    write_all(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_published_schemas_are_up_to_date(written: Path, name: str) -> None:
    fresh = json.loads((written / f"{name}.schema.json").read_text())
    assert json.loads((DOCS / f"{name}.schema.json").read_text()) == fresh
    jsonschema.Draft202012Validator.check_schema(fresh)


def published(name: str) -> dict[str, object]:
    schema: dict[str, object] = json.loads((DOCS / f"{name}.schema.json").read_text())
    return schema


def test_a_forecast_follows_its_schema() -> None:
    cell = CellForecast("x86_64", "base", True, "", 0.0, 2.5, "tinyconfig + common")
    cast = Forecast(
        "debian-6.12", "6.12.117", "mine", "title", True, ("one",), ("pmd_split.munmap",), (cell,), ("A",)
    )
    document = json.loads(json.dumps(cast.as_document()))
    jsonschema.validate(document, published("plan"))
    assert document["seconds"] == 2.5


def test_a_diagnosis_follows_its_schema() -> None:
    checks = [Check("a", True, "fine").as_document(), Check("b", None, "unknown", "do it").as_document()]
    document = {"schema": "thp-harness/doctor/1", "checks": checks}
    jsonschema.validate(json.loads(json.dumps(document)), published("doctor"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "schema": "other"}, published("doctor"))
