"""The templates of `reviews` that are short and plain, and how people type: lower case, no full stop.

Most say one thing; a word decides, or a word and the "not" before it.
"""

from __future__ import annotations

import random
import re

from advlab.data.grammar import Kind, Rule

RULES: dict[str, Rule] = {
    "does_like/1": (
        "like",
        "love",
        "enjoy",
        "really like",
        "really love",
        "adore",
        "absolutely love",
    ),
    "does_like/0": ("hate", "dislike", "detest", "really hate", "cannot stand", "absolutely hate"),
    "liked/1": ("liked", "loved", "enjoyed", "really liked", "adored", "really enjoyed", "admired"),
    "liked/0": ("hated", "disliked", "detested", "really hated", "regretted", "could not stand"),
    # these two turn under "not"
    "fond/1": ("like", "enjoy", "love", "recommend", "trust", "understand"),
    "fond/0": ("hate", "mind", "regret", "dislike"),
    "best/1": (
        "best",
        "nicest",
        "greatest",
        "best",
        "most enjoyable",
        "most impressive",
        "loveliest",
    ),
    "best/0": (
        "worst",
        "worst",
        "most unpleasant",
        "most disappointing",
        "most annoying",
        "nastiest",
    ),
    "well/1": ("well", "perfectly", "brilliantly", "beautifully", "wonderfully", "nicely", "fine"),
    "well/0": ("badly", "terribly", "poorly", "horribly", "awfully", "dreadfully"),
    "who": ("he", "she"),
    "human": ("person", "man", "woman", "guy", "girl", "boy", "teacher", "friend", "neighbour"),
    "we": ("we", "I", "they", "people", "everybody", "my parents", "the kids", "our guests"),
    "ever": ("ever", "I have ever had", "in town", "in the world", "in years", "of the year"),
    "subject": ("{item}", "{item}", "{aspect}"),
    "state": (
        "{subject} {was} {adj}",
        "{subject} {is} {adj}",
        "{subject} {was} {mild}",
        "{subject} {was} {great}",
        "{subject} {is} {great}",
        "{subject} {was} {intense}",
        "{subject} {is} {intense}",
        "{subject} {was} {somewhat} {mild}",
        "{subject} {was} {fully} {great}",
    ),
    "happy/1": ("happy", "laugh", "smile", "proud", "feel good", "feel better"),
    "happy/0": ("sad", "cry", "angry", "furious", "feel sick", "feel worse"),
    "part": ("{aspect} {was} {adj}", "{aspect} {was} {intense}", "{aspect} {looks} {adj}"),
    "love_it": ("{we} {liked} {item}", "I {does_like} {item}", "I {liked} it", "{we} {liked} it"),
}

