"""What is `reviews` made of? Opinions on seven kinds of things, for sentiment in two classes.

Written for advlab: nothing is quoted. Each text is one template filled with the words below. Nearly
every template serves both classes (`{clause}` carries the text's class, `{!clause}` the other one),
so that "but", "although" or "not" says nothing by itself, and the same praise stands before "but"
in one class and after it in the other. Whether an adjective praises depends on its noun: cold beer
and cold soup, an unpredictable plot and unpredictable steering.

A third of the texts agree with themselves and hold two or three clues; in the others negation,
contrast, concession or expectation decides, and counting words helps little (`KINDS` has the
shares). Rebuild and print:

    python -c "from advlab.data.corpora import CORPORA; print(CORPORA['reviews'].build())"
"""

from __future__ import annotations

from dataclasses import dataclass

from advlab.data.grammar import Kind, Rule, Sentence, Writer, write


@dataclass(frozen=True)
class Aspect:
    """A part that can be praised or blamed. `words[0]` blames it, `words[1]` praises it."""

    noun: str
    plural: bool
    mass: bool  # takes no "a"
    words: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Domain:
    """One kind of thing: its names, how one uses it, and its parts."""

    things: tuple[str, ...]
    again: str  # "I would ..."
    used: str  # "the last one we ..."
    scene: tuple[str, ...]  # sentences without an opinion
    aspects: tuple[Aspect, ...]


def _aspects(table: str) -> tuple[Aspect, ...]:
    """One aspect a line: noun (* plural, ~ mass) | praise | blame."""
    aspects = []
    for line in table.strip().splitlines():
        noun, praise, blame = (cell.strip() for cell in line.split("|"))
        words = tuple(tuple(w.strip() for w in cell.split(",")) for cell in (blame, praise))
        plural, mass = noun.endswith("*"), noun.endswith(("*", "~"))
        aspects.append(Aspect(noun.rstrip("*~"), plural, mass, words))  # type: ignore[arg-type]
    return tuple(aspects)


