// SPDX-License-Identifier: GPL-2.0-only
/* userfaultfd in the fault sweep: write protection, UFFDIO_MOVE, PAGEMAP_SCAN. */
#include "lib/proc_self.h"
#include "lib/uapi_compat.h"
#include "sweep_ops.h"
#include "sweep_range.h"
#include "sweep_record.h"

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
		sweep_skip("no userfaultfd: %s", strerror(errno));
	if (ioctl(fd, UFFDIO_API, &api))
		sweep_skip("userfaultfd refuses features %#llx: %s", (unsigned long long)*features,
			   strerror(errno));
	*features = api.features;
	return fd;
}

static void open_uffd_with(__u64 feature, const char *name)
{
	__u64 available = 0;

	close(open_uffd(&available));
	if (!(available & feature))
		sweep_skip("userfaultfd has no %s here", name);
	uffd = open_uffd(&feature);
}

static void watch_memory(void *start, size_t length, __u64 mode)
{
	struct uffdio_register request = {
		.range = { .start = (uintptr_t)start, .len = length },
		.mode = mode,
	};

	sweep_need(!ioctl(uffd, UFFDIO_REGISTER, &request), "UFFDIO_REGISTER");
}

/* Closing the descriptor removes all write protection. */
static void close_uffd(const struct attempt *attempt)
{
	(void)attempt;
	close(uffd);
}

static enum page_state look_protected(const struct attempt *attempt, size_t offset)
{
	if (!page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_DAMAGED;
	return page_is_uffd_protected(at(attempt, offset)) ? PAGE_DONE : PAGE_UNTOUCHED;
}

static bool pagemap_shows_protection(const struct thp *thp)
{
	__u64 feature = UFFD_FEATURE_PAGEFAULT_FLAG_WP;
	struct uffdio_writeprotect request = {
		.range = { .start = (uintptr_t)thp->base, .len = thp->size },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	bool before = page_is_uffd_protected(thp->base);

	uffd = open_uffd(&feature);
	watch_memory(thp->base, thp->size, UFFDIO_REGISTER_MODE_WP);
	return !before && !ioctl(uffd, UFFDIO_WRITEPROTECT, &request) &&
	       page_is_uffd_protected(thp->base);
}

static void watch_writes(const struct attempt *attempt)
{
	open_uffd_with(UFFD_FEATURE_PAGEFAULT_FLAG_WP, "write protection");
	watch_memory(attempt->thp.base, attempt->thp.size, UFFDIO_REGISTER_MODE_WP);
}

static struct returned protect_range(const struct attempt *attempt)
{
	struct uffdio_writeprotect request = {
		.range = { .start = (uintptr_t)at(attempt, attempt->range.start),
			   .len = length_of(attempt->range) },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return returned_from(ioctl(uffd, UFFDIO_WRITEPROTECT, &request));
}

const struct sweep_op sweep_uffd_wp = {
	.name = "uffd_wp",
	.prepare = watch_writes,
	.operate = protect_range,
	.look = look_protected,
	.instrument = "pagemap_uffd_wp",
	.instrument_works = pagemap_shows_protection,
	.release = close_uffd,
};

static unsigned char *new_place;
static size_t moved;

static void watch_new_place(const struct attempt *attempt)
{
	size_t length = length_of(attempt->range);

	open_uffd_with(UFFD_FEATURE_MOVE, "UFFDIO_MOVE");
	new_place = reserve_own_place(attempt, 1);
	watch_memory(new_place, length, UFFDIO_REGISTER_MODE_MISSING);
	moved = 0;
}

static bool pagemap_shows_presence(const struct thp *thp)
{
	return page_is_present(thp->base) && !madvise(thp->base, thp->size, MADV_DONTNEED) &&
	       !page_is_present(thp->base);
}

/* A call that stops half-way reports the bytes done; the next one continues there. */
static struct returned move_range(const struct attempt *attempt)
{
	struct uffdio_move request = {
		.dst = (uintptr_t)new_place + moved,
		.src = (uintptr_t)at(attempt, attempt->range.start) + moved,
		.len = length_of(attempt->range) - moved,
	};
	struct returned returned = returned_from(ioctl(uffd, UFFDIO_MOVE, &request));

	if (request.move > 0)
		moved += request.move;
	return returned;
}

/* Do not read missing pages of the new place: that would block. */
static enum page_state look_moved(const struct attempt *attempt, size_t offset)
{
	struct range page = { offset, offset + attempt->thp.page_size };
	const unsigned char *moved_base = new_place - attempt->range.start;

	if (!page_is_present(moved_base + offset))
		return page_holds(attempt, offset, OLD_PATTERN) ? PAGE_UNTOUCHED : PAGE_DAMAGED;
	if (pattern_mismatch(moved_base, page, OLD_PATTERN) < page.end)
		return PAGE_DAMAGED;
	if (page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_COPIED;
	return page_holds_zero(attempt, offset) ? PAGE_DONE : PAGE_DAMAGED;
}

const struct sweep_op sweep_uffdio_move = {
	.name = "uffdio_move",
	.prepare = watch_new_place,
	.operate = move_range,
	.look = look_moved,
	.instrument = "pagemap_present",
	.instrument_works = pagemap_shows_presence,
	.release = close_uffd,
};

static void watch_writes_silently(const struct attempt *attempt)
{
	open_uffd_with(UFFD_FEATURE_WP_ASYNC, "asynchronous write protection");
	watch_memory(attempt->thp.base, attempt->thp.size, UFFDIO_REGISTER_MODE_WP);
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		sweep_skip("no /proc/self/pagemap: %s", strerror(errno));
	if (ioctl(pagemap, PAGEMAP_SCAN, NULL) && errno == ENOTTY)
		sweep_skip("this kernel has no PAGEMAP_SCAN");
}

static struct returned scan_range(const struct attempt *attempt)
{
	struct page_region region = { 0 };
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)at(attempt, attempt->range.start),
		.end = (uintptr_t)at(attempt, attempt->range.end - 1) + 1,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};

	return returned_from(ioctl(pagemap, PAGEMAP_SCAN, &scan));
}

const struct sweep_op sweep_pagemap_scan = {
	.name = "pagemap_scan",
	.prepare = watch_writes_silently,
	.operate = scan_range,
	.look = look_protected,
	.instrument = "pagemap_uffd_wp",
	.instrument_works = pagemap_shows_protection,
	.release = close_uffd,
};
