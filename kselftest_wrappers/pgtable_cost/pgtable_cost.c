// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures page tables before THPs are mapped, with THPs mapped, with every
 * second one split, and after they are unmapped, when none may be left.
 */
#include "lib/kfile.h"
#include "lib/ktap.h"
#include "lib/thp_field.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define USAGE_ERROR 2

/* Share of memory, and enough THPs for a leak to be visible. */
#define MEMORY_PERCENT 40
#define MOST_THPS 256
#define FEWEST_THPS 8

/*
 * Machine-wide: another process may allocate one table of each level. The process
 * itself has no tolerance: it has already touched all memory that it needs.
 */
#define TOLERATED_PAGES 4

/* RCU delays the freeing of page tables. */
#define LOOKS 50
#define PAUSE_NS 100000000L

enum stage { START, MAPPED, HALF_SPLIT, UNMAPPED, STAGES };

static const char *const stage_names[] = { "start", "mapped", "half_split", "unmapped" };

struct cost {
	long long bytes;         /* PageTables of /proc/meminfo */
	long long pages;         /* nr_page_table_pages of /proc/vmstat */
	long long process_bytes; /* VmPTE: all levels, of this process alone */
};

static struct cost measure(void)
{
	/* Fold the per-CPU deltas of the counters into the totals. */
	kfile_write("/proc/sys/vm/stat_refresh", "1\n");
	return (struct cost){
		.bytes = kfile_field("/proc/meminfo", "PageTables") * 1024,
		.pages = vmstat_counter("nr_page_table_pages"),
		.process_bytes = kfile_field("/proc/self/status", "VmPTE") * 1024,
	};
}

static bool is_back_to(const struct cost *start, const struct cost *now)
{
	return now->pages <= start->pages + TOLERATED_PAGES &&
	       now->process_bytes <= start->process_bytes;
}

static struct cost measure_after_release(const struct cost *start)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct cost now = measure();

	for (int i = 1; i < LOOKS && !is_back_to(start, &now); i++) {
		nanosleep(&pause, NULL);
		now = measure();
	}
	return now;
}

static void touch_all(const struct thp_field *field)
{
	long long before = vmstat_counter("thp_fault_alloc"), rose;

	if (before == ABSENT)
		ktap_skip("no counter thp_fault_alloc in /proc/vmstat");
	thp_field_touch(field);
	rose = vmstat_counter("thp_fault_alloc") - before;
	if (rose < (long long)field->count)
		ktap_skip("%zu faults gave %lld THPs only", field->count, rose);
}

static void split_every_second(const struct thp_field *field)
{
	long long before = vmstat_counter("thp_split_pmd"), rose;

	for (size_t i = 0; i < field->count; i += 2)
		ktap_need(!thp_field_split(field, i), "MADV_DONTNEED of one page");
	rose = vmstat_counter("thp_split_pmd") - before;
	if (rose != (long long)field->count / 2)
		ktap_fail("thp_split_pmd rose by %lld, not by %zu", rose, field->count / 2);
}

static void map_field(struct thp_field *field, size_t count)
{
	const char *reason = thp_field_map(field, count);

	if (reason)
		ktap_skip("no THPs: %s", reason);
}

static void run_through(size_t count, struct cost costs[STAGES])
{
	struct thp_field field;

	costs[START] = measure();
	map_field(&field, count);
	touch_all(&field);
	costs[MAPPED] = measure();
	split_every_second(&field);
	costs[HALF_SPLIT] = measure();
	thp_field_unmap(&field);
	costs[UNMAPPED] = measure_after_release(&costs[START]);
}

static void print_costs(const struct cost costs[STAGES], size_t count, size_t huge_bytes)
{
	for (int i = 0; i < STAGES; i++)
		printf("data cost stage=%s thps=%zu huge_bytes=%zu page_tables_bytes=%lld "
		       "nr_page_table_pages=%lld page_bytes=%ld\n", stage_names[i], count,
		       huge_bytes, costs[i].bytes, costs[i].pages, sysconf(_SC_PAGESIZE));
	for (int i = 0; i < STAGES; i++)
		ktap_note("%s: %lld bytes of this process", stage_names[i],
			  costs[i].process_bytes);
}

static void check_leak(const struct cost *start, const struct cost *end)
{
	if (is_back_to(start, end))
		return;
	ktap_fail("page tables are left: %lld -> %lld pages, %lld -> %lld bytes of this process",
		  start->pages, end->pages, start->process_bytes, end->process_bytes);
}

static void run(void)
{
	struct cost costs[STAGES];
	struct thp_field one;
	size_t count = thp_field_count(MEMORY_PERCENT, MOST_THPS) & ~(size_t)1;

	map_field(&one, 1);
	if (count < FEWEST_THPS)
		ktap_skip("%u %% of memory hold %zu THPs, %u are needed", MEMORY_PERCENT, count,
			  FEWEST_THPS);
	/* The first pass faults in the memory that the program itself needs. */
	run_through(count, costs);
	run_through(count, costs);
	print_costs(costs, count, one.thp_size);
	if (costs[START].bytes < 0 || costs[START].pages == ABSENT)
		ktap_skip("the kernel does not say how much page tables take");
	check_leak(&costs[START], &costs[UNMAPPED]);
}

static void print_usage(FILE *stream)
{
	fputs("usage: pgtable_cost       measure, print KTAP and data\n"
	      "       pgtable_cost -h    show this\n"
	      "exit codes: 0 pass, 1 fail, 2 usage, 4 skip\n", stream);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return 0;
	}
	if (argc != 1) {
		print_usage(stderr);
		return USAGE_ERROR;
	}
	ktap_begin("pgtable_cost");
	run();
	ktap_pass();
}
