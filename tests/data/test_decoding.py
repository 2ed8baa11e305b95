"""In which encoding is a file written? What is read equals what was written, or a person is asked."""

from __future__ import annotations

import random
import time

import pytest

from advlab.data.decoding import OLDER, guess_encoding
from advlab.data.files import guess
from advlab.data.reading import read_rows
from advlab.errors import DataError, EncodingError

SENTENCES = {
    "German": (
        "Der Film hat mich überrascht: schöne Bilder, großartige Schauspieler und eine Geschichte.",
        "Natürlich gibt es Längen, doch am Ende überwiegt die Freude über einen gelungenen Abend.",
        "Für Kinder ist er weniger geeignet, für Erwachsene aber sehr zu empfehlen – „wirklich“.",
    ),
    "French": (
        "Le film m’a beaucoup plu : les acteurs étaient très justes, la musique élégante.",
        "L’histoire, même si elle n’était pas tout à fait nouvelle, restait émouvante.",
        "J’aurais préféré moins de longueurs, mais je suis sorti du cinéma heureux et rêveur.",
    ),
    "Portuguese": (
        "O filme não é tão mau como dizem: há boas ideias e uma música lindíssima.",
        "A segunda parte é um pouco longa, mas a conclusão compensa as imperfeições.",
        "Saímos da sala em silêncio e conversámos durante horas sobre as emoções que sentimos.",
    ),
    "Polish": (
        "Film bardzo mi się podobał: świetne zdjęcia, piękna muzyka i aktorzy, którym się wierzy.",
        "Może druga połowa jest trochę za długa, ale zakończenie wynagradza wszystko.",
        "Wyszliśmy z kina w milczeniu i długo jeszcze rozmawialiśmy o tym, co zobaczyliśmy.",
    ),
    "Turkish": (
        "Film beni gerçekten şaşırttı: güzel görüntüler, başarılı oyuncular ve güçlü bir öykü.",
        "İkinci yarısı biraz uzun olsa da son sahne her şeyi unutturuyor.",
        "Sinemadan sessizce çıktık ve gördüklerimizi uzun süre konuştuk.",
    ),
    "Russian": (
        "Фильм оказался неожиданно хорошим: прекрасная музыка, умные диалоги и актёры.",
        "Правда, вторая половина немного затянута, но финал всё искупает.",
        "Мы вышли из зала молча и ещё долго говорили о том, что увидели.",
    ),
    "Japanese": (
        "この映画は予想以上に面白かったです。俳優の演技が自然で、音楽も場面によく合っていました。",
        "物語の途中で少し長く感じるところもありましたが、最後の場面には本当に感動しました。",
        "家族や友人と一緒に見に行くことをお勧めします。もう一度見たいと思います。",
    ),
    "Korean": (
        "이 영화는 기대했던 것보다 훨씬 재미있었습니다. 배우들의 연기가 자연스러웠습니다.",
        "중간에 조금 지루한 부분이 있었지만 마지막 장면은 정말 감동적이었습니다.",
        "가족이나 친구와 함께 보러 가기를 추천합니다. 다시 한번 보고 싶은 영화입니다.",
    ),
    "Taiwanese": (
        "這部電影比我想像的還要好看。演員的表演非常自然，音樂也和畫面配合得很好。",
        "雖然中間有些地方稍微長了一點，但是最後的結局真的讓人感動。",
        "我推薦大家和家人或朋友一起去看，看完以後還可以好好討論一下故事裡的人物。",
    ),
    "Chinese": (
        "这部电影比我想象的还要好看。演员的表演非常自然，音乐也和画面配合得很好。",
        "虽然中间有些地方稍微长了一点，但是最后的结局真的让人感动。",
        "我推荐大家和家人或朋友一起去看，看完以后还可以好好讨论一下故事里的人物。",
    ),
}
UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


def table(language: str) -> list[tuple[str, str]]:
    return [(text, "ab"[i % 2]) for i, text in enumerate(SENTENCES[language])]


def written(rows: list[tuple[str, str]], encoding: str) -> bytes:
    lines = "".join(f'"{text}",{label}\n' for text, label in rows)
    return f"text,label\n{lines}".encode(encoding)


def read(data: bytes, **known: str) -> list[tuple[str, str]]:
    return [(row.text, row.label) for row in read_rows(data, guess(data, "f.csv", **known)).rows]


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("encoding", UNICODE)
def test_unicode_is_read_with_and_without_its_mark(language: str, encoding: str) -> None:
    assert read(written(table(language), encoding)) == table(language)


def test_utf_16_of_the_other_end_is_read_with_its_mark() -> None:
    data = b"\xfe\xff" + written(table("Russian"), "utf-16-be")
    assert read(data) == table("Russian")


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("German", "cp1252"),
        ("French", "cp1252"),
        ("Russian", "cp1251"),
        ("Russian", "koi8-r"),
        ("Russian", "cp866"),
        ("Japanese", "shift_jis"),
        ("Japanese", "euc_jp"),
        ("Korean", "euc_kr"),
        ("Taiwanese", "big5"),
        ("Chinese", "gb18030"),
        ("Chinese", "gbk"),
    ],
)
def test_encodings_older_than_unicode_are_told_apart(language: str, encoding: str) -> None:
    assert read(written(table(language), encoding)) == table(language)


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("Portuguese", "cp1252"),
        ("Polish", "cp1250"),
        ("Polish", "iso8859-2"),
        ("Turkish", "cp1254"),
        ("German", "mac-roman"),
    ],
)
def test_alphabets_much_alike_are_read_right_or_asked_for(language: str, encoding: str) -> None:
    rows = [(text.replace("„", "").replace("“", ""), label) for text, label in table(language)]
    data = written(rows, encoding)
    try:
        assert read(data) == rows
    except EncodingError as error:
        said = str(error)
        assert "the encoding of f.csv is not sure: row 2 is not UTF-8" in said
        assert "--encoding" in said
        assert sum(name in said for name in OLDER) >= 2
    assert read(data, encoding=encoding) == rows


