// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_range.h"
#include "sweep_record.h"

#include <sys/mman.h>

unsigned char *at(const struct attempt *attempt, size_t offset)
{
	return attempt->thp.base + offset;
}

size_t length_of(struct range range)
{
	return range.end - range.start;
}

static struct range page_at(const struct attempt *attempt, size_t offset)
{
	return (struct range){ offset, offset + attempt->thp.page_size };
}

static bool is_mapped(const struct attempt *attempt, size_t offset)
{
	return page_is_mapped(at(attempt, offset), attempt->thp.page_size);
}

bool page_holds(const struct attempt *attempt, size_t offset, uint64_t seed)
{
	struct range page = page_at(attempt, offset);

	return is_mapped(attempt, offset) &&
	       pattern_mismatch(attempt->thp.base, page, seed) == page.end;
}

bool page_holds_zero(const struct attempt *attempt, size_t offset)
{
	struct range page = page_at(attempt, offset);

	return is_mapped(attempt, offset) &&
	       zero_mismatch(attempt->thp.base, page) == page.end;
}

unsigned char *reserve_own_place(const struct attempt *attempt, size_t thps)
{
	size_t size = attempt->thp.size;
	unsigned char *place = thp_reserve(thps * size, size);

	sweep_need(place, "mmap of the new place");
	return place;
}

struct range lower_half(const struct thp *thp)
{
	return (struct range){ 0, thp->size / 2 };
}

struct range four_pages(const struct thp *thp)
{
	size_t start = thp->size / 4 + thp->page_size;

	return (struct range){ start, start + 4 * thp->page_size };
}

enum page_state look_unmapped(const struct attempt *attempt, size_t offset)
{
	if (!is_mapped(attempt, offset))
		return PAGE_DONE;
	return page_holds(attempt, offset, OLD_PATTERN) ? PAGE_UNTOUCHED : PAGE_DAMAGED;
}

enum page_state look_zeroed(const struct attempt *attempt, size_t offset)
{
	if (page_holds_zero(attempt, offset))
		return PAGE_DONE;
	return page_holds(attempt, offset, OLD_PATTERN) ? PAGE_UNTOUCHED : PAGE_DAMAGED;
}

/* mprotect() stops at holes, so it is called for each page. */
void make_all_writable(const struct attempt *attempt)
{
	size_t page_size = attempt->thp.page_size;

	for (size_t offset = 0; offset < attempt->thp.size; offset += page_size)
		mprotect(at(attempt, offset), page_size, PROT_READ | PROT_WRITE);
}
