/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of the guest's capabilities; each is tried out. */
#ifndef PROBE_H
#define PROBE_H

/* Report all `probe` lines. */
void probe_report(void);

#endif
