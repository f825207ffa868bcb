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

/* Map @count THPs without faulting them in. Return NULL, or the reason of a failure. */
const char *thp_field_map(struct thp_field *field, size_t count);

/* Return how many THPs fit into @percent of the machine's memory, at most @most. */
size_t thp_field_count(unsigned int percent, size_t most);

/* Return the address of THP @i. */
unsigned char *thp_field_at(const struct thp_field *field, size_t i);

/* Touch the first byte of each, which faults in a THP unless memory is fragmented. */
void thp_field_touch(const struct thp_field *field);

/* Free memory and page tables, and map it again untouched. Return 0, or -1 and errno. */
int thp_field_renew(const struct thp_field *field);

/* Split the PMD of THP @i by freeing one of its pages. Return 0, or -1 and errno. */
int thp_field_split(const struct thp_field *field, size_t i);

void thp_field_unmap(struct thp_field *field);

#endif
