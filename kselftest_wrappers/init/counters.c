// SPDX-License-Identifier: GPL-2.0-only
#include "counters.h"
#include "lib/kfile.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 65536
#define COUNTER_SIZE 256

/* A line is reported when it is full; each starts with the head. */
struct counter_lines {
	char head[32];
	struct payload payload;
	bool has_counters;
};

static void start_line(struct counter_lines *lines)
{
	lines->payload.length = 0;
	lines->has_counters = false;
	payload_append(&lines->payload, lines->head, strlen(lines->head));
}

static void flush_line(struct counter_lines *lines)
{
	if (lines->has_counters)
		report_payload(&lines->payload);
	start_line(lines);
}

static void add_counter(struct counter_lines *lines, const char *counter)
{
	size_t length = strlen(counter);

	if (!payload_append(&lines->payload, counter, length)) {
		flush_line(lines);
		payload_append(&lines->payload, counter, length);
	}
	lines->has_counters = true;
}

static bool is_watched(const struct names *prefixes, const char *name)
{
	for (size_t i = 0; i < prefixes->count; i++)
		if (!strncmp(name, prefixes->items[i], strlen(prefixes->items[i])))
			return true;
	return false;
}

/* Lines of /proc/vmstat are `name value`. */
static void add_vmstat(struct counter_lines *lines, char *text, const struct names *prefixes)
{
	char counter[COUNTER_SIZE], *line;

	while ((line = strsep(&text, "\n"))) {
		const char *name = strsep(&line, " ");

		if (!line || !is_watched(prefixes, name))
			continue;
		snprintf(counter, sizeof(counter), " %s=%s", name, line);
		add_counter(lines, counter);
	}
}

/* Leave out fields that this kernel lacks: absent is not zero. */
static void add_meminfo(struct counter_lines *lines, const struct names *fields)
{
	char counter[COUNTER_SIZE];

	for (size_t i = 0; i < fields->count; i++) {
		long long kb = kfile_field("/proc/meminfo", fields->items[i]);

		if (kb == ABSENT)
			continue;
		snprintf(counter, sizeof(counter), " meminfo.%s=%lld", fields->items[i], kb);
		add_counter(lines, counter);
	}
}

/* A number alone in its file, or the one behind a name at the start of a line. */
static long long number_in(const char *place)
{
	char path[COUNTER_SIZE];
	char *name;

	snprintf(path, sizeof(path), "%s", place);
	name = strchr(path, ':');
	if (!name)
		return kfile_number(path);
	*name++ = '\0';
	return kfile_field(path, name);
}

static void add_files(struct counter_lines *lines, const struct names *files)
{
	char counter[COUNTER_SIZE];

	for (size_t i = 0; i < files->count; i++) {
		long long number = number_in(files->items[i]);

		if (number == ABSENT)
			continue;
		snprintf(counter, sizeof(counter), " %s=%lld", files->items[i], number);
		add_counter(lines, counter);
	}
}

void counters_report(const char *kind, size_t index, const struct manifest *manifest)
{
	static char vmstat[TEXT_SIZE];
	struct counter_lines lines;

	/* Fold the per-CPU deltas of counters such as nr_page_table_pages into the totals. */
	kfile_write("/proc/sys/vm/stat_refresh", "1\n");
	snprintf(lines.head, sizeof(lines.head), "%s %zu", kind, index);
	start_line(&lines);
	if (kfile_read("/proc/vmstat", vmstat, sizeof(vmstat)) > 0)
		add_vmstat(&lines, vmstat, &manifest->vmstat_prefixes);
	add_meminfo(&lines, &manifest->meminfo_fields);
	add_files(&lines, &manifest->files);
	flush_line(&lines);
}
