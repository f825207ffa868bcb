// SPDX-License-Identifier: GPL-2.0-only
#include "shell_line.h"

#include <stddef.h>
#include <string.h>

#define BLANKS " \t\r\n"
#define ENDS_WORD BLANKS "<>"

struct cursor {
	const char *from;
	char *to;
};

/* Copy up to the closing quote; false if there is none. */
static bool copy_quoted(struct cursor *at, char quote)
{
	while (*at->from && *at->from != quote) {
		if (quote == '"' && *at->from == '\\' && at->from[1])
			at->from++;
		*at->to++ = *at->from++;
	}
	return *at->from && at->from++;
}

static const char *copy_word(struct cursor *at, char **word)
{
	*word = at->to;
	while (*at->from && !strchr(ENDS_WORD, *at->from)) {
		char c = *at->from++;

		if (c == '\'' || c == '"') {
			if (!copy_quoted(at, c))
				return "a quote is not closed";
			continue;
		}
		if (c == '\\' && *at->from)
			c = *at->from++;
		*at->to++ = c;
	}
	*at->to++ = '\0';
	return NULL;
}

static const char *copy_file(struct shell_line *line, struct cursor *at)
{
	bool writes = *at->from++ == '>';

	if (writes) {
		line->append = *at->from == '>';
		at->from += line->append;
	}
	at->from += strspn(at->from, BLANKS);
	if (!*at->from || strchr(ENDS_WORD, *at->from))
		return "after < and > comes the name of a file";
	return copy_word(at, writes ? &line->output : &line->input);
}

const char *shell_line_parse(struct shell_line *line, const char *typed)
{
	struct cursor at = { typed, line->text };
	const char *wrong = NULL;

	memset(line, 0, sizeof(*line));
	while (!wrong) {
		at.from += strspn(at.from, BLANKS);
		if (!*at.from || *at.from == '#')
			break;
		if (strchr(ENDS_WORD, *at.from))
			wrong = copy_file(line, &at);
		else if (line->count == LINE_WORDS)
			wrong = "too many words";
		else
			wrong = copy_word(&at, &line->words[line->count++]);
	}
	return wrong;
}
