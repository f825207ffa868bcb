# SPDX-License-Identifier: GPL-2.0-only
"""Series fetched from a mail archive by the `b4` command, and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from harness.core.errors import InfrastructureError
from harness.sources.series.mail.mbox import SeriesError

MASK_VARIABLE = "THP_HARNESS_LORE_MIDMASK"
"""Environment variable with the address of another archive, `%s` standing for the Message-ID."""

LORE = "https://lore.kernel.org/all/%s"
"""Where b4 looks by itself."""

_MESSAGE_ID = re.compile(r"<?([^\s<>@]+@[^\s<>@/]+)>?")
_ADDRESS = re.compile(r"<?(?:https?://)?[\w.-]+\.[a-z]+(?::\d+)?/([^\s<>?#]*)[^\s<>]*>?", re.IGNORECASE)
_SCHEMES = ("lore:", "mid:", "id:")
_UNREACHABLE = (
    "max retries",
    "resolve",
    "refused",
    "timed out",
    "unreachable",
    "all hosts failed",
    "connectionerror",
    "ssl",
    "proxy",
    "error: 403",
    "error: 502",
    "error: 503",
    "error: 504",
)
_SECONDS = 300


def message_id(text: str) -> str | None:
    """Return the Message-ID that a text is or holds, or None.

    It may be the address of a mail at lore.kernel.org, patch.msgid.link, a patchwork or any other
    archive that names mails by their Message-ID; `%2F` and `%40` in it are read.
    """
    text = text.strip()
    for scheme in _SCHEMES:
        text = text.removeprefix(scheme)
    address = _ADDRESS.fullmatch(text)
    if not address:
        found = None if "://" in text else _MESSAGE_ID.fullmatch(unquote(text))
        return found[1] if found else None
    parts = (_MESSAGE_ID.fullmatch(unquote(part)) for part in address[1].split("/"))
    return next((part[1] for part in parts if part), None)


def archive_mask(mask: str | None = None) -> str:
    """The address of a mail, `%s` standing for its Message-ID."""
    return mask or os.environ.get(MASK_VARIABLE) or LORE


def fetch_thread(identifier: str, cache: Path, log: Callable[[str], None], mask: str | None = None) -> Path:
    """Return the folder where b4 put a thread's series: `*.cover`, if it has one, and `*.mbx`.

    A series that the cache holds is not asked for again.

    Raises:
        SeriesError: when the archive has no such message, or no patch in it.
        InfrastructureError: when b4 is missing, or the archive can't be reached.
    """
    mask = mask or os.environ.get(MASK_VARIABLE)
    name = hashlib.sha256(f"{mask or ''} {identifier}".encode()).hexdigest()[:20]
    kept = cache / "lore" / name
    if not kept.is_dir():
        log(f"fetching {identifier} with b4")
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=kept.parent) as folder:
            fetched = Path(folder) / "thread"
            fetched.mkdir()
            _run_b4(identifier, mask, fetched, cache)
            with suppress(OSError):  # another process was quicker
                fetched.rename(kept)
    return kept


def _run_b4(identifier: str, mask: str | None, folder: Path, cache: Path) -> None:
    # No attestation check: it asks DNS about every sender, and no verdict depends on it.
    settings = ["b4.attestation-policy=off", *([f"b4.midmask={mask}"] if mask else [])]
    options = [word for setting in settings for word in ("-c", setting)]
    state = str((cache / "b4").absolute())
    environment = {**os.environ, "XDG_CACHE_HOME": state, "XDG_DATA_HOME": state, "LC_ALL": "C.UTF-8"}
    command = [_b4_command(), *options, "am", "-o", str(folder.absolute()), "--", identifier]
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,  # outside any git repository of the user
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unreachable(identifier, f"no answer within {_SECONDS} seconds") from error
    if not list(folder.glob("*.mbx")):
        raise _explained(identifier, (process.stdout + process.stderr).decode("utf-8", errors="replace"))


def find_b4() -> str | None:
    """The b4 of the program's own virtual environment, or else the one on PATH."""
    beside = Path(sys.executable).with_name("b4")
    return str(beside) if beside.is_file() else shutil.which("b4")


def _b4_command() -> str:
    found = find_b4()
    if not found:
        raise InfrastructureError(
            "fetching a series by its Message-ID needs the command `b4`, which is not installed",
            hint="Run `pip install b4` or `apt install b4`, or give the series as an mbox file.",
        )
    return found


def _explained(identifier: str, said: str) -> SeriesError | InfrastructureError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1][:300] if lines else "it said nothing"
    lower = said.lower()
    if any(phrase in lower for phrase in _UNREACHABLE):
        return _unreachable(identifier, last)
    if "no patches found" in lower:
        return SeriesError(
            f"the thread of Message-ID {identifier} holds no patch",
            hint="Give the Message-ID of the cover letter or of a patch.",
        )
    return SeriesError(
        f"the mail archive has no message {identifier}; b4 says: {last}",
        hint="Copy the Message-ID from the mail's headers; the archive may take minutes to have a new mail.",
    )


def _unreachable(identifier: str, said: str) -> InfrastructureError:
    said = said.partition(": HTTP")[0]  # what follows are the names of urllib3's classes
    return InfrastructureError(
        f"the mail archive could not be reached to fetch {identifier}; b4 says: {said}",
        hint="Check the network, or give the series as an mbox file or a directory of patches.",
    )
