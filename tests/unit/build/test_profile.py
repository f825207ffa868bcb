# SPDX-License-Identifier: GPL-2.0-only
"""Which objects get counters: asked by make itself, as scripts/Makefile.lib does."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from harness.build.kernel.profile import keep_notes, profile_variables
from harness.core.process import clean_environment

MAKEFILE = """
all: ; @$(MAKE) --no-print-directory -f $(file) one obj=mm stem=util
	@$(MAKE) --no-print-directory -f $(file) one obj=fs stem=util
	@$(MAKE) --no-print-directory -f $(file) one obj=fs stem=dax
	@$(MAKE) --no-print-directory -f $(file) one obj=boot stem=early own=n
file := $(firstword $(MAKEFILE_LIST))
GCOV_PROFILE := $(own)
flags = $(if $(patsubst n%,,$(GCOV_PROFILE_$(stem).o)$(GCOV_PROFILE)),--coverage)
one: ; @echo $(obj)/$(stem) $(flags)
"""


def test_only_the_named_objects_get_counters_whatever_has_their_stem(tmp_path: Path) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text(MAKEFILE)
    variables = profile_variables(("mm/util.o", "fs/dax.o", "boot/early.o"))
    command = ("make", "-f", str(makefile), *variables)
    made = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment())
    assert made.stdout.splitlines() == ["mm/util --coverage", "fs/util", "fs/dax --coverage", "boot/early"]


def test_notes_of_objects_that_were_not_made_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "mm").mkdir()
    for name in ("mm/util.o", "mm/util.gcno", "mm/old.gcno"):
        (tmp_path / name).write_text(name)
    keep_notes(tmp_path, ("mm/util.o", "mm/old.o", "fs/dax.o"), tmp_path / "notes.tar")
    with tarfile.open(tmp_path / "notes.tar") as tar:
        assert tar.getnames() == ["mm/util.gcno"]
