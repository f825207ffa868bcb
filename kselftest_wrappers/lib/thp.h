/* SPDX-License-Identifier: GPL-2.0-only */
/* One transparent huge page (THP) under test, and the pattern that fills it. */
#ifndef THP_H
#define THP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THP_SYSFS "/sys/kernel/mm/transparent_hugepage/"

/* A naturally aligned anonymous mapping of exactly one PMD. */
struct thp {
	unsigned char *base;
	size_t size;
	size_t page_size;
};

/* A range of bytes, as offsets from the start of the mapping. */
struct range {
	size_t start;
	size_t end;
};

/* Return the number of bytes that a PMD maps, or 0 if the kernel has no THP. */
size_t thp_pmd_size(void);

/* Return why the kernel provides no THP, or NULL. */
const char *thp_missing(void);

/* Map anonymous memory at a multiple of @alignment, a power of two; NULL on failure. */
unsigned char *thp_reserve(size_t size, size_t alignment);

/* Map one THP and fault it in. Return NULL, or the reason of a failure; then nothing is mapped. */
const char *thp_map(struct thp *thp);

/*
 * Map the same size in small pages, for comparison; needs no THP. Return NULL, or
 * the reason of a failure.
 */
const char *small_pages_map(struct thp *thp);

/* Unmap a whole THP; its PMD is not split. */
void thp_unmap(struct thp *thp);

/* Return a page-aligned quarter of the THP; neither end is at a PMD boundary. */
struct range thp_middle(const struct thp *thp);

/* Return whether @page is mapped, resident or not. */
bool page_is_mapped(const void *page, size_t page_size);

/* Return whether a store to @address raises SIGSEGV or SIGBUS. The byte keeps its value. */
bool write_faults(volatile unsigned char *address);

/*
 * Fill @range with the pattern: each 8 bytes depend on @seed and their offset,
 * which reveals lost, moved and stale pages.
 */
void pattern_fill(unsigned char *base, struct range range, uint64_t seed);

/*
 * Compare @range of the memory at @base with the pattern of @seed. Return the
 * offset of the first wrong 8 bytes, or range.end.
 */
size_t pattern_mismatch(const unsigned char *base, struct range range, uint64_t seed);

/* Return the offset of the first 8 bytes that are not zero, or range.end. */
size_t zero_mismatch(const unsigned char *base, struct range range);

#endif