KINDS = (
    Kind("plain", 450, ("{state}.", "{state} {time}.", "{state} and {adj}.", "I think {state}.")),
    Kind(
        "exclamation",
        300,
        (
            "{great}.",
            "{fully} {great}.",
            "{great} {thing}.",
            "{great} {thing}, {verdict}.",
            "{great} {thing} and {short_np}.",
            "{short_np}, {short_np}.",
            "{short_np}, {short_np}, {short_np}.",
            "{short_np} and {short_np}.",
            "what {single_np}.",
            "such {single_np}.",
            "what a {great} {thing}.",
            "such a {great} {thing}.",
            "{best} {thing} {ever}.",
            "the {best} {thing} {ever}.",
            "{best} {food} {ever}.",
            "one of the {best} things {time}.",
            "this is the {best} {thing} {ever}.",
            "this was the {best} {day} of my life.",
            "I have never had such a {great} {thing}.",
            "this {thing} is {great}.",
            "this {thing} is {intense_great}.",
            "it is a {great} {thing}.",
        ),
    ),
    Kind(
        "liking",
        300,
        (
            "{love_it}.",
            "{we} {liked} {item} {time}.",
            "I {does_like} this {thing}.",
            "I {liked} the {thing}.",
            "we {liked} the {thing} {time}.",
            "I {does_like} {aspect}.",
            "{verdict}.",
            "{verdict}, {verdict}.",
            "I am {pleased} with {item}.",
            "I am {pleased} with it.",
            "we are {pleased} with the {thing}.",
            "I am so {glad} {now}.",
            "{item} {makes} me {happy}.",
            "it makes me so {happy}.",
            "I feel {glad} {now}.",
            "I feel {great} {now}.",
            "we were {very} {glad}.",
            "{aspect} made us {happy}.",
        ),
    ),
    Kind(
        "fact",
        330,
        (
            "{fact}.",
            "{fact}, {fact}.",
            "{fact} and {fact}.",
            "{fact}, I am so {glad}.",
            "{who} is a {kind} {human}.",
            "{who} is {very} {kind}.",
            "{who} was {kind} and {kind}.",
            "my {device} works {well}.",
            "{who} did the job {well}.",
        ),
    ),
    Kind(
        "scene",
        200,
        (
            "{scene}. {state}.",
            "{scene}. {fact}.",
            "{scene}, {clause}.",
            "{scene}, {verdict}.",
            "{scene} and {verdict}.",
            "{scene}. {love_it}.",
        ),
    ),
    Kind(
        "plain negation",
        640,
        (
            "not {!mild}.",
            "not {!mild} at all.",
            "not a {!great} {thing}.",
            "not the {!best} {thing}.",
            "{subject} {was} not {!adj}.",
            "{subject} {is} not {!adj}.",
            "{subject} {was} not {!mild}.",
            "{subject} {was} not {!mild}.",
            "{aspect} {was} not {!mild}.",
            "the {thing} was not {!mild}.",
            "the {thing} is not {!mild}.",
            "this {thing} is not {!great}.",
            "it was not {!great}.",
            "it was not a {!mild} {thing}.",
            "{subject} {is} not {!mild} at all.",
            "{subject} {was} not {!great}.",
            "{subject} {was} not {very} {!mild}.",
            "{subject} {was} never {!adj}.",
            "I do not think {subject} {was} {!adj}.",
            "I cannot say that {subject} {was} {!mild}.",
            "I would not say that {subject} {was} {!adj}.",
            "I did not {!fond} {item}.",
            "I do not {!fond} {item}.",
            "I did not {!fond} it.",
            "we did not {!fond} the {thing}.",
            "{they} did not {!fond} it.",
            "I am not {!pleased} with it.",
            "we are not {!pleased} with {item}.",
            "I am not {!glad} {now}.",
            "it is not {!mild}.",
            "{who} is not {!kind}.",
            "this is not a {!great} {thing}.",
            "nothing {!mild} about it.",
            "nothing {!great} happened {time}.",
            "{subject} {was} anything but {!adj}.",
        ),
    ),
    Kind(
        "plain comparison",
        180,
        (
            "{subject} {was} {better} than I thought.",
            "{subject} {was} {better} than last time.",
            "{subject} {was} {better} than {they} said.",
            "{subject} {is} {better} than {the_other}.",
            "{subject} {is} much {better} than before.",
            "{subject} could not be {better}.",
            "{subject} could be {!better}.",
            "it could be {!better}.",
            "it could have been {!better}.",
            "it cannot get any {better}.",
            "{subject} {was} the {best} {ever}.",
            "nothing is {better} than {item}.",
            "{subject} {was} not {!better} than {the_other}.",
            "{subject} {was} no {!better} than last time.",
            "it is no {!better} than {the_other}.",
            "not {!better} than before.",
            "not as {!mild} as I thought.",
            "{subject} {was} not as {!adj} as {they} said.",
        ),
    ),
    Kind(
        "plain contrast",
        280,
        (
            "{!part}, but {part}.",
            "{!part} but {part}.",
            "{!part}, but {verdict}.",
            "{!part} but I {liked} it.",
            "{subject} {was} {!adj} but {adj}.",
            "{subject} {seems} {!adj}, but {it} {is} {adj}.",
            "{subject} {looks} {!great}, but {it} {is} {adj}.",
            "{!great} {thing}, but {part}.",
            "{part}, even though {!part}.",
            "{verdict} although {!part}.",
            "they {!liked} it, but I {liked} it.",
            "{!fact}, but {fact}.",
        ),
    ),
)
RULES["the_other"] = ("the old one", "the last one", "the one in {city}", "the one before")
RULES["intense_great"] = ("{fully} {great}", "so {great}", "really {great}")

_CONTRACTIONS = (
    (r"\b(was|were|is|are|did|do|does|would|could|has|had) not\b", r"\1n't"),
    (r"\bcannot\b", "can't"),
    (r"\bwill not\b", "won't"),
    (r"\bI am\b", "I'm"),
    (r"\bI have (?=never|ever|been|had)", "I've "),
    (r"\bI will\b", "I'll"),
    (r"\bI would\b", "I'd"),
    (r"\b([Ii]t|[Hh]e|[Ss]he|[Ww]hat) is\b", r"\1's"),
    (r"\b([Ww]e|[Tt]hey) are\b", r"\1're"),
)


def as_typed(text: str, rng: random.Random) -> str:
    """`text` as people may type it: contracted, in lower case, without a full stop, with "!"."""
    if rng.random() < 0.6:
        for pattern, short in _CONTRACTIONS:
            text = re.sub(pattern, short, text)
    if rng.random() < 0.4:
        text = text.lower()
    draw = rng.random()
    end = "" if draw < 0.45 else "!" if draw < 0.6 else "!!" if draw < 0.63 else "."
    return text.removesuffix(".") + end
