/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading the small text files in which the kernel publishes facts. */
#ifndef KFILE_H
#define KFILE_H

#include <stddef.h>
#include <sys/types.h>

/* The value of a number that the kernel does not have; no counter is negative. */
#define ABSENT (-1LL)

/* Read all of @path into @text and end it with a NUL. Return its length, or -1. */
ssize_t kfile_read(const char *path, char *text, size_t size);

/* Write @text in one write(); return 0, or -1. */
int kfile_write(const char *path, const char *text);

/* The number that @path starts with, or ABSENT. */
long long kfile_number(const char *path);

/* A counter of /proc/vmstat, or ABSENT. */
long long vmstat_counter(const char *name);

/* A field of a "Name: value" file such as /proc/meminfo, or ABSENT. */
long long kfile_field(const char *path, const char *name);

#endif
