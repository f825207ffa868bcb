# SPDX-License-Identifier: GPL-2.0-only
"""JSON schemas of everything that `--json` prints: `python -m harness.cli.schemas` writes them into docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.cli.dashboard import SCHEMA as DASHBOARD
from harness.cli.results import IMPORT_SCHEMA, LIST_SCHEMA
from harness.cluster.status import CERTS_SCHEMA, ListedWorker
from harness.cluster.status import SCHEMA as CLUSTER_STATUS
from harness.commands.bisect.judge import SCHEMA as JUDGE
from harness.commands.bisect.judge import JudgeAnswer
from harness.commands.cache.listing import SCHEMA as CACHE
from harness.commands.cache.listing import Listing
from harness.commands.forecast import Forecast
from harness.commands.nightly import SCHEMA as NIGHTLY
from harness.commands.nightly import NightReport
from harness.core.check import Check
from harness.core.shipped import ROOT
from harness.machines.host.check import SCHEMA as HOST_CHECK
from harness.machines.host.listing import SCHEMA as HOSTS
from harness.machines.host.listing import ListedHost
from harness.machines.host.recovery import SCHEMA as RECOVERY
from harness.machines.host.recovery import RecoveryStep
from harness.machines.host.remote.reservation import SCHEMA as RESERVATION
from harness.machines.host.remote.reservation import Reservation
from harness.machines.lava.check import SCHEMA as LAB_CHECK
from harness.machines.lava.listing import SCHEMA as LABS
from harness.machines.lava.listing import ListedLab
from results.dashboard.site import Built
from results.model.bisect_document import schema as bisect_schema
from results.model.document import schema as results_schema
from results.model.rerun_document import schema as rerun_schema
from results.model.walk_document import schema as walk_schema
from results.store.store import Imported, ImportState, Stored

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> dict[str, Any]:
    """Schema of `thp-harness plan --json`."""
    seconds = {"type": "number", "description": "All builds and first boots, one after another."}
    return _of_model(Forecast, "thp-harness/plan/1", seconds=seconds)


def doctor_schema() -> dict[str, Any]:
    """Schema of `thp-harness doctor --json`."""
    found = {"checks": _items(Check)}
    return _object("What `thp-harness doctor` found", "thp-harness/doctor/1", found)


def hosts_schema() -> dict[str, Any]:
    """Schema of `thp-harness hosts list --json`."""
    return _object("The hosts that are known", HOSTS, {"hosts": _items(ListedHost)})


def host_check_schema() -> dict[str, Any]:
    """Schema of `thp-harness hosts check --json`."""
    found = {"host": {"type": "string"}, "checks": _items(Check)}
    return _object("What `thp-harness hosts check` found", HOST_CHECK, found)


def labs_schema() -> dict[str, Any]:
    """Schema of `thp-harness labs list --json`."""
    return _object("The LAVA labs that are known", LABS, {"labs": _items(ListedLab)})


def lab_check_schema() -> dict[str, Any]:
    """Schema of `thp-harness labs check --json`."""
    found = {"lab": {"type": "string"}, "checks": _items(Check)}
    return _object("What `thp-harness labs check` found", LAB_CHECK, found)


def reservation_schema() -> dict[str, Any]:
    """Schema of `thp-harness hosts reserve --json` and `release --json`."""
    one = {"anyOf": [_layout(Reservation), {"type": "null"}]}
    return _object("Who has a host", RESERVATION, {"host": {"type": "string"}, "reservation": one})


def recovery_schema() -> dict[str, Any]:
    """Schema of `thp-harness hosts recover --json`."""
    found = {"host": {"type": "string"}, "back": {"type": "boolean"}, "steps": _items(RecoveryStep)}
    return _object("How a host was got back", RECOVERY, found)


def cluster_status_schema() -> dict[str, Any]:
    """Schema of `thp-harness cluster status --json`."""
    found = {"harness": {"type": "string"}, "workers": _items(ListedWorker)}
    return _object("Who is in a cluster", CLUSTER_STATUS, found)


def cluster_certs_schema() -> dict[str, Any]:
    """Schema of `thp-harness cluster certs --json`."""
    made = {"authority": {"type": "string"}, "folders": {"type": "array", "items": {"type": "string"}}}
    return _object("Certificates that were made", CERTS_SCHEMA, made)


def cache_schema() -> dict[str, Any]:
    """Schema of `thp-harness cache ls --json`."""
    return _of_model(Listing, CACHE)


def judge_schema() -> dict[str, Any]:
    """Schema of `thp-harness judge --json`."""
    return _of_model(JudgeAnswer, JUDGE)


def nightly_schema() -> dict[str, Any]:
    """Schema of `thp-harness nightly --json`, and of a run's nightly.json."""
    return _of_model(NightReport, NIGHTLY)


def results_import_schema() -> dict[str, Any]:
    """Schema of `thp-harness results import --json` and `rebuild --json`."""
    counts = {str(state): {"type": "integer", "minimum": 0} for state in ImportState}
    properties = {
        "store": {"type": "string", "description": "Its address, without a password."},
        "counts": {"type": "object", "properties": counts, "required": sorted(counts)},
        "folders": _layout(list[Imported]),
    }
    return _object("What became of folders that were to be imported", IMPORT_SCHEMA, properties)


def results_list_schema() -> dict[str, Any]:
    """Schema of `thp-harness results list --json` and `prune --json`."""
    folders = {"folders": _layout(list[Stored])}
    return _object("Folders in the store of results, the latest first", LIST_SCHEMA, folders)


def dashboard_schema() -> dict[str, Any]:
    """Schema of `thp-harness dashboard build --json`."""
    return _object("A dashboard that was built", DASHBOARD, _layout(Built)["properties"])


def _layout(model: Any) -> dict[str, Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(model).json_schema(mode="serialization")


def _items(model: Any) -> dict[str, Any]:
    return {"type": "array", "items": _layout(model)}


def _of_model(model: Any, schema: str, **more: Any) -> dict[str, Any]:
    """A model's own fields beside the name of their layout."""
    layout = _layout(model)
    properties = {"schema": {"const": schema}, **layout["properties"], **more}
    return {"$schema": DRAFT, **layout, "properties": properties, "required": sorted(properties)}


def _object(title: str, schema: str, properties: dict[str, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for layout in properties.values():
        parts |= layout.pop("$defs", {})  # references are to the top of the document
    named = {"schema": {"const": schema}, **properties}
    document = {
        "$schema": DRAFT,
        "title": title,
        "type": "object",
        "properties": named,
        "required": sorted(named),
    }
    return {**document, "$defs": parts} if parts else document


def write_all(docs: Path) -> None:
    """Write every schema into docs/."""
    for name, schema in (
        ("results", results_schema()),
        ("plan", plan_schema()),
        ("doctor", doctor_schema()),
        ("cache", cache_schema()),
        ("cluster-certs", cluster_certs_schema()),
        ("cluster-status", cluster_status_schema()),
        ("hosts", hosts_schema()),
        ("host-check", host_check_schema()),
        ("labs", labs_schema()),
        ("lab-check", lab_check_schema()),
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
