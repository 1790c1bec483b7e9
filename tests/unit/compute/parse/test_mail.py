import base64

import pytest
from support.books import make_mail
from support.documents import MP3, make_docx, make_pdf

from lumikb.compute.parse.errors import ArchiveLimitError, EncryptedError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.parse import parse


def mail(header: str, body: bytes = b"text") -> ParsedText:
    return parse(
        b"From: a@b\nDate: Mon, 04 Mar 2024 09:30:00 +0100\n" + header.encode("latin-1") + b"\n\n" + body, "a.eml"
    )


def test_a_message_has_its_subject_as_heading_and_its_fields_as_text():
    parsed = parse(make_mail("Plain body.\n", subject="Grüße", html="<p>HTML body</p>"), "a.eml")
    assert parsed.text == (
        "Grüße\n\nFrom: Ann Ångström <ann@example.org>\nTo: bob@example.org\n"
        "Date: Mon, 04 Mar 2024 09:30:00 +0100\n\nPlain body."
    )
    assert parsed.title == "Grüße"
    assert parsed.heading_path_at(parsed.text.index("Plain")) == ["Grüße"]
    assert parsed.metadata == {
        "author": "Ann Ångström <ann@example.org>",
        "to": "bob@example.org",
        "created": "2024-03-04T09:30:00+01:00",
    }


def test_html_is_read_where_there_is_no_plain_text():
    parsed = parse(make_mail("  \n", html="<h1>Head</h1><p>HTML body</p>"), "a.eml")
    assert parsed.text.endswith("Head\n\nHTML body")
    assert parsed.heading_path_at(len(parsed.text) - 1) == ["Hello", "Head"]


def test_attachments_are_read_under_their_names_with_their_own_pages():
    attachments = [
        ("a.docx", "application/octet-stream", make_docx([("Heading 1", "Intro"), ("Normal", "Word text.")])),
        ("song.mp3", "audio/mpeg", MP3),
        ("Übersicht.pdf", "application/pdf", make_pdf(["Page one.", "Page two."])),
        ("last.txt", "text/x-notes", b"Last words."),
    ]
    parsed = parse(make_mail("Body.", attachments=attachments), "a.eml")
    assert parsed.heading_path_at(parsed.text.index("Word text")) == ["Hello", "a.docx", "Intro"]
    assert parsed.heading_path_at(parsed.text.index("Page two")) == ["Hello", "Übersicht.pdf"]
    pages = [parsed.page_at(parsed.text.index(text)) for text in ("Body", "Word", "Page one", "Page two", "Last")]
    assert pages == [None, None, 1, 2, None]
    assert parsed.warnings == ["MEMBER_SKIPPED: song.mp3: UNSUPPORTED_FILE_TYPE"]


def test_a_forwarded_message_is_read():
    inner = make_mail("Inner body.", subject="Inner")
    boundary = b'Content-Type: multipart/mixed; boundary="x"'
    body = b"--x\n\nOuter body.\n--x\nContent-Type: message/rfc822\n\n" + inner + b"\n--x--\n"
    parsed = mail(f"Subject: Outer\n{boundary.decode()}", body)
    assert parsed.heading_path_at(parsed.text.index("Inner body")) == ["Outer", "attachment.eml", "Inner"]


@pytest.mark.parametrize(
    ("header", "body", "text"),
    [
        ("Content-Type: text/plain; charset=koi8-r", "Привет".encode("koi8-r"), "Привет"),
        ("Content-Type: text/plain; charset=utf-8", "Grüße".encode("cp1252"), "Grüße"),
        ("Content-Type: text/plain; charset=nonsense", "Grüße".encode(), "Grüße"),
        ("Content-Type: text/html; charset=iso-8859-1", b"<meta charset=utf-8><p>Gr\xfc\xdfe", "Grüße"),
        ("Content-Transfer-Encoding: Quoted-Printable", b"Gr=C3=BC=C3=9Fe =\nx=ZZ", "Grüße x=ZZ"),
        ("Content-Transfer-Encoding: base64", b"R3LD\nvMOf!ZQ", "Grüße"),
        ("Content-Transfer-Encoding: x-unknown", b"as it is", "as it is"),
        ("Content-Type: multipart/mixed", b"no boundary", "no boundary"),
        ("Content-Type: multipart/mixed; boundary=b", b"--b\nX: y\n\ncut", "cut"),
        ("Content-Type: multipart/mixed; boundary=b", b"preamble\n--b\n\nno header\n--b--\nepilogue", "no header"),
        ('Content-Type: ;;;="', b"text", "text"),
    ],
)
def test_bodies_come_out_as_they_were_written(header: str, body: bytes, text: str):
    assert mail(header, body).text.rpartition("+0100\n\n")[2] == text


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        ("=?iso-8859-1?q?K=F6ln?= =?utf-8?b?w7xiZXI=?= x", "Kölnüber x"),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("=?nonsense?q?a=E4?=", "aä"),
        ("raw \xe4", "raw ä"),
        ("folded\n  line", "folded line"),
    ],
)
def test_fields_are_decoded(field: str, subject: str):
    assert mail(f"Subject: {field}").title == subject


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ('filename="a b.txt"', "a b.txt"),
        (r'filename="a\"b.txt"', 'a"b.txt'),
        ("filename*=utf-8'de'%C3%BC.txt", "ü.txt"),
        ("filename*1*=.txt; filename*0*=iso-8859-1''%FC", "ü.txt"),
        ("filename==?utf-8?q?=C3=BC.txt?=", "ü.txt"),
        ('filename="../../etc/passwd"', "../../etc/passwd"),
    ],
)
def test_names_of_attachments(parameters: str, name: str):
    parsed = mail(f"Content-Disposition: attachment; {parameters}", b"hi")
    assert parsed.headings[-1].title == name


def test_an_unclosed_message_says_so():
    assert mail("Content-Type: multipart/mixed; boundary=b", b"--b\n\ncut off").warnings == ["MESSAGE_CUT_OFF"]


@pytest.mark.parametrize(
    "kind", ["multipart/encrypted; boundary=b", "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"]
)
def test_an_encrypted_message_is_encrypted(kind: str):
    with pytest.raises(EncryptedError):
        mail(f"Content-Type: {kind}", base64.b64encode(b"secret"))


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_hostile_messages_are_refused_in_seconds():
    nested = make_mail("x")
    for _ in range(60):
        nested = b"Subject: s\nFrom: a\nContent-Type: message/rfc822\n\n" + nested
    many = b"From: a\nDate: b\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 1_000_000
    for data in (nested, many):
        with pytest.raises(ArchiveLimitError):
            parse(data, "a.eml")
    deep = b"From: a\nDate: b\n"
    for level in range(3000):
        deep += b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (level, level)
    assert parse(deep + b"x\n" * 100_000, "a.eml").warnings == ["MESSAGE_CUT_OFF"]
    assert mail("Content-Type: multipart/mixed" + ';a="' * 50_000).text
