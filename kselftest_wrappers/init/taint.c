// SPDX-License-Identifier: GPL-2.0-only
#include "taint.h"
#include "lib/kfile.h"
#include "report.h"

void taint_report(size_t index)
{
	long long flags = kfile_number("/proc/sys/kernel/tainted");

	if (flags != ABSENT)
		report("taint %zu %lld", index, flags);
}
