/* SPDX-License-Identifier: GPL-2.0-only */
/* Many THPs side by side in one mapping. */
#ifndef THP_FIELD_H
#define THP_FIELD_H

#include <stddef.h>

struct thp_field {
	unsigned char *base;
	size_t thp_size;
	size_t page_size;
	size_t count;
};

/*
 * Map room for @count THPs; nothing is faulted in yet. Return NULL, or why that
 * can't be done.
 */
const char *thp_field_map(struct thp_field *field, size_t count);

/* As many THPs as fit into @percent of the machine's memory, but no more than @most. */
size_t thp_field_count(unsigned int percent, size_t most);

/* The first byte of THP @i. */
unsigned char *thp_field_at(const struct thp_field *field, size_t i);

/* Touch the first byte of each: with luck every one becomes a THP. */
void thp_field_touch(const struct thp_field *field);

/* Give memory and page tables back, as if it was never touched. Return 0, or -1 and errno. */
int thp_field_renew(const struct thp_field *field);

/* Split the PMD of THP @i: give one page of it back. Return 0, or -1 and errno. */
int thp_field_split(const struct thp_field *field, size_t i);

void thp_field_unmap(struct thp_field *field);

#endif