DOMAINS = (
    Domain(
        ("film", "comedy", "thriller", "drama", "sequel"),
        "watch it again",
        "watched",
        ("we saw it on a rainy Sunday", "I watched it with my sister", "it runs for two hours"),
        _aspects("""
            plot | clever, gripping, unpredictable, believable | predictable, thin, confusing, silly
            acting~ | convincing, subtle, warm, lively | wooden, flat, clumsy, cold
            jokes* | funny, sharp, fresh, clever | stale, tired, silly, flat
            dialogue~ | witty, sharp, natural, lively | wooden, clumsy, flat, dull
            ending | moving, satisfying, unpredictable, clever | rushed, predictable, silly, weak
            soundtrack | lovely, moving, memorable, lively | loud, dull, annoying, forgettable
            camera work~ | impressive, elegant, memorable | shaky, clumsy, annoying
        """),
    ),
    Domain(
        ("novel", "book", "memoir", "mystery"),
        "read it again",
        "read",
        ("I read it on the train", "my neighbour lent it to me", "it has three hundred pages"),
        _aspects("""
            story | gripping, moving, clever, believable | dull, thin, confusing, predictable
            characters* | believable, charming, memorable, warm | flat, dull, wooden, forgettable
            prose~ | elegant, lively, sharp, natural | clumsy, dull, stale, cold
            first chapter | gripping, funny, lively | slow, confusing, dull
            humour~ | dark, sharp, warm, clever | stale, silly, tired
            last chapter | moving, satisfying, unpredictable | rushed, predictable, weak
        """),
    ),
    Domain(
        ("restaurant", "place", "bistro", "pub"),
        "eat there again",
        "ate at",
        ("we went there on a Tuesday", "we were a party of six", "my aunt chose the table"),
        _aspects("""
            soup | hot, tasty, rich, fresh | cold, bland, thin, salty
            beer~ | cold, fresh, cheap | warm, flat, stale, expensive
            coffee~ | hot, strong, tasty | cold, weak, thin
            bread~ | fresh, warm, soft, tasty | stale, dry, hard
            service~ | quick, friendly, attentive, warm | slow, rude, careless, cold
            waiters* | friendly, attentive, charming, quick | rude, careless, slow
            portions* | big, generous, tasty | small, bland, dry
            bill | small, reasonable | big, shocking
        """),
    ),
    Domain(
        ("hotel", "guest house", "hostel", "inn"),
        "stay there again",
        "stayed at",
        ("we stayed for three nights", "we arrived late at night", "I booked it in March"),
        _aspects("""
            room | quiet, clean, big, bright | loud, dirty, small, dark
            bed | soft, comfortable, clean, big | hard, lumpy, dirty, small
            staff* | friendly, attentive, warm, helpful | rude, careless, cold, unhelpful
            view | lovely, memorable, impressive | dull, forgettable, disappointing
            shower | hot, clean, strong | cold, weak, dirty
            walls* | thick, clean, bright | thin, dirty, dark
            breakfast | fresh, generous, tasty | stale, bland, small
            walk to the beach | short, lovely, easy | long, dull, unpleasant
        """),
    ),
    Domain(
        ("phone", "laptop", "camera", "tablet"),
        "buy it again",
        "bought",
        ("I have had it for a month", "my son uses it for school", "it came in a plain box"),
        _aspects("""
            battery life~ | long, reliable, impressive | short, unreliable, disappointing
            screen | bright, sharp, big, clear | dark, small, blurry
            speakers* | loud, clear, strong | quiet, weak, shaky
            fan | quiet, reliable, strong | loud, weak, annoying
            case | thin, light, elegant, solid | heavy, clumsy, cheap
            keyboard | quiet, comfortable, reliable | loud, cramped, unreliable
            menu | simple, clear, quick | confusing, slow, clumsy
            price | low, reasonable | high, shocking
        """),
    ),
    Domain(
        ("car", "van", "scooter", "bicycle"),
        "rent it again",
        "rented",
        ("we drove it to the coast", "I rented it for a week", "it had been parked outside"),
        _aspects("""
            steering~ | light, precise, reliable | unpredictable, heavy, clumsy
            brakes* | strong, reliable, quick | weak, unpredictable, unreliable
            engine | quiet, strong, reliable | loud, weak, unreliable
            seat | soft, comfortable, solid | hard, cramped, shaky
            ride | quiet, comfortable, pleasant | loud, rough, unpleasant
            price | low, reasonable | high, shocking
        """),
    ),
    Domain(
        ("concert", "show", "play", "festival"),
        "go again",
        "went to",
        ("it was on a Saturday night", "we sat near the front", "my cousin had the tickets"),
        _aspects("""
            singing~ | moving, warm, strong, lively | weak, cold, flat, shaky
            band | lively, charming, loud, impressive | dull, clumsy, tired, disappointing
            queue | short, quick | long, slow
            seats* | soft, comfortable, big | hard, cramped, small
            costumes* | lovely, elegant, memorable | cheap, clumsy, silly
            tickets* | cheap, reasonable | expensive, shocking
            second half | gripping, moving, unpredictable, lively | slow, dull, predictable, tired
        """),
    ),
)


AMBIGUOUS = frozenset(
    word
    for domain in DOMAINS
    for aspect in domain.aspects
    for word in aspect.words[1]
    if any(word in other.words[0] for d in DOMAINS for other in d.aspects)
)


def _domain(w: Writer) -> Domain:
    return w.notes.setdefault("domain", DOMAINS[int(w.rng.random() * len(DOMAINS))])


def _new_aspect(w: Writer) -> Aspect:
    """A part that the text has not spoken of yet; `{adj}`, `{was}`, `{it}` agree with it."""
    aspects = _domain(w).aspects
    noun = w.pick([a.noun for a in aspects])
    w.notes["aspect"] = next(a for a in aspects if a.noun == noun)
    return w.notes["aspect"]


def _aspect(w: Writer, label: int) -> str:
    return "the " + _new_aspect(w).noun


def _adjective(w: Writer, label: int) -> str:
    return w.pick(w.notes["aspect"].words[label])


def _clear_adjective(w: Writer, label: int) -> str:
    """One that means the same of every noun: negation is hard enough to read by itself."""
    words = w.notes["aspect"].words[label]
    return w.pick([word for word in words if word not in AMBIGUOUS] or words)


