# SPDX-License-Identifier: GPL-2.0-only
"""What our web pages have in common: strict templates, harmless texts, and a policy that forbids the rest."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from results.reports.content import wording
from results.text import abbrev


def strict_environment(*packages: str) -> Environment:
    """An environment with the templates of some packages, in which nothing is undefined and nothing acts."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"slug": slug, "abbrev": abbrev}
    return environment


def page_values(
    environment: Environment, styles: Sequence[str], scripts: Sequence[str]
) -> dict[str, Markup | str]:
    """`style`, `script` and `policy` of a page, from the files of these names."""
    style, code = (
        Markup("").join(_source(environment, name) for name in names) for names in (styles, scripts)
    )
    return {"style": style, "script": code, "policy": _content_policy(style, code)}


def slug(text: object) -> str:
    """A text as part of an address or a class name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", str(text))


def _finalize(value: Any) -> Any:
    """Make every text that a template prints harmless to look at; autoescape then makes it harmless HTML."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return wording.visible(value)


def _source(environment: Environment, name: str) -> Markup:
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _content_policy(style: str, script: str) -> str:
    """Allow our own style and script by their hash: a page that is read from a file has no 'self'."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_source_hash(style)}'",
            f"script-src '{_source_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source_hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
