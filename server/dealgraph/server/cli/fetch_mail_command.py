"""`dealgraph fetch-mail`: fetches new mails from an IMAP server into a maildir."""

import imaplib
import ssl
import time
from pathlib import Path
from typing import Final

import click

from dealgraph.server.cli.command import FILE, Command, CommandError
from dealgraph.server.mail_fetch import FetchError, fetch_new

_PATIENCE: Final = 60.0
_PORT: Final = 143
_TLS_PORT: Final = 993
_HELP: Final = """
Fetch new mails from an IMAP folder into a maildir, for `dealgraph import mail` to read.

Mails stay on the server, unread as they were. What was fetched before is not fetched again. With --every it
goes on until Ctrl-C.
"""


@click.command(
    cls=Command,
    help=_HELP,
    examples=(
        (
            "what is new, then bring it in",
            "dealgraph fetch-mail --host imap.example.com --user li@example.com "
            "--password-file secret --into ./maildir",
        ),
    ),
)
@click.option("--host", required=True, help="The IMAP server.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Its port; 993, or 143 with --plain.")
@click.option("--user", required=True, help="Who logs in.")
@click.option("--password-file", required=True, type=FILE, help="A file with the password.")
@click.option("--folder", default="INBOX", show_default=True, help="The folder on the server.")
@click.option("--into", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="The maildir; made if it does not exist.")  # fmt: skip
@click.option("--every", type=click.IntRange(min=1), help="Fetch again every so many seconds.")
@click.option("--ca-file", type=FILE,
              help="Certificates (PEM) to trust besides those of this machine.")  # fmt: skip
@click.option("--plain", is_flag=True, help="Without TLS; for servers on this machine only.")
def COMMAND(  # noqa: N802
    host: str,
    port: int | None,
    user: str,
    password_file: Path,
    folder: str,
    into: Path,
    every: int | None,
    ca_file: Path | None,
    plain: bool,
) -> int:
    """Fetch new mails into a maildir."""
    password = password_file.read_text(encoding="utf-8").strip()
    while True:
        try:
            with _connected(host, port, ca_file, plain=plain) as imap:
                imap.login(user, password)
                fetched = fetch_new(imap, folder, into)
        except FetchError as error:
            raise CommandError(str(error)) from error
        except ssl.SSLCertVerificationError as error:
            raise CommandError(
                f"The certificate of {host} is not to be trusted: {error.verify_message}. Name the "
                "certificate of its authority with --ca-file."
            ) from error
        except (imaplib.IMAP4.error, OSError) as error:
            raise CommandError(
                f"{host} cannot be read as {user}: {error}. Check host, port, user and password."
            ) from error
        click.echo(f"{fetched.new} new mails in {into}, {fetched.too_large} too large")
        if every is None:
            return 0
        time.sleep(every)


def _connected(host: str, port: int | None, ca_file: Path | None, *, plain: bool) -> imaplib.IMAP4:
    if plain:
        return imaplib.IMAP4(host, port or _PORT, _PATIENCE)
    trusted = ssl.create_default_context()
    if ca_file is not None:
        trusted.load_verify_locations(ca_file)
    return imaplib.IMAP4_SSL(host, port or _TLS_PORT, ssl_context=trusted, timeout=_PATIENCE)
