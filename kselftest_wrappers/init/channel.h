/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A block device that carries the kernel log, which includes the report, to a
 * host whose emulated consoles lose text.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

/*
 * Start copying the kernel log, from the first record of the boot on, to the block device @path.
 * Waits up to 10 s for the device. Return NULL, or the reason why the log can't be copied.
 */
const char *channel_start(const char *path);

/* Wait up to 10 s until all records logged so far are on the device. */
void channel_flush(void);

/* Stop copying. Wait up to 10 s until all records are on the device. */
void channel_finish(void);

#endif
