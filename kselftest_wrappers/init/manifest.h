/* SPDX-License-Identifier: GPL-2.0-only */
/* What the harness asks for: the directives of docs/guest-protocol.md. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "report.h"

#include <stdbool.h>
#include <stddef.h>

/* Strings that belong to the manifest's text. */
struct names {
	char **items;
	size_t count;
};

struct test {
	const char *name;
	int timeout_ms;
	/* Ends with NULL; the first is the program. */
	char **argv;
};

struct manifest {
	/* Zeros until the manifest gives one. */
	char nonce[NONCE_DIGITS + 1];
	struct names vmstat_prefixes;
	struct names meminfo_fields;
	size_t output_limit;
	/* The block device that the kernel log is copied to, or NULL. */
	const char *channel;
	/* The file that names each test before it starts, or NULL. */
	const char *attempted;
	/* The program that a person gets on the console after the tests, or NULL. */
	const char *shell;
	/* The machine's watchdog restarts it when we are silent for so long; 0 leaves it alone. */
	int watchdog_seconds;
	struct test *tests;
	size_t test_count;
	bool power_off;
	/* Why the manifest can't be used, or empty. */
	char error[256];
};

/* Read and delete the file. Whatever is wrong is told in `error`, never by an exit. */
void manifest_load(struct manifest *manifest, const char *path);

#endif
