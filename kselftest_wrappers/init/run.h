/* SPDX-License-Identifier: GPL-2.0-only */
/* Run one test and report its output, counters and end. */
#ifndef RUN_H
#define RUN_H

#include "manifest.h"

#include <stddef.h>

/*
 * Run @test as number @index, from 1. Processes that it leaves behind are killed;
 * call leftovers_adopt() first.
 */
void run_test(const struct test *test, size_t index, const struct manifest *manifest);

/* Call once before the first test. */
void run_prepare(void);

#endif
