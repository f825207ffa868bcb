/* SPDX-License-Identifier: GPL-2.0-only */
/* A line that somebody typed, taken apart. */
#ifndef SHELL_LINE_H
#define SHELL_LINE_H

#include <stdbool.h>

/* A terminal gives no longer lines. */
#define LINE_SIZE 4096
#define LINE_WORDS 128

struct shell_line {
	/* Ends with NULL. */
	char *words[LINE_WORDS + 1];
	int count;
	/* Files, or NULL. */
	char *input;
	char *output;
	bool append;
	/* What the others point into; a NUL more for each word than was typed. */
	char text[2 * LINE_SIZE];
};

/*
 * Take @typed apart, which has less than LINE_SIZE characters. Words are
 * separated by blanks; '…' and "…" keep what is in them, \ the next
 * character; # starts a comment. Return NULL, or what is wrong.
 */
const char *shell_line_parse(struct shell_line *line, const char *typed);

#endif
