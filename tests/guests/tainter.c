// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets the taint flags of its argument and passes: the kernel says nothing in
 * its log (Documentation/admin-guide/sysctl/kernel.rst, tainted).
 */
#include <stdio.h>

int main(int argc, char **argv)
{
	FILE *tainted = fopen("/proc/sys/kernel/tainted", "w");
	int failed = argc < 2 || !tainted || fputs(argv[1], tainted) < 0 || fclose(tainted);

	printf("TAP version 13\n1..1\n%s 1 taint\n", failed ? "not ok" : "ok");
	return failed;
}
