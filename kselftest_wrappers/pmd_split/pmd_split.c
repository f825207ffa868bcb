// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split the PMD of a transparent huge page by one operation. thp_split_pmd must
 * rise, and all bytes must keep their values. With --small the operation is
 * applied to small pages, where nothing may be split.
 */
#include "lib/kfile.h"
#include "lib/ktap.h"
#include "split_case.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define USAGE_ERROR 2

static const struct split_case *const cases[] = {
	&munmap_case,	     &mprotect_case,	 &mlock_case,	  &mremap_case,
	&madv_dontneed_case, &fork_cow_case,	 &gup_case,	  &madv_pageout_case,
	&madv_free_case,     &uffdio_move_case, &pagemap_scan_case,
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

struct counters {
	long long splits;
	long long failures;
};

static struct counters read_counters(void)
{
	return (struct counters){
		.splits = vmstat_counter("thp_split_pmd"),
		.failures = vmstat_counter("thp_split_pmd_failed"),
	};
}

static void note_change(const char *name, long long before, long long after)
{
	if (before == ABSENT || after == ABSENT)
		ktap_note("%s: absent", name);
	else
		ktap_note("%s: %lld -> %lld", name, before, after);
}

static void check_split(const struct split_case *chosen, struct counters before,
			struct counters after)
{
	if (before.splits == ABSENT)
		ktap_fail("the kernel has no counter thp_split_pmd: nothing shows a split");
	if (after.splits <= before.splits)
		ktap_fail("%s succeeded, but thp_split_pmd did not move", chosen->name);
}

static void check_nothing_split(const struct split_case *chosen, struct counters before,
				struct counters after)
{
	if (after.splits != before.splits || after.failures != before.failures)
		ktap_fail("%s on small pages moved a counter of PMD splits", chosen->name);
}

static void run(const struct split_case *chosen, bool small)
{
	struct counters before, after;
	struct thp thp;
	const char *reason = small ? small_pages_map(&thp) : thp_map(&thp);

	if (reason)
		ktap_skip("%s: %s", small ? "no memory" : "no THP", reason);
	pattern_fill(thp.base, (struct range){ 0, thp.size }, OLD_PATTERN);
	if (chosen->prepare)
		chosen->prepare(&thp);

	before = read_counters();
	chosen->operate(&thp);
	after = read_counters();

	note_change("thp_split_pmd", before.splits, after.splits);
	note_change("thp_split_pmd_failed", before.failures, after.failures);
	chosen->verify(&thp);
	if (small)
		check_nothing_split(chosen, before, after);
	else
		check_split(chosen, before, after);
}

static const struct split_case *find_case(const char *name)
{
	for (size_t i = 0; i < CASES; i++)
		if (!strcmp(cases[i]->name, name))
			return cases[i];
	return NULL;
}

static int list_cases(void)
{
	for (size_t i = 0; i < CASES; i++)
		puts(cases[i]->name);
	return 0;
}

static void print_usage(FILE *stream)
{
	fputs("usage: pmd_split [--small] CASE   run one case, print KTAP; --small: on small pages\n"
	      "       pmd_split -l               list the cases\n"
	      "       pmd_split -h               show this\n"
	      "exit codes: 0 pass, 1 fail, 2 usage, 4 skip\n", stream);
}

int main(int argc, char **argv)
{
	bool small = argc == 3 && !strcmp(argv[1], "--small");
	const struct split_case *chosen;
	static char name[64];

	if (argc == 2 && !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "-l"))
		return list_cases();
	chosen = argc == 2 || small ? find_case(argv[argc - 1]) : NULL;
	if (!chosen) {
		print_usage(stderr);
		return USAGE_ERROR;
	}
	snprintf(name, sizeof(name), "%s.%s", small ? "small_pages" : "pmd_split", chosen->name);
	ktap_begin(name);
	run(chosen, small);
	ktap_pass();
}
