/* SPDX-License-Identifier: GPL-2.0-only */
/* What -mxsave does, for architectures that don't know this flag, too. */
#ifdef __x86_64__
#pragma GCC target("xsave")
#endif
