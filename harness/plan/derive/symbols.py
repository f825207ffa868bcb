# SPDX-License-Identifier: GPL-2.0-only
"""CONFIG symbols that guard changed lines: which the configuration asks for, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.build.kernel.kconfig import origins
from harness.config.arch import ArchRecord
from harness.config.derivation import DerivationRecord
from harness.plan.derive.line import DerivedLine, Subject, first_of
from harness.sources.git.repository import GitError, Repository

_DEFINITION = re.compile(
    r"^(?:menu)?config (\w+)\n((?:(?!(?:menu)?config |menu |if |endif|choice).*\n)*)", re.MULTILINE
)
_PROMPT = re.compile(r"^\s*(?:(?:bool|tristate|int|hex|string)\s+\"|prompt\s+\")", re.MULTILINE)
_PREFIX = "CONFIG_"


def find_symbols(
    subject: Subject, rules: DerivationRecord, tree: Repository, commit: str
) -> list[DerivedLine]:
    """Return a line for each symbol that decides whether a changed line is compiled."""
    guarded = _guarded_files(subject)
    prompts = _prompts(tree, commit, [name.removeprefix(_PREFIX) for name in guarded])
    return [
        _line(name, files, subject, rules, prompts.get(name.removeprefix(_PREFIX)))
        for name, files in guarded.items()
    ]


def folder_of(arch: ArchRecord, rules: DerivationRecord) -> str:
    """The folder of an architecture below arch/."""
    return rules.arch_folders.get(arch.kernel.arch, arch.kernel.arch)


def _is_kconfig(path: str) -> bool:
    return path.rpartition("/")[2].startswith("Kconfig")


def _guarded_files(subject: Subject) -> dict[str, list[str]]:
    """Symbol → the changed files with lines that it guards, and Kconfig files that define it now."""
    found: dict[str, list[str]] = {}
    for file in subject.changes.files:
        if file.path.startswith("tools/"):
            continue
        names = {name for guard in file.all_guards for name in guard.symbols}
        if _is_kconfig(file.path):
            words = (line.text.split() for line in file.added)
            names |= {_PREFIX + word[1] for word in words if len(word) == 2 and word[0].endswith("config")}
        for name in sorted(names):
            found.setdefault(name, []).append(file.path)
    return dict(sorted(found.items()))


def _prompts(tree: Repository, commit: str, names: Sequence[str]) -> dict[str, bool]:
    """Whether a symbol has a prompt, for those that Kconfig files of the tree define."""
    if not names:
        return {}
    pattern = rf"^(menu)?config ({'|'.join(names)})$"
    try:
        listed = tree.run("grep", "-l", "-E", pattern, commit, "--", ":(glob)**/Kconfig*")
    except GitError:  # it finds nothing
        return {}
    found: dict[str, bool] = {}
    for place in listed.splitlines():
        for definition in _DEFINITION.finditer(tree.run("cat-file", "blob", place) + "\n"):
            if definition[1] in names:
                found[definition[1]] = found.get(definition[1], False) or bool(_PROMPT.search(definition[2]))
    return found


def _line(
    name: str, files: list[str], subject: Subject, rules: DerivationRecord, prompt: bool | None
) -> DerivedLine:
    defined = all(_is_kconfig(file) for file in files)
    guards = f"{'the series defines it in' if defined else 'guards lines of'} {first_of(files)}"
    arches = list(_concerned(files, subject, rules))
    if not arches:
        folders = ", ".join(sorted({"/".join(file.split("/")[:2]) for file in files}))
        return DerivedLine("config", name, False, f"{guards}; {folders} is not in this run")
    values = {arch.name: subject.plan.recipes[arch.name].symbols.get(name) for arch in arches}
    asked = [arch for arch, value in values.items() if value not in (None, "n")]
    if asked:
        fragment = origins(subject.plan.recipes[asked[0]].fragments)[name].name
        where = "" if len(asked) == len(arches) else f" on {', '.join(asked)} only"
        return DerivedLine("config", name, True, f"{guards}; asked for by {fragment}{where}")
    return DerivedLine("config", name, False, f"{guards}; {_why_not(values, prompt)}")


def _why_not(values: dict[str, str | None], prompt: bool | None) -> str:
    if prompt is None:
        return "not asked for: no Kconfig file of the tree defines it"
    if not prompt:
        return "not asked for: it has no prompt, and follows from other symbols"
    if "n" in values.values():
        return "not asked for: a fragment turns it off; --kconfig FILE turns it on"
    return "not asked for: no fragment names it, and its default counts; --kconfig FILE turns it on"


def _concerned(files: Sequence[str], subject: Subject, rules: DerivationRecord) -> Iterator[ArchRecord]:
    """The architectures of the plan that compile any of the files."""
    for arch in subject.plan.arches:
        own = f"arch/{folder_of(arch, rules)}/"
        if any(not file.startswith("arch/") or file.startswith(own) for file in files):
            yield arch
