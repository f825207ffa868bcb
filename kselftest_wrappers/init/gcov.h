/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which code of the kernel ran: the counters of CONFIG_GCOV_KERNEL, as lines of the
 * report. An object's file is long, but a test moves few of its words: those that
 * differ from the file without counts are reported.
 */
#ifndef GCOV_H
#define GCOV_H

#include "manifest.h"

#include <stddef.h>

/* Report the objects with counters, and what ran before the first test. */
void gcov_prepare(const struct manifest *manifest);

/* Set all counters to zero. */
void gcov_reset(void);

/* Report the counters of the test @index. */
void gcov_report(size_t index);

#endif
