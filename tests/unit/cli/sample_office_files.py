"""The sources of the sample's Word and PDF files.

Run as a script to write them anew: `python tests/unit/cli/sample_office_files.py`. The result is the same each time.
"""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import docx
from fpdf import FPDF

SAMPLE = Path(__file__).parents[3] / "src" / "lumikb" / "sample"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

BACKUP_TITLE = "Backup and restore"
BACKUP = [
    ("Heading 1", BACKUP_TITLE),
    (
        "Normal",
        "Everything that LumiKB keeps lies in its data directory. A copy of this directory is a complete backup.",
    ),
    ("Heading 2", "Make a backup"),
    ("Normal", "Stop the server, copy the whole data directory, and start the server again."),
    (
        "Normal",
        "Do not copy the directory while the server runs: the database may be in the middle of a write, and the copy "
        "would be damaged.",
    ),
    ("Heading 2", "What the directory holds"),
    ("List Bullet", "lumikb.sqlite3 is the record: knowledge bases, documents, passages, conversations and accounts."),
    ("List Bullet", "The folder blobs holds the original files and the text that was read from them."),
    ("List Bullet", "The folders index and models can be left out of a backup, as LumiKB makes them anew by itself."),
    ("Heading 2", "Restore a backup"),
    (
        "Normal",
        "To restore a backup, stop the server, put the copy in the place of the data directory, and start the server.",
    ),
    (
        "Normal",
        "If the record lies in PostgreSQL, back up the database with pg_dump, and the data directory along with it.",
    ),
]

PRIVACY_TITLE = "Privacy and working offline"
PRIVACY = [
    (
        "What stays on the machine",
        "LumiKB does not send your documents to the internet. Documents, questions and answers stay on the machine "
        "that runs the server. The embedding model is part of the installation, so nothing is downloaded when the "
        "server starts or when a document is read. LumiKB runs on a machine without any network.\n\n"
        "Two settings send data to servers that you name yourself: LUMIKB_DATABASE_URL to a PostgreSQL server, and "
        "LUMIKB_BLOB_URL to an S3-compatible object store.",
    ),
    (
        "Who may read",
        "Without signing in, nobody reads anything but the health and version of the server and its API reference. "
        "By default the server listens on 127.0.0.1, which other machines cannot reach.\n\n"
        "Passwords are stored as Argon2 hashes, and API keys as SHA-256 hashes. The data directory itself is not "
        "encrypted: whoever can read its files can read your documents. Put it on an encrypted disk if that matters.",
    ),
]


def make_docx() -> bytes:
    """backup.docx, with fixed times in the document and in its archive."""
    document = docx.Document()
    about = document.core_properties
    about.title, about.author, about.created, about.modified = BACKUP_TITLE, "LumiKB", MOMENT, MOMENT
    for style, text in BACKUP:
        document.add_paragraph(text, style=style)
    saved, fixed = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            if name != "docProps/thumbnail.jpeg":
                entry = zipfile.ZipInfo(name, MOMENT.timetuple()[:6])
                target.writestr(entry, _without_thumbnail(name, source.read(name)), zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


def make_pdf() -> bytes:
    """privacy.pdf, a page for each section, with bookmarks."""
    pdf = FPDF()
    pdf.set_creation_date(MOMENT)
    pdf.set_title(PRIVACY_TITLE)
    pdf.set_author("LumiKB")
    for heading, text in PRIVACY:
        pdf.add_page()
        pdf.start_section(heading)
        pdf.set_font("Helvetica", "B", 16)
        pdf.multi_cell(0, 10, heading, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", size=11)
        pdf.multi_cell(0, 6, text, new_x="LMARGIN", new_y="NEXT", align="L")
    return bytes(pdf.output())


def _without_thumbnail(name: str, data: bytes) -> bytes:
    """The library's template has a picture of itself, the largest part of a small file."""
    if name != "_rels/.rels":
        return data
    start = data.index(b"<Relationship ", data.index(b"thumbnail") - 200)
    while b"thumbnail" not in data[start : data.index(b"/>", start)]:
        start = data.index(b"<Relationship ", start + 1)
    return data[:start] + data[data.index(b"/>", start) + 2 :]


if __name__ == "__main__":
    (SAMPLE / "backup.docx").write_bytes(make_docx())
    (SAMPLE / "privacy.pdf").write_bytes(make_pdf())
