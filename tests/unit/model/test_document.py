# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import jsonschema
import pytest

from results.model.document import FolderKind, ResultsError, from_json, json_schema, to_json
from results.model.run import Run
from tests import published
from tests.samples.sample_numbers import measured_run
from tests.samples.sample_run import HOSTILE, green_run, hostile_run, regression_run, troubled_run


@pytest.mark.parametrize("make_run", [green_run, regression_run, troubled_run, measured_run])
def test_a_run_survives_the_round_trip(make_run: Callable[[], Run]) -> None:
    run = make_run()
    assert from_json(Run, to_json(run)) == run


def test_writing_twice_gives_the_same_bytes() -> None:
    text = to_json(regression_run())
    assert to_json(from_json(Run, text)) == text


def test_the_document_begins_with_its_schema_and_ends_with_a_newline() -> None:
    text = to_json(green_run())
    assert text.startswith('{\n  "schema": "thp-harness/results/2",\n  "id": ')
    assert text.endswith("}\n")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_non_finite_numbers_survive_as_their_names(number: float) -> None:
    text = to_json(replace(green_run(), seconds=number))
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert repr(from_json(Run, text).seconds) == repr(number)


def test_the_names_of_non_finite_numbers_are_valid() -> None:
    bare = replace(green_run(), seconds=math.nan, cells=(), arches=())
    jsonschema.Draft202012Validator(json_schema(FolderKind.RUN)).validate(json.loads(to_json(bare)))


def test_hostile_text_is_harmless_and_readable_again() -> None:
    text = to_json(hostile_run())
    assert text.isascii()
    assert not any(ord(character) < 32 and character != "\n" for character in text)
    headline = from_json(Run, text).headline
    assert headline == HOSTILE.replace("\ud800", "\\ud800")


@pytest.mark.parametrize("make_run", [troubled_run, hostile_run, measured_run])
def test_documents_validate_against_the_published_schema(make_run: Callable[[], Run]) -> None:
    published.check(json.loads(to_json(make_run())), "results")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON: Expecting value at line 1 column 1"),
        ("[]", "expected an object, found list"),
        ("[" * 100_000, "not readable as JSON"),
        ("{}", "has no 'schema'"),
        ('{"schema": "thp-harness/results/1"}', "version 'thp-harness/results/1'; this program reads"),
        ('{"schema": "thp-harness/results/2"}', "id: Field required"),
        ('{"schema": "thp-harness/results/2", "exit_code": ' + "9" * 5000 + "}", "not readable as JSON"),
    ],
)
def test_what_is_wrong_with_a_text_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ResultsError) as caught:
        from_json(Run, text)
    assert complaint in str(caught.value)


def test_a_wrong_value_is_named_by_its_path() -> None:
    document = json.loads(to_json(green_run()))
    document["cells"][0]["boots"][0]["end"] = "exploded"
    with pytest.raises(ResultsError, match=r"cells\[0\]\.boots\[0\]\.end: .*'done'"):
        from_json(Run, json.dumps(document))


def test_unknown_keys_are_passed_over() -> None:
    document = json.loads(to_json(green_run()))
    document["invented_later"] = True
    assert from_json(Run, json.dumps(document)) == green_run()
