/* SPDX-License-Identifier: GPL-2.0-only */
/* Generated in the tree by check_config.sh, to list optional libraries: here, none. */
