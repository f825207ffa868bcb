/* SPDX-License-Identifier: GPL-2.0-only */
/* What this guest can do, found out by doing it. */
#ifndef PROBE_H
#define PROBE_H

/* Report every `probe` line. */
void probe_report(void);

#endif
