// SPDX-License-Identifier: GPL-2.0-only
/* A THP shared by parent and child after fork(): writing to it and pinning it. */
#include "lib/ktap.h"
#include "sharer.h"
#include "split_case.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static struct sharer sharer;

static bool is_unchanged_outside(const struct thp *thp)
{
	struct range middle = thp_middle(thp);
	struct range below = { 0, middle.start }, above = { middle.end, thp->size };

	return pattern_mismatch(thp->base, below, OLD_PATTERN) == below.end &&
	       pattern_mismatch(thp->base, above, OLD_PATTERN) == above.end;
}

/* The child's step: write to the middle of its copy; nothing else may change. */
static bool write_own_middle(const void *argument)
{
	const struct thp *thp = argument;
	struct range middle = thp_middle(thp);

	pattern_fill(thp->base, middle, ~NEW_PATTERN);
	return pattern_mismatch(thp->base, middle, ~NEW_PATTERN) == middle.end &&
	       is_unchanged_outside(thp);
}

static void start_sharer(const struct thp *thp)
{
	sharer = sharer_start(write_own_middle, thp);
}

/*
 * The child stays alive: otherwise the parent would own the THP exclusively
 * and write to it without a split.
 */
static void write_on_both_sides(const struct thp *thp)
{
	if (!sharer_run_step(&sharer))
		ktap_fail("the child did not see its own copy");
	check_pattern(thp->base, thp_middle(thp), OLD_PATTERN, "the range the child wrote to");
	pattern_fill(thp->base, thp_middle(thp), NEW_PATTERN);
}

static void verify_copies(const struct thp *thp)
{
	if (!sharer_run_step(&sharer))
		ktap_fail("the child sees what the parent wrote");
	sharer_end(&sharer);
	check_pattern(thp->base, thp_middle(thp), NEW_PATTERN, "the range the parent wrote to");
	check_outside(thp);
}

const struct split_case fork_cow_case = { "fork_cow", start_sharer, write_on_both_sides,
					  verify_copies };

static unsigned char *pinned_copy;

static void start_sharer_and_copy(const struct thp *thp)
{
	pinned_copy = malloc(thp->size);
	ktap_need(pinned_copy, "malloc");
	start_sharer(thp);
}

/*
 * process_vm_readv() pins pages (FOLL_PIN). A page that is not exclusive is
 * unshared before it is pinned, which splits the PMD first.
 */
static void pin_middle(const struct thp *thp)
{
	struct range middle = thp_middle(thp);
	size_t length = middle.end - middle.start;
	struct iovec remote = { thp->base + middle.start, length };
	struct iovec local = { pinned_copy + middle.start, length };
	ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (got < 0 && errno == ENOSYS)
		ktap_skip("this kernel has no process_vm_readv");
	ktap_need(got >= 0, "process_vm_readv");
	if ((size_t)got != length)
		ktap_fail("process_vm_readv read %zd of %zu bytes", got, length);
}

/* Pages in a pipe must keep their data while the child writes. */
static void check_spliced(const struct thp *thp)
{
	struct range page = thp_middle(thp);
	struct iovec spliced = { thp->base + page.start, thp->page_size };
	unsigned char *out = malloc(thp->page_size);
	int ends[2];

	page.end = page.start + thp->page_size;
	ktap_need(out && !pipe(ends), "pipe");
	ktap_need(vmsplice(ends[1], &spliced, 1, 0) == (ssize_t)thp->page_size, "vmsplice");
	if (!sharer_run_step(&sharer))
		ktap_fail("the child did not see its own copy");
	ktap_need(read(ends[0], out, thp->page_size) == (ssize_t)thp->page_size, "read");
	check_pattern(out - page.start, page, OLD_PATTERN, "the page read from the pipe");
	free(out);
}

static void verify_pinned(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	check_pattern(pinned_copy, middle, OLD_PATTERN, "what process_vm_readv read");
	check_spliced(thp);
	check_pattern(thp->base, middle, OLD_PATTERN, "the range the child wrote to");
	sharer_end(&sharer);
	free(pinned_copy);
	check_outside(thp);
}

const struct split_case gup_case = { "gup", start_sharer_and_copy, pin_middle, verify_pinned };
