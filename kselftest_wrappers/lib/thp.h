/* SPDX-License-Identifier: GPL-2.0-only */
/* One transparent huge page (THP) to experiment on, and a pattern to recognise its bytes by. */
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

/* Bytes of a mapping, as offsets from its start. */
struct range {
	size_t start;
	size_t end;
};

/* Bytes that a PMD maps, or 0 where the kernel knows no THP. */
size_t thp_pmd_size(void);

/* Why nobody can have a THP, or NULL. */
const char *thp_missing(void);

/* Map anonymous memory at a multiple of @alignment, a power of two; NULL if there is no room. */
unsigned char *thp_reserve(size_t size, size_t alignment);

/*
 * Map one THP and fault it in. Return NULL, or why that can't be done; then
 * nothing stays mapped.
 */
const char *thp_map(struct thp *thp);

/*
 * The same mapping made of small pages, for comparison; works without THP too.
 * Return NULL, or why that can't be done.
 */
const char *small_pages_map(struct thp *thp);

/* Unmap a whole THP; an intact one goes without a split. */
void thp_unmap(struct thp *thp);

/* Page-aligned, neither end on a PMD boundary, a quarter of the THP. */
struct range thp_middle(const struct thp *thp);

/* Whether there is a mapping at @page; says nothing of residency. */
bool page_is_mapped(const void *page, size_t page_size);

/* Whether storing to @address raises SIGSEGV or SIGBUS. The byte keeps its value. */
bool write_faults(volatile unsigned char *address);

/*
 * The pattern: every 8 bytes are a function of @seed and of their offset, so
 * that lost, moved and stale pages all show.
 */
void pattern_fill(unsigned char *base, struct range range, uint64_t seed);

/*
 * Compare memory at @base + range with the pattern of the offsets of @range.
 * Return the offset of the first wrong 8 bytes, or range.end.
 */
size_t pattern_mismatch(const unsigned char *base, struct range range, uint64_t seed);

/* The offset of the first 8 bytes that are not zero, or range.end. */
size_t zero_mismatch(const unsigned char *base, struct range range);

#endif
