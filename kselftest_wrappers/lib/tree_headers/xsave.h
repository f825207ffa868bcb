/* SPDX-License-Identifier: GPL-2.0-only */
/* Enables XSAVE as -mxsave does, a flag that other architectures lack. */
#ifdef __x86_64__
#pragma GCC target("xsave")
#endif
