"""From bytes to text: in which encoding is it written?

Row numbers count from 1 as an editor shows them, and every error is a `DataError` fit to show.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from advlab.errors import DataError, EncodingError
from advlab.language import _, n_

BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# the encodings older than Unicode that texts come in; of two that give the same text, the first
OLDER = (
    *("cp1252", "cp1250", "iso8859_2", "cp1251", "koi8_r", "koi8_u", "iso8859_5", "cp866"),
    *(
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp850",
        "mac_roman",
        "cp932",
        "euc_jp",
        "cp949",
        "gb18030",
        "cp950",
    ),
    "big5hkscs",
)
BEFORE_WINDOWS = ("cp850", "mac_roman")  # rare by now: believed only where nothing reads as well
SEPARATOR = re.compile(rb"[\x00-\x2f]")
AROUND = 400  # bytes
SAMPLE_BYTES = 2**14  # an encoding is guessed from no more than this
# two readings of a sample differ in their share of disorder, or of a language's letters, by at least
MARGIN = 0.04  # in a long sample
MARGIN_OF_ONE = 0.4  # more, divided by the number of bytes that are not ASCII
BY_CHANCE = 0.25  # rows of UTF-8 for each row that is none, in another encoding, at most
FEW_WORDS = 3  # different words with foreign letters: too few to tell a language by
FEW_LETTERS = 1 / 500  # share of foreign letters in an English text with borrowed words
LETTERS = bytes(k for k in range(0x80, 0x100) if bytes([k]).decode("cp1252", "replace").isalpha())


def name_rows(numbers: Sequence[int], shown: int = 5, word: str = "row") -> str:
    """`row 3`, `rows 3, 4 and 9`, or `rows 3, 4, 5, 6, 7 and 21 more`."""
    if len(numbers) == 1:
        return f"{word} {numbers[0]:,}"
    if len(numbers) <= shown:
        return _(
            "{word}s {n} and {numbers:,}",
            word=word,
            n=", ".join(f"{n:,}" for n in numbers[:-1]),
            numbers=numbers[-1],
        )
    return _(
        "{word}s {n} and {n_numbers:,} more",
        word=word,
        n=", ".join(f"{n:,}" for n in numbers[:shown]),
        n_numbers=len(numbers) - shown,
    )


def guess_encoding(data: bytes, name: str, complete: bool = True) -> tuple[str, str]:
    """(encoding, why). `complete` False: the last character may be cut.

    EncodingError where the bytes leave it open: a wrong alphabet spoils every text in silence.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding, _("the file begins with its byte-order mark")
    if b"\x00" in data:
        if wide := _wide(data):
            return wide, _("its line ends are two bytes long")
        _refuse_nul(data, name)
    if data.isascii():
        return "utf-8", _("only ASCII characters")
    try:
        _decoded(data, "utf-8", complete)
    except UnicodeDecodeError as error:
        row = _row(data, error.start)
    else:
        return "utf-8", _("valid UTF-8")
    _refuse_damaged(data, name, complete)
    return _guess_older(data, name, row, complete)


def _wide(data: bytes) -> str | None:
    """The UTF-16 without a mark in which NUL bytes are ordinary, or None.

    Text read from the wrong end, or that is not wide at all, has no line ends.
    """
    from charset_normalizer import from_bytes

    sample = data[:SAMPLE_BYTES]
    for match in from_bytes(sample, cp_isolation=["utf_16_le", "utf_16_be"], enable_fallback=False):
        text = str(match)
        if "\x00" not in text and ("\n" in text or "\r" in text or b"\n" not in sample):
            return match.encoding.replace("_", "-")
    return None


def _refuse_damaged(data: bytes, name: str, complete: bool) -> None:
    """EncodingError where much of what is not ASCII is UTF-8: another encoding would spoil it."""
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(data, final=complete)
    wrong = len(re.findall("[\udc80-\udcff]", text))
    right = len(re.findall("[^\x00-\x7f]", text)) - wrong
    foreign = [(k, line) for k, line in enumerate(text.split("\n"), 1) if not line.isascii()]
    rows = [k for k, line in foreign if re.search("[\udc80-\udcff]", line)]
    if right < wrong and len(foreign) - len(rows) < BY_CHANCE * len(rows):
        return
    raise EncodingError(
        n_(
            "{name_rows} of {name} is not UTF-8, although the rest is: save the "
            "file as UTF-8 again, or give its encoding (--encoding cp1252, say)",
            "{name_rows} of {name} are not UTF-8, although the rest is: save the "
            "file as UTF-8 again, or give its encoding (--encoding cp1252, say)",
            len(rows),
            name_rows=name_rows(rows),
            name=name,
        )
    )


