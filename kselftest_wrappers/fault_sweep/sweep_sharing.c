// SPDX-License-Identifier: GPL-2.0-only
/* Memory shared copy-on-write by two processes in the fault sweep: fork, write, pin. */
#include "lasting.h"
#include "lib/proc_self.h"
#include "sweep_ops.h"
#include "sweep_peer.h"
#include "sweep_range.h"
#include "sweep_record.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITTEN UINT64_C(0x5741524e45520001)

static volatile uint64_t *written_word(const struct attempt *attempt)
{
	return (volatile uint64_t *)at(attempt, attempt->range.start);
}

static struct range one_page(const struct thp *thp)
{
	size_t start = thp->size / 2 + thp->page_size;

	return (struct range){ start, start + thp->page_size };
}

static struct returned write_word(const struct attempt *attempt)
{
	*written_word(attempt) = WRITTEN;
	return RETURNED_WELL;
}

/* All of the page but its first word must be unchanged. */
static enum page_state look_written(const struct attempt *attempt, size_t offset)
{
	struct range rest = { offset + sizeof(uint64_t), offset + attempt->thp.page_size };

	if (page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_UNTOUCHED;
	if (*written_word(attempt) != WRITTEN)
		return PAGE_DAMAGED;
	return pattern_mismatch(attempt->thp.base, rest, OLD_PATTERN) == rest.end ? PAGE_DONE :
										    PAGE_DAMAGED;
}

const struct sweep_op sweep_fork_cow_child = {
	.name = "fork_cow_child",
	.choose = one_page,
	.prepare = peer_become_child,
	.operate = write_word,
	.look = look_written,
	.waits_for_memory = true,
};

const struct sweep_op sweep_fork_cow_parent = {
	.name = "fork_cow_parent",
	.choose = one_page,
	.prepare = peer_start,
	.operate = write_word,
	.look = look_written,
	.peer_is_intact = peer_is_intact,
	.waits_for_memory = true,
};

/* A read of untouched memory maps the huge zero page. */
static void map_huge_zero(struct attempt *attempt)
{
	struct thp *thp = &attempt->thp;
	const char *reason = thp_map(thp);

	if (reason)
		sweep_skip("no THP: %s", reason);
	sweep_need(!madvise(thp->base, thp->size, MADV_DONTNEED), "MADV_DONTNEED");
	if (*(volatile unsigned char *)thp->base)
		sweep_skip("fresh memory is not zero");
	if (!page_is_present(thp->base))
		sweep_skip("cannot be seen here: pagemap shows no page that is present");
	if (!page_is_present(thp->base + thp->size - thp->page_size))
		sweep_skip("a read does not map a huge page of zeros");
}

static enum page_state look_written_to_zero(const struct attempt *attempt, size_t offset)
{
	struct range rest = { offset + sizeof(uint64_t), offset + attempt->thp.page_size };