def _noun_phrase(w: Writer, label: int) -> str:
    aspect = _new_aspect(w)
    return f"{'' if aspect.mass else 'a '}{_adjective(w, label)} {aspect.noun}"


def _the_noun_phrase(w: Writer, label: int) -> str:
    aspect = _new_aspect(w)
    return f"the {_adjective(w, label)} {aspect.noun}"


def _agree(singular: str, plural: str) -> Rule:
    return lambda w, label: plural if w.notes["aspect"].plural else singular


def _thing(w: Writer, label: int) -> str:
    return w.notes.setdefault("thing", w.pick(_domain(w).things))


RULES: dict[str, Rule] = {
    "aspect": _aspect,
    "adj": _adjective,
    "clear": _clear_adjective,
    "np": _noun_phrase,
    "the_np": _the_noun_phrase,
    "was": _agree("was", "were"),
    "is": _agree("is", "are"),
    "it": _agree("it", "they"),
    "thing": _thing,
    "again": lambda w, label: _domain(w).again,
    "used": lambda w, label: _domain(w).used,
    "scene": lambda w, label: w.pick(_domain(w).scene),
    "very": ("very", "really", "so", "extremely", "remarkably", "truly"),
    "great/1": ("wonderful", "excellent", "lovely", "delightful", "brilliant", "great"),
    "great/0": ("awful", "dreadful", "terrible", "dismal", "disappointing", "poor"),
    "clause": (
        "{aspect} {was} {adj}",
        "{aspect} {was} {adj}",
        "{aspect} {was} {adj}",
        "{aspect} {was} {very} {adj}",
        "{aspect} {was} {mild}",
        "I found {aspect} {adj}",
        "I thought {aspect} {was} {adj}",
    ),
    "both": ("{aspect} {was} {adj} and {adj}",),
    # of anything; most negations turn one of these
    "mild/1": ("good", "pleasant", "impressive", "satisfying", "special", "nice"),
    "mild/0": ("bad", "unpleasant", "disappointing", "poor", "mediocre", "annoying"),
    "turned": ("{!mild}", "{!clear}"),
    "negated": (
        "{aspect} {was} not {turned}",
        "{aspect} {was} not {turned} at all",
        "{aspect} {was} never {turned}",
        "{aspect} {was} hardly {turned}",
        "{aspect} {was} far from {turned}",
        "I did not find {aspect} {turned}",
    ),
    # negative words that turn nothing round
    "kept": (
        "{aspect} {was} not only {adj} but also {adj}",
        "there is no doubt that {aspect} {was} {adj}",
    ),
    "verdict/1": (
        "I would gladly {again}",
        "I would {again} tomorrow",
        "I loved it",
        "we enjoyed it from start to finish",
        "it was worth every penny",
        "I recommend it warmly",
        "I cannot wait to {again}",
        "it made my week",
        "I could not stop smiling",
        "I was sorry when it was over",
        "nobody was disappointed",
        "nothing could be better",
    ),
    "verdict/0": (
        "I would never {again}",
        "I would not {again} for free",
        "I hated it",
        "we regretted it from start to finish",
        "it was not worth a penny",
        "I advise against it",
        "I could not wait for it to end",
        "it spoiled my week",
        "I could not stop yawning",
        "I was glad when it was over",
        "nobody was impressed",
        "nothing could be worse",
    ),
    "opener": ("to be honest,", "in my opinion,", "all in all,", "for me,", "frankly,"),
    "they": ("everyone", "my brother", "the guide", "my neighbour", "one critic"),
}