CYRILLIC = {
    "Russian": "хороший фильм книга скучно очень понравилось актёры сюжет дорого советую снова",
    "Ukrainian": "гарний фільм їжа нудно дуже сподобалося актори дорого раджу ніколи знову чудово",
}


@pytest.mark.parametrize("count", [12, 200])
@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        *(("Russian", e) for e in ("cp1251", "koi8_r", "cp866", "iso8859_5")),
        *(("Ukrainian", e) for e in ("cp1251", "koi8_u")),
    ],
)
def test_small_cyrillic_letters_are_not_taken_for_half_width_katakana(
    language: str, encoding: str, count: int
) -> None:
    words, dice = CYRILLIC[language].split(), random.Random(count)
    rows = [(f"{' '.join(dice.choices(words, k=5))} {i}", "ab"[i % 2]) for i in range(count)]
    assert read(written(rows, encoding)) == rows


def test_a_person_who_is_asked_sees_a_word_in_each_candidate() -> None:
    with pytest.raises(EncodingError, match=r"cp1252 .“não”"):
        guess(written(table("Portuguese"), "cp1252"), "f.csv")


@pytest.mark.parametrize("stray", [b"caf\xe9", b"na\xefve", b"\xff", b"\x93quoted\x94", b"\xc3("])
@pytest.mark.parametrize("rows", [60, 30_000])
def test_a_stray_byte_makes_no_other_encoding_of_a_utf_8_file(stray: bytes, rows: int) -> None:
    lines = [f"une séance très réussie {i},{'ab'[i % 2]}\n".encode() for i in range(rows)]
    lines[rows - 9] = b"%s,a\n" % stray
    data = b"text,label\n" + b"".join(lines)
    said = (
        rf"row {rows - 7:,} of f\.csv is not UTF-8, although the rest is: "
        r"save the file as UTF-8 again, or give its encoding \(--encoding"
    )
    with pytest.raises(EncodingError, match=said):
        read(data)
    assert len(read(data, encoding="latin-1")) == rows


def test_a_file_of_two_encodings_is_not_read_in_either() -> None:
    rows = [(f"une séance réussie {i}", "ab"[i % 2]) for i in range(40)]
    data = written(rows, "utf-8") + written(rows, "cp1252").partition(b"\n")[2]
    with pytest.raises(EncodingError, match="rows 42, 43, 44, 45, 46 and 35 more of"):
        read(data)


def test_a_replacement_character_is_no_damage() -> None:
    rows = [(f"une séance réussie \ufffd {i}", "ab"[i % 2]) for i in range(40)]
    data = written(rows, "utf-8")
    assert read(data) == rows
    with pytest.raises(EncodingError, match="row 42 of"):
        read(data + b"caf\xe9,a\n")


def test_few_borrowed_words_in_an_english_file_are_read_and_named() -> None:
    rows = [(f"the show was good, and number {i} was long", "ab"[i % 2]) for i in range(300)]
    rows[70] = ("the café was “fine” – and the naïve hero too", "a")
    data = written(rows, "cp1252")
    assert read(data) == rows
    encoding, why = guess_encoding(data, "f.csv")
    assert encoding == "cp1252"
    assert "row 72 is not UTF-8; its few other signs (é, “, ”, –, ï) are Western" in why


def test_bytes_that_are_no_text_are_asked_for_and_not_made_latin_1() -> None:
    noise = bytes(range(0x80, 0x100)) * 3
    data = b"".join(b"%s,%d\n" % (noise[i:] + noise[:i], i % 2) for i in range(40))
    with pytest.raises(EncodingError, match="in no encoding known here"):
        guess(data, "f.csv")


def test_a_nul_byte_is_refused_where_a_person_says_utf_8_and_read_where_they_say_utf_16() -> None:
    data = written(table("Russian"), "utf-16-le")
    assert read(data, encoding="utf-16-le") == table("Russian")
    with pytest.raises(DataError):
        read(data, encoding="utf-8")
    with pytest.raises(DataError, match="NUL byte in row 2"):
        read(b"good,0\nb\x00d,1\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("language", "encoding"),
    [("Russian", "cp1251"), ("Taiwanese", "cp950"), ("Chinese", "gb18030")],
)
@pytest.mark.parametrize("between", ["\n", "", " " * 300, "plain words " * 30])
@pytest.mark.parametrize("before", [0, 2**20])
def test_a_large_file_is_guessed_from_a_sample(
    language: str, encoding: str, between: str, before: int
) -> None:
    text = "x" * before + between.join(SENTENCES[language]) * 1_500  # many samples long
    data = text.encode(encoding)
    start = time.process_time()
    assert guess_encoding(data, "f")[0] == encoding
    assert time.process_time() - start < 5
