# SPDX-License-Identifier: GPL-2.0-only
"""JSON schemas of everything that `--json` prints: `python -m harness.cli.schemas` writes them into docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.cli.dashboard import SCHEMA as DASHBOARD
from harness.cli.read import SCHEMA as READ
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
from harness.plan.derive.init_record import SCHEMA as SERIES_RECORD
from harness.plan.derive.init_record import WrittenRecord
from harness.plan.onto import SCHEMA as ONTO
from harness.plan.onto import BaseTrial
from results.console.read import ReadAnswer
from results.dashboard.site import Built
from results.model.document import DOCUMENTS, DRAFT, json_schema
from results.store.store import Imported, ImportState, Stored

_TEXT = {"type": "string"}


def schemas() -> dict[str, dict[str, Any]]:
    """Return every schema by its name: `docs/NAME.schema.json`."""
    found = {Path(document.file).stem: json_schema(kind) for kind, document in DOCUMENTS.items()}
    return found | _of_commands() | _of_lists()


def _of_commands() -> dict[str, dict[str, Any]]:
    """Schemas of documents that are one value of the program."""
    seconds = {"type": "number", "description": "All builds and first boots, one after another."}
    return {
        "plan": _of_model(Forecast, "thp-harness/plan/1", seconds=seconds),
        "cache": _of_model(Listing, CACHE),
        "judge": _of_model(JudgeAnswer, JUDGE),
        "nightly": _of_model(NightReport, NIGHTLY),
        "read": _of_model(ReadAnswer, READ),
        "series-record": _of_model(WrittenRecord, SERIES_RECORD),
    }


def _of_lists() -> dict[str, dict[str, Any]]:
    """Schemas of documents with members of their own."""
    counts = {str(state): {"type": "integer", "minimum": 0} for state in ImportState}
    texts = {"type": "array", "items": _TEXT}
    reserved = {"anyOf": [_layout(Reservation), {"type": "null"}]}
    return {
        "doctor": _object("What `thp-harness doctor` found", "thp-harness/doctor/1", checks=_items(Check)),
        "onto": _object("The trees that a series applies to", ONTO, bases=_items(BaseTrial)),
        "hosts": _object("The hosts that are known", HOSTS, hosts=_items(ListedHost)),
        "host-check": _object(
            "What `thp-harness hosts check` found", HOST_CHECK, host=_TEXT, checks=_items(Check)
        ),
        "labs": _object("The LAVA labs that are known", LABS, labs=_items(ListedLab)),
        "lab-check": _object(
            "What `thp-harness labs check` found", LAB_CHECK, lab=_TEXT, checks=_items(Check)
        ),
        "reservation": _object("Who has a host", RESERVATION, host=_TEXT, reservation=reserved),
        "recovery": _object(
            "How a host was got back",
            RECOVERY,
            host=_TEXT,
            back={"type": "boolean"},
            steps=_items(RecoveryStep),
        ),
        "cluster-status": _object(
            "Who is in a cluster", CLUSTER_STATUS, harness=_TEXT, workers=_items(ListedWorker)
        ),
        "cluster-certs": _object("Certificates that were made", CERTS_SCHEMA, authority=_TEXT, folders=texts),
        "results-import": _object(
            "What became of folders that were to be imported",
            IMPORT_SCHEMA,
            store={**_TEXT, "description": "Its address, without a password."},
            counts={"type": "object", "properties": counts, "required": sorted(counts)},
            folders=_layout(list[Imported]),
        ),
        "results-list": _object(
            "Folders in the store of results, the latest first", LIST_SCHEMA, folders=_layout(list[Stored])
        ),
        "dashboard": _object("A dashboard that was built", DASHBOARD, **_layout(Built)["properties"]),
    }


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


def _object(title: str, schema: str, **members: dict[str, Any]) -> dict[str, Any]:
    """A document with these members beside the name of its layout."""
    parts: dict[str, Any] = {}
    for layout in members.values():
        parts |= layout.pop("$defs", {})  # references are to the top of the document
    named = {"schema": {"const": schema}, **members}
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
    for name, schema in schemas().items():
        (docs / f"{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n")


if __name__ == "__main__":
    write_all(ROOT / "docs")
