// SPDX-License-Identifier: GPL-2.0-only
/* Teardown of an address space with a half unmapped THP, by exit and exec. */
#include "sweep_ops.h"
#include "sweep_range.h"
#include "sweep_record.h"

#include <sys/mman.h>
#include <unistd.h>

/* Leaves the lower half, mapped by a page table. */
static void unmap_upper_half(const struct attempt *attempt)
{
	size_t half = attempt->thp.size / 2;

	sweep_need(!munmap(at(attempt, half), half), "munmap of the upper half");
}

static struct range quarter(const struct thp *thp)
{
	return (struct range){ 0, thp->size / 4 };
}

static enum page_state look_same(const struct attempt *attempt, size_t offset)
{
	return page_holds(attempt, offset, OLD_PATTERN) ? PAGE_UNTOUCHED : PAGE_DAMAGED;
}

static struct returned end_process(const struct attempt *attempt)
{
	(void)attempt;
	_exit(0);
}

const struct sweep_op sweep_exit_half = {
	.name = "exit_half",
	.choose = quarter,
	.prepare = unmap_upper_half,
	.operate = end_process,
	.look = look_same,
	.upper_half_is_gone = true,
	.ends_process = true,
};

static struct returned start_anew(const struct attempt *attempt)
{
	static char *const arguments[] = { "fault_sweep", AFTER_EXEC, NULL };
	static char *const environment[] = { NULL };

	(void)attempt;
	return returned_from(execve("/proc/self/exe", arguments, environment));
}

const struct sweep_op sweep_exec_half = {
	.name = "exec_half",
	.choose = quarter,
	.prepare = unmap_upper_half,
	.operate = start_anew,
	.look = look_same,
	.upper_half_is_gone = true,
	.ends_process = true,
	.waits_for_memory = true,
};
