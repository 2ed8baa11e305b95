"""What is `messages` made of? Short messages, ham and spam, with much the same words in both.

Written for advlab: nothing is quoted. Brands are invented, numbers are from the range reserved for
fiction (555-0100 to 555-0199) and addresses end in example.com, example.net or example.org. Friends
write of prizes, parcels, free seats, banks and codes too, and some spam is as quiet as a friend, so
that few single words decide. Counting all of them does, unlike in `reviews`: this is the easy
corpus. Rebuild and print:

    python -c "from advlab.data.corpora import CORPORA; print(CORPORA['messages'].build())"
"""

from __future__ import annotations

from advlab.data.grammar import Kind, Rule, Sentence, Writer, write


def _phone(w: Writer, label: int) -> str:
    return f"555-01{int(w.rng.random() * 100):02d}"


def _code(w: Writer, label: int) -> str:
    return f"{1000 + int(w.rng.random() * 9000)}"


RULES: dict[str, Rule] = {
    "phone": _phone,
    "code": _code,
    "link": (
        "{site}.example.com",
        "www.example.com/{site}",
        "{site}.example.net",
        "www.example.org/{site}",
    ),
    "site": ("claim", "win", "fast", "secure", "login", "pay", "bonus", "deal", "verify", "gold"),
    "brand": (
        "Zentro",
        "Moblio",
        "QuickNest",
        "Lumira",
        "Parcelino",
        "Brightloop",
        "Veltra",
        "Okanto",
    ),
    "bank": ("Lumira Bank", "Northgate Bank", "First Velt Bank", "Okanto Credit"),
    "money": ("$50", "$200", "$500", "$900", "$1,000", "$2,500", "$5,000"),
    "prize": (
        "a new phone",
        "a gift card",
        "a holiday for two",
        "{money} in cash",
        "a smart watch",
        "a year of free fuel",
        "a shopping voucher",
        "two concert tickets",
    ),
    "urgent": ("urgent", "final notice", "last chance", "attention", "act now", "important"),
    "deadline": (
        "today",
        "within 24 hours",
        "before midnight",
        "by Friday",
        "in the next hour",
        "before it expires",
    ),
    "reply": (
        "reply YES to {phone}",
        "call {phone} {deadline}",
        "visit {link} {deadline}",
        "text WIN to {phone}",
        "tap {link}",
        "confirm at {link}",
        "send your details to {phone}",
    ),
    "name": (
        "Mum",
        "Dad",
        "Ana",
        "Tom",
        "Lena",
        "Omar",
        "Mei",
        "Jonas",
        "Priya",
        "Sam",
        "Nora",
        "Ben",
    ),
    "hello": ("hi {name},", "hey,", "hello {name},", "hey {name},", "morning!", "hi,", "{name},"),
    "time": (
        "at seven",
        "at noon",
        "at half past six",
        "after work",
        "around eight",
        "on Sunday",
        "tomorrow morning",
        "tonight",
        "at ten",
        "this afternoon",
    ),
    "place": (
        "at the station",
        "at the library",
        "outside the cinema",
        "by the river",
        "at our place",
        "in the park",
        "at the market",
        "at the gym",
        "in front of the bank",
    ),
    "food": ("soup", "pasta", "curry", "pancakes", "rice and beans", "a salad", "pizza"),
    "item": (
        "bread and milk",
        "two lemons",
        "batteries",
        "the blue folder",
        "my charger",
        "stamps",
        "the spare keys",
        "your umbrella",
        "cat food",
        "the tickets",
    ),
    "task": (
        "the report",
        "the slides",
        "the homework",
        "the essay",
        "the rota",
        "the budget",
        "the poster",
        "the quiz",
    ),
    "bye": (
        "see you soon",
        "love, {name}",
        "thanks a lot",
        "call me later",
        "no rush",
        "take care",
        "talk tonight",
        "let me know",
        "cheers",
    ),
}

