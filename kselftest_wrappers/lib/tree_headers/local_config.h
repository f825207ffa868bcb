/* SPDX-License-Identifier: GPL-2.0-only */
/* The tree's check_config.sh writes here which libraries there are: none. */
