/* SPDX-License-Identifier: GPL-2.0-only */
/* Running one test and reporting all of it. */
#ifndef RUN_H
#define RUN_H

#include "manifest.h"

#include <stddef.h>

/*
 * Run @test as number @index (from 1). Must be called by pid 1: whatever
 * processes there are besides it when the test has ended are killed.
 */
void run_test(const struct test *test, size_t index, const struct manifest *manifest);

/* Call once before the first test. */
void run_prepare(void);

#endif
