// SPDX-License-Identifier: GPL-2.0-only
#include "probe.h"
#include "lib/kfile.h"
#include "lib/thp.h"
#include "lib/uapi_compat.h"
#include "report.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CPUINFO_SIZE 65536

static void probe_kernel(void)
{
	struct utsname names;

	if (uname(&names))
		return;
	report("probe release %s", names.release);
	report("probe version %s", names.version);
	report("probe machine %s", names.machine);
}

static void probe_sizes(void)
{
	size_t pmd_size = thp_pmd_size();

	report("probe page_size %ld", sysconf(_SC_PAGESIZE));
	if (pmd_size)
		report("probe pmd_size %zu", pmd_size);
	report("probe cpus %ld", sysconf(_SC_NPROCESSORS_ONLN));
	report("probe mem_kb %lld", kfile_field("/proc/meminfo", "MemTotal"));
}

static bool has_word(char *text, const char *wanted)
{
	char *word;

	while ((word = strsep(&text, " \t")))
		if (!strcmp(word, wanted))
			return true;
	return false;
}

enum edat { NO_S390, EDAT_MISSING, EDAT_THERE };

/* Only s390 has a lower-case line `features`; without EDAT-1 it has no THP. */
static enum edat probe_edat(void)
{
	static char text[CPUINFO_SIZE];
	char *rest = text, *line;

	if (kfile_read("/proc/cpuinfo", text, sizeof(text)) < 0)
		return NO_S390;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, "features", strlen("features"))) {
			bool there = has_word(line, "edat");

			report("probe edat %d", there);
			return there ? EDAT_THERE : EDAT_MISSING;
		}
	return NO_S390;
}

static void probe_thp(enum edat edat)
{
	char enabled[128];
	struct thp thp;
	const char *reason;

	if (kfile_read(THP_SYSFS "enabled", enabled, sizeof(enabled)) < 0)
		strcpy(enabled, "absent");
	enabled[strcspn(enabled, "\n")] = '\0';
	report("probe thp_enabled %s", enabled);

	reason = thp_map(&thp);
	report("probe thp %d", !reason);
	if (reason)
		report("probe thp_reason %s%s", reason,
		       edat == EDAT_MISSING ? ": the CPU has no EDAT-1 (facility 8)" : "");
	else
		thp_unmap(&thp);
}

static void probe_fail_nth(void)
{
	report("probe fail_nth %d", !kfile_write("/proc/self/fail-nth", "0"));
}

static void probe_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		report("probe uffd absent");
	else
		report("probe uffd %#llx", (unsigned long long)api.features);
	if (fd >= 0)
		close(fd);
}

void probe_report(void)
{
	probe_kernel();
	probe_sizes();
	probe_thp(probe_edat());
	probe_fail_nth();
	probe_uffd();
}
