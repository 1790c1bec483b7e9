"""Which encoding bytes are in that are not UTF-8, guessed from a sample or taken from what the file declares."""

import codecs
import re
from collections import Counter

SAMPLE_BYTES = 262_144

_ASCII = bytes(range(128))
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{3,}")
# Shares measured on 40 to 3,000 characters of the Universal Declaration of Human Rights: Latin scripts stay below .34
# (Slovak, Vietnamese), the others above .62 (Persian).
_RUN_SHARE_MIN = 0.45
# Misread as UTF-8, text in another encoding is nearly all errors; a UTF-8 file with a few stray bytes has few.
_BROKEN_SHARE_MAX = 0.05

# Left to itself charset_normalizer prefers cp775, hp_roman8 and the like for short texts.
_OTHER_SCRIPTS = [
    *("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "cp1253", "iso8859_7", "cp1255", "cp1256", "cp874"),
    *("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"),
]

# The letters beyond ASCII of each language, by encoding, the likeliest encoding first.
_ALPHABETS = [
    ("cp1252", "äöüß àâçéèêëîïôùûüœæ áéíóúüñ áàâãçéêíóôõú àèéìíòóù àçèéíïòóúü äåöé åæøé éëïóöü äõöü"),
    ("cp1250", "ąćęłńóśźż áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű čćđšž ăâîşţ"),
    ("iso8859_2", "ąćęłńóśźż áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű čćđšž ăâîşţ"),
    ("cp1254", "çğıöşü"),
    ("cp1257", "ąčęėįšųūž āčēģīķļņšūž"),
    ("cp1252", "áéíóúýþðæö"),
]
# Letters of another encoding read as Windows-1252 give these within words; English has them beside words.
_SYMBOL = r"(?:[^\w\s\x00-\x9f\xad\ufffd‘’–—·]|[¹²³¼½¾ªº])"
_SYMBOLS = re.compile(_SYMBOL)
_SYMBOLS_IN_WORDS = re.compile(rf"(?<=[^\W\d_]){_SYMBOL}(?=[^\W\d_])")
_MEANINGLESS = re.compile(r"[\x80-\x9f\ufffd]")

_NAMES = {"cp932": "shift_jis", "cp949": "euc-kr", "big5hkscs": "big5", "utf_8": "utf-8", "cp866": "ibm866"}

# What a label means on the web where that is more than what Python takes it for (https://encoding.spec.whatwg.org).
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "utf-16": "utf-8",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}
_LABELS = {"x-sjis": "cp932", "ks_c_5601-1987": "cp949", "x-gbk": "gb18030", "windows-949": "cp949"}
# No others: `punycode` and `idna` take quadratic time, `unicode_escape` and `utf-7` are no one's page.
_DECLARABLE = re.compile(
    r"cp125\d|cp874|cp866|cp932|cp949|gb18030|big5hkscs|euc_jp|iso2022_jp|iso8859-\d+|koi8-[ru]|mac-(?:roman|cyrillic)|utf-8"
)

# Five bytes mean nothing in Windows-1252; the web's decoder gives the control character of that number
# (https://encoding.spec.whatwg.org/#legacy-single-byte-encodings).
_HOLES = {0xDC00 + byte: byte for byte in range(0x80, 0xA0)} | {0xDC00 + byte: 0xFFFD for byte in range(0xA0, 0x100)}


def guess_encoding(data: bytes) -> str:
    """The Python codec for `data`, which is not UTF-8 throughout, judged by `SAMPLE_BYTES` from its first high byte on.

    Scripts other than Latin show in runs of high bytes, and charset_normalizer tells them apart; encodings of Latin
    letters are told apart by which of them gives a language's own letters. Windows-1252 when in doubt.
    """
    sample = _lines_beyond_ascii(data)
    if _is_broken_utf8(sample):
        return "utf_8"
    high = len(sample.translate(None, _ASCII))
    in_runs = sum(len(run) for run in _HIGH_RUN.findall(sample) if len(set(run)) > 1)
    if in_runs < _RUN_SHARE_MIN * high:
        return _latin_encoding(sample)
    return _other_script(sample) or "cp1252"


def declared_codec(label: str) -> str | None:
    """The Python codec for a label of the web, None for one that is unknown or that no page is in."""
    label = label.lower()
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except (LookupError, ValueError):
        return None
    name = _WIDER.get(name, name)
    return name if _DECLARABLE.fullmatch(name) else None


def encoding_name(codec: str) -> str:
    """The web's name of a codec that `guess_encoding` returns: `windows-1251`, `shift_jis`."""
    if codec.startswith("cp125") or codec == "cp874":
        return codec.replace("cp", "windows-")
    return _NAMES.get(codec, codec.replace("_", "-").replace("iso8859", "iso-8859"))


def decode_as(data: bytes, codec: str) -> str:
    """`data` in `codec`; bytes without a meaning become U+FFFD, in Windows code pages their control characters."""
    if codec.startswith("cp125") or codec == "cp874":
        return data.decode(codec, errors="surrogateescape").translate(_HOLES)
    return data.decode(codec, errors="replace")


def _lines_beyond_ascii(data: bytes) -> bytes:
    first = _HIGH.search(data)
    start = first.start() if first else 0
    sample = data[start : start + SAMPLE_BYTES]
    lines = [line for line in sample.splitlines(keepends=True) if not line.isascii()]
    if len(sample) == SAMPLE_BYTES and len(lines) > 1:
        # The last one may end within a character.
        lines.pop()
    return b"".join(lines)


def _is_broken_utf8(sample: bytes) -> bool:
    decoded = sample.decode("utf-8", errors="replace")
    broken = decoded.count("\ufffd")
    beyond = sum(not char.isascii() for char in decoded)
    return broken <= _BROKEN_SHARE_MAX * beyond


def _other_script(sample: bytes) -> str | None:
    # Imported where it is needed: it adds 90 ms to the start.
    from charset_normalizer import from_bytes

    lines = sample.splitlines(keepends=True)
    quarter = -(-len(lines) // 4)
    # One byte out of place rules an encoding out, but it stands in one part only.
    parts = [lines, *(lines[at : at + quarter] for at in range(0, len(lines), quarter))]
    for part in parts:
        best = from_bytes(b"".join(part), cp_isolation=_OTHER_SCRIPTS, preemptive_behaviour=False).best()
        if best is not None:
            return best.encoding
    return None


def _latin_encoding(sample: bytes) -> str:
    def score(entry: tuple[str, str]) -> int:
        codec, alphabets = entry
        text = decode_as(sample, codec).lower()
        letters = Counter(char for char in text if char.isalpha() and not char.isascii() and char not in "ªº")
        expected = max(sum(letters[char] for char in alphabet) for alphabet in alphabets.split())
        expected += len(_SYMBOLS.findall(text))
        odd = sum(letters[char] for char in letters.keys() - set(alphabets))
        odd += 2 * len(_SYMBOLS_IN_WORDS.findall(text)) + len(_MEANINGLESS.findall(text))
        return expected - odd

    return max(_ALPHABETS, key=score)[0]
