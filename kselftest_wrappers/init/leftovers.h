/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that a test leaves behind: pid 1 kills all, a program its descendants only. */
#ifndef LEFTOVERS_H
#define LEFTOVERS_H

/* Call once: become the subreaper of the tests' orphans, and exempt from the OOM killer. */
void leftovers_adopt(void);

/* In the child, before exec: end the exemption from the OOM killer. */
void leftovers_release(void);

/*
 * Kill processes that tests left behind. Killing one may reparent its children to
 * this process, so call it until no child remains.
 */
void leftovers_kill(void);

#endif
