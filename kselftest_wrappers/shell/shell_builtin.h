/* SPDX-License-Identifier: GPL-2.0-only */
/* What the shell can do by itself, for the guest has no other programs than the tests. */
#ifndef SHELL_BUILTIN_H
#define SHELL_BUILTIN_H

#include <stdbool.h>

#define BIN "/bin"

struct shell_builtin {
	const char *name;
	const char *usage;
	/* Ends with NULL; returns an exit status. */
	int (*run)(char **words);
	/* It changes the shell itself, so it can't run in a process of its own. */
	bool in_shell;
};

/* The builtin of this name, or NULL. */
const struct shell_builtin *shell_builtin_find(const char *name);

#endif
