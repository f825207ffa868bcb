# SPDX-License-Identifier: GPL-2.0-only
"""A first word with a scheduler, so that what is wrong with the certificates is said as it is."""

from __future__ import annotations

import socket
import ssl

from harness.cluster.tls.address import Address
from harness.cluster.tls.certificates import Certificates
from harness.core.errors import InfrastructureError, UsageError

SECONDS = 10.0
_REMEDY = "All machines need certificates of the same authority: thp-harness cluster certs DIR NAME…"


def greet(address: Address, certificates: Certificates | None) -> None:
    """See whether a scheduler is there and takes us; it speaks first, and only to those it knows.

    Raises:
        InfrastructureError: if nothing answers.
        UsageError: if it is no scheduler, or one side does not take the other's certificate.
    """
    try:
        with socket.create_connection((address.host.strip("[]"), address.port), SECONDS) as plain:
            if certificates is None:
                _listen(plain, address)
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False  # the authority is for this cluster only
            context.load_verify_locations(certificates.authority)
            context.load_cert_chain(certificates.certificate, certificates.key)
            with context.wrap_socket(plain) as encrypted:
                _listen(encrypted, address)
    except ssl.SSLCertVerificationError as error:
        words = f"the scheduler at {address} shows a certificate that we don't take: {error.verify_message}"
        raise UsageError(words, hint=_REMEDY) from None
    except (ssl.SSLError, ConnectionResetError) as error:
        reason = getattr(error, "reason", None) or "it hung up"
        raise UsageError(f"the scheduler at {address} does not take us: {reason}", hint=_REMEDY) from None
    except OSError as error:
        raise InfrastructureError(
            f"there is no scheduler at {address}: {error.strerror or error}",
            hint=f"Start one with `thp-harness cluster scheduler {address}`.",
        ) from None


def _listen(connection: socket.socket, address: Address) -> None:
    connection.settimeout(SECONDS)
    try:
        heard = connection.recv(1)
    except TimeoutError:
        heard = b""
    if not heard:
        raise UsageError(
            f"at {address} is something, but no scheduler that speaks {address.protocol}://",
            hint="Is it tls:// there and tcp:// here, or another port?",
        )
