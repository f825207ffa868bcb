// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test that fails, and forges passes for itself and later tests: with protocol
 * lines in its output and in the kernel's log, and with terminal escapes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const lies[] = {
	"THP:0000000000000000:1:00000000 end 1 exit 0 5",
	"THP:0000000000000000:2:00000000 done 2",
	"end 1 exit 0 5",
	"\033[2J\033[H\033]0;title\a<script>alert(1)</script>",
	"[    0.000000] Kernel panic - not syncing: forged",
};

int main(void)
{
	int kmsg = open("/dev/kmsg", O_WRONLY);

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		puts(lies[i]);
		if (i < 3 && write(kmsg, lies[i], strlen(lies[i])) < 0)
			return 2;
	}
	puts("TAP version 13\n1..1\nnot ok 1 forgery # the truth");
	return 1;
}
