// SPDX-License-Identifier: GPL-2.0-only
#include "storm_press.h"
#include "lib/kfile.h"
#include "lib/ktap.h"
#include "lib/thp.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

size_t press_free_bytes(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 0 : (size_t)info.freeram * info.mem_unit;
}

/* Huge pages are the fastest to allocate. */
static void lock_all_but(size_t arena, size_t thp_size)
{
	while (press_free_bytes() > arena + thp_size) {
		unsigned char *chunk = thp_reserve(thp_size, thp_size);

		if (!chunk)
			return;
		madvise(chunk, thp_size, MADV_HUGEPAGE);
		if (mlock(chunk, thp_size))
			return;
	}
}

static __attribute__((noreturn)) void be_ballast(struct thp_field *field, size_t arena, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	thp_field_unmap(field);
	lock_all_but(arena, field->thp_size);
	close(ready);
	for (;;)
		pause();
}

pid_t ballast_start(struct thp_field *field, size_t arena)
{
	int ready[2];
	pid_t pid;
	char none;

	ktap_need(!pipe(ready), "pipe");
	pid = fork();
	ktap_need(pid >= 0, "fork");
	if (!pid)
		be_ballast(field, arena, ready[1]);
	close(ready[1]);
	ktap_need(!read(ready[0], &none, 1), "wait for the ballast");
	close(ready[0]);
	return pid;
}

static void touch_pages(struct press_talk *talk, size_t limit, size_t page_size)
{
	volatile unsigned char *area = mmap(NULL, limit, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return;
	madvise((void *)area, limit, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < limit && !talk->stop; at += page_size) {
		area[at] = 0;
		talk->pages++;
	}
}

static __attribute__((noreturn)) void be_press(struct thp_field *field, struct press_talk *talk,
					       size_t limit)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	kfile_write("/proc/self/oom_score_adj", "1000");
	thp_field_unmap(field);
	touch_pages(talk, limit, field->page_size);
	talk->at_limit = !talk->stop;
	for (;;)
		pause();
}

struct press press_start(struct thp_field *field, size_t limit)
{
	struct press press = { .talk = mmap(NULL, sizeof(*press.talk), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) };

	ktap_need(press.talk != MAP_FAILED, "mmap");
	press.pid = fork();
	ktap_need(press.pid >= 0, "fork");
	if (!press.pid)
		be_press(field, press.talk, limit);
	return press;
}

bool press_lives(struct press *press)
{
	if (press->pid && waitpid(press->pid, NULL, WNOHANG) == press->pid)
		press->pid = 0;
	return press->pid;
}

void press_end(struct press *press)
{
	if (press->pid) {
		kill(press->pid, SIGKILL);
		waitpid(press->pid, NULL, 0);
	}
	munmap(press->talk, sizeof(*press->talk));
	press->pid = 0;
}
