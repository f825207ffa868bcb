// SPDX-License-Identifier: GPL-2.0-only
#include "manifest.h"
#include "lib/kfile.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_SIZE (1 << 20)
#define DEFAULT_OUTPUT_LIMIT (256 << 10)

/* The fields of one line, without the keyword, for the parser of its directive. */
struct directive {
	char **fields;
	size_t count;
};

typedef const char *(*directive_parser)(struct manifest *manifest, struct directive line);

static void *grown(void *items, size_t count, size_t item_size)
{
	void *larger = realloc(items, (count + 1) * item_size);

	if (!larger)
		abort();
	return larger;
}

static void append_name(struct names *names, char *name)
{
	names->items = grown(names->items, names->count, sizeof(*names->items));
	names->items[names->count++] = name;
}

static bool parse_positive(const char *text, unsigned long largest, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && !errno && *number > 0 &&
	       *number <= largest;
}

static bool is_nonce(const char *text)
{
	return strlen(text) == NONCE_DIGITS &&
	       strspn(text, "0123456789abcdefABCDEF") == NONCE_DIGITS;
}

static const char *parse_nonce(struct manifest *manifest, struct directive line)
{
	if (line.count != 1 || !is_nonce(line.fields[0]))
		return "nonce wants 16 hexadecimal digits";
	memcpy(manifest->nonce, line.fields[0], sizeof(manifest->nonce));
	return NULL;
}

static const char *parse_watch(struct manifest *manifest, struct directive line)
{
	if (line.count == 2 && !strcmp(line.fields[0], "vmstat"))
		append_name(&manifest->vmstat_prefixes, line.fields[1]);
	else if (line.count == 2 && !strcmp(line.fields[0], "meminfo"))
		append_name(&manifest->meminfo_fields, line.fields[1]);
	else if (line.count == 2 && !strcmp(line.fields[0], "file") && *line.fields[1] == '/')
		append_name(&manifest->files, line.fields[1]);
	else
		return "watch wants `vmstat PREFIX`, `meminfo NAME` or `file PATH[:NAME]`";
	return NULL;
}

static const char *parse_limit(struct manifest *manifest, struct directive line)
{
	unsigned long bytes;

	if (line.count != 2 || strcmp(line.fields[0], "output") ||
	    !parse_positive(line.fields[1], LONG_MAX, &bytes))
		return "limit wants `output BYTES`";
	manifest->output_limit = bytes;
	return NULL;
}

static const char *parse_gcov(struct manifest *manifest, struct directive line)
{
	unsigned long bytes;

	if (line.count != 1 || !parse_positive(line.fields[0], LONG_MAX, &bytes))
		return "gcov wants `BYTES`";
	manifest->gcov_limit = bytes;
	return NULL;
}

static const char *parse_channel(struct manifest *manifest, struct directive line)
{
	if (line.count != 1 || *line.fields[0] != '/')
		return "channel wants `PATH`";
	manifest->channel = line.fields[0];
	return NULL;
}

static const char *parse_attempted(struct manifest *manifest, struct directive line)
{
	if (line.count != 1 || *line.fields[0] != '/')
		return "attempted wants `PATH`";
	manifest->attempted = line.fields[0];
	return NULL;
}

static const char *parse_shell(struct manifest *manifest, struct directive line)
{
	if (line.count != 1 || *line.fields[0] != '/')
		return "shell wants `PROGRAM`";
	manifest->shell = line.fields[0];
	return NULL;
}

static const char *parse_watchdog(struct manifest *manifest, struct directive line)
{
	unsigned long seconds;

	if (line.count != 1 || !parse_positive(line.fields[0], INT_MAX, &seconds))
		return "watchdog wants `SECONDS`";
	manifest->watchdog_seconds = seconds;
	return NULL;
}

