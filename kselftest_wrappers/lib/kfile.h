/* SPDX-License-Identifier: GPL-2.0-only */
/* Small text files of /proc and /sys. */
#ifndef KFILE_H
#define KFILE_H

#include <stddef.h>
#include <sys/types.h>

/* Stands for a number that the kernel lacks; no counter is negative. */
#define ABSENT (-1LL)

/* Read @path into @text and terminate it with a NUL. Return its length, or -1. */
ssize_t kfile_read(const char *path, char *text, size_t size);

/* Write @text in one write(); return 0, or -1. */
int kfile_write(const char *path, const char *text);

/* Return the number at the start of @path, or ABSENT. */
long long kfile_number(const char *path);

/* Return a counter of /proc/vmstat, or ABSENT. */
long long vmstat_counter(const char *name);

/* Return a field of a "Name: value" or "name value" file such as /proc/meminfo, or ABSENT. */
long long kfile_field(const char *path, const char *name);

#endif
