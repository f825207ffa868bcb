/* SPDX-License-Identifier: GPL-2.0-only */
/* The output of a test: split into lines, escaped, limited, and reported. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stddef.h>

/* A piece and its head fit into one payload even if each byte is escaped to four. */
#define PIECE_SIZE 200

struct output {
	size_t test;
	/* Bytes left of the limit, and bytes dropped. */
	size_t allowance;
	size_t dropped;
	/* The part of the current line that is not reported yet. */
	char piece[PIECE_SIZE];
	size_t length;
};

void output_start(struct output *output, size_t test, size_t limit);

/* Add output of the test, in chunks of any size. */
void output_feed(struct output *output, const char *bytes, size_t count);

/* Report an unterminated last line, and the number of bytes dropped. */
void output_finish(struct output *output);

#endif
