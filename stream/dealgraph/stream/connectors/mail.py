"""The connector of mail: EML files, mbox files and maildir folders.

A thread is a session: the first mail that References names, or the one that In-Reply-To leads to, in
whatever order the mails stand. Who
is on which side is said by the roster, per person or per domain.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from dealgraph.graph.model import Channel
from dealgraph.stream.connectors.connector import Options, Parsed
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.event_keys import mail_key
from dealgraph.stream.connectors.mail_parts import (
    Mail,
    addresses,
    attachments,
    header,
    is_auto_reply,
    message_ids,
    parse_mail,
    sent_ms,
    words,
)
from dealgraph.stream.connectors.mail_threads import Threads, has_answers
from dealgraph.stream.connectors.mailbox_stream import raw_mails
from dealgraph.stream.connectors.participants import contact_of, customer_of, rep_of, short_id
from dealgraph.stream.connectors.raw import Line, RawFile, RecordError, provenance, rejected
from dealgraph.stream.interaction import Interaction, InteractionKind, Person, Rejected

VERSION: Final = "1"
_NAME: Final = "mail"
_MAX_ATTRIBUTE: Final = 4_000
_MAX_RECIPIENTS: Final = 500


class MailFiles:
    """Reads mail. Positions are "file:number" with mails counted from 1."""

    name = _NAME
    summary = "mail: EML files, mbox files, maildir folders; sides by --roster"

    def parse(self, path: Path, options: Options) -> Iterator[Parsed]:
        """Yield what the roster states, then the mails; they are read twice, first for their threads."""
        for stated in options.roster.events():
            yield Parsed(stated, 0)
        files, threads = _files(path), Threads()
        for file_path in files:
            _note_answers(file_path, threads)
        reading = _Reading(options, threads)
        for file_path in files:
            with RawFile(file_path) as file:
                for line in raw_mails(file):
                    position = f"{file_path.name}:{line.number}"
                    yield Parsed(reading.mail(line, position), line.end)

    def parse_record(
        self, raw: bytes, position: str, options: Options
    ) -> list[Interaction | Rejected]:
        """Parse the mail of a dead letter again; its thread is what its own headers say."""
        return [_Reading(options, Threads()).mail(Line(raw, 1, 0), position)]


CONNECTOR: Final = MailFiles()


def _note_answers(path: Path, threads: Threads) -> None:
    with RawFile(path) as file:
        if not has_answers(file):
            return
    with RawFile(path) as file:
        for line in raw_mails(file):
            threads.note(line)


def _files(path: Path) -> list[Path]:
    """Return the file itself, or those of a maildir in the order of their names."""
    if not path.is_dir():
        return [path]
    folders = [folder for folder in (path / "cur", path / "new") if folder.is_dir()]
    if not folders:
        raise SourceError(f"{path} is no maildir: it has neither cur nor new. Name mail files.")
    return sorted(file for folder in folders for file in folder.iterdir() if file.is_file())


class _Reading:
    """The reading of one source."""

    def __init__(self, options: Options, threads: Threads) -> None:
        self._options = options
        self._defaults = options.defaults()
        self._threads = threads

    def mail(self, line: Line, position: str) -> Interaction | Rejected:
        """Return the mail as an interaction, or why there is none."""
        try:
            if line.fault is not None:
                raise RecordError(line.fault, line.detail)
            return self._mail(parse_mail(line.raw), line.raw, position)
        except RecordError as error:
            return rejected(_NAME, position, error, line.raw, Channel.MAIL)

    def _mail(self, mail: Mail, raw: bytes, position: str) -> Interaction:
        stated_id = next(iter(message_ids(mail, "Message-ID")), "")
        native_id = short_id(stated_id, "") or f"sha256-{sha256(raw).hexdigest()[:32]}"
        people = self._people(mail)
        text, whole = words(mail)
        subject = header(mail, "Subject")
        attributes = {
            "subject": subject[:_MAX_ATTRIBUTE],
            "attachments": "; ".join(attachments(mail))[:_MAX_ATTRIBUTE],
            "auto_reply": "true" if is_auto_reply(mail) else "",
            "encoding_errors": "" if whole else "true",
            "event_key": mail_key(stated_id) if stated_id else "",
        }
        return Interaction(
            source=_NAME,
            native_id=native_id,
            kind=InteractionKind.MAIL,
            channel=Channel.MAIL,
            occurred_at=sent_ms(mail),
            actor=people[0],
            recipients=people[1:],
            session=short_id(f"{_NAME}:{self._threads.root(mail, native_id)}", f"{_NAME}:"),
            opportunity=self._defaults.opportunity,
            customer=customer_of(people, self._options),
            contact=contact_of(people),
            rep=rep_of(people, self._defaults.rep, _NAME),
            text=text or subject,
            provenance=provenance(_NAME, VERSION, raw, position),
            attributes={name: value for name, value in attributes.items() if value},
        )

    def _people(self, mail: Mail) -> tuple[Person, ...]:
        """Return the author, then those to whom it went."""
        author = next(iter(addresses(mail, "From")), None)
        receivers = [*addresses(mail, "To"), *addresses(mail, "Cc")][:_MAX_RECIPIENTS]
        first = self._person(*author) if author is not None else Person()
        return (first, *(self._person(*receiver) for receiver in receivers))

    def _person(self, name: str, address: str) -> Person:
        found = self._options.roster.person(_NAME, address, name)
        return found or Person(name=f"{name} <{address}>" if name else address)
