# SPDX-License-Identifier: GPL-2.0-only
"""A selftest of the series that attacks the guest decides only on its own result."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.stub_tree import make_stub_tree
from tests.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MM = "tools/testing/selftests/mm"
HOSTILE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char program[4 << 20];

/* Takes the place of our program, so that it decides on the tests that come after it. */
int main(void)
{
	int self = open("/proc/self/exe", O_RDONLY), victim;
	ssize_t size = read(self, program, sizeof(program));

	unlink("/bin/pmd_split");
	victim = open("/bin/pmd_split", O_WRONLY | O_CREAT, 0755);
	if (write(victim, program, size) != size)
		perror("write");
	printf("TAP version 13\n1..1\nok 1 all is well\n");
	return 0;
}
"""


def test_it_changes_no_result_of_our_tests(program: Program, base_kernel: Path, tmp_path: Path) -> None:
    sources = {
        f"{MM}/thp_pmd_split_test.c": HOSTILE,
        **{f"{MM}/{name}.c": "" for name in ("thp_settings", "vm_util")},
        **{f"tools/{name}/.gitignore": "" for name in ("include/uapi", "arch")},
    }
    tree = make_stub_tree(tmp_path / "linux", base_kernel, series=sources)
    suites = ("--tests", "thp_pmd_split", "--tests", "pmd_split")
    answer = program("run", *tree.arguments_as_typed, *suites, "--json")
    (arch,) = answer.json["arches"]
    ours = [test for test in arch["tests"] if test["name"].startswith("pmd_split.")]
    assert len(ours) > 5
    for test in ours:
        assert (test["verdict"], test["series"]["status"]) == ("unchanged", "PASS"), test
        assert test["series"]["exercised"]
    base, series = answer.json["cells"]
    boots = (base["boots"] or series["boots"])[:2]
    names = [{test["name"].partition(".")[0] for test in boot["tests"]} for boot in boots]
    assert names == [{"pmd_split"}, {"thp_pmd_split"}]
