# SPDX-License-Identifier: GPL-2.0-only
"""Has a host start another kernel once, by systemd-boot; the boot after that is the host's own in any case.

Kernel, initramfs and an entry of the Boot Loader Specification stand in $BOOT, which is what
`bootctl --print-boot-path` says; the entry is chosen by `bootctl set-oneshot` (bootctl(1)). The boot loader
tells what it can do in UEFI variables (https://systemd.io/BOOT_LOADER_INTERFACE/).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import InfrastructureError
from harness.machines.host.remote.ssh import Link
from harness.machines.host.start.bootloader import ENTRY, GIVE_UP, BootEntry

EFI_PROGRAM = b"MZ"
"""How every kernel with an EFI stub begins."""
_ENTRIES = '"$boot"/loader/entries'
_NO_BLESSING = "systemd.mask=systemd-bless-boot.service"
"""An installed system that came up would give our entry its tries back (systemd-bless-boot.service(8))."""
_FIND = f"""\
{GIVE_UP}variables=/sys/firmware/efi/efivars loader=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
command -v bootctl >/dev/null || give_up "it has no bootctl, which belongs to systemd-boot"
[ -e $variables/LoaderInfo-$loader ] || give_up "systemd-boot has not started it: no LoaderInfo in $variables"
boot=$(bootctl --print-boot-path) || give_up "bootctl finds no EFI System Partition: is it mounted?"
is_chosen() {{
	[ -e $variables/LoaderEntryOneShot-$loader ] &&
		tr -d '\\0' <$variables/LoaderEntryOneShot-$loader | grep -q {ENTRY}
}}
"""
_FIT = """
value_of() { # without four bytes of attributes; efivarfs can't be searched in, as od -j does
	[ ! -e "$1" ] || tail -c +5 "$1"
}
byte_of() {
	value_of "$1" | od -An -tu1 -N1
}
product=$(value_of $variables/LoaderInfo-$loader | tr -d '\\0')
version=${product#systemd-boot } version=${version%%[!0-9]*}
[ "${version:-0}" -ge 252 ] || give_up "$product has started it, and systemd-boot 252 or later is needed"
features=$(byte_of $variables/LoaderFeatures-$loader)
[ $((features & 24)) = 24 ] || give_up "its boot loader can't start an entry once, or counts no boots"
secure=$(byte_of $variables/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c)
[ $((secure)) = 0 ] || give_up "Secure Boot is on: it starts signed kernels only"
if value_of $variables/LoaderEntryDefault-$loader | tr -d '\\0' | grep -qx @saved ||
	grep -qsE '^default[[:space:]]+@saved' "$(bootctl --print-esp-path)/loader/loader.conf"; then
	give_up "its default is @saved, what was started last: that would be our kernel"
fi
"""
_REMOVE = f"""
rm -rf "$boot"/{ENTRY} {_ENTRIES}/{ENTRY}.conf {_ENTRIES}/{ENTRY}+*.conf
! is_chosen || bootctl set-oneshot ''
sync
"""
_INSTALL = f"""
mkdir -p "$boot"/{ENTRY} {_ENTRIES}
cp "$folder/kernel" "$folder/initramfs" "$boot"/{ENTRY}
printf '%s\\n' 'title {ENTRY}' 'linux /{ENTRY}/kernel' 'initrd /{ENTRY}/initramfs' \\
	"options {_NO_BLESSING} $cmdline" \\
	>{_ENTRIES}/{ENTRY}+0.conf
bootctl set-oneshot '{ENTRY}*.conf'
is_chosen || give_up "bootctl set-oneshot has not set LoaderEntryOneShot"
sync
"""
"""With no tries left (+0) our entry is the last of all: the first is the default where none is named.

Some versions leave that suffix out of the entry's id, others, as 252, do not: the pattern is right for both.
"""
MENU = BootEntry("systemd-boot", _FIND, _FIT, _REMOVE, _INSTALL, " ".join)


def load(link: Link, kernel: Path, initramfs: Path, cmdline: Sequence[str]) -> None:
    """As `Menu.load`.

    Raises:
        InfrastructureError: also if the kernel is none that UEFI can start.
    """
    with kernel.open("rb") as file:
        if file.read(len(EFI_PROGRAM)) != EFI_PROGRAM:
            raise InfrastructureError(
                "systemd-boot can't start this kernel: it has no EFI stub",
                hint=f"Configure it with CONFIG_EFI_STUB=y: `kconfig: [efi]` in {link.record.file}",
            )
    MENU.load(link, kernel, initramfs, cmdline)
