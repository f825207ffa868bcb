// SPDX-License-Identifier: GPL-2.0-only
#include "storm.h"
#include "lib/kfile.h"
#include "lib/ktap.h"
#include "storm_field.h"
#include "storm_press.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* Percentage of pages in swap at which the storm ends. */
#define REACHED_PERCENT 90

/* Pause between looks: 1 ms, or four times the duration of the last look. */
#define LOOK_NS 1000000L
#define PAUSES 4

#define SECOND_NS 1000000000LL
#define STORM_NS (60 * SECOND_NS)
#define STILL_NS SECOND_NS
#define STUCK_NS (15 * SECOND_NS)

static const char *const counter_names[COUNTERS] = {
	"pswpout", "thp_swpout", "thp_swpout_fallback", "thp_split_pmd", "thp_split_pmd_failed",
	"oom_kill", "nr_page_table_pages",
};

/* Names in data lines. */
static const char *const data_names[COUNTERS] = {
	"swapped_pages", "thp_swpout", "thp_swpout_fallback", "split", "split_failed",
	"oom_kills", "new_table_pages",
};

struct counters count_now(void)
{
	struct counters now;

	/* Fold the per-CPU deltas of the counters into the totals. */
	kfile_write("/proc/sys/vm/stat_refresh", "1\n");
	for (int i = 0; i < COUNTERS; i++)
		now.of[i] = vmstat_counter(counter_names[i]);
	return now;
}

static struct counters rise_since(const struct counters *before)
{
	struct counters rose = count_now();

	for (int i = 0; i < COUNTERS; i++)
		if (rose.of[i] != ABSENT)
			rose.of[i] -= before->of[i];
	return rose;
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

void pause_ns(long long ns)
{
	const struct timespec pause = { ns / SECOND_NS, ns % SECOND_NS };

	nanosleep(&pause, NULL);
}

size_t all_tables_bytes(const struct plan *plan, const struct thp_field *field)
{
	return (plan->forks + 1) * storm_pages(field) * sizeof(void *);
}

size_t arena_bytes(const struct plan *plan, const struct thp_field *field)
{
	return SPARE_BYTES + RESERVES * kfile_number(RESERVE) * 1024 +
	       all_tables_bytes(plan, field);
}

size_t excess_bytes(const struct plan *plan, const struct thp_field *field)
{
	return arena_bytes(plan, field) + all_tables_bytes(plan, field) +
	       3 * field->count * field->thp_size;
}

/* Grows while reclaim or the allocating process makes progress. */
static long long progress(const struct press *press)
{
	return vmstat_counter("pswpout") + vmstat_counter("thp_split_pmd") + press->talk->pages;
}

static void look(const struct thp_field *field, pid_t last, struct storm *storm)
{
	size_t free_pages = press_free_bytes() / field->page_size;

	if (free_pages < storm->free_pages_min)
		storm->free_pages_min = free_pages;
	storm->thp_pages_out = storm_pages_swapped(field, last);
	storm->reached = storm->thp_pages_out * 100 >= storm->thp_pages * REACHED_PERCENT;
}

/*
 * Wait until nearly all pages of the THPs are swapped out in the last child, whose mapping is
 * unmapped last; or until all small pages are touched and no counter changes any more.
 */
static void watch(const struct thp_field *field, struct press *press, pid_t last,
		  long long swapped_before, struct storm *storm)
{
	long long begin = now_ns(), start = 0, moved = begin, now = begin, took = 0;
	long long before = 0, after;

	do {
		pause_ns(took * PAUSES > LOOK_NS ? took * PAUSES : LOOK_NS);
		took = -now_ns();
		look(field, last, storm);
		after = progress(press);
		now = now_ns();
		took += now;
		if (!start && vmstat_counter("pswpout") > swapped_before)
			start = now;
		if (after != before)
			moved = now;
		before = after;
		storm->stuck = !press->talk->at_limit && now - moved > STUCK_NS;
	} while (!storm->reached && !storm->stuck && press_lives(press) &&
		 now - begin < STORM_NS && !(press->talk->at_limit && now - moved > STILL_NS));
	storm->ns = start ? now - start : 0;
}

struct storm storm_run(const struct plan *plan, struct thp_field *field, pid_t last)
{
	struct storm storm = { .thp_pages = storm_pages(field), .free_pages_min = SIZE_MAX };
	struct counters before = count_now();
	size_t limit = press_free_bytes() + excess_bytes(plan, field);
	struct press press = press_start(field, limit);

	watch(field, &press, last, before.of[SWAPPED], &storm);
	press.talk->stop = true;
	storm.press_died = !press_lives(&press);
	storm.pressed_pages = press.talk->pages;
	storm.rose = rise_since(&before);
	press_end(&press);
	return storm;
}

void print_storm(const struct plan *plan, const struct thp_field *field, size_t run,
		 const struct storm *storm)
{
	printf("data storm run=%zu forks=%zu thps=%zu huge_bytes=%zu page_bytes=%zu "
	       "reserve_pages=%lld thp_pages=%zu thp_pages_out=%zu free_pages_min=%zu "
	       "ns=%lld reached=%d stuck=%d", run, plan->forks, field->count, field->thp_size,
	       field->page_size,
	       kfile_number(RESERVE) * 1024 / (long long)field->page_size,
	       storm->thp_pages, storm->thp_pages_out, storm->free_pages_min, storm->ns,
	       storm->reached, storm->stuck);
	for (int i = 0; i < COUNTERS; i++) {
		if (storm->rose.of[i] == ABSENT && i != TABLES)
			printf(" %s=absent", data_names[i]);
		else
			printf(" %s=%lld", data_names[i], storm->rose.of[i]);
	}
	putchar('\n');
	ktap_note("run %zu: %zu small pages were touched; allocations waited %lld times", run,
		  storm->pressed_pages, vmstat_counter("allocstall_normal"));
}