static const char *parse_test(struct manifest *manifest, struct directive line)
{
	unsigned long timeout_ms;
	struct test test;

	if (line.count < 3 || !parse_positive(line.fields[1], INT_MAX, &timeout_ms))
		return "test wants `NAME TIMEOUT_MS PROGRAM [ARG ...]`";
	test.name = line.fields[0];
	test.timeout_ms = timeout_ms;
	test.argv = calloc(line.count - 1, sizeof(*test.argv));
	if (!test.argv)
		abort();
	memcpy(test.argv, line.fields + 2, (line.count - 2) * sizeof(*test.argv));
	manifest->tests = grown(manifest->tests, manifest->test_count, sizeof(test));
	manifest->tests[manifest->test_count++] = test;
	return NULL;
}

static const char *parse_finish(struct manifest *manifest, struct directive line)
{
	if (line.count != 1 ||
	    (strcmp(line.fields[0], "poweroff") && strcmp(line.fields[0], "restart")))
		return "finish wants `poweroff` or `restart`";
	manifest->power_off = !strcmp(line.fields[0], "poweroff");
	return NULL;
}

static const struct {
	const char *keyword;
	directive_parser parse;
} directives[] = {
	{ "nonce", parse_nonce },	{ "watch", parse_watch },
	{ "limit", parse_limit },	{ "test", parse_test },
	{ "finish", parse_finish },	{ "channel", parse_channel },
	{ "attempted", parse_attempted }, { "shell", parse_shell },
	{ "watchdog", parse_watchdog },	{ "gcov", parse_gcov },
};

static const char *parse_fields(struct manifest *manifest, char **fields, size_t count)
{
	struct directive line = { fields + 1, count - 1 };

	for (size_t i = 0; i < count; i++)
		if (!*fields[i])
			return "fields are separated by one space";
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (!strcmp(directives[i].keyword, fields[0]))
			return directives[i].parse(manifest, line);
	return "unknown directive";
}

static const char *parse_line(struct manifest *manifest, char *text)
{
	struct names fields = { NULL, 0 };
	const char *wrong;
	char *field;

	if (!*text || *text == '#')
		return NULL;
	while ((field = strsep(&text, " ")))
		append_name(&fields, field);
	wrong = parse_fields(manifest, fields.items, fields.count);
	free(fields.items);
	return wrong;
}

__attribute__((format(printf, 2, 3)))
static void keep_first_error(struct manifest *manifest, const char *format, ...)
{
	va_list arguments;

	if (*manifest->error)
		return;
	va_start(arguments, format);
	vsnprintf(manifest->error, sizeof(manifest->error), format, arguments);
	va_end(arguments);
}

/* Continues after an error, to find the nonce and the `finish` directive. */
static void parse(struct manifest *manifest, char *text)
{
	unsigned int number = 1;
	const char *wrong;
	char *line;

	for (; (line = strsep(&text, "\n")); number++) {
		wrong = parse_line(manifest, line);
		if (wrong)
			keep_first_error(manifest, "manifest line %u: %s", number, wrong);
	}
	if (strspn(manifest->nonce, "0") == NONCE_DIGITS)
		keep_first_error(manifest, "manifest has no nonce");
}

/* A restart ends every virtual machine; powering off does not work on all. */
static const struct manifest defaults = {
	.nonce = "0000000000000000",
	.output_limit = DEFAULT_OUTPUT_LIMIT,
	.power_off = false,
};

void manifest_load(struct manifest *manifest, const char *path)
{
	char *text = malloc(MANIFEST_SIZE);
	ssize_t length = text ? kfile_read(path, text, MANIFEST_SIZE) : -1;

	*manifest = defaults;
	if (length < 0)
		keep_first_error(manifest, "manifest %s: %s", path, strerror(errno));
	else if (length == MANIFEST_SIZE - 1)
		keep_first_error(manifest, "manifest %s: longer than %d bytes", path,
				 MANIFEST_SIZE - 2);
	else if (strlen(text) != (size_t)length)
		keep_first_error(manifest, "manifest %s: contains a NUL byte", path);
	else
		parse(manifest, text);
	if (length >= 0 && unlink(path))
		keep_first_error(manifest, "manifest %s can't be deleted: %s", path,
				 strerror(errno));
}
