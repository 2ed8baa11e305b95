"""What is `dianping` (点评) made of? Opinions in Chinese on films, food, places and things.

Written for advlab: nothing is quoted. Each text is one template filled with words (`words`), by rules
that choose degree words, measure words and what is spoken of (`rules`). Whether an adjective praises
depends on its noun: 房间大 and 噪音大, 排队时间长 and 续航时间长.

In most texts a negation (并不, 谈不上), a double one (不是不), a rhetorical question, a contrast
(虽然…但是, 可惜) or a comparison decides (`kinds`); the rest is short, as people type. Rebuild and
print:

    python -c "from advlab.data.corpora import CORPORA; print(CORPORA['dianping'].build())"
"""

from __future__ import annotations

from advlab.data.dianping.kinds import KINDS
from advlab.data.dianping.rules import AMBIGUOUS, RULES
from advlab.data.dianping.words import DOMAINS, Aspect, Domain
from advlab.data.grammar import Sentence, write
from advlab.language import N_

__all__ = ["AMBIGUOUS", "DOMAINS", "Aspect", "Domain", "sentences"]

ABOUT = N_(
    "17,440 invented opinions in Chinese on films, food, places and things, half of them 差评. In "
    "most, negation, a double negation, contrast, concession or a comparison decides: counting "
    "characters, or pairs of them, is not enough."
)
SHOWCASE = (
    "汤有点淡，但我一定还会再来吃一顿。",
    "味道很好，可惜上菜速度太慢了。",
    "虽然排队时间很长，但是牛肉非常嫩。",
    "不是价格不便宜，是菜量太小。",
    "没有人会觉得服务员不热情，米饭也很香。",
)
LONGEST = 64  # characters, punctuation among them


def sentences(seed: int = 4) -> list[Sentence]:
    """All texts in the order of their kinds, 0 = 差评, 1 = 好评."""
    return write(RULES, KINDS, 2, seed=seed, longest=LONGEST)
