// SPDX-License-Identifier: GPL-2.0-only
/* mincore(), the NUMA policies and subpage_prot() in the fault sweep. */
#include "sweep_ops.h"
#include "sweep_range.h"
#include "sweep_record.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Half of the largest possible THP, 512 MiB of 64 KiB pages on arm64. */
#define MOST_PAGES 4096

/* Bitmap of NUMA nodes. */
#define NODE_0 1UL
#define NODE_BITS 8

static size_t pages_of(const struct attempt *attempt)
{
	return length_of(attempt->range) / attempt->thp.page_size;
}

static void need_few_pages(const struct attempt *attempt)
{
	if (pages_of(attempt) > MOST_PAGES)
		sweep_skip("a THP has more than %d pages here", 2 * MOST_PAGES);
}

static unsigned char residency[MOST_PAGES];

#define NOT_WRITTEN 0x5a

static void clear_residency(const struct attempt *attempt)
{
	need_few_pages(attempt);
	memset(residency, NOT_WRITTEN, sizeof(residency));
}

static struct returned ask_residency(const struct attempt *attempt)
{
	return returned_from(mincore(at(attempt, attempt->range.start), length_of(attempt->range),
				     residency));
}

static enum page_state look_resident(const struct attempt *attempt, size_t offset)
{
	unsigned char answer = residency[(offset - attempt->range.start) / attempt->thp.page_size];

	if (!page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_DAMAGED;
	if (answer == NOT_WRITTEN)
		return PAGE_UNTOUCHED;
	return answer & 1 ? PAGE_DONE : PAGE_DAMAGED;
}

const struct sweep_op sweep_mincore = {
	.name = "mincore",
	.prepare = clear_residency,
	.operate = ask_residency,
	.look = look_resident,
};

/* These system calls do not exist without CONFIG_NUMA. */
static void need_syscall(long result, const char *name)
{
	if (result < 0 && errno == ENOSYS)
		sweep_skip("%s: ENOSYS, this kernel has no NUMA", name);
}

static int policy_at(const struct attempt *attempt, size_t offset)
{
	int policy = -1;

	syscall(SYS_get_mempolicy, &policy, NULL, 0, at(attempt, offset), MPOL_F_ADDR);
	return policy;
}

static long bind_range(const struct attempt *attempt, unsigned int flags)
{
	unsigned long nodes = NODE_0;

	return syscall(SYS_mbind, at(attempt, attempt->range.start), length_of(attempt->range),
		       MPOL_BIND, &nodes, NODE_BITS, flags);
}

static void prepare_mbind(const struct attempt *attempt)
{
	need_syscall(syscall(SYS_mbind, attempt->thp.base, 0, MPOL_DEFAULT, NULL, 0, 0), "mbind");
}

static struct returned bind_and_move_range(const struct attempt *attempt)
{
	return returned_from(bind_range(attempt, MPOL_MF_MOVE));
}

static enum page_state look_bound(const struct attempt *attempt, size_t offset)
{
	if (!page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_DAMAGED;
	return policy_at(attempt, offset) == MPOL_BIND ? PAGE_DONE : PAGE_UNTOUCHED;
}

const struct sweep_op sweep_mbind = {
	.name = "mbind",
	.prepare = prepare_mbind,
	.operate = bind_and_move_range,
	.look = look_bound,
};

static void *page_addresses[MOST_PAGES];
static int target_nodes[MOST_PAGES], move_status[MOST_PAGES];

#define NO_STATUS 0x5a5a

static void prepare_move_pages(const struct attempt *attempt)
{
	need_few_pages(attempt);
	need_syscall(syscall(SYS_move_pages, 0, 0UL, NULL, NULL, NULL, 0), "move_pages");
	for (size_t i = 0; i < pages_of(attempt); i++) {
		page_addresses[i] = at(attempt, attempt->range.start + i * attempt->thp.page_size);
		target_nodes[i] = 0;
		move_status[i] = NO_STATUS;
	}
}

/* move_pages() returns the number of pages that it did not move. */
static struct returned move_range(const struct attempt *attempt)
{
	long left = syscall(SYS_move_pages, 0, pages_of(attempt), page_addresses, target_nodes,
			    move_status, MPOL_MF_MOVE);

	return left > 0 ? (struct returned){ .is_short = true } : returned_from(left);
}

static enum page_state look_on_node(const struct attempt *attempt, size_t offset)
{
	int status = move_status[(offset - attempt->range.start) / attempt->thp.page_size];

	if (!page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_DAMAGED;
	return status == 0 ? PAGE_DONE : PAGE_UNTOUCHED;
}

const struct sweep_op sweep_move_pages = {
	.name = "move_pages",
	.prepare = prepare_move_pages,
	.operate = move_range,
	.look = look_on_node,
};

static void bind_all(const struct attempt *attempt)
{
	struct attempt whole = { attempt->thp, { 0, attempt->thp.size } };

	need_syscall(syscall(SYS_set_mempolicy_home_node, attempt->thp.base, 0UL, 0UL, 0UL),
		     "set_mempolicy_home_node");
	sweep_need(!bind_range(&whole, 0), "mbind of the whole THP");
}

static struct returned set_home_node(const struct attempt *attempt)
{
	unsigned char *start = at(attempt, attempt->range.start);

	return returned_from(syscall(SYS_set_mempolicy_home_node, start,
				     length_of(attempt->range), 0UL, 0UL));
}

/* The kernel does not show the home node. */
static enum page_state look_still_bound(const struct attempt *attempt, size_t offset)
{
	return look_bound(attempt, offset) == PAGE_DONE ? PAGE_UNTOUCHED : PAGE_DAMAGED;
}

const struct sweep_op sweep_set_mempolicy_home_node = {
	.name = "set_mempolicy_home_node",
	.prepare = bind_all,
	.operate = set_home_node,
	.look = look_still_bound,
};

/* subpage_prot(2): two bits per 4 KiB of a 64 KiB page; 01 forbids writing. */
#define ALL_READONLY 0x55555555U

static uint32_t subpages[MOST_PAGES];

static long set_subpages(const struct attempt *attempt, const uint32_t *map)
{
#ifdef SYS_subpage_prot
	return syscall(SYS_subpage_prot, at(attempt, attempt->range.start),
		       length_of(attempt->range), map);
#else
	(void)attempt;
	(void)map;
	errno = ENOSYS;
	return -1;
#endif
}

static void prepare_subpages(const struct attempt *attempt)
{
	struct attempt nothing = { attempt->thp, { 0, 0 } };

	need_few_pages(attempt);
	if (set_subpages(&nothing, NULL))
		sweep_skip("subpage_prot: %s", errno == ENOSYS ? "this kernel has none" :
								 "only the hash MMU has it");
	for (size_t i = 0; i < pages_of(attempt); i++)
		subpages[i] = ALL_READONLY;
}

static struct returned protect_subpages(const struct attempt *attempt)
{
	return returned_from(set_subpages(attempt, subpages));
}

static enum page_state look_protected(const struct attempt *attempt, size_t offset)
{
	if (!page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_DAMAGED;
	return write_faults(at(attempt, offset)) ? PAGE_DONE : PAGE_UNTOUCHED;
}

static void allow_subpages(const struct attempt *attempt)
{
	set_subpages(attempt, NULL);
}

const struct sweep_op sweep_subpage_prot = {
	.name = "subpage_prot",
	.prepare = prepare_subpages,
	.operate = protect_subpages,
	.look = look_protected,
	.release = allow_subpages,
};
