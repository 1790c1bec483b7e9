"""The small words of languages: they tell languages apart, and no keyword begins or ends with one.

Keys are ISO 639-1 codes. Words with an apostrophe stand as their parts, as `words` of `text.py` gives them.
"""

from collections.abc import Mapping

_WORDS = {
    "en": """
        the of and to in is that for it as was with be by on not he his but at are this have from or had an they you
        which we she their been has will would there were if more can her who when him them its so no all than some
        could these may then do any my now such into only our over after also did many must through where being does
        us your me what out up one two how should each other most while between both during before under about
        same very just because those however am used use using see either well without within whether upon via
        like here every another per yet nor don doesn isn didn won aren wasn t s ll ve re make made get set
        """,
    "de": """
        der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat
        dass daß sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis
        mehr durch man sein wurde sei wenn kann ihre dann unter wir soll ich eines jahr zwei diese dieser dieses
        diesem diesen wieder keine uns gegen vom seine ihr ihren können müssen muss sowie bzw beim ohne alle wurden
        worden damit sehr hier da was zwischen ab etwa seiner ihrer jedoch schon denn also etwas dabei
        """,
    "fr": """
        de la le et les des en un du une que est pour qui dans par plus pas au sur ne se il ce sont la ou avec son aux
        cette ont ses mais comme on tout nous sa été elle fait leur ils être deux même aussi ces bien peut entre
        sans lui était si dont leurs très où après avoir vous donc ainsi tous chaque lors sous cela celui celle
        afin doit faut c d l n s j m t qu jusqu lorsque puis encore toute toutes autres autre quand alors avant depuis
        """,
    "es": """
        de la que el en y a los del se las por un para con no una su al es lo como más o pero sus le ha me si sin sobre
        este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi porque qué
        sólo han yo hay vez puede todos así nos ni parte tiene él uno donde bien cada ese otro otra otros después
        te esto eso pueden debe mediante durante según sido ella ellos mismo tanto antes e u les
        """,
    "ca": """
        de la i el que a en els les per un del una amb no es al se és ha va com més dels són o pel aquest aquesta però
        seva seu també han entre ser quan sobre tot fins hi està pot on així ja des sense molt perquè aquests aquestes
        altres tots cada d l s n durant segons després ho li ens dos dues mateix
        """,
    "pt": """
        de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu sua ou quando
        muito nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ser são quem nas me esse
        eles você essa num nem suas meu às minha numa pelos elas qual foi pode cada este esta onde sobre seus ainda
        foram tem há são deve podem isto após então lhe pelas estes estas assim outros outra
        """,
    "it": """
        di e il la che in a per un è del non si una con le i da della al sono come più ma lo dei alla nel gli anche
        delle ha se dal ed o suo nella su sua questo questa quando due essere tutto ad degli stato dalla molto dopo
        tra fra ai anni era ancora hanno sul può solo ci cui senza ogni dove quindi così tutti deve possono nei delle
        agli alle dell all nell sull dall l d questi queste altri altro sia mi perché viene
        """,
    "ro": """
        de și în a la cu că pe nu din o un se este pentru mai care sunt au al ale fi ca dar sau ce după prin fost ai
        lui lor sa său poate această acest acestea acestor când unei unui între până fără foarte doar toate
        trebuie astfel iar cum are era dacă mult le îi va vor fiecare asupra ei nici ori si şi
        """,
    "nl": """
        de van het een en in is dat op te zijn voor met die niet aan er om ook als dan maar bij of uit nog naar door
        over ze zich wordt worden hij heeft had was deze dit wel meer geen kan moet hun haar tot werd onder zo wat
        wij we u men hebben waren daar tegen alle na tussen omdat zonder andere kunnen zoals waar hier elke moeten
        indien echter ik je mijn onze veel twee jaar
        """,
    "sv": """
        och i att det som en på är av för med till den har de inte om ett men var jag sig från vi så kan man när år
        han under också efter eller nu sin där vid mot ska skulle kommer ut får finns vara hade alla andra mycket än här
        då sedan över bara in blir upp även vad någon utan genom dessa denna detta dem vilket något måste mellan
        blev kunde dig du mig deras två varje innan
        """,
    "da": """
        og i at det er en til af på for med den der de ikke som har et om fra var kan han sig men vi så også eller hvor
        over jeg skal være efter under når man ved år nu ud blev ind mod to op alle andre havde kun end hvis vil siden
        mere hun blive hvad mellem denne dette disse nogle deres meget uden samt bliver blevet selv lige hver gennem
        mens fordi da skulle kunne må
        """,
    "no": """
        og i det er på som en til å av for at med de den har ikke om fra et var kan han seg men vi så også eller hvor
        over jeg skal være etter under når man ved år nå ut ble inn mot to opp alle andre hadde bare enn hvis vil siden
        mer hun bli hva mellom denne dette disse noen deres mye uten samt blir blitt selv hver gjennom mens fordi da
        skulle kunne må ein ikkje eit dei frå eg vart
        """,
    "fi": """
        ja on ei se että oli ovat hän mutta kun myös tai joka ole mukaan sen kuin jos niin voi vain jo ollut sekä
        tämä tämän ne jotka nyt vielä kaikki kanssa kuitenkin jälkeen joten tässä siitä voidaan niiden siinä mikä
        noin ennen eivät olla olivat sitä sillä mitä ettei eikä minä sinä me te he hänen itse koska ilman sitten tulee
        pitää esimerkiksi jonka kuten välillä
        """,
    "pl": """
        w i na z do się nie że jest o to od za po przez jak jego dla są ale oraz co tym być może czy ich był tej przy
        tego ze lub jako tak tylko już które który która jej ma również było był jeszcze pod między bardzo aby jednak
        a u wszystkie można należy gdy bez przed więc także ta ten te był są by go mu im nich kiedy każdy każdej został
        została
        """,
    "cs": """
        a v se na je že s z do o i to k ve pro za by ale si po jako jsou které jeho byl který od nebo jen být již také
        jak až ze která však má podle bylo tak při jsem před ještě mezi kde může pouze jeho byla bylo byly pokud
        tento tato toto této tohoto bez než co když pod kdy není této ní jejich musí lze aby u mu ji jej těchto
        proto
        """,
    "sk": """
        a v sa na je že s z do o i to k vo pre za by ale si po ako sú ktoré jeho bol ktorý od alebo len byť už aj
        tiež až zo ktorá však má podľa bolo tak pri som pred ešte medzi kde môže iba jej bola boli ak tento táto toto
        tejto tohto bez než čo keď pod kedy nie ich musí možno aby u mu ju týchto preto sme jeho sa
        """,
    "hu": """
        a az és hogy nem is egy ez meg de csak már van volt azt mint el ha még vagy be mert ki olyan minden fel kell
        csak aki ezt lehet amely nagyon úgy között szerint után miatt nélkül így itt ott azonban illetve pedig más
        kerül lesz lett voltak vannak ami akkor arra erre ennek annak amelyet le én ő mi ti ők
        """,
    "hr": """
        i u je se na da su za od s a o kao koji nije što ili iz po sa bi ne to ali do koja koje kako bio samo biti
        više može prema te već još sve pri kada nakon između bila bilo bile zbog dok ako ima ovo ova ovaj tako
        njegov kojima kojem tijekom također kod pod bez mu ga ih sam smo
        """,
    "sl": """
        in je v se na da so za z s pa ne ki bi po kot tudi od s o pri ali le iz že do ter lahko ni ko bil bila bilo
        kar če več še med ima kako samo vse tem tega to ta pred zaradi potem kjer zato brez proti nad pod bo bodo sem
        si jih ga mu njegov nekaj vendar
        """,
    "tr": """
        ve bir bu da de için ile olarak çok daha olan gibi kadar en sonra ne ya o ama her değil var olduğu veya ise
        ki tarafından göre yeni iki ancak bunu şu hem içinde önce mi nasıl diye zaman kendi yok biri bütün üzerinde
        olması eğer bazı bunun onun
        """,
    "ru": """
        и в не на что с по как это но к из у за от он она они для же так все о его то а был было были или бы если
        мы вы ты их ее её при до только уже еще ещё может чтобы который которая которые которых где когда есть также
        этого этот эта эти во со об без после между более под через можно нет ли я мне нас том тем чем
        """,
    "uk": """
        і в у не на що з як до та це але за від він вона вони для по є або про його то був було були якщо ми ви їх її
        при тільки вже ще може щоб який яка які яких де коли також цього цей ця ці без після між більше під через можна
        так ж же чи а й я нас тим
        """,
    "bg": """
        и на да се в за от не е с по че са като до ще това но или които който която ще би си след при само може
        още бе беше той тя те ни ви им го ги му има този тази тези как между без през към под бъде когато защото
        също така както всички
        """,
    "sr": """
        и у је се на да су за од с а о као који није што или из по са би не то али до која које како био само бити
        више може према те већ још све при када након између била било због док ако има ово ова овај
        """,
    "el": """
        και το να του η της με που την από για τα είναι των σε ο οι στο θα τη στην τον τους δεν τις ένα μια ότι ή
        στα αυτό αυτή αλλά έχει κατά ως στη ήταν όπως μας μετά πως πρέπει μπορεί αν κάθε όταν πριν μόνο πολύ στον στις
        """,
    "he": """
        של את על לא הוא היא זה כי עם גם אם או כל יש אל הם אני זו מה אך כך בין רק היה היו היתה אשר לפי עד אבל אין
        כמו יותר אחרי לפני ידי
        """,
    "ar": """
        في من على أن إلى التي عن لا ما هذا هذه مع كان الذي أو قد ذلك كل هو هي بين بعد ثم كما لم إن حتى إذا عند غير
        أي كانت يمكن لكن منذ خلال قبل حيث تم
        """,
    "fa": """
        و در به از که این را با است برای آن یک هم تا بر یا شود شده باشد اما می خود کرد دارد بود هر ها های شما ما آنها
        """,
    "hi": """
        के का की में है से को और पर ने यह कि एक हैं था थे थी लिए इस भी नहीं तो ही या जो कर हो जाता साथ तक वह अपने
        """,
}

STOPWORDS: Mapping[str, frozenset[str]] = {language: frozenset(words.split()) for language, words in _WORDS.items()}
