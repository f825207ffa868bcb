/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine's watchdog: it restarts a machine on which we are not scheduled any more. */
#ifndef WATCHDOG_H
#define WATCHDOG_H

/* Arm /dev/watchdog, if there is one, and report which it is, or why there is none. */
void watchdog_arm(int seconds);

/* Call often; does nothing while none is armed. */
void watchdog_feed(void);

/* As much of a pause, in milliseconds, as may pass before the next watchdog_feed(). */
long long watchdog_patience(long long milliseconds);

/* Disarm it: whatever comes next takes its time. */
void watchdog_disarm(void);

#endif
