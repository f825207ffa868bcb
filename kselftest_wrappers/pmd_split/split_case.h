/* SPDX-License-Identifier: GPL-2.0-only */
/* A case of pmd_split, and checks for all cases. */
#ifndef SPLIT_CASE_H
#define SPLIT_CASE_H

#include "lib/thp.h"

/* Content of the THP before the operation, and content that checks write. */
#define OLD_PATTERN UINT64_C(0x0123456700000000)
#define NEW_PATTERN UINT64_C(0x76543210abcd0000)

/*
 * One way to split a PMD. Counters are read right before and after @operate, so
 * that neither preparation nor checks contribute to the evidence.
 */
struct split_case {
	const char *name;
	void (*prepare)(const struct thp *thp);
	void (*operate)(const struct thp *thp);
	void (*verify)(const struct thp *thp);
};

extern const struct split_case munmap_case, mprotect_case, mlock_case, mremap_case;
extern const struct split_case madv_dontneed_case, madv_pageout_case, madv_free_case;
extern const struct split_case fork_cow_case, gup_case;
extern const struct split_case uffdio_move_case, pagemap_scan_case;

/* End the test as failed unless @range holds the pattern of @seed; @what names the range. */
void check_pattern(const unsigned char *base, struct range range, uint64_t seed,
		   const char *what);

/* End the test as failed unless @range holds zeros; @what names the range. */
void check_zero(const unsigned char *base, struct range range, const char *what);

/* End the test as failed unless all outside of the middle has the old pattern and is writable. */
void check_outside(const struct thp *thp);

#endif
