# SPDX-License-Identifier: GPL-2.0-only
"""Certificates by which the machines of a cluster know each other, and the authority that signs them.

Whoever shows a certificate of the authority may send programs to run, so its key stays where it was made.
"""

from __future__ import annotations

import datetime
import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.core.errors import UsageError

AUTHORITY, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"
AUTHORITY_KEY = "ca-key.pem"
AUTHORITY_DAYS = 3650
BACKDATED = datetime.timedelta(days=2)
"""A machine whose clock is behind must not take a certificate for one of the future."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Certificates:
    """The three files by which a machine is known, and knows the others."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path, names: Sequence[str], days: int) -> list[Path]:
    """Make an authority in a folder, unless it has one, and a folder with certificate and key for each name.

    Raises:
        UsageError: for what can't be a machine's name, or has a certificate, or an authority in pieces.
        OSError: if it can't be written.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} can't be the name of a machine", hint="Use letters, digits, . _ -")
        if (folder / name).exists():
            raise UsageError(f"{folder / name} is there already", hint="Remove it to make a new one.")
    authority, key = _authority(folder)
    for name in names:
        own = folder / name
        own.mkdir()
        own_key = ec.generate_private_key(ec.SECP256R1())
        _write_secret(own / KEY, own_key)
        (own / AUTHORITY).write_bytes(_pem(authority))
        (own / CERTIFICATE).write_bytes(_pem(_sign(name, own_key, authority.subject, key, days)))
    return [folder / name for name in names]


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / AUTHORITY, folder / AUTHORITY_KEY
    if certificate.exists() != key.exists():
        there, lacking = (certificate, key) if certificate.exists() else (key, certificate)
        raise UsageError(
            f"{there} is there, but not {lacking}", hint="Name another folder, or bring it back."
        )
    if not certificate.exists():
        own = ec.generate_private_key(ec.SECP256R1())
        name = _name("thp-harness cluster")
        _write_secret(key, own)
        certificate.write_bytes(_pem(_sign("", own, name, own, AUTHORITY_DAYS)))
    return _read_certificate(certificate), _read_key(key)


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
) -> x509.Certificate:
    """A machine's certificate; that of the authority itself without a name."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name) if name else issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not name, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if name:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_secret(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a key that only its owner can read, from its creation on."""
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text)


def read_certificates(folder: Path) -> Certificates:
    """The files of a machine; what is wrong with them is said here, not by a handshake that fails.

    Raises:
        UsageError: if a file is missing or damaged, the certificate is of another authority or out of
            date, or the key is not its own.
    """
    found = Certificates(folder / AUTHORITY, folder / CERTIFICATE, folder / KEY)
    authority, certificate = _read_certificate(found.authority), _read_certificate(found.certificate)
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise UsageError(
            f"{found.certificate} was not signed by {found.authority}",
            hint="Copy all files of one folder that `thp-harness cluster certs` has made.",
        ) from None
    if _read_key(found.key).public_key() != certificate.public_key():
        raise UsageError(f"{found.key} is not the key of {found.certificate}", hint="Copy both together.")
    now = datetime.datetime.now(datetime.UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise UsageError(
            f"{found.certificate} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} to "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}, and this machine's clock says {now:%Y-%m-%d}",
            hint="Make a new one with `thp-harness cluster certs`, or set the clock.",
        )
    return found


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error.strerror or "") from None
    except ValueError:
        raise _unreadable(path, "not a certificate in PEM") from None


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise _unreadable(path, error.strerror or "") from None
    except (ValueError, TypeError):
        raise _unreadable(path, "not a key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _unreadable(path, "not a key that `cluster certs` has made")
    return key


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(f"{path}: {why}", hint="Make certificates with `thp-harness cluster certs DIR NAME…`.")


def security(certificates: Certificates | None) -> Any:
    """What dask calls it; plain TCP without certificates."""
    from distributed import Security

    if certificates is None:
        return Security(require_encryption=False)
    pair = {}
    for role in ("client", "scheduler", "worker"):
        pair[f"tls_{role}_cert"] = str(certificates.certificate)
        pair[f"tls_{role}_key"] = str(certificates.key)
    return Security(
        require_encryption=True,
        tls_ca_file=str(certificates.authority),
        tls_min_version=ssl.TLSVersion.TLSv1_3,
        **pair,
    )