	if (page_holds_zero(attempt, offset))
		return PAGE_UNTOUCHED;
	if (*written_word(attempt) != WRITTEN)
		return PAGE_DAMAGED;
	return zero_mismatch(attempt->thp.base, rest) == rest.end ? PAGE_DONE : PAGE_DAMAGED;
}

const struct sweep_op sweep_huge_zero_write = {
	.name = "huge_zero_write",
	.map = map_huge_zero,
	.choose = one_page,
	.operate = write_word,
	.look = look_written_to_zero,
	.outside_is_zero = true,
	.waits_for_memory = true,
};

/* Target of copies: as long as the range, filled before the call. */
static unsigned char *copy;
static size_t copied;

static void get_room_for_copy(const struct attempt *attempt)
{
	copied = 0;
	copy = mmap(NULL, length_of(attempt->range), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sweep_need(copy != MAP_FAILED, "mmap of room for a copy");
	peer_start(attempt);
	pattern_fill(copy, (struct range){ 0, length_of(attempt->range) }, NEW_PATTERN);
}

static struct returned returned_count(const struct attempt *attempt, ssize_t count)
{
	if (count < 0)
		return returned_from(count);
	copied = count;
	return (struct returned){ .is_short = copied < length_of(attempt->range) };
}

/* The bytes reported as read must be right, and those behind them untouched. */
static bool copy_is_right(const struct attempt *attempt)
{
	struct range read = { attempt->range.start, attempt->range.start + copied };
	struct range rest = { copied, length_of(attempt->range) };

	return pattern_mismatch(copy - read.start, read, OLD_PATTERN) == read.end &&
	       pattern_mismatch(copy, rest, NEW_PATTERN) == rest.end &&
	       pattern_mismatch(attempt->thp.base, attempt->range, OLD_PATTERN) ==
		       attempt->range.end;
}

static enum effect measure_copied(const struct attempt *attempt)
{
	if (copied == length_of(attempt->range))
		return EFFECT_FULL;
	return copied ? EFFECT_PART : EFFECT_NONE;
}

static void prepare_readv(const struct attempt *attempt)
{
	if (process_vm_readv(getpid(), NULL, 0, NULL, 0, 0) < 0 && errno == ENOSYS)
		sweep_skip("this kernel has no process_vm_readv");
	get_room_for_copy(attempt);
}

/* Pins the pages; those that are not exclusive are unshared first, which splits the PMD. */
static struct returned read_range(const struct attempt *attempt)
{
	size_t length = length_of(attempt->range);
	struct iovec remote = { at(attempt, attempt->range.start), length };
	struct iovec local = { copy, length };

	return returned_count(attempt, process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
}

const struct sweep_op sweep_process_vm_readv = {
	.name = "process_vm_readv",
	.choose = four_pages,
	.prepare = prepare_readv,
	.operate = read_range,
	.measure = measure_copied,
	.range_is_intact = copy_is_right,
	.peer_is_intact = peer_is_intact,
};

static int pipe_ends[2];

static void prepare_splice(const struct attempt *attempt)
{
	sweep_need(!pipe2(pipe_ends, O_NONBLOCK), "pipe");
	get_room_for_copy(attempt);
}

static struct returned splice_range(const struct attempt *attempt)
{
	struct iovec spliced = { at(attempt, attempt->range.start), length_of(attempt->range) };

	return returned_count(attempt, vmsplice(pipe_ends[1], &spliced, 1, SPLICE_F_NONBLOCK));
}

/* The pipe holds the pages themselves; reading it shows their content. */
static bool pipe_is_right(const struct attempt *attempt)
{
	size_t taken = 0;
	ssize_t got;

	do {
		got = read(pipe_ends[0], copy + taken, length_of(attempt->range) - taken);
		if (got > 0)
			taken += got;
	} while (got > 0);
	return taken == copied && copy_is_right(attempt);
}

const struct sweep_op sweep_vmsplice = {
	.name = "vmsplice",
	.choose = four_pages,
	.prepare = prepare_splice,
	.operate = splice_range,
	.measure = measure_copied,
	.range_is_intact = pipe_is_right,
	.peer_is_intact = peer_is_intact,
};

static pid_t forked;
static int forked_status;

/* A child inherits failures that last, which may kill it, but not the n-th. */
static struct returned fork_child(const struct attempt *attempt)
{
	struct range all = { 0, attempt->thp.size };

	forked_status = -1;
	forked = fork();
	if (!forked)
		_exit(pattern_mismatch(attempt->thp.base, all, OLD_PATTERN) < all.end);
	return returned_from(forked);
}

static enum effect measure_forked(const struct attempt *attempt)
{
	(void)attempt;
	if (forked < 0)
		return wait(NULL) < 0 ? EFFECT_NONE : EFFECT_PART;
	lasting_end_of(forked);
	waitpid(forked, &forked_status, 0);
	if (lasting_is_on() && WIFSIGNALED(forked_status))
		return EFFECT_FULL;
	return WIFEXITED(forked_status) && !WEXITSTATUS(forked_status) ? EFFECT_FULL : EFFECT_PART;
}

const struct sweep_op sweep_fork = {
	.name = "fork",
	.operate = fork_child,
	.measure = measure_forked,
	.waits_for_memory = true,
};
