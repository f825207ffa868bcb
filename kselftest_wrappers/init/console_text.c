// SPDX-License-Identifier: GPL-2.0-only
#include "console_text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLER "caller="

struct lines {
	char *text;
	size_t length;
	size_t size;
};

/* Parse a number that ends with a comma, and move *@text behind the comma. */
static bool take_number(const char **text, unsigned long long *number)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*number = strtoull(*text, &end, 10);
	*text = end + 1;
	return *end == ',';
}

/* Search the fields behind the flags; newer kernels may have more of them. */
static void find_caller(struct console_record *record, const char *fields, const char *end)
{
	const char *field = memmem(fields, end - fields, "," CALLER, strlen("," CALLER));

	record->caller = NULL;
	record->caller_length = 0;
	if (!field)
		return;
	record->caller = field + strlen("," CALLER);
	record->caller_length = strcspn(record->caller, ",;");
}

bool console_parse(struct console_record *record, const char *text)
{
	unsigned long long priority;
	const char *fields = text, *message = strchr(text, ';');

	if (!message || !take_number(&fields, &priority) ||
	    !take_number(&fields, &record->sequence) ||
	    !take_number(&fields, &record->microseconds) || fields > message)
		return false;
	find_caller(record, fields, message);
	record->message = message + 1;
	/* A dictionary may follow the first line; consoles don't show it. */
	record->message_length = strcspn(record->message, "\n");
	return true;
}

static void add_byte(struct lines *lines, char byte)
{
	/* Keep one byte for the final newline. */
	if (lines->length + 1 < lines->size)
		lines->text[lines->length++] = byte;
}

__attribute__((format(printf, 2, 3)))
static void add(struct lines *lines, const char *format, ...)
{
	char text[64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (const char *byte = text; *byte; byte++)
		add_byte(lines, *byte);
}

static void add_prefix(struct lines *lines, const struct console_record *record)
{
	unsigned long long time = record->microseconds;

	add(lines, "[%5llu.%06llu]", time / 1000000, time % 1000000);
	if (record->caller)
		add(lines, "[%6.*s]", (int)record->caller_length, record->caller);
	add_byte(lines, ' ');
}

/* The byte that `\xHH` at @text stands for, or -1 if no escape is there. */
static int escaped_byte(const char *text, size_t left)
{
	char digits[3];

	if (left < 4 || text[0] != '\\' || text[1] != 'x' || !isxdigit((unsigned char)text[2]) ||
	    !isxdigit((unsigned char)text[3]))
		return -1;
	memcpy(digits, text + 2, 2);
	digits[2] = '\0';
	return strtol(digits, NULL, 16);
}

/* NUL stays escaped: NULs mark the unwritten part of the channel. */
static void add_message(struct lines *lines, const struct console_record *record)
{
	const char *text = record->message, *end = text + record->message_length;

	while (text < end) {
		int byte = escaped_byte(text, end - text);

		add_byte(lines, byte > 0 ? byte : *text);
		if (byte == '\n')
			add_prefix(lines, record);
		text += byte > 0 ? 4 : 1;
	}
}

size_t console_format(const struct console_record *record, char *text, size_t size)
{
	struct lines lines = { .text = text, .size = size };

	add_prefix(&lines, record);
	add_message(&lines, record);
	text[lines.length++] = '\n';
	return lines.length;
}
