/* SPDX-License-Identifier: GPL-2.0-only */
/* One storm: memory pressure until THPs that many processes share are swapped out. */
#ifndef STORM_H
#define STORM_H

#include "lib/thp_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MIB ((size_t)1 << 20)

/* Margin on top of the computed need for memory. */
#define SPARE_BYTES (32 * MIB)

/* Multiple of the reserve kept free: kswapd reclaims up to 1.5 times the reserve. */
#define RESERVES 2

#define RESERVE "/proc/sys/vm/min_free_kbytes"

/* Size of the storms. */
struct plan {
	size_t forks;
	size_t thps;
	size_t runs;
	size_t reserve_kib; /* vm.min_free_kbytes; 0: unchanged */
};

enum counter { SWAPPED, SWPOUT, SWPOUT_FALLBACK, SPLIT, SPLIT_FAILED, OOM_KILL, TABLES, COUNTERS };

struct counters {
	long long of[COUNTERS];
};

/* Result of one storm. */
struct storm {
	size_t thp_pages;
	size_t thp_pages_out; /* of them in swap at the end */
	size_t free_pages_min;
	size_t pressed_pages;
	long long ns; /* from the first page that is swapped out */
	bool reached; /* nearly all of the THPs are in swap */
	bool stuck; /* no progress while the allocating process waits for memory */
	bool press_died;
	struct counters rose;
};

struct counters count_now(void);

/* Return the size of the page tables that the splits in all processes need. */
size_t all_tables_bytes(const struct plan *plan, const struct thp_field *field);

/* Return the free memory at the start of the pressure. */
size_t arena_bytes(const struct plan *plan, const struct thp_field *field);

/*
 * Return by how much the touched pages may exceed free memory: enough to force out all THPs,
 * even if the kernel swaps out the touched pages first.
 */
size_t excess_bytes(const struct plan *plan, const struct thp_field *field);

/* Run a storm on @field; @last is the child forked last. */
struct storm storm_run(const struct plan *plan, struct thp_field *field, pid_t last);

/* Print the data line of one run. */
void print_storm(const struct plan *plan, const struct thp_field *field, size_t run,
		 const struct storm *storm);

void pause_ns(long long ns);

#endif
