// SPDX-License-Identifier: GPL-2.0-only
#include "kfile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* /proc/vmstat, the longest file read here, has about 6 KiB. */
#define TEXT_SIZE 65536
#define SEPARATORS ": \t"

ssize_t kfile_read(const char *path, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	do {
		got = read(fd, text + length, size - 1 - length);
		if (got > 0)
			length += got;
	} while (got > 0);
	close(fd);
	text[length] = '\0';
	return got < 0 ? -1 : (ssize_t)length;
}

int kfile_write(const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, text, length);
	close(fd);
	return written == (ssize_t)length ? 0 : -1;
}

static long long number_at(const char *text)
{
	char *end;
	long long number = strtoll(text, &end, 10);

	return end == text ? ABSENT : number;
}

long long kfile_number(const char *path)
{
	char text[64];

	return kfile_read(path, text, sizeof(text)) < 0 ? ABSENT : number_at(text);
}

long long kfile_field(const char *path, const char *name)
{
	static char text[TEXT_SIZE];
	size_t length = strlen(name);
	char *line, *rest = text;

	if (kfile_read(path, text, sizeof(text)) < 0)
		return ABSENT;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, name, length) && line[length] && strchr(SEPARATORS, line[length]))
			return number_at(line + length + 1);
	return ABSENT;
}

long long vmstat_counter(const char *name)
{
	return kfile_field("/proc/vmstat", name);
}
