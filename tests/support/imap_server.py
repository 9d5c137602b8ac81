"""A small IMAP server on a real socket: one folder, enough of the protocol to fetch mails by UID."""

import re
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CERTIFICATE: Final = Path(__file__).with_name("tls") / "certificate.pem"
"""A certificate of localhost that signed itself, made for these tests and used nowhere else."""

_LITERAL_ROOM: Final = 1 << 16


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        mails: Mapping[int, bytes] = self.server.mails  # type: ignore[attr-defined]
        validity: int = self.server.validity  # type: ignore[attr-defined]
        self._say("* OK ready")
        while line := self.rfile.readline(_LITERAL_ROOM).decode().strip():
            tag, _, command = line.partition(" ")
            verb = command.upper()
            if verb.startswith("CAPABILITY"):
                self._say("* CAPABILITY IMAP4rev1")
            elif verb.startswith("LOGIN") and "secret" not in command:
                self._say(f"{tag} NO wrong password")
                continue
            elif verb.startswith("EXAMINE") and "INBOX" not in command:
                self._say(f"{tag} NO no such folder")
                continue
            elif verb.startswith("EXAMINE"):
                self._say(f"* {len(mails)} EXISTS\r\n* OK [UIDVALIDITY {validity}] valid")
            elif verb.startswith("UID SEARCH"):
                first = int(re.findall(r"UID (\d+):", verb)[0])
                found = [uid for uid in mails if uid >= first] or [*mails][-1:]
                self._say("* SEARCH " + " ".join(map(str, found)))
            elif verb.startswith("UID FETCH"):
                self._fetch(int(command.split()[2]), command, mails)
            self._say(f"{tag} OK done")
            if verb.startswith("LOGOUT"):
                return

    def _fetch(self, uid: int, command: str, mails: Mapping[int, bytes]) -> None:
        if uid not in mails:
            return
        if "SIZE" in command:
            size = max(len(mails[uid]), self.server.claimed_size)  # type: ignore[attr-defined]
            self._say(f"* 1 FETCH (UID {uid} RFC822.SIZE {size})")
            return
        self.wfile.write(f"* 1 FETCH (UID {uid} BODY[] {{{len(mails[uid])}}}\r\n".encode())
        self.wfile.write(mails[uid])
        self._say(")")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def imap_server(
    mails: Mapping[int, bytes], *, validity: int = 7, claimed_size: int = 0, tls: bool = False
) -> Iterator[int]:
    """Serve mails by UID on loopback while the block runs; yield the port. The password is "secret"."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session) as server:
        server.daemon_threads = True
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_name("key.pem"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.mails = mails  # type: ignore[attr-defined]
        server.validity = validity  # type: ignore[attr-defined]
        server.claimed_size = claimed_size  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
