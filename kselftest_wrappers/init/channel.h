/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A block device that carries the kernel log, and with it our report, to a host
 * whose emulated consoles lose text.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

/*
 * Start to copy all of the kernel log, since boot and from now on, to the block device @path.
 * Wait a bounded time for the device. Return NULL, or why the log can't be copied.
 */
const char *channel_start(const char *path);

/* Wait, a bounded time, until all that was logged before is on the device. */
void channel_flush(void);

/* Stop copying. Wait, a bounded time, until all that was logged is on the device. */
void channel_finish(void);

#endif
