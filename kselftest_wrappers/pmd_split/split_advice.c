// SPDX-License-Identifier: GPL-2.0-only
/* madvise() calls that free a part of a THP. */
#include "lib/ktap.h"
#include "split_case.h"

#include <errno.h>
#include <sys/mman.h>

static void advise_middle(const struct thp *thp, int advice, const char *name)
{
	struct range middle = thp_middle(thp);
	int failed = madvise(thp->base + middle.start, middle.end - middle.start, advice);

	if (failed && errno == EINVAL)
		ktap_skip("this kernel has no %s", name);
	ktap_need(!failed, name);
}

static void discard_middle(const struct thp *thp)
{
	advise_middle(thp, MADV_DONTNEED, "MADV_DONTNEED");
}

static void verify_discarded(const struct thp *thp)
{
	check_zero(thp->base, thp_middle(thp), "the discarded range");
	check_outside(thp);
}

const struct split_case madv_dontneed_case = { "madv_dontneed", NULL, discard_middle,
					       verify_discarded };

static void page_out_middle(const struct thp *thp)
{
	advise_middle(thp, MADV_PAGEOUT, "MADV_PAGEOUT");
}

static void verify_paged_out(const struct thp *thp)
{
	check_pattern(thp->base, thp_middle(thp), OLD_PATTERN, "the paged-out range");
	check_outside(thp);
}

const struct split_case madv_pageout_case = { "madv_pageout", NULL, page_out_middle,
					      verify_paged_out };

static void free_middle(const struct thp *thp)
{
	advise_middle(thp, MADV_FREE, "MADV_FREE");
}

/* The kernel may reclaim a page at any time, but only as a whole. */
static void check_old_or_zero(const struct thp *thp, size_t start)
{
	struct range page = { start, start + thp->page_size };

	if (zero_mismatch(thp->base, page) < page.end)
		check_pattern(thp->base, page, OLD_PATTERN, "a freed page that is not zero");
}

static void verify_freed(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	for (size_t page = middle.start; page < middle.end; page += thp->page_size)
		check_old_or_zero(thp, page);
	pattern_fill(thp->base, middle, NEW_PATTERN);
	check_pattern(thp->base, middle, NEW_PATTERN, "the rewritten range");
	check_outside(thp);
}

const struct split_case madv_free_case = { "madv_free", NULL, free_middle, verify_freed };
