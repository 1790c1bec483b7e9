"""Encodings that are neither UTF-8 nor UTF-16: guessed from the bytes, or declared."""

import subprocess
import sys

import pytest

from lumikb.compute.parse.charset import declared_codec, encoding_name, guess_encoding
from lumikb.compute.parse.parse import parse

RUSSIAN = (
    "Поставщик обязан доставить товар в течение десяти рабочих дней со дня заказа. Если срок нарушен, покупатель "
    "вправе отказаться от договора и потребовать возврата уплаченной суммы. Каждая сторона отвечает за "
    "сохранность документов, которые она получила от другой стороны. Споры решаются путём переговоров, а если "
    "они не удались, то в суде."
)
UKRAINIAN = (
    "Постачальник зобов'язаний доставити товар протягом десяти робочих днів від дня замовлення. Якщо строк "
    "порушено, покупець має право відмовитися від договору й вимагати повернення сплачених грошей. Кожна сторона "
    "відповідає за збереження документів, які вона одержала від іншої. Її обов'язки й права не можна передати "
    "без згоди всіх."
)
POLISH = (
    "Dostawca zobowiązuje się dostarczyć towar w ciągu dziesięciu dni roboczych od złożenia zamówienia. Jeżeli "
    "termin nie zostanie dotrzymany, kupujący może odstąpić od umowy i żądać zwrotu zapłaconej kwoty. Każda ze "
    "stron odpowiada za bezpieczeństwo dokumentów, które otrzymała. Spory są rozstrzygane w drodze rozmów, a "
    "później przez sąd."
)
CZECH = (
    "Dodavatel je povinen dodat zboží do deseti pracovních dnů od objednávky. Není-li lhůta dodržena, může "
    "kupující od smlouvy odstoupit a žádat vrácení zaplacené částky. Každá strana odpovídá za bezpečnost "
    "dokumentů, které od druhé strany převzala. Spory se řeší jednáním, a pokud není úspěšné, rozhodne příslušný "
    "soud. Změny musí být písemné."
)
HUNGARIAN = (
    "A szállító köteles az árut a megrendeléstől számított tíz munkanapon belül leszállítani. Ha a határidőt nem "
    "tartja be, a vevő elállhat a szerződéstől, és visszakövetelheti a kifizetett összeget. Mindkét fél felelős "
    "azokért az iratokért, amelyeket a másiktól kapott. A vitákat tárgyalással, ennek sikertelensége esetén "
    "bíróság előtt rendezik."
)
GREEK = (
    "Ο προμηθευτής οφείλει να παραδώσει τα εμπορεύματα μέσα σε δέκα εργάσιμες ημέρες από την παραγγελία. Αν η "
    "προθεσμία δεν τηρηθεί, ο αγοραστής μπορεί να υπαναχωρήσει από τη σύμβαση και να ζητήσει την επιστροφή του "
    "ποσού. Κάθε μέρος ευθύνεται για τα έγγραφα που έλαβε από το άλλο. Οι διαφορές λύνονται με διαπραγμάτευση ή "
    "στο δικαστήριο."
)
HEBREW = (
    "הספק מתחייב לספק את הסחורה בתוך עשרה ימי עבודה מיום ההזמנה. אם המועד לא נשמר, הקונה רשאי לבטל את החוזה "
    "ולדרוש את החזר הסכום ששולם. כל צד אחראי לשמירת המסמכים שקיבל מן הצד האחר. מחלוקות ייפתרו במשא ומתן, ואם לא "
    "יצלח, בבית המשפט המוסמך. כל שינוי בחוזה ייעשה בכתב ובחתימת שני הצדדים, ואין להעביר את הזכויות לאדם אחר ללא "
    "הסכמה."
)
ARABIC = (
    "يلتزم المورد بتسليم البضاعة خلال عشرة أيام عمل من تاريخ الطلب. وإذا لم يتم احترام الموعد فللمشتري أن يفسخ "
    "العقد وأن يطالب برد المبلغ المدفوع. وكل طرف مسؤول عن حفظ الوثائق التي تسلمها من الطرف الآخر. وتحل الخلافات "
    "بالتفاوض، فإن لم ينجح فأمام المحكمة المختصة. ولا يجوز نقل الحقوق الناشئة عن هذا العقد إلى شخص آخر دون "
    "موافقة مكتوبة."
)
TURKISH = (
    "Satıcı, malı sipariş tarihinden itibaren on iş günü içinde teslim etmekle yükümlüdür. Süreye uyulmazsa "
    "alıcı sözleşmeden dönebilir ve ödediği tutarın geri verilmesini isteyebilir. Taraflardan her biri, "
    "ötekinden aldığı belgelerin korunmasından sorumludur. Uyuşmazlıklar görüşme yoluyla, bu başarılı olmazsa "
    "mahkemede çözülür."
)
LITHUANIAN = (
    "Tiekėjas privalo pristatyti prekes per dešimt darbo dienų nuo užsakymo. Jeigu terminas nesilaikomas, "
    "pirkėjas gali atsisakyti sutarties ir reikalauti grąžinti sumokėtą sumą. Kiekviena šalis atsako už "
    "dokumentų, kuriuos ji gavo iš kitos šalies, saugumą. Ginčai sprendžiami derybomis, o jų nepavykus "
    "išspręsti, juos nagrinėja teismas."
)
JAPANESE = (
    "供給者は注文の日から十営業日以内に商品を納入しなければならない。期限が守られないときは、買主は契約を解除し、"
    "支払った金額の返還を求めることができる。各当事者は、相手方から受け取った書類の保管について責任を負う。争いは"
    "話し合いによって解決し、それができないときは裁判所で解決する。変更は書面によるものとする。"
)
CHINESE = (
    "供应商应当在订货之日起十个工作日内交付货物。如果没有遵守期限，买方可以解除合同并要求退还已经支付的金额。每一"
    "方都对从对方收到的文件的保管负责。争议通过协商解决，协商不成的，由有管辖权的法院裁判。对本合同的任何修改都必"
    "须采用书面形式。"
)
CHINESE_TRADITIONAL = (
    "供應商應當在訂貨之日起十個工作日內交付貨物。如果沒有遵守期限，買方可以解除合約並要求退還已經支付的金額。每一"
    "方都對從對方收到的文件的保管負責。爭議透過協商解決，協商不成的，由有管轄權的法院裁判。對本合約的任何修改都必"
    "須採用書面形式。"
)
KOREAN = (
    "공급자는 주문일로부터 십 영업일 이내에 상품을 인도하여야 한다. 기한이 지켜지지 않으면 구매자는 계약을 "
    "해제하고 지급한 금액의 반환을 요구할 수 있다. 각 당사자는 상대방에게서 받은 서류의 보관에 책임을 진다. "
    "분쟁은 협의로 해결하고, 협의가 이루어지지 않으면 법원에서 해결한다. 이 계약의 변경은 서면으로 하여야 한다."
)
THAI = (
    "ผู้ขายต้องส่งมอบสินค้าภายในสิบวันทำการนับแต่วันสั่งซื้อ หากไม่เป็นไปตามกำหนด "
    "ผู้ซื้อมีสิทธิบอกเลิกสัญญาและเรียกเงินที่ชำระแล้วคืน "
    "คู่สัญญาแต่ละฝ่ายต้องรับผิดชอบต่อเอกสารที่ได้รับจากอีกฝ่ายหนึ่ง ข้อพิพาทให้ระงับด้วยการเจรจา "
    "หากไม่สำเร็จให้ศาลเป็นผู้ตัดสิน"
)
GERMAN = (
    "Der Händler muss die Ware innerhalb von zehn Tagen nach der Bestellung übergeben, sonst drohen Gebühren. "
    "Größe: „groß“."
)
FRENCH = (
    "Le fournisseur doit livrer la marchandise dans les dix jours après la commande ; à défaut, l’acheteur est "
    "remboursé où ça gêne."
)
PORTUGUESE = (
    "O fornecedor é obrigado a entregar as mercadorias em dez dias úteis; não cumprido o prazo, não há pagamento "
    "às partes lesadas."
)
ENGLISH = (
    "The supplier’s offer – “as is” – costs £500, or €580 for the café at the Zoë. It doesn’t cover the naïve "
    "reader’s 10 m² résumé."
)

