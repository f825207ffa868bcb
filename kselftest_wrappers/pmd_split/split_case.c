// SPDX-License-Identifier: GPL-2.0-only
#include "split_case.h"
#include "lib/ktap.h"

#include <string.h>

static void fail_at(const unsigned char *base, size_t offset, const char *what,
		    const char *expected)
{
	uint64_t found;

	memcpy(&found, base + offset, sizeof(found));
	ktap_fail("%s: offset %#zx holds %#llx instead of %s", what, offset,
		  (unsigned long long)found, expected);
}

void check_pattern(const unsigned char *base, struct range range, uint64_t seed,
		   const char *what)
{
	size_t wrong = pattern_mismatch(base, range, seed);

	if (wrong < range.end)
		fail_at(base, wrong, what, seed == OLD_PATTERN ? "its old data" : "its new data");
}

void check_zero(const unsigned char *base, struct range range, const char *what)
{
	size_t wrong = zero_mismatch(base, range);

	if (wrong < range.end)
		fail_at(base, wrong, what, "zero");
}

static void check_untouched(const struct thp *thp, struct range range, const char *what)
{
	check_pattern(thp->base, range, OLD_PATTERN, what);
	for (size_t page = range.start; page < range.end; page += thp->page_size)
		if (write_faults(thp->base + page))
			ktap_fail("%s: offset %#zx can't be written to any more", what, page);
}

void check_outside(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	check_untouched(thp, (struct range){ 0, middle.start }, "below the range");
	check_untouched(thp, (struct range){ middle.end, thp->size }, "above the range");
}
