// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory pressure swaps out THPs that many forked children share, which splits
 * each child's PMD during reclaim. Tests whether reclaim makes progress.
 */
#include "lib/kfile.h"
#include "lib/ktap.h"
#include "lib/thp.h"
#include "lib/zram_swap.h"
#include "storm.h"
#include "storm_field.h"
#include "storm_press.h"
#include "storm_sharers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define USAGE_ERROR 2

#define ATTEMPTS 5

/* Largest share of memory for the THPs; matters where one THP is large. */
#define MEMORY_PERCENT 25

/* Least share of the expected splits. */
#define SPLIT_PERCENT 90

/* Allowance for allocations of other processes. */
#define TOLERATED_TABLES 4
#define TOLERATED_PAGES 64
#define LEAK_LOOKS 50
#define LEAK_PAUSE_NS 100000000L

/* Sum over all runs. */
struct sum {
	size_t stuck;
	size_t unsplit;
	long long oom_kills;
	size_t died;
	size_t wrong;
};

static long long old_reserve_kib;
static bool has_own_swap;
static pid_t ballast;

static void map_field(struct thp_field *field, size_t count)
{
	const char *reason = thp_field_map(field, count);

	if (reason)
		ktap_skip("no THPs: %s", reason);
}

/* Return the number of faults that got a THP. */
static long long fill_field(const struct thp_field *field)
{
	long long before = vmstat_counter("thp_fault_alloc");

	kfile_write("/proc/sys/vm/compact_memory", "1\n");
	storm_fill(field);
	return vmstat_counter("thp_fault_alloc") - before;
}

/* Retries, as memory may be fragmented temporarily. */
static void need_thps(const struct thp_field *field)
{
	long long rose = fill_field(field);

	for (int i = 1; i < ATTEMPTS && rose < (long long)field->count; i++) {
		ktap_need(!thp_field_renew(field), "new memory for the THPs");
		rose = fill_field(field);
	}
	if (rose < (long long)field->count)
		ktap_skip("%zu faults gave %lld THPs only", field->count, rose);
}

/* The OOM killer takes the process that needs memory first, then sharers, never this one. */
static void set_oom_score(const char *score)
{
	ktap_need(!kfile_write("/proc/self/oom_score_adj", score), "oom_score_adj");
}

static struct sharers share(const struct plan *plan, const struct thp_field *field)
{
	/* In later runs the ballast limits free memory. */
	size_t left = ballast ? 0 : arena_bytes(plan, field);
	struct sharers sharers;
	size_t count;

	set_oom_score("500");
	sharers = sharers_start(field, plan->forks, left);
	set_oom_score("-1000");
	count = sharers.count;
	if (count == plan->forks)
		return sharers;
	sharers_kill(&sharers);
	ktap_skip("too little memory: only %zu of %zu forks fit, with %zu MiB left for the rest",
		  count, plan->forks, left / MIB);
}

static void add_up(struct sum *sum, const struct plan *plan, const struct storm *storm,
		   const struct sharers_end *end)
{
	long long splits = (plan->forks + 1) * plan->thps;

	sum->stuck += storm->stuck;
	sum->unsplit += storm->reached && storm->rose.of[SPLIT] * 100 < splits * SPLIT_PERCENT;
	sum->oom_kills += storm->rose.of[OOM_KILL];
	sum->died += end->died + storm->press_died;
	sum->wrong += end->wrong;
}

/* All page tables and pages must be freed; RCU delays some of them. */
static void check_leak(const struct counters *before, long long anon_before)
{
	long long tables, anon;

	for (int i = 0; i < LEAK_LOOKS; i++) {
		tables = count_now().of[TABLES] - before->of[TABLES];
		anon = vmstat_counter("nr_anon_pages") - anon_before;
		if (tables <= TOLERATED_TABLES && anon <= TOLERATED_PAGES)
			return;
		pause_ns(LEAK_PAUSE_NS);
	}
	ktap_fail("memory is left: %lld pages of page tables, %lld others", tables, anon);
}

static void set_reserve(long long kibibytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", kibibytes);
	if (kibibytes != kfile_number(RESERVE))
		kfile_write(RESERVE, text);
}

/* Changes the reserve during the storm only, not while THPs and forks are set up. */
static struct storm run_and_print(const struct plan *plan, struct thp_field *field, pid_t last,
				  size_t run)
{
	struct storm storm;

	if (plan->reserve_kib)
		set_reserve(plan->reserve_kib);
	storm = storm_run(plan, field, last);
	print_storm(plan, field, run, &storm);
	set_reserve(old_reserve_kib);
	return storm;
}

static void run_once(const struct plan *plan, size_t run, struct sum *sum)
{
	struct sharers_end end;
	struct thp_field field;
	struct sharers sharers;
	struct storm storm;

	map_field(&field, plan->thps);
	need_thps(&field);
	sharers = share(plan, &field);
	if (!ballast)
		ballast = ballast_start(&field, arena_bytes(plan, &field));
	storm = run_and_print(plan, &field, sharers.pids[sharers.count - 1], run);
	sum->wrong += !storm_all_is_right(&field);
	end = sharers_check(&sharers);
	add_up(sum, plan, &storm, &end);
	thp_field_unmap(&field);
}

