/* SPDX-License-Identifier: GPL-2.0-only */
/* One storm: memory gets short until THPs that many processes share are swapped out. */
#ifndef STORM_H
#define STORM_H

#include "lib/thp_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MIB ((size_t)1 << 20)

/* Beyond all that a storm is known to need. */
#define SPARE_BYTES (32 * MIB)

/* The kernel reclaims in the background up to one and a half times the reserve. */
#define RESERVES 2

#define RESERVE "/proc/sys/vm/min_free_kbytes"

/* How large the storms are. */
struct plan {
	size_t forks;
	size_t thps;
	size_t runs;
	size_t reserve_kib; /* vm.min_free_kbytes; 0 leaves it as it is */
};

enum counter { SWAPPED, SWPOUT, SWPOUT_FALLBACK, SPLIT, SPLIT_FAILED, OOM_KILL, TABLES, COUNTERS };

struct counters {
	long long of[COUNTERS];
};

/* What came of one. */
struct storm {
	size_t thp_pages;
	size_t thp_pages_out; /* of them in swap at the end */
	size_t free_pages_min;
	size_t pressed_pages;
	long long ns; /* from the first page that is swapped out */
	bool reached; /* nearly all of the THPs are in swap */
	bool stuck; /* the process that needs memory waits for it, and nothing moves */
	bool press_died;
	struct counters rose;
};

struct counters count_now(void);

/* The page tables that the splits for all processes need. */
size_t all_tables_bytes(const struct plan *plan, const struct thp_field *field);

/* What is free when the small pages begin. */
size_t arena_bytes(const struct plan *plan, const struct thp_field *field);

/*
 * How much more is touched at most than is free: enough for all THPs to have to go, even if all
 * that was touched before goes first.
 */
size_t excess_bytes(const struct plan *plan, const struct thp_field *field);

/* Let it come over @field, which @last was the last to be forked with. */
struct storm brew(const struct plan *plan, struct thp_field *field, pid_t last);

/* The data line of one run. */
void print_storm(const struct plan *plan, const struct thp_field *field, size_t run,
		 const struct storm *storm);

void pause_ns(long long ns);

#endif