TEXTS = [
    ("windows-1251", RUSSIAN),
    ("koi8-r", RUSSIAN),
    ("ibm866", RUSSIAN),
    ("iso-8859-5", RUSSIAN),
    ("windows-1251", UKRAINIAN),
    ("koi8-u", UKRAINIAN),
    ("iso-8859-2", POLISH),
    ("windows-1250", POLISH),
    ("iso-8859-2", CZECH),
    ("windows-1250", CZECH),
    ("windows-1250", HUNGARIAN),
    ("windows-1253", GREEK),
    ("windows-1255", HEBREW),
    ("windows-1256", ARABIC),
    ("windows-1254", TURKISH),
    ("windows-1257", LITHUANIAN),
    ("shift_jis", JAPANESE),
    ("euc-jp", JAPANESE),
    ("gb18030", CHINESE),
    ("gbk", CHINESE),
    ("big5", CHINESE_TRADITIONAL),
    ("euc-kr", KOREAN),
    ("windows-874", THAI),
    ("windows-1252", GERMAN),
    ("windows-1252", FRENCH),
    ("windows-1252", PORTUGUESE),
    ("windows-1252", ENGLISH),
]


def codec_of(name: str) -> str:
    return {"windows-874": "cp874"}.get(name, name)


def long_of(text: str) -> str:
    sentences = text.split(". ") if ". " in text else text.split("。")
    turned = [sentences[at:] + sentences[:at] for at in range(len(sentences))]
    lines = ["\r\n".join(order) for order in turned]
    return "\r\n\r\n".join(lines * (3_000 // len("".join(lines)) + 1))[:3_000]


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_text_is_read_in_the_encoding_it_was_written_in(name: str, text: str):
    for written in (text, long_of(text)):
        parsed = parse(written.encode(codec_of(name)), "a.txt")
        assert parsed.text == written
        assert parsed.warnings[0].startswith("ENCODING_GUESSED: ")


@pytest.mark.parametrize(
    "name", ["windows-1251", "koi8-r", "shift_jis", "big5", "euc-kr", "iso-8859-2", "windows-1256"]
)
def test_the_warning_names_the_encoding(name: str):
    text = next(text for known, text in TEXTS if known == name)
    assert parse(text.encode(name), "a.md").warnings == [f"ENCODING_GUESSED: {name}"]


@pytest.mark.parametrize(
    "text", ["It costs £5.", "caf\xe9", "“Yes,” she said… 10 m² at 3½ %", "Ein Satz mit ß.", "España, ¿no?"]
)
def test_a_few_bytes_beyond_ascii_are_windows_1252(text: str):
    for written in (text, "All the rest is plain English text. " * 50 + text):
        parsed = parse(written.encode("cp1252"), "a.txt")
        assert (parsed.text, parsed.warnings) == (written, ["ENCODING_GUESSED: windows-1252"])


def test_a_quotation_in_another_script_within_english_is_read():
    written = f"{'The law says this in plain words. ' * 100}\n{RUSSIAN}\n{'And so on. ' * 300}"
    assert parse(written.encode("cp1251"), "a.txt").text == written


def test_utf8_with_a_stray_byte_stays_utf8():
    parsed = parse(RUSSIAN.encode() + b"\xff" + RUSSIAN.encode(), "a.txt")
    assert parsed.text == f"{RUSSIAN}\ufffd{RUSSIAN}"
    assert parsed.warnings == ["ENCODING_GUESSED: utf-8"]


def test_characters_beyond_ascii_late_in_the_file_count():
    written = "plain text\n" * 100_000 + RUSSIAN
    assert parse(written.encode("koi8-r"), "a.txt").text == written


def test_one_wrong_byte_does_not_hide_the_encoding():
    data = "\n".join([JAPANESE] * 8).encode("shift_jis")
    assert guess_encoding(data + b"\n\x82\xff\n") == "cp932"


@pytest.mark.thorough
@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", [RUSSIAN, POLISH, JAPANESE, " \u0449" * 100])
def test_guessing_looks_at_a_bounded_part(text: str):
    name = next((name for name, known in TEXTS if known == text), "koi8-r")
    data = text.encode(codec_of(name)) * 20_000
    guess_encoding(data)


@pytest.mark.parametrize(
    ("declaration", "encoding", "text"),
    [
        ('<meta charset="windows-1251">', "cp1251", "Да"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">', "cp932", "日本～"),
        ('<script src="a.js" charset="utf-8"></script><meta charset=koi8-r>', "koi8-r", "Да"),
        ('<?xml version="1.0" encoding="iso-8859-2"?>', "iso-8859-2", "ąę"),
        ("<meta charset=gb2312>", "gbk", "镕基"),
        ("<meta charset=iso-8859-9>", "cp1254", "ğ€"),
    ],
)
def test_a_page_is_read_as_it_declares(declaration: str, encoding: str, text: str):
    page = f"{declaration}<html><body><p>{text}</p></body></html>".encode(encoding)
    parsed = parse(page, "a.html")
    assert (parsed.text, parsed.warnings) == (text, [])


def test_a_page_that_declares_wrongly_is_guessed():
    parsed = parse(f"<meta charset=utf-8><p>{RUSSIAN}".encode("cp1251"), "a.html")
    assert (parsed.text, parsed.warnings) == (RUSSIAN, ["ENCODING_GUESSED: windows-1251"])


def test_codecs_that_are_no_encodings_of_pages_cannot_be_declared():
    labels = ("punycode", "idna", "unicode_escape", "utf-7", "rot13", "zlib", "nonsense", "mbcs", "undefined")
    assert [declared_codec(label) for label in labels] == [None] * len(labels)


def test_names_are_those_of_the_web():
    names = [encoding_name(codec) for codec in ("cp1252", "cp874", "cp949", "koi8_r", "iso8859_2", "euc_jp", "utf_8")]
    assert names == ["windows-1252", "windows-874", "euc-kr", "koi8-r", "iso-8859-2", "euc-jp", "utf-8"]


def test_the_detector_is_loaded_only_when_it_is_needed():
    code = (
        "import sys; from lumikb.compute.parse.parse import parse; parse('Grün'.encode('cp1252'), 'a.txt');"
        "assert 'charset_normalizer' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
