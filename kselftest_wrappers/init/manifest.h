/* SPDX-License-Identifier: GPL-2.0-only */
/* The manifest: directives of docs/guest-protocol.md. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "report.h"

#include <stdbool.h>
#include <stddef.h>

/* Strings inside the manifest's text. */
struct names {
	char **items;
	size_t count;
};

struct test {
	const char *name;
	int timeout_ms;
	/* NULL-terminated; argv[0] is the program. */
	char **argv;
};

struct manifest {
	/* Zeros unless the manifest has one. */
	char nonce[NONCE_DIGITS + 1];
	struct names vmstat_prefixes;
	struct names meminfo_fields;
	/* Each `PATH` or `PATH:NAME`. */
	struct names files;
	size_t output_limit;
	/* Bytes of the kernel's gcov counters to report of each test, or 0. */
	size_t gcov_limit;
	/* Block device that gets a copy of the kernel log, or NULL. */
	const char *channel;
	/* File to which the name of each test is written before it starts, or NULL. */
	const char *attempted;
	/* Interactive program to run on the console after the tests, or NULL. */
	const char *shell;
	/* Timeout for /dev/watchdog; 0 does not open it. */
	int watchdog_seconds;
	struct test *tests;
	size_t test_count;
	bool power_off;
	/* Why the manifest is invalid, or empty. */
	char error[256];
};

/* Read and delete the file. Errors are stored in `error`; the function always returns. */
void manifest_load(struct manifest *manifest, const char *path);

#endif
