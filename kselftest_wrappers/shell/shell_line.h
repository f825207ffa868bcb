/* SPDX-License-Identifier: GPL-2.0-only */
/* A parsed command line. */
#ifndef SHELL_LINE_H
#define SHELL_LINE_H

#include <stdbool.h>

/* Longest line of a terminal in canonical mode, termios(3). */
#define LINE_SIZE 4096
#define LINE_WORDS 128

struct shell_line {
	/* NULL-terminated. */
	char *words[LINE_WORDS + 1];
	int count;
	/* Redirections, or NULL. */
	char *input;
	char *output;
	bool append;
	/* Storage of all strings; each word has an additional NUL. */
	char text[2 * LINE_SIZE];
};

/*
 * Parse @typed, which is shorter than LINE_SIZE. Blanks separate words; '…' and
 * "…" quote text, \ quotes the next character, # starts a comment. Return NULL,
 * or the syntax error.
 */
const char *shell_line_parse(struct shell_line *line, const char *typed);

#endif