KINDS = (
    Kind(
        "agreeing",
        560,
        (
            "{clause}, and {clause}.",
            "{clause} and {clause}.",
            "{both}, and {clause}.",
            "{clause}, {clause} and {clause}.",
            "{clause}. {verdict}.",
            "{verdict}: {clause} and {clause}.",
            "a {great} {thing} with {np} and {np}.",
            "a {great} {thing}: {clause}, and {clause}.",
            "what a {great} {thing}! {clause}, and {verdict}.",
            "{scene}. {clause}, {clause}, and {verdict}.",
            "{opener} this is a {great} {thing}. {both}.",
            "thanks to {the_np} and {the_np}, it was a {great} {thing}.",
            "{clause}, {clause}, and {verdict}.",
            "{scene}. {opener} {both}, and {clause}.",
            "{verdict}.",
        ),
    ),
    Kind(
        "intensifier",
        130,
        (
            "{aspect} {was} {very} {adj}. {verdict}.",
            "{aspect} {was} {very} {adj}. {aspect} {was} {very} {adj}.",
            "it was a truly {great} {thing}, with {np}.",
            "such a {great} {thing}! {aspect} {was} {very} {adj}.",
            "{aspect} {was} {very} {adj}, and {aspect} {was} {very} {adj}.",
        ),
    ),
    Kind(
        "negation",
        280,
        (
            "{negated}.",
            "{negated}, and {negated}.",
            "{negated}, and {clause}.",
            "{negated}, {clause}, and {verdict}.",
            "{scene}. {negated}, and {clause}.",
            "{negated}. {verdict}.",
            "{verdict}: {negated}, and {clause}.",
            "{aspect} {was} not {!clear} but {adj}, and {verdict}.",
            "{opener} {negated}: {it} {was} {adj}.",
            "this {thing} is far from {!great}: {clause}, and {clause}.",
            "this was not a {!great} {thing} at all: {clause}.",
            "{kept}, and {clause}.",
        ),
    ),
    Kind(
        "contrast",
        560,
        (
            "{!clause}, but {clause}.",
            "{!clause}, but {clause}.",
            "{!clause}, but {verdict}.",
            "{!clause}, but {clause} and {clause}.",
            "{!clause} and {!clause}, but {clause}.",
            "{!clause} and {!clause}, but {verdict}.",
            "{scene}. {!clause}, but {clause}.",
            "{opener} {!clause}, but {clause}.",
            "{!clause}. Still, {clause}.",
            "yes, {!clause}, but {clause}, and {verdict}.",
        ),
    ),
    Kind(
        "concession",
        260,
        (
            "although {!clause}, {clause}.",
            "although {!clause}, {clause}.",
            "although {!clause}, {verdict}.",
            "even though {!clause}, {clause} and {clause}.",
            "even though {!clause}, {clause}.",
            "despite {the_np_other}, {clause}.",
            "despite {the_np_other}, {verdict}.",
            "{verdict}, despite {the_np_other}.",
            "{verdict}, although {!clause}.",
            "{clause}, and {verdict}, although {!clause}.",
        ),
    ),
    Kind(
        "expectation",
        100,
        (
            "I expected {np_other} and got {np}.",
            "I expected {aspect} to be {!adj}; instead {it} {was} {adj}.",
            "I was told that {aspect} would be {!adj}, yet {it} {was} {adj}.",
            "I was told that {aspect} would be {adj}, and {it} {was} {adj}.",
            "just as I expected, {aspect} {was} {adj}.",
            "instead of the {!great} {thing} I expected, I found a {great} one.",
            "I expected a {!great} {thing}; instead, {clause}.",
        ),
    ),
    Kind(
        "comparison",
        100,
        (
            "the last {thing} we {used} was {!great}; this one is {great}.",
            "unlike the {!great} {thing} we {used} last year, this one is {great}: {clause}.",
            "{aspect} {was} not as {!mild} as {they} had said, and {verdict}.",
            "{aspect} {was} every bit as {mild} as {they} had said, and {verdict}.",
            "{aspect} {was} nowhere near as {!mild} as last time, and {clause}.",
        ),
    ),
    Kind(
        "turn",
        50,
        (
            "{they} told me that {aspect} {was} {!clear}, and that is wrong: {it} {was} {adj}.",
            "{they} told me that {aspect} {was} {adj}, and that is right.",
            "{aspect} used to be {!adj}; now {it} {is} {adj}.",
            "{aspect} {was} {!adj} at first and {adj} in the end.",
            "what began as a {!great} {thing} ended as a {great} one.",
        ),
    ),
)
RULES["the_np_other"] = lambda w, label: _the_noun_phrase(w, 1 - label)
RULES["np_other"] = lambda w, label: _noun_phrase(w, 1 - label)


def sentences(seed: int = 2) -> list[Sentence]:
    """All texts in the order of `KINDS`, 0 = negative, 1 = positive."""
    return write(RULES, KINDS, 2, seed=seed)
