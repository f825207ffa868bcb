// SPDX-License-Identifier: GPL-2.0-only
/* userfaultfd: moving a part of a THP, and write-protecting a part by PAGEMAP_SCAN. */
#include "lib/ktap.h"
#include "lib/uapi_compat.h"
#include "split_case.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int uffd, pagemap;

/* UFFDIO_API works once per descriptor, so the query for features needs its own. */
static int open_uffd(__u64 *features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = *features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0)
		ktap_skip("no userfaultfd: %s", strerror(errno));
	if (ioctl(fd, UFFDIO_API, &api))
		ktap_skip("userfaultfd refuses features %#llx: %s",
			  (unsigned long long)*features, strerror(errno));
	*features = api.features;
	return fd;
}

static int uffd_with(__u64 feature, const char *name)
{
	__u64 available = 0;

	close(open_uffd(&available));
	if (!(available & feature))
		ktap_skip("userfaultfd has no %s here (features %#llx)", name,
			  (unsigned long long)available);
	return open_uffd(&feature);
}

static void register_range(void *start, size_t length, __u64 mode)
{
	struct uffdio_register request = {
		.range = { .start = (uintptr_t)start, .len = length },
		.mode = mode,
	};

	ktap_need(!ioctl(uffd, UFFDIO_REGISTER, &request), "UFFDIO_REGISTER");
}

static unsigned char *new_place;

static void register_new_place(const struct thp *thp)
{
	struct range middle = thp_middle(thp);
	size_t length = middle.end - middle.start;

	uffd = uffd_with(UFFD_FEATURE_MOVE, "UFFDIO_MOVE");
	new_place = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ktap_need(new_place != MAP_FAILED, "mmap of the new place");
	register_range(new_place, length, UFFDIO_REGISTER_MODE_MISSING);
}

/* The kernel may stop half-way with EAGAIN; repeat until done. */
static void move_middle(const struct thp *thp)
{
	struct range left = thp_middle(thp);
	size_t start = left.start;

	while (left.start < left.end) {
		struct uffdio_move move = {
			.dst = (uintptr_t)new_place + left.start - start,
			.src = (uintptr_t)thp->base + left.start,
			.len = left.end - left.start,
		};
		int failed = ioctl(uffd, UFFDIO_MOVE, &move);

		ktap_need(!failed || errno == EAGAIN, "UFFDIO_MOVE");
		if (move.move > 0)
			left.start += move.move;
	}
}

static void verify_moved(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	check_pattern(new_place - middle.start, middle, OLD_PATTERN, "the moved range");
	check_zero(thp->base, middle, "the place it was moved away from");
	check_outside(thp);
	close(uffd);
}

const struct split_case uffdio_move_case = { "uffdio_move", register_new_place, move_middle,
					     verify_moved };

/*
 * Write-protect the written pages of the middle and return their number. Whether
 * the PMD is whole or split, PAGEMAP_SCAN merges adjacent pages into one region.
 */
static size_t scan_middle(const struct thp *thp)
{
	struct range middle = thp_middle(thp);
	struct page_region region = { 0 };
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)thp->base + middle.start,
		.end = (uintptr_t)thp->base + middle.end,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	int regions = ioctl(pagemap, PAGEMAP_SCAN, &scan);

	if (regions < 0 && errno == ENOTTY)
		ktap_skip("this kernel has no PAGEMAP_SCAN");
	ktap_need(regions >= 0, "PAGEMAP_SCAN");
	return regions ? (region.end - region.start) / thp->page_size : 0;
}

static void register_thp(const struct thp *thp)
{
	uffd = uffd_with(UFFD_FEATURE_WP_ASYNC, "asynchronous write protection");
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		ktap_skip("no /proc/self/pagemap: %s", strerror(errno));
	register_range(thp->base, thp->size, UFFDIO_REGISTER_MODE_WP);
}

static void expect_written(const struct thp *thp, size_t expected, const char *when)
{
	size_t found = scan_middle(thp);

	if (found != expected)
		ktap_fail("%s, PAGEMAP_SCAN found %zu written pages instead of %zu", when, found,
			  expected);
}

static void protect_middle(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	expect_written(thp, (middle.end - middle.start) / thp->page_size, "at first");
}

static void verify_protected(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	expect_written(thp, 0, "with everything write-protected");
	check_pattern(thp->base, middle, OLD_PATTERN, "the write-protected range");
	if (write_faults(thp->base + middle.start + thp->page_size))
		ktap_fail("an asynchronously protected page can't be written to");
	expect_written(thp, 1, "after one write");
	check_pattern(thp->base, middle, OLD_PATTERN, "the range after one write");
	check_outside(thp);
	close(pagemap);
	close(uffd);
}

const struct split_case pagemap_scan_case = { "pagemap_scan", register_thp, protect_middle,
					      verify_protected };
