/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine's watchdog: restarts the machine when this process is no longer scheduled. */
#ifndef WATCHDOG_H
#define WATCHDOG_H

/* Arm /dev/watchdog and report its name and limit, or why it is absent. */
void watchdog_arm(int seconds);

/* Call often; does nothing unless a watchdog is armed. */
void watchdog_feed(void);

/* Return @milliseconds, but at most the time until the next watchdog_feed() is due. */
long long watchdog_patience(long long milliseconds);

/* Disarm the watchdog. */
void watchdog_disarm(void);

#endif
