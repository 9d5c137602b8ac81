"""`dealgraph fetch-mail` over TLS against a real IMAP server, where Debian's dovecot-imapd is installed."""

import mailbox
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.test_cli_fetch_mail import MAILS, fetched
from tests.support.command_line import dealgraph, free_port
from tests.support.files import mail_bytes
from tests.support.imap_server import CERTIFICATE

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("dovecot") is None, reason="no dovecot on this machine"),
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="dovecot wants to be root"),
]

_SETTINGS = """
protocols = imap
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:{base}/mail/%u
first_valid_uid = 1
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={base}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that the server's own users may enter."""
    folder = Path("/tmp") / f"dealgraph-dovecot-{os.getpid()}"
    (folder / "mail").mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def port(base: Path) -> Iterator[int]:
    chosen = free_port()
    box = mailbox.Maildir(base / "mail" / "li", create=True)
    for raw in MAILS.values():
        box.add(raw)
    for path in (base, *base.rglob("*")):
        shutil.chown(path, "nobody", "nogroup")
    settings = base / "dovecot.conf"
    key = CERTIFICATE.with_name("key.pem")
    settings.write_text(
        _SETTINGS.format(base=base, certificate=CERTIFICATE, key=key, port=chosen), "utf-8"
    )
    process = subprocess.Popen(["dovecot", "-F", "-c", str(settings)])
    try:
        _wait_for(chosen)
        yield chosen
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("dovecot does not listen")


def test_a_real_server_gives_its_mails_over_tls_each_once(
    tmp_path: Path, base: Path, port: int
) -> None:
    trust = ("--ca-file", CERTIFICATE)
    first = fetched(port, tmp_path, *trust, way="")
    assert "3 new mails" in first.stdout, first.stderr + (base / "log").read_text()
    mailbox.Maildir(base / "mail" / "li").add(mail_bytes(12))
    for path in (base / "mail").rglob("*"):
        shutil.chown(path, "nobody", "nogroup")
    assert "1 new mails" in fetched(port, tmp_path, *trust, way="").stdout
    assert "0 new mails" in fetched(port, tmp_path, *trust, way="").stdout
    wrong = fetched(port, tmp_path, *trust, password="guess", way="")
    assert "Check host, port, user and password" in wrong.stderr
    done = dealgraph("import", "mail", tmp_path / "maildir", "--data", tmp_path / "data")
    assert "accepted 4" in " ".join(done.stdout.split())