KINDS = (
    # spam
    Kind(
        "prize",
        300,
        (
            "{urgent}! You have won {prize} from {brand}. To claim it, {reply}.",
            "congratulations! Your number was chosen for {prize}. {reply}.",
            "{brand} winner: {prize} is waiting for you. {reply}.",
            "you are one of ten lucky {brand} customers. {reply} to get {prize}.",
            "free entry! Win {prize} in the {brand} draw. {reply}.",
            "your prize code is {code}. {reply} and collect {prize}.",
            "no purchase needed: {prize}, free from {brand}. {reply}.",
        ),
        1,
    ),
    Kind(
        "account",
        300,
        (
            "{bank}: your account has been locked. {reply} to restore it.",
            "{urgent}: unusual payment of {money} on your card. If it was not you, {reply}.",
            "dear customer, your {bank} password ends {deadline}. {reply}.",
            "{bank} notice {code}: we could not verify your address. {reply}.",
            "your tax refund of {money} is ready. {reply}.",
            "your {brand} subscription renews for {money} {deadline}. To cancel, {reply}.",
            "{brand}: we could not deliver your parcel {code}. Pay the small fee: {reply}.",
        ),
        1,
    ),
    Kind(
        "offer",
        300,
        (
            "need cash? Loans up to {money} with no checks. {reply}.",
            "{brand} sale: everything half price {deadline}. {reply}.",
            "work from home and earn {money} a week, no experience needed. {reply}.",
            "lose weight fast with {brand} tea, first box free. {reply}.",
            "turn {money} into {money} with {brand} coins. No risk at all! {reply}.",
            "cheap calls, free minutes, new phone: switch to {brand} {deadline}. {reply}.",
            "{urgent}! {brand} clears your debt {deadline}. {reply}.",
        ),
        1,
    ),
    Kind(
        "quiet spam",
        300,
        (
            "{hello} I lost my phone and this is my new number. "
            "Can you send {money} {deadline}? {reply}.",
            "{hello} this is not a sales call. We only want to give you {prize}: {reply}.",
            "{hello} I found a way to earn {money} from home, it really works. {reply}.",
            "{hello} your friend sent you {prize}. Open it here: {link}.",
            "{hello} are these photos of you? Look quickly: {link}.",
            "{hello} sorry I missed you. About the {money} we owe you: {reply}.",
            "{hello} your parcel is {place}. To release it, {reply}.",
            "{hello} thanks for your order of {money}. Not yours? Then {reply}.",
        ),
        1,
    ),
    # ham
    Kind(
        "meeting",
        300,
        (
            "{hello} are you free {time}? We could meet {place}.",
            "{hello} running late, I will be {place} {time}.",
            "can we meet {place} {time} instead? {bye}.",
            "{hello} I have a free seat in the car {time}. Want to come? {bye}.",
            "the bus is late again. Start without me, I am {place}.",
            "{hello} shall we have {food} {time}? {bye}.",
            "do not wait for me {place}, I will walk home {time}.",
            "{name} and I are {place}. Come and join us {time}!",
        ),
        0,
    ),
    Kind(
        "errand",
        300,
        (
            "{hello} could you bring {item} {time}? {bye}.",
            "please buy {item} on your way home. {bye}.",
            "{hello} I left {item} {place}. Can you check? {bye}.",
            "I finished {task}, you can look at it {time}. {bye}.",
            "{hello} when is {task} due? I thought it was {time}.",
            "did you pay {name} for {item}? {bye}.",
            "I made {food}, yours is in the fridge. {bye}.",
            "{hello} no need to call, {name} has already done {task}.",
        ),
        0,
    ),
    Kind(
        "family",
        300,
        (
            "happy birthday, {name}! We will call you {time}. {bye}.",
            "{hello} thank you for {item}, that was so kind. {bye}.",
            "{name} won the race {place}! We are so proud. {bye}.",
            "{hello} how was the exam? I am sure you did well. {bye}.",
            "the baby is asleep at last, so please do not ring. {bye}.",
            "{hello} the doctor says it is nothing to worry about. {bye}.",
            "I got the job! Let us celebrate {place} {time}.",
            "{hello} we landed safely and will be {place} {time}. {bye}.",
        ),
        0,
    ),
    Kind(
        "loud ham",
        300,
        (
            "{hello} I won {prize} at the school fair! Come and see it {time}.",
            "urgent: I am locked out! Please call {phone}, {name} has the keys.",
            "{hello} your parcel came, I put it with {item}. {bye}.",
            "{hello} I sent you {money} for {item}. Check your account {time}.",
            "{hello} another text says I won {prize}. I deleted it, do not open yours.",
            "the code for the door is {code}. Do not give it to anyone. {bye}.",
            "{hello} the bank is closed today, so I will pay you back {time}.",
            "{hello} my new number is {phone}. The old one still works. {bye}.",
            "last chance! {name} has two free tickets, we leave {time}. {bye}.",
            "{hello} photos of {task} are at {link}, look when you have time. {bye}.",
        ),
        0,
    ),
)


def sentences(seed: int = 3) -> list[Sentence]:
    """All texts in the order of `KINDS`, 0 = ham, 1 = spam."""
    return write(RULES, KINDS, 2, seed=seed, longest=30)