def _guess_older(data: bytes, name: str, row: int, complete: bool) -> tuple[str, str]:
    """An encoding older than Unicode, for bytes that are not UTF-8 from row `row` on."""
    sample = _foreign(data if complete else data[: data.rfind(b"\n") + 1] or data)
    if signs := _few_western(data, sample, complete):
        why = _(
            "row {row:,} is not UTF-8; its few other signs ({signs}) are Western",
            row=row,
            signs=signs,
        )
        return _western(data), why
    alike = _likely(data, sample, complete)
    if len(alike) == 1:
        encoding = _western(data) if alike[0] == "cp1252" else alike[0]
        return encoding, _(
            "row {row:,} is not UTF-8; the words read well in {encoding}",
            row=row,
            encoding=encoding,
        )
    if alike:
        what = _("it reads as text in {compared}", compared=_compared(sample, alike))
    else:
        what = _("it reads as text in no encoding known here")
    raise EncodingError(
        _(
            "the encoding of {name} is not sure: row {row:,} is not UTF-8, and {what}; "
            "save the file as UTF-8, or choose the encoding (--encoding {encoding})",
            name=name,
            row=row,
            what=what,
            encoding=alike[0] if alike else _("NAME"),
        )
    )


def _foreign(data: bytes) -> bytes:
    """What is not ASCII with what stands around it, to the line's ends: about SAMPLE_BYTES.

    It ends at bytes below 0x30, which are no second half of a character in any encoding of `OLDER`.
    """
    pieces, size, end = [], 0, 0
    for run in re.finditer(rb"[\x80-\xff]+", data):
        if run.end() <= end:
            continue
        start = max(end, data.rfind(b"\n", 0, run.start()) + 1, run.start() - AROUND)
        stop = SEPARATOR.search(data, run.end() + AROUND)
        end = stop.start() if stop else len(data)
        line = data.find(b"\n", run.end(), end)
        end = line if line >= 0 else end
        pieces.append(data[start:end])
        size += end - start
        if size >= SAMPLE_BYTES:
            break
    return b"\n".join(pieces)


def _few_western(data: bytes, sample: bytes, complete: bool) -> str:
    """The foreign signs, where they are too few to tell a language by and can be Western.

    Empty where they are many, make up whole words, or stand as signs inside of words: these are
    of another alphabet.
    """
    if not _fits(data, "cp1252", complete):
        return ""
    text = sample.decode("cp1252", "replace")
    words = [word for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()]
    few = len(set(words)) <= FEW_WORDS and data.count(b"\n") >= 10
    if not few and len(data) - len(data.translate(None, LETTERS)) > FEW_LETTERS * len(data):
        return ""
    foreign = sum(not letter.isascii() for word in words for letter in word)
    if foreign > sum(map(len, words)) / 2 or re.search(r"[^\W\d_][¡-¬®-¿][a-z]", text):
        return ""
    return ", ".join(list(dict.fromkeys(re.findall(r"[^\x00-\x7f]", text)))[:6])


def _western(data: bytes) -> str:
    """Latin-1 where Windows-1252 says no more than it."""
    return "cp1252" if re.search(rb"[\x80-\x9f]", data) else "latin-1"


def _likely(data: bytes, sample: bytes, complete: bool) -> list[str]:
    """The encodings of `OLDER` in which the sample reads about equally well, the best first."""
    from charset_normalizer import from_bytes

    matches = from_bytes(
        sample, steps=8, chunk_size=2048, cp_isolation=list(OLDER), enable_fallback=False
    )
    found: list[tuple[str, float, float]] = []
    for match in matches:
        same = {match.encoding, *match.could_be_from_charset}  # they give the same text
        encoding = next((e for e in OLDER if e in same and _fits(data, e, complete)), None)
        if encoding:
            found.append((encoding, match.chaos, match.coherence))
    found = [item for item in found if not _half_width(sample, item[0])]
    if not found:
        return []
    margin = MARGIN + MARGIN_OF_ONE / sum(byte > 0x7F for byte in sample)
    if found and found[0][0] not in BEFORE_WINDOWS:
        found = [item for item in found if item[0] not in BEFORE_WINDOWS]
    return [
        encoding
        for encoding, chaos, coherence in found
        if chaos < found[0][1] + margin and coherence > found[0][2] - margin
    ]


def _half_width(sample: bytes, encoding: str) -> bool:
    """Whether it reads as half-width katakana above all: Cyrillic's bytes do, Japanese texts do not."""
    text = sample.decode(encoding, "replace")
    half = len(re.findall("[\uff61-\uff9f]", text))
    return half > len(re.findall(r"[^\x00-\x7f]", text)) / 2


