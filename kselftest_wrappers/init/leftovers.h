/* SPDX-License-Identifier: GPL-2.0-only */
/* What a test leaves behind: pid 1 rids the machine of it, others only kill what is theirs. */
#ifndef LEFTOVERS_H
#define LEFTOVERS_H

/* Call once: from now on the orphans of tests become our children, and memory pressure spares us. */
void leftovers_adopt(void);

/* In a test's process, before it becomes the test: it is not spared. */
void leftovers_release(void);

/*
 * Kill what tests have left. What an orphan's parent kept alive shows only when that
 * is dead, so call it again until there is no child any more.
 */
void leftovers_kill(void);

#endif
