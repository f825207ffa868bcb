"""JSON schemas of everything that `--json` prints: `python -m harness.schemas` writes them into docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.cache.listing import SCHEMA as CACHE
from harness.cache.listing import Listing
from harness.cli_dashboard import SCHEMA as DASHBOARD
from harness.cli_results import IMPORT_SCHEMA, LIST_SCHEMA
from harness.config import ROOT
from harness.doctor import Check
from harness.forecast import Forecast
from harness.hosts.check import SCHEMA as HOST_CHECK
from harness.hosts.listing import SCHEMA as HOSTS
from harness.hosts.listing import ListedHost
from harness.hosts.recovery import SCHEMA as RECOVERY
from harness.hosts.recovery import Step
from harness.hosts.reservation import SCHEMA as RESERVATION
from harness.hosts.reservation import Reservation
from harness.judge import SCHEMA as JUDGE
from harness.judge import JudgeAnswer
from harness.nightly import SCHEMA as NIGHTLY
from harness.nightly import NightReport
from results.bisect_document import schema as bisect_schema
from results.dashboard.site import Built
from results.document import schema as results_schema
from results.rerun_document import schema as rerun_schema
from results.store.store import Imported, State, Stored
from results.walk_document import schema as walk_schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> dict[str, Any]:
    """Schema of `thp-harness plan --json`."""
    from pydantic import TypeAdapter

    layout = TypeAdapter(Forecast).json_schema(mode="serialization")
    properties = {
        "schema": {"const": "thp-harness/plan/1"},
        **layout["properties"],
        "seconds": {"type": "number", "description": "All builds and first boots, one after another."},
    }
    return {"$schema": DRAFT, **layout, "properties": properties, "required": sorted(properties)}


def doctor_schema() -> dict[str, Any]:
    """Schema of `thp-harness doctor --json`."""
    from pydantic import TypeAdapter

    check = TypeAdapter(Check).json_schema(mode="serialization")
    properties = {
        "schema": {"const": "thp-harness/doctor/1"},
        "checks": {"type": "array", "items": check},
    }
    return {
        "$schema": DRAFT,
        "title": "What `thp-harness doctor` found",
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
    }


def hosts_schema() -> dict[str, Any]:
    """Schema of `thp-harness hosts list --json`."""
    from pydantic import TypeAdapter

    hosts = {"type": "array", "items": TypeAdapter(ListedHost).json_schema(mode="serialization")}
    return _document("The hosts that are known", HOSTS, {"hosts": hosts})


def host_check_schema() -> dict[str, Any]:
    """Schema of `thp-harness hosts check --json`."""
    from pydantic import TypeAdapter

    checks = {"type": "array", "items": TypeAdapter(Check).json_schema(mode="serialization")}
    found = {"host": {"type": "string"}, "checks": checks}
    return _document("What `thp-harness hosts check` found", HOST_CHECK, found)


def reservation_schema() -> dict[str, Any]:
    """Schema of `thp-harness hosts reserve --json` and `release --json`."""
    from pydantic import TypeAdapter

    layout = TypeAdapter(Reservation).json_schema(mode="serialization")
    found = {"host": {"type": "string"}, "reservation": {"anyOf": [layout, {"type": "null"}]}}
    return _document("Who has a host", RESERVATION, found)


def recovery_schema() -> dict[str, Any]:
    """Schema of `thp-harness hosts recover --json`."""
    from pydantic import TypeAdapter

    steps = {"type": "array", "items": TypeAdapter(Step).json_schema(mode="serialization")}
    found = {"host": {"type": "string"}, "back": {"type": "boolean"}, "steps": steps}
    return _document("How a host was got back", RECOVERY, found)


def _document(title: str, schema: str, properties: dict[str, Any]) -> dict[str, Any]:
    named = {"schema": {"const": schema}, **properties}
    return {
        "$schema": DRAFT,
        "title": title,
        "type": "object",
        "properties": named,
        "required": sorted(named),
    }


def cache_schema() -> dict[str, Any]:
    """Schema of `thp-harness cache ls --json`."""
    from pydantic import TypeAdapter

    layout = TypeAdapter(Listing).json_schema(mode="serialization")
    properties = {"schema": {"const": CACHE}, **layout["properties"]}
    return {"$schema": DRAFT, **layout, "properties": properties, "required": sorted(properties)}


def judge_schema() -> dict[str, Any]:
    """Schema of `thp-harness judge --json`."""
    from pydantic import TypeAdapter

    layout = TypeAdapter(JudgeAnswer).json_schema(mode="serialization")
    properties = {"schema": {"const": JUDGE}, **layout["properties"]}
    return {"$schema": DRAFT, **layout, "properties": properties, "required": sorted(properties)}


def nightly_schema() -> dict[str, Any]:
    """Schema of `thp-harness nightly --json`, and of a run's nightly.json."""
    from pydantic import TypeAdapter

    layout = TypeAdapter(NightReport).json_schema(mode="serialization")
    properties = {"schema": {"const": NIGHTLY}, **layout["properties"]}
    return {"$schema": DRAFT, **layout, "properties": properties, "required": sorted(properties)}


def results_import_schema() -> dict[str, Any]:
    """Schema of `thp-harness results import --json` and `rebuild --json`."""
    counts = {str(state): {"type": "integer", "minimum": 0} for state in State}
    properties = {
        "schema": {"const": IMPORT_SCHEMA},
        "store": {"type": "string", "description": "Its address, without a password."},
        "counts": {"type": "object", "properties": counts, "required": sorted(counts)},
        "folders": _list_of(Imported),
    }
    return _object("What became of folders that were to be imported", properties)


def results_list_schema() -> dict[str, Any]:
    """Schema of `thp-harness results list --json` and `prune --json`."""
    properties = {"schema": {"const": LIST_SCHEMA}, "folders": _list_of(Stored)}
    return _object("Folders in the store of results, the latest first", properties)


def dashboard_schema() -> dict[str, Any]:
    """Schema of `thp-harness dashboard build --json`."""
    from pydantic import TypeAdapter

    layout = TypeAdapter(Built).json_schema(mode="serialization")
    return _object("A dashboard that was built", {"schema": {"const": DASHBOARD}, **layout["properties"]})


def _list_of(model: Any) -> dict[str, Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(list[model]).json_schema(mode="serialization")


def _object(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for layout in properties.values():
        parts |= layout.pop("$defs", {})  # references are to the top of the document
    layout = {
        "$schema": DRAFT,
        "title": title,
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
    }
    return {**layout, "$defs": parts} if parts else layout


def write_all(docs: Path) -> None:
    """Write every schema into docs/."""
    for name, schema in (
        ("results", results_schema()),
        ("plan", plan_schema()),
        ("doctor", doctor_schema()),
        ("cache", cache_schema()),
        ("hosts", hosts_schema()),
        ("host-check", host_check_schema()),
        ("reservation", reservation_schema()),
        ("recovery", recovery_schema()),
        ("walk", walk_schema()),
        ("bisect", bisect_schema()),
        ("judge", judge_schema()),
        ("nightly", nightly_schema()),
        ("rerun", rerun_schema()),
        ("results-import", results_import_schema()),
        ("results-list", results_list_schema()),
        ("dashboard", dashboard_schema()),
    ):
        (docs / f"{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n")


if __name__ == "__main__":
    write_all(ROOT / "docs")
