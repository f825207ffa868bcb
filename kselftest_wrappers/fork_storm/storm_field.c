// SPDX-License-Identifier: GPL-2.0-only
#include "storm_field.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* Bytes of a page with distinct values; the rest repeats one word. */
#define HEAD 256

/* Documentation/admin-guide/mm/pagemap.rst */
#define SWAPPED (UINT64_C(1) << 62)
#define SWAP_TYPE UINT64_C(31)

/* Swap areas are numbered from 0; pages in migration have the highest numbers. */
#define MOST_SWAP_AREAS 8

#define ENTRIES 512

size_t storm_pages_of_thp(const struct thp_field *field)
{
	return field->thp_size / field->page_size;
}

size_t storm_pages(const struct thp_field *field)
{
	return field->count * storm_pages_of_thp(field);
}

static uint64_t word_at(size_t offset, size_t page_size)
{
	size_t in_page = offset % page_size;

	return (in_page < HEAD ? offset : offset - in_page) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

void storm_fill(const struct thp_field *field)
{
	size_t bytes = field->count * field->thp_size;

	for (size_t at = 0; at < bytes; at += sizeof(uint64_t))
		*(uint64_t *)(field->base + at) = word_at(at, field->page_size);
}

bool storm_page_is_right(const struct thp_field *field, size_t page)
{
	size_t at = page * field->page_size, end = at + field->page_size;

	while (at < end && *(const uint64_t *)(field->base + at) == word_at(at, field->page_size))
		at += sizeof(uint64_t);
	return at == end;
}

bool storm_all_is_right(const struct thp_field *field)
{
	size_t pages = storm_pages(field), page = 0;

	while (page < pages && storm_page_is_right(field, page))
		page++;
	return page == pages;
}

static size_t count_swapped(const uint64_t *entries, size_t count)
{
	size_t swapped = 0;

	for (size_t i = 0; i < count; i++)
		swapped += (entries[i] & SWAPPED) && (entries[i] & SWAP_TYPE) < MOST_SWAP_AREAS;
	return swapped;
}

size_t storm_pages_swapped(const struct thp_field *field, pid_t pid)
{
	off_t at = (uintptr_t)field->base / field->page_size * sizeof(uint64_t);
	size_t left = storm_pages(field), swapped = 0;
	uint64_t entries[ENTRIES];
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && left) {
		size_t wanted = (left < ENTRIES ? left : ENTRIES) * sizeof(*entries);

		got = pread(fd, entries, wanted, at);
		if (got <= 0)
			break;
		swapped += count_swapped(entries, got / sizeof(*entries));
		left -= got / sizeof(*entries);
		at += got;
	}
	if (fd >= 0)
		close(fd);
	return swapped;
}