static void run_all(const struct plan *plan, struct sum *sum)
{
	struct counters before = count_now();
	long long anon_before = vmstat_counter("nr_anon_pages");

	for (size_t run = 1; run <= plan->runs; run++)
		run_once(plan, run, sum);
	kill(ballast, SIGKILL);
	waitpid(ballast, NULL, 0);
	check_leak(&before, anon_before);
}

static void tidy(void)
{
	if (has_own_swap)
		zram_swap_off();
	set_reserve(old_reserve_kib);
}

/* Uses existing swap, else creates it on zram. */
static void need_swap(size_t excess)
{
	/* Pages of other processes may be swapped out, too. */
	size_t bytes = excess + kfile_field("/proc/meminfo", "MemTotal") * 1024 / 4;
	long long kilobytes = kfile_field("/proc/meminfo", "SwapTotal");
	struct stat device;
	const char *reason;

	if (kilobytes == ABSENT)
		ktap_skip("this kernel can't swap");
	if (kilobytes && (size_t)kilobytes * 1024 < bytes)
		ktap_skip("too little swap: %lld MiB, %zu are needed", kilobytes >> 10, bytes / MIB);
	if (kilobytes)
		return;
	if (stat("/dev/zram0", &device))
		ktap_skip("no swap, and no /dev/zram0 to make some");
	reason = zram_swap_on(bytes);
	if (reason)
		ktap_skip("no swap: %s", reason);
	has_own_swap = true;
}

static void need_memory(const struct plan *plan, const struct thp_field *field)
{
	size_t needed = arena_bytes(plan, field) + all_tables_bytes(plan, field) +
			field->count * field->thp_size;

	if (press_free_bytes() < needed)
		ktap_skip("too little memory: %zu MiB are free, %zu are needed",
			  press_free_bytes() / MIB, needed / MIB);
}

static void prepare(struct plan *plan)
{
	size_t fit = thp_field_count(MEMORY_PERCENT, plan->thps);
	struct thp_field field;
	const char *reason;
	struct thp one;

	if (vmstat_counter("thp_split_pmd") == ABSENT || vmstat_counter("oom_kill") == ABSENT)
		ktap_skip("/proc/vmstat lacks thp_split_pmd or oom_kill");
	reason = thp_map(&one);
	if (reason)
		ktap_skip("no THPs: %s", reason);
	thp_unmap(&one);
	map_field(&field, fit ? fit : 1);
	need_memory(plan, &field);
	plan->thps = field.count;
	need_swap(excess_bytes(plan, &field) + field.count * field.thp_size);
	thp_field_unmap(&field);
	/* The process that watches must not wait for its own pages. */
	ktap_need(!mlockall(MCL_CURRENT), "mlockall");
}

static void judge(const struct plan *plan, const struct sum *sum)
{
	if (sum->wrong)
		ktap_fail("wrong data in %zu processes", sum->wrong);
	if (sum->oom_kills)
		ktap_fail("the OOM killer took %lld processes in %zu runs", sum->oom_kills,
			  plan->runs);
	if (sum->died)
		ktap_fail("%zu processes died in %zu runs", sum->died, plan->runs);
	if (sum->stuck)
		ktap_fail("reclaim stands still in %zu of %zu runs", sum->stuck, plan->runs);
	if (sum->unsplit)
		ktap_skip("the THPs were swapped out, but not all PMDs were split, in %zu of %zu runs",
			  sum->unsplit, plan->runs);
	ktap_pass();
}

static void print_usage(FILE *stream)
{
	fputs("usage: fork_storm FORKS THPS RUNS [KIB]    swap out THPs that many forks share\n"
	      "       fork_storm -h                       show this\n"
	      "KIB sets vm.min_free_kbytes during the storm [default: unchanged]\n"
	      "exit codes: 0 pass, 1 fail, 2 usage, 4 skip\n", stream);
}

static bool read_plan(int argc, char **argv, struct plan *plan)
{
	size_t *const numbers[] = { &plan->forks, &plan->thps, &plan->runs, &plan->reserve_kib };
	char *end;

	if (argc < 4 || argc > 5)
		return false;
	for (int i = 0; i < argc - 1; i++) {
		*numbers[i] = strtoul(argv[i + 1], &end, 10);
		if (*end || !*numbers[i])
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct plan plan = { 0 };
	struct sum sum = { 0 };
	static char name[64];

	if (argc == 2 && !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return 0;
	}
	if (!read_plan(argc, argv, &plan)) {
		print_usage(stderr);
		return USAGE_ERROR;
	}
	snprintf(name, sizeof(name), "fork_storm.forks_%zu", plan.forks);
	ktap_begin(name);
	old_reserve_kib = kfile_number(RESERVE);
	atexit(tidy);
	prepare(&plan);
	run_all(&plan, &sum);
	judge(&plan, &sum);
}
