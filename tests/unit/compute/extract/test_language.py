import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumikb.compute.extract.language import detect_language, language_code

TEXTS = {
    "en": "The lighthouse was built in 1871, and its lamp is seen for nineteen miles by the ships that pass the cape.",
    "de": "Der Leuchtturm wurde 1871 gebaut, und sein Licht ist neunzehn Meilen weit zu sehen und nicht bei Nebel.",
    "fr": "Le phare a été construit en 1871, et sa lampe est visible à dix-neuf milles pour les navires qui passent.",
    "es": "El faro fue construido en 1871, y su lámpara se ve desde diecinueve millas cuando no hay niebla.",
    "ca": "El far es va construir l'any 1871, i amb aquesta llum els vaixells veuen la costa des de molt lluny.",
    "it": "Il faro fu costruito nel 1871, e la sua lampada è visibile per diciannove miglia alle navi che passano.",
    "pt": "O farol foi construído em 1871, e a sua luz é vista a dezenove milhas pelos navios que passam pelo cabo.",
    "ro": "Farul a fost construit în 1871, iar lumina sa este văzută de la nouăsprezece mile de către toate navele.",
    "nl": "De vuurtoren werd in 1871 gebouwd, en het licht is negentien mijl ver te zien voor de schepen die varen.",
    "sv": "Fyren byggdes år 1871, och dess ljus kan ses på nitton mils avstånd av de fartyg som passerar udden.",
    "da": "Fyret blev bygget i 1871, og dets lys kan ses på nitten sømils afstand af de skibe, som ikke går af vejen.",
    "no": "Fyret ble bygget i 1871, og lyset kan ses på nitten mils avstand av de skipene som ikke går av veien etter.",
    "fi": "Majakka rakennettiin vuonna 1871, ja sen valo on nähtävissä kaukaa, mutta ei silloin kun on sumua.",
    "pl": "Latarnia została zbudowana w 1871 roku, a jej światło jest widoczne z daleka dla statków, które płyną.",
    "cs": "Maják byl postaven v roce 1871 a jeho světlo je vidět pro lodě, které se plaví při pobřeží, ale ne v mlze.",
    "hu": "A világítótorony 1871-ben épült, és a fénye nagyon messziről is látható, de csak akkor, ha nincs köd.",
    "tr": "Deniz feneri 1871 yılında yapıldı ve ışığı çok uzaktan görülür, ancak sisli havada daha az olarak bilinir.",
    "ru": "Маяк был построен в 1871 году, и его свет виден за девятнадцать миль.",
    "uk": "Маяк був побудований у 1871 році, і його світло видно за дев'ятнадцять миль.",
    "bg": "Фарът е построен през 1871 година и светлината му се вижда отдалече.",
    "sr": "Светионик је изграђен 1871. године и његова светлост се види из далека.",
    "el": "Ο φάρος χτίστηκε το 1871.",
    "he": "המגדלור נבנה בשנת 1871.",
    "ar": "بني المنار في عام 1871.",
    "fa": "فانوس دریایی در سال ۱۸۷۱ ساخته شد و گنجایش آن بسیار است.",
    "hi": "यह दीपस्तंभ 1871 में बनाया गया था।",
    "th": "ประภาคารสร้างขึ้นในปี 1871",
    "zh": "灯塔建于一八七一年，灯光可照十九海里。",
    "ja": "灯台は一八七一年に建てられた。",
    "ko": "등대는 1871년에 세워졌다.",
    "vi": "Ngọn hải đăng được xây dựng vào năm 1871 và được nhìn thấy từ rất xa.",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_sentence_tells_its_language(language: str) -> None:
    assert detect_language(TEXTS[language]) == language


@pytest.mark.parametrize(
    "text",
    ["", "1871 19 42", "Farrowhead", "xyzzy plugh quux corge grault garply", "a; b; c; d", "αβγ где abc"],
)
def test_too_little_text_tells_none(text: str) -> None:
    assert detect_language(text) is None


def test_words_of_another_language_do_not_sway_a_text() -> None:
    assert detect_language(TEXTS["de"] * 3 + TEXTS["en"]) == "de"


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en-US", "en"),
        ("de_AT", "de"),
        ("DE", "de"),
        ("ger", "de"),
        ("nb-NO", "no"),
        ("zh-Hans-CN", "zh"),
        ("de, en", "de"),
        ("sr_RS@latin", "sr"),
        ("und", None),
        ("x-default", None),
        ("English", None),
        ("", None),
    ],
)
def test_tags_become_codes(tag: str, code: str | None) -> None:
    assert language_code(tag) == code


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    detect_language(text)
    language_code(text)
