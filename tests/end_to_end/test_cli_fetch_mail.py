"""`dealgraph fetch-mail` against a server that speaks IMAP on a real socket."""

from pathlib import Path
from subprocess import CompletedProcess

from tests.support.command_line import dealgraph
from tests.support.files import mail_bytes
from tests.support.imap_server import CERTIFICATE, imap_server

MAILS = {uid: mail_bytes(uid, f"mail {uid}") for uid in (3, 5, 9)}


def fetched(
    port: int, folder: Path, *more: str | Path, password: str = "secret", way: str = "--plain"
) -> CompletedProcess[str]:
    secret = folder / "secret"
    secret.write_text(password + "\n")
    ways = [way] if way else []
    return dealgraph(
        "fetch-mail", "--host", "127.0.0.1", "--port", str(port), *ways, "--user", "li",
        "--password-file", secret, "--into", folder / "maildir", *more,
    )  # fmt: skip


def test_new_mails_are_fetched_once_and_can_be_imported(tmp_path: Path) -> None:
    mails = dict(MAILS)
    with imap_server(mails) as port:
        first = fetched(port, tmp_path)
        assert first.returncode == 0, first.stderr
        assert "3 new mails" in first.stdout
        assert "0 new mails" in fetched(port, tmp_path).stdout
        mails[12] = mail_bytes(12)
        assert "1 new mails" in fetched(port, tmp_path).stdout
    done = dealgraph("import", "mail", tmp_path / "maildir", "--data", tmp_path / "data")
    assert done.returncode == 0, done.stdout
    assert "accepted 4" in " ".join(done.stdout.split())


def test_a_server_is_trusted_by_its_certificate_alone(tmp_path: Path) -> None:
    with imap_server(MAILS, tls=True) as port:
        strange = fetched(port, tmp_path, way="")
        assert strange.returncode == 1
        assert "--ca-file" in strange.stderr
        trusted = fetched(port, tmp_path, "--ca-file", CERTIFICATE, way="")
        assert "3 new mails" in trusted.stdout, trusted.stderr


def test_a_folder_that_was_numbered_anew_is_fetched_again(tmp_path: Path) -> None:
    with imap_server(MAILS) as port:
        fetched(port, tmp_path)
    with imap_server(MAILS, validity=8) as port:
        assert "3 new mails" in fetched(port, tmp_path).stdout


def test_a_mail_that_is_too_large_is_left_and_told(tmp_path: Path) -> None:
    with imap_server(MAILS, claimed_size=64 * 1024 * 1024) as port:
        assert "0 new mails" in (done := fetched(port, tmp_path)).stdout
    assert "3 too large" in done.stdout


def test_what_the_server_refuses_is_told_with_what_to_check(tmp_path: Path) -> None:
    with imap_server(MAILS) as port:
        wrong = fetched(port, tmp_path, password="guess")
        assert wrong.returncode == 1
        assert "Check host, port, user and password" in wrong.stderr
        missing = fetched(port, tmp_path, "--folder", "Nowhere")
        assert missing.returncode == 1
        assert "no folder 'Nowhere'" in missing.stderr