def _compared(sample: bytes, encodings: Sequence[str]) -> str:
    """The encodings, each with the first word that they do not read alike."""
    readings: list[str] = []
    for word in re.findall(rb"[a-zA-Z\x80-\xff]*[\x80-\xff][a-zA-Z\x80-\xff]*", sample):
        readings = [word.decode(encoding, "replace") for encoding in encodings]
        if len(set(readings)) == len(readings):
            break
    return ", ".join(f"{e} (“{r[:20]}”)" for e, r in zip(encodings, readings, strict=True))


def _decoded(data: bytes, encoding: str, complete: bool) -> str:
    return codecs.getincrementaldecoder(encoding)().decode(data, final=complete)


def _fits(data: bytes, encoding: str, complete: bool) -> bool:
    try:
        _decoded(data, encoding, complete)
    except UnicodeError:
        return False
    return True


def _row(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _refuse_nul(data: bytes, name: str, first: int = 1) -> None:
    """DataError where there is a NUL byte. `first`: the row with which the data begins."""
    if b"\x00" in data:
        row = first - 1 + _row(data, data.index(b"\x00"))
        raise DataError(
            _(
                "{name} has a NUL byte in row {row:,}, so it is binary or damaged; "
                "expected text: save it as CSV, TSV or JSONL in UTF-8",
                name=name,
                row=row,
            )
        )


def check_encoding(encoding: str) -> str:
    """The encoding's name, stripped; DataError where Python has no such text encoding."""
    wanted = encoding.strip()
    try:
        b"a".decode(wanted)
    except UnicodeDecodeError:
        pass  # a wide encoding, to which one byte is too little
    except (LookupError, ValueError, TypeError) as error:
        raise DataError(
            _(
                "unknown encoding {encoding!r}; try utf-8, utf-16, cp1252, latin-1 or gb18030",
                encoding=encoding,
            )
        ) from error
    return wanted


def decode(data: bytes, encoding: str, name: str, *, given: bool, complete: bool = True) -> str:
    """The text without its byte-order mark; DataError names the row of bytes that do not fit.

    `given`: a person chose the encoding, and is told that it could be guessed.
    """
    try:
        text = _decoded(data, encoding, complete)
    except UnicodeDecodeError as error:
        row = _row(data, error.start)
        raise DataError(
            _(
                "row {row:,} of {name} is not {encoding}: byte 0x{data:02x} does not fit; "
                "{way_out}",
                row=row,
                name=name,
                encoding=encoding,
                data=data[error.start],
                way_out=_way_out(data, name, given),
            )
        ) from error
    except UnicodeError as error:  # UTF-16 and UTF-32 say it without a position
        raise DataError(
            _(
                "{name} is not {encoding}: {error}; choose another encoding",
                name=name,
                encoding=encoding,
                error=error,
            )
        ) from error
    if "\x00" in text:
        _refuse_nul(data, name)
    return text.removeprefix("\ufeff")


def decoded(blocks: Iterable[bytes], encoding: str, name: str, *, given: bool) -> Iterator[str]:
    """The text of a file that comes in blocks, without its byte-order mark.

    Bytes that do not fit raise DataError with their row where the encoding was `given`, and else
    UnicodeDecodeError: it can be guessed anew.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    row, first = 1, True
    for block in itertools.chain(blocks, (b"",)):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            if not given:
                raise
            at = row + block.count(b"\n", 0, max(error.start, 0))
            raise DataError(
                _(
                    "row {at:,} of {name} is not {encoding}: byte 0x{object:02x} does not fit; "
                    "{way_out}",
                    at=at,
                    name=name,
                    encoding=encoding,
                    object=error.object[error.start],
                    way_out=_way_out(block, name, given),
                )
            ) from error
        except UnicodeError as error:  # UTF-16 and UTF-32 say it without a position
            raise DataError(
                _(
                    "{name} is not {encoding}: {error}; choose another encoding",
                    name=name,
                    encoding=encoding,
                    error=error,
                )
            ) from error
        if "\x00" in text:
            _refuse_nul(text[: text.index("\x00") + 1].encode("utf-8", "replace"), name, row)
        row += text.count("\n")
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if text:
            yield text


def _way_out(data: bytes, name: str, given: bool) -> str:
    if not given:
        return _("choose another encoding")
    try:
        encoding, __ = guess_encoding(data, name)
    except DataError:
        return _("choose another encoding, or save the file as UTF-8")
    return _("leave the encoding empty to have it guessed (here {encoding})", encoding=encoding)
