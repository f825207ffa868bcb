// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_quiet.h"
#include "fail_nth.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES 32768
#define MAPPINGS 64
#define TRIES 10

#define ASK_PERSONALITY 0xffffffffUL

/* Defined by the linker. */
extern char __executable_start[], _end[];

void quiet_fix_addresses(char **argv)
{
	int persona = personality(ASK_PERSONALITY);

	if (persona < 0 || persona & ADDR_NO_RANDOMIZE)
		return;
	if (personality(persona | ADDR_NO_RANDOMIZE) >= 0)
		execv("/proc/self/exe", argv);
}

void quiet_stay_on_cpu(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(0, &here);
	sched_setaffinity(0, sizeof(here), &here);
}

void quiet_leave_cpu(void)
{
	cpu_set_t others;

	CPU_ZERO(&others);
	for (int cpu = 1; cpu < CPU_SETSIZE; cpu++)
		CPU_SET(cpu, &others);
	sched_setaffinity(0, sizeof(others), &others);
}

/*
 * mlock() faults in writable pages for writing, which also resolves copy-on-write. It
 * populates nothing if the range has a hole, as between the segments of a program that
 * is linked for pages of 64 KiB: mlock(2), ENOMEM.
 */
static void make_present(const char *start, const char *end)
{
	uintptr_t page_size = sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)start & ~(page_size - 1);
	uintptr_t to = ((uintptr_t)end + page_size - 1) & ~(page_size - 1);

	if (!mlock((void *)from, to - from))
		return;
	for (uintptr_t page = from; page < to; page += page_size)
		mlock((void *)page, page_size);
}

static __attribute__((noinline)) void make_stack_present(void)
{
	volatile char room[STACK_BYTES];

	for (size_t i = 0; i < sizeof(room); i += 1024)
		room[i] = 1;
	make_present((const char *)room, (const char *)room + sizeof(room));
}

/*
 * Allocate and free the kernel's objects for mappings. Otherwise it depends on
 * earlier attempts whether a call needs a new slab page for them, and failure n
 * would hit another allocation in each attempt.
 */
static void stock_objects(void)
{
	size_t page_size = sysconf(_SC_PAGESIZE), length = MAPPINGS * page_size;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *pages = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (pages == MAP_FAILED)
		return;
	memset(pages, 1, length);
	for (size_t i = 0; i < length; i += 2 * page_size)
		mprotect(pages + i, page_size, PROT_READ);
	munmap(pages, length);
	/* Wait for an RCU grace period, after which some of them are freed. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

bool quiet_process(int fd)
{
	for (int i = 0; i < TRIES; i++) {
		stock_objects();
		make_stack_present();
		make_present(__executable_start, _end);
		fail_nth_arm(fd, 1);
		getppid();
		if (!fail_nth_disarm(fd))
			return true;
	}
	errno = EBUSY;
	return false;
}
