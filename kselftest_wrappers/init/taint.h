/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's taint flags, which remain set even if the log lost the kernel's report. */
#ifndef TAINT_H
#define TAINT_H

#include <stddef.h>

/* Report the flags after test @index; 0 is before the first test. */
void taint_report(size_t index);

#endif
