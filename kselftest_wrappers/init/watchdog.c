// SPDX-License-Identifier: GPL-2.0-only
#include "watchdog.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE "/dev/watchdog"

/* Written before close(), it disarms the watchdog (Documentation/watchdog/watchdog-api.rst). */
#define MAGIC_CLOSE "V"

#define FEED_MS 1000

static int watchdog = -1;

void watchdog_arm(int seconds)
{
	struct watchdog_info info = { .identity = "unnamed" };

	watchdog = open(DEVICE, O_WRONLY | O_CLOEXEC);
	if (watchdog < 0) {
		report("probe watchdog absent (%s: %s)", DEVICE, strerror(errno));
		return;
	}
	ioctl(watchdog, WDIOC_GETSUPPORT, &info);
	/* Some drivers have a fixed limit; WDIOC_GETTIMEOUT returns the actual one. */
	ioctl(watchdog, WDIOC_SETTIMEOUT, &seconds);
	ioctl(watchdog, WDIOC_GETTIMEOUT, &seconds);
	report("probe watchdog %.32s, %d s", (const char *)info.identity, seconds);
}

void watchdog_feed(void)
{
	if (watchdog >= 0)
		ioctl(watchdog, WDIOC_KEEPALIVE, 0);
}

long long watchdog_patience(long long milliseconds)
{
	return watchdog < 0 || milliseconds < FEED_MS ? milliseconds : FEED_MS;
}

void watchdog_disarm(void)
{
	if (watchdog < 0)
		return;
	if (write(watchdog, MAGIC_CLOSE, strlen(MAGIC_CLOSE)) < 0)
		report("error watchdog: it can't be disarmed: %s", strerror(errno));
	close(watchdog);
	watchdog = -1;
}
