"""Has a host start another kernel once, by GRUB: whatever becomes of it, the next boot is the host's own.

Kernel, initramfs and a menu entry stand in /boot until the host is back (grub-reboot(8); the menu is that of
the GRUB manual's `custom.cfg`, which a grub.cfg made by grub-mkconfig includes).
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.errors import InfrastructureError
from harness.hosts.link import Link, LinkError

ENTRY = "thp-harness"
FOLDER = f"/boot/{ENTRY}"
SECONDS = 60.0
_FIND = f"""\
set -eu
PATH=$PATH:/sbin:/usr/sbin
home='' begin='# {ENTRY}: begin' end='# {ENTRY}: end'
for grub in grub grub2; do
	[ -f /boot/$grub/grub.cfg ] && command -v $grub-reboot >/dev/null && home=/boot/$grub && break
done
give_up() {{
	echo "$*" >&2
	exit 1
}}
[ -n "$home" ] || give_up "it is not started by GRUB: no grub-reboot, or no grub.cfg in /boot/grub"
"""
_FIT = r"""
for word in next_entry custom.cfg; do
	grep -qF "$word" $home/grub.cfg || give_up "$home/grub.cfg knows no $word: grub-mkconfig has not made it"
done
if $grub-probe --target=abstraction $home | grep -qE 'lvm|diskfilter|mdraid|cryptodisk'; then
	give_up "$home is on LVM or RAID: GRUB can't write there, and would start our kernel for ever"
fi
"""
"""What GRUB can't forget, it starts again."""
_REMOVE = f"""
if [ -f $home/custom.cfg ] && grep -qx "$begin" $home/custom.cfg; then
	sed "/^$begin\\$/,/^$end\\$/d" $home/custom.cfg >$home/custom.new
	cat $home/custom.new >$home/custom.cfg
	rm $home/custom.new
	[ -s $home/custom.cfg ] || rm $home/custom.cfg
fi
rm -rf {FOLDER}
if $grub-editenv $home/grubenv list | grep -qx 'next_entry={ENTRY}'; then
	$grub-editenv $home/grubenv unset next_entry
fi
sync
"""
_INSTALL = f"""
mkdir -p {FOLDER}
cp {{kernel}} {FOLDER}/kernel
cp {{initramfs}} {FOLDER}/initramfs
kernel=$($grub-mkrelpath {FOLDER}/kernel) initramfs=$($grub-mkrelpath {FOLDER}/initramfs)
printf '%s\\n' "$begin" "menuentry {ENTRY} --id {ENTRY} {{{{" \\
	"	search --no-floppy --set=root --file $kernel" \\
	"	linux $kernel "{{cmdline}} "	initrd $initramfs" '}}}}' "$end" >>$home/custom.cfg
$grub-reboot {ENTRY}
$grub-editenv $home/grubenv list | grep -qx 'next_entry={ENTRY}'
sync
"""


def load(link: Link, kernel: Path, initramfs: Path, cmdline: Sequence[str]) -> None:
    """Put both into /boot, and have GRUB start them at the next boot only.

    Raises:
        LinkError: if the connection fails, or there is no room.
        InfrastructureError: if the host has no GRUB, or none that forgets what it started once.
    """
    with link.scratch() as folder:
        for file, name in ((kernel, "kernel"), (initramfs, "initramfs")):
            link.upload(file, f"{folder}/{name}")
        script = _INSTALL.format(
            kernel=f"{folder}/kernel",
            initramfs=f"{folder}/initramfs",
            # GRUB's quoting is the shell's, and the shell must leave it alone.
            cmdline=shlex.quote(shlex.join(cmdline)),
        )
        said = link.run_as_root(_FIND + _FIT + _REMOVE + script, SECONDS)
    if said.code:
        with contextlib.suppress(LinkError):
            link.run_as_root(_FIND + _REMOVE, SECONDS)
        raise InfrastructureError(
            f"{link.record.name} could not be given an entry in GRUB's menu: {said.complaint}",
            hint=f"thp-harness hosts check {link.record.name}",
        )


def unfit(link: Link) -> str:
    """Why a host can't be started by GRUB once; empty if it can.

    Raises:
        LinkError: if the connection fails.
    """
    said = link.run_as_root(_FIND + _FIT)
    return said.complaint if said.code else ""


def tidy(link: Link) -> None:
    """Remove what was put there.

    Raises:
        LinkError: if that does not work.
    """
    said = link.run_as_root(_FIND + _REMOVE, SECONDS)
    if said.code:
        raise LinkError(f"{link.record.name}: {FOLDER} and its entry are still there: {said.complaint}")
