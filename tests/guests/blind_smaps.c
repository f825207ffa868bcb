// SPDX-License-Identifier: GPL-2.0-only
/* Simulates a kernel whose smaps lacks mappings: linked with --wrap=smaps_bytes. */
long long __wrap_smaps_bytes(const void *address, const char *field)
{
	(void)address;
	(void)field;
	return -1;
}
