/* SPDX-License-Identifier: GPL-2.0-only */
/* The output of a test, cut in lines, escaped and limited, on its way to the report. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stddef.h>

/* Even if every byte is escaped to four, a piece and its head fit in one payload. */
#define PIECE_SIZE 200

struct output {
	size_t test;
	/* Bytes that may still be kept, and those that were thrown away. */
	size_t allowance;
	size_t dropped;
	/* What of the current line was not reported yet. */
	char piece[PIECE_SIZE];
	size_t length;
};

void output_start(struct output *output, size_t test, size_t limit);

/* Take in what was read from the test, in pieces of any size. */
void output_feed(struct output *output, const char *bytes, size_t count);

/* Report what is left of a last line, and how much was thrown away. */
void output_finish(struct output *output);

#endif
