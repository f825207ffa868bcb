// SPDX-License-Identifier: GPL-2.0-only
/* madvise() of anonymous memory in the fault sweep. */
#include "lib/proc_self.h"
#include "lib/zram_swap.h"
#include "sweep_ops.h"
#include "sweep_range.h"
#include "sweep_record.h"

#include <linux/mman.h>
#include <sys/mman.h>

#define SWAP_BYTES ((size_t)64 << 20)

/* Advice may be ignored. */
#define PAGEOUT_TRIES 10

static struct returned advise_range(const struct attempt *attempt, int advice)
{
	return returned_from(madvise(at(attempt, attempt->range.start),
				     length_of(attempt->range), advice));
}

/* The kernel rejects unknown advice even for a length of 0. */
static void need_advice(const struct attempt *attempt, int advice, const char *name)
{
	if (madvise(attempt->thp.base, 0, advice))
		sweep_skip("this kernel has no %s", name);
}

static struct returned discard_range(const struct attempt *attempt)
{
	return advise_range(attempt, MADV_DONTNEED);
}

const struct sweep_op sweep_madv_dontneed = {
	.name = "madv_dontneed",
	.operate = discard_range,
	.look = look_zeroed,
};

static void need_free(const struct attempt *attempt)
{
	need_advice(attempt, MADV_FREE, "MADV_FREE");
}

static struct returned free_range(const struct attempt *attempt)
{
	return advise_range(attempt, MADV_FREE);
}

/* The kernel may free each page at any time; then it reads as zero. */
static bool is_old_or_zero(const struct attempt *attempt)
{
	struct range range = attempt->range;

	for (size_t page = range.start; page < range.end; page += attempt->thp.page_size)
		if (!page_holds(attempt, page, OLD_PATTERN) && !page_holds_zero(attempt, page))
			return false;
	return true;
}

/* MADV_COLD of any page drains the per-CPU batch of pages that wait for their LRU list. */
static void put_pages_on_lists(size_t page_size)
{
	void *page = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(page, page_size, MADV_COLD);
	munmap(page, page_size);
}

static enum effect measure_freed(const struct attempt *attempt)
{
	long long lazy;

	put_pages_on_lists(attempt->thp.page_size);
	lazy = smaps_bytes(at(attempt, attempt->range.start), "LazyFree");
	if (lazy >= (long long)length_of(attempt->range))
		return EFFECT_FULL;
	return lazy > 0 ? EFFECT_PART : EFFECT_NONE;
}

static bool smaps_shows_lazy_pages(const struct thp *thp)
{
	if (smaps_bytes(thp->base, "LazyFree") || madvise(thp->base, thp->size, MADV_FREE))
		return false;
	put_pages_on_lists(thp->page_size);
	return smaps_bytes(thp->base, "LazyFree") == (long long)thp->size;
}

const struct sweep_op sweep_madv_free = {
	.name = "madv_free",
	.prepare = need_free,
	.operate = free_range,
	.measure = measure_freed,
	.instrument = "smaps_lazyfree",
	.instrument_works = smaps_shows_lazy_pages,
	.range_is_intact = is_old_or_zero,
};

static const char *get_swap(void)
{
	return zram_swap_on(SWAP_BYTES);
}

static void need_pageout(const struct attempt *attempt)
{
	need_advice(attempt, MADV_PAGEOUT, "MADV_PAGEOUT");
}

static struct returned page_out_range(const struct attempt *attempt)
{
	return advise_range(attempt, MADV_PAGEOUT);
}

/* Query the location first: reading the data swaps the page in. */
static enum page_state look_swapped(const struct attempt *attempt, size_t offset)
{
	bool swapped = page_is_swapped(at(attempt, offset));

	if (!page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_DAMAGED;
	return swapped ? PAGE_DONE : PAGE_UNTOUCHED;
}

static bool pagemap_shows_swap(const struct thp *thp)
{
	if (page_is_swapped(thp->base))
		return false;
	for (int i = 0; i < PAGEOUT_TRIES && !page_is_swapped(thp->base); i++)
		madvise(thp->base, thp->page_size, MADV_PAGEOUT);
	return page_is_swapped(thp->base);
}

const struct sweep_op sweep_madv_pageout = {
	.name = "madv_pageout",
	.set_up = get_swap,
	.tear_down = zram_swap_off,
	.choose = four_pages,
	.prepare = need_pageout,
	.operate = page_out_range,
	.look = look_swapped,
	.instrument = "pagemap_swapped",
	.instrument_works = pagemap_shows_swap,
};

static void need_cold(const struct attempt *attempt)
{
	need_advice(attempt, MADV_COLD, "MADV_COLD");
}

static struct returned cool_range(const struct attempt *attempt)
{
	return advise_range(attempt, MADV_COLD);
}

/* The position on the kernel's LRU lists is not visible in a page. */
static enum page_state look_same(const struct attempt *attempt, size_t offset)
{
	return page_holds(attempt, offset, OLD_PATTERN) ? PAGE_UNTOUCHED : PAGE_DAMAGED;
}

const struct sweep_op sweep_madv_cold = {
	.name = "madv_cold",
	.prepare = need_cold,
	.operate = cool_range,
	.look = look_same,
};

static struct range everything(const struct thp *thp)
{
	return (struct range){ 0, thp->size };
}

static long long huge_bytes(const struct attempt *attempt)
{
	return smaps_bytes(attempt->thp.base, "AnonHugePages");
}

/* mprotect() to read-only and back splits the PMD and keeps the data. */
static void split_the_pmd(const struct attempt *attempt)
{
	size_t half = attempt->thp.size / 2;

	need_advice(attempt, MADV_COLLAPSE, "MADV_COLLAPSE");
	sweep_need(!mprotect(attempt->thp.base, half, PROT_READ) &&
		   !mprotect(attempt->thp.base, half, PROT_READ | PROT_WRITE),
		   "mprotect of a half and back");
	if (huge_bytes(attempt) > 0)
		sweep_skip("mprotect of a half did not split the PMD");
}

static struct returned collapse_range(const struct attempt *attempt)
{
	return advise_range(attempt, MADV_COLLAPSE);
}

static bool smaps_shows_thps(const struct thp *thp)
{
	if (smaps_bytes(thp->base, "AnonHugePages") != (long long)thp->size)
		return false;
	return !mprotect(thp->base, thp->size / 2, PROT_READ) &&
	       smaps_bytes(thp->base, "AnonHugePages") == 0;
}

static enum effect measure_collapsed(const struct attempt *attempt)
{
	return huge_bytes(attempt) == (long long)attempt->thp.size ? EFFECT_FULL : EFFECT_NONE;
}

const struct sweep_op sweep_madv_collapse = {
	.name = "madv_collapse",
	.choose = everything,
	.prepare = split_the_pmd,
	.operate = collapse_range,
	.measure = measure_collapsed,
	.instrument = "smaps_anonhugepages",
	.instrument_works = smaps_shows_thps,
};
