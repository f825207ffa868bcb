/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's taint flags, which outlive a report that never got to the log. */
#ifndef TAINT_H
#define TAINT_H

#include <stddef.h>

/* Report the flags after test @index, or before the first test for 0. */
void taint_report(size_t index);

#endif
