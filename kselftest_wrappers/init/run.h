/* SPDX-License-Identifier: GPL-2.0-only */
/* Running one test and reporting all of it. */
#ifndef RUN_H
#define RUN_H

#include "manifest.h"

#include <stddef.h>

/*
 * Run @test as number @index (from 1). Whatever processes it has left behind
 * when it has ended are killed; leftovers_adopt() must have been called.
 */
void run_test(const struct test *test, size_t index, const struct manifest *manifest);

/* Call once before the first test. */
void run_prepare(void);

#endif
