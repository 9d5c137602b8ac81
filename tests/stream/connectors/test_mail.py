"""Mails: EML, mbox and maildir, trait by trait."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.mail_words import html_words
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.interaction import Interaction, InteractionKind, Person, Reason, Rejected
from tests.support.files import (
    ROSTER,
    STARTED,
    mail_bytes,
    mbox,
    options,
    read,
    reasons,
    taken,
    told,
    zipped,
)

KNOWN = options(ROSTER)


def one(tmp_path: Path, content: bytes) -> Interaction:
    (item,) = taken(read(tmp_path / "mail.eml", "mail", content, KNOWN))
    return item


def raw(body: bytes, *headers: str) -> bytes:
    """A mail as it stands on the wire."""
    head = [
        "From: li@acme.example", "To: wang@seller.example", "Message-ID: <m@a>",
        "Date: Mon, 02 Mar 2026 09:30:00 +0800", *headers,
    ]  # fmt: skip
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def test_a_mail_has_people_time_subject_and_words(tmp_path: Path) -> None:
    item = one(tmp_path, mail_bytes(5, "The price is too high."))
    assert (item.kind, item.channel, item.native_id) == (
        InteractionKind.MAIL, Channel.MAIL, "m5@acme.example",
    )  # fmt: skip
    assert item.occurred_at == STARTED + 5_000
    facts = {"subject": "Offer", "event_key": "mail:m5@acme.example"}
    assert (item.text, item.attributes) == ("The price is too high.", facts)
    assert item.actor == Person(
        Side.CUSTOMER, "mail:li@acme.example", "Li Na", Role.ECONOMIC_BUYER, 0.9
    )
    assert [person.native_id for person in item.recipients] == ["mail:wang@seller.example"]
    assert (item.customer, item.contact, item.rep) == (
        "acme", "mail:li@acme.example", "mail:wang@seller.example",
    )  # fmt: skip


def test_all_receivers_count_and_unknown_ones_stay_unknown(tmp_path: Path) -> None:
    content = mail_bytes(1, To="Wang <WANG@seller.example>, bo@acme.example", Cc="x@other.example")
    people = one(tmp_path, content).recipients
    assert [person.side for person in people] == [Side.REP, Side.CUSTOMER, Side.UNKNOWN]
    assert people[2] == Person(name="x@other.example")


def test_answers_belong_to_the_thread_that_they_answer(tmp_path: Path) -> None:
    content = mbox(
        [
            mail_bytes(1),
            mail_bytes(2, In_Reply_To="<m1@acme.example>"),
            mail_bytes(3, In_Reply_To="<m2@acme.example>"),
            mail_bytes(4, References="<m1@acme.example> <m2@acme.example>"),
            mail_bytes(5, References="<m0@acme.example>"),
            mail_bytes(6),
        ]
    )
    sessions = [item.session for item in taken(read(tmp_path / "m.mbox", "mail", content, KNOWN))]
    assert sessions == [f"mail:m{n}@acme.example" for n in (1, 1, 1, 1, 0, 6)]


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Yes.\n\nOn Mon, Wang wrote:\n> old\n> lines\n", "Yes."),
        ("Yes.\n\nOn Mon, 2 Mar 2026 at 09:30 Wang Fang\n<w@s.example> wrote:\n> old\n", "Yes."),
        ("> one?\nYes.\n> two?\nNo.\n", "Yes.\nNo."),
        ("好的。\n\n在 2026年3月2日，王芳写道：\n> 旧\n", "好的。"),
        ("Yes.\n-----Original Message-----\nFrom: W\nold\n", "Yes."),
        ("好。\n------------------ 原始邮件 ------------------\n旧", "好。"),
        ("Yes.\nFrom: Wang\nSent: Monday\nTo: Li\nold\n", "Yes."),
        ("发件人: 王芳\n发送时间: 周一\n旧", ""),
        ("Yes.\n-- \nLi Na\nAcme\n", "Yes."),
        ("From: here on it is ours.\nReally.\n", "From: here on it is ours.\nReally."),
        ("a\n\n\n\n\nb\n", "a\n\nb"),
    ],
)
def test_only_what_the_author_wrote_is_kept(tmp_path: Path, text: str, own: str) -> None:
    assert one(tmp_path, mail_bytes(1, text)).text == (own or "Offer")


def test_html_alone_is_read_as_text(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["Date"] = "li@acme.example", "Mon, 02 Mar 2026 09:30:00 +0800"
    mail.set_content(
        "<html><head><title>t</title><style>p {}</style></head><body><p>Too&nbsp;<b>high</b></p>"
        "<div>&lt;3</div><blockquote>old</blockquote><script>x()</script></body></html>",
        subtype="html",
    )
    assert one(tmp_path, mail.as_bytes()).text == "Too high\n\n<3"


def test_plain_text_goes_before_html_and_attachments_are_named(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["Date"] = "li@acme.example", "Mon, 02 Mar 2026 09:30:00 +0800"
    mail.set_content("plain words")
    mail.add_alternative("<p>html words</p>", subtype="html")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="报价.pdf")
    mail.add_attachment("secret", filename="note.txt")
    item = one(tmp_path, mail.as_bytes())
    assert item.text == "plain words"
    assert item.attributes["attachments"] == "报价.pdf; note.txt"


def test_a_mail_that_is_attached_is_not_what_the_author_says(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["Date"] = "li@acme.example", "Mon, 02 Mar 2026 09:30:00 +0800"
    mail.set_content("see below")
    inner = EmailMessage()
    inner.set_content("inner words")
    mail.add_attachment(inner)
    assert one(tmp_path, mail.as_bytes()).text == "see below"


@pytest.mark.parametrize("charset", ["utf-8", "gb2312", "gbk", "gb18030", "big5", ""])
def test_words_are_read_in_their_charset(tmp_path: Path, charset: str) -> None:
    body = "報價 ok".encode("big5") if charset == "big5" else "报价 ok".encode(charset or "utf-8")
    header = f"Content-Type: text/plain; charset={charset}" if charset else "X-A: b"
    item = one(tmp_path, raw(body, header, "Content-Transfer-Encoding: 8bit"))
    assert item.text in ("报价 ok", "報價 ok")
    assert "encoding_errors" not in item.attributes


def test_a_wrong_gb2312_label_is_read_as_gb18030(tmp_path: Path) -> None:
    body = "朱镕基 €".encode("gb18030")
    item = one(tmp_path, raw(body, "Content-Type: text/plain; charset=gb2312"))
    assert item.text == "朱镕基 €"


def test_words_that_no_charset_fits_are_kept_and_marked(tmp_path: Path) -> None:
    item = one(tmp_path, raw(b"ok \xff\xff", "Content-Type: text/plain; charset=utf-8"))
    assert item.text.startswith("ok ")
    assert item.attributes["encoding_errors"] == "true"


def test_encoded_headers_are_decoded(tmp_path: Path) -> None:
    item = one(
        tmp_path,
        raw(
            b"x",
            "Subject: =?gb2312?B?sai82w==?= =?utf-8?q?_=E5=8F=91?= end",
            "Cc: =?utf-8?B?5p2O?= <b@acme.example>",
        ),
    )
    assert item.attributes["subject"] == "报价 发 end"
    assert item.recipients[-1].name == "李"


@pytest.mark.parametrize(
    ("header", "automatic"),
    [
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: no", False),
        ("Precedence: bulk", True),
        ("Precedence: first-class", False),
    ],
)
def test_answers_of_machines_are_marked(tmp_path: Path, header: str, automatic: bool) -> None:
    assert ("auto_reply" in one(tmp_path, raw(b"away", header)).attributes) is automatic


def test_a_mail_without_id_is_named_by_its_content(tmp_path: Path) -> None:
    first = one(tmp_path, mail_bytes(1, Message_ID=""))
    assert first.native_id.startswith("sha256-")
    assert one(tmp_path, mail_bytes(1, Message_ID="")) == first


def test_lines_of_an_mbox_that_were_escaped_are_restored(tmp_path: Path) -> None:
    content = mbox([mail_bytes(1, "a\nFrom here on 10:00\nb"), mail_bytes(2)])
    items = taken(read(tmp_path / "m.mbox", "mail", content, KNOWN))
    assert [item.text for item in items] == ["a\nFrom here on 10:00\nb", "Dear all"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_mbox_may_be_compressed_and_have_either_end_of_line(tmp_path: Path, end: bytes) -> None:
    content = zipped(mbox(mail_bytes(n) for n in range(20)).replace(b"\n", end))
    assert reasons(read(tmp_path / "m.mbox", "mail", content, KNOWN)) == [None] * 20


def test_a_maildir_is_read_file_by_file(tmp_path: Path) -> None:
    for folder, number in (("cur", 1), ("cur", 2), ("new", 3), ("tmp", 4)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{number}.host:2,S").write_bytes(mail_bytes(number))
    items = taken(connector("mail").parse(tmp_path, KNOWN))
    assert [item.native_id for item in items] == [f"m{n}@acme.example" for n in (1, 2, 3)]


def test_a_folder_that_is_no_maildir_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="neither cur nor new"):
        list(connector("mail").parse(tmp_path, KNOWN))


def _nested(depth: int) -> bytes:
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
        for n in range(depth)
    )
    return raw(b"", "MIME-Version: 1.0").rstrip(b"\r\n") + b"\r\n" + head + b"\r\nx"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (raw(b"x").replace(b"Mon, 02", b"Someday"), Reason.BAD_TIMESTAMP),
        (raw(b"x").replace(b"Date: ", b"Dat: "), Reason.BAD_TIMESTAMP),
        (b"no header here\n\nx", Reason.UNREADABLE),
        (_nested(60), Reason.TOO_DEEP),
        (_nested(5_000), Reason.TOO_DEEP),
        (
            raw(b"--b\r\n\r\nx\r\n" * 600, "Content-Type: multipart/mixed; boundary=b"),
            Reason.TOO_LARGE,
        ),
        (raw(b"x" * 10_000_000), Reason.TOO_LARGE),
        (raw(b"some words\r\n" * 2_900_000), Reason.TOO_LARGE),
    ],
    ids=["no time", "no date", "no header", "deep", "very deep", "parts", "long line", "large"],
)
def test_a_bad_mail_is_refused_alone(tmp_path: Path, content: bytes, reason: Reason) -> None:
    mails = mbox([mail_bytes(1), content + b"\n", mail_bytes(2)])
    items = told(read(tmp_path / "m.mbox", "mail", mails, KNOWN))
    assert [getattr(item, "reason", None) for item in items] == [None, reason, None]
    assert isinstance(items[1], Rejected)
    assert items[1].position == "m.mbox:2"


def test_an_empty_file_holds_no_mail(tmp_path: Path) -> None:
    assert told(read(tmp_path / "m.mbox", "mail", b"", KNOWN)) == []


def test_an_mbox_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    content = zipped(mbox(mail_bytes(n, f"{n * n}") for n in range(900)))
    found = reasons(read(tmp_path / "m.mbox", "mail", content[:-900], KNOWN))
    assert found[-1] is Reason.TRUNCATED
    assert set(found[:-1]) == {None}
    assert len(found) > 100


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a<!-- no --> b", "a b"),
        ("a<!-- never closed", "a"),
        ("<!doctype html><?x y?>a &amp; &#20320;<br>b", "a & 你\nb"),
        ("1 < 2 and <p class='x'>3 > 2", "1 < 2 and\n3 > 2"),
        ("<script>if (a<b) c()</script>d<a ", "d<a"),
        ("</style>a", "a"),
    ],
)
def test_html_is_read_even_when_it_is_broken(markup: str, text: str) -> None:
    assert html_words(markup) == text


@pytest.mark.parametrize(
    "mark", ["<!--", "<a ", "</", "<![CDATA[", "&", "<a a='", "<p>", "<style>"]
)
def test_marks_that_are_never_closed_are_read_in_linear_time(mark: str) -> None:
    html_words(mark * 100_000)  # takes minutes where each mark is looked for to the end


@pytest.mark.parametrize(
    "header", ["Content-Type: text/plain" + ";" * 1_000_000, "Cc: " + "(" * 1_000_000]
)
def test_endless_headers_are_read_in_linear_time(tmp_path: Path, header: str) -> None:
    assert one(tmp_path, raw(b"words", header)).text == "words"
