// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaces a program that does not compile for this architecture: a test that is
 * skipped, with the reason in the file PROGRAM.why.
 */
#include "lib/kfile.h"
#include "lib/ktap.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	static char reason[4096];
	char path[4096];

	ktap_begin(argc > 0 ? argv[0] : "");
	snprintf(path, sizeof(path), "%s.why", argc > 0 ? argv[0] : "");
	if (kfile_read(path, reason, sizeof(reason)) < 0)
		ktap_skip("it does not compile here");
	reason[strcspn(reason, "\n")] = '\0';
	ktap_skip("it does not compile here: %s", reason);
}
