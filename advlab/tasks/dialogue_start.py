"""The tiny Llama that learns to reply: its tokenizer, and weights that look things up from the start.

A reply is found by looking up: what did the user say behind this word, what stood two words behind that
place? Drawn at random, three layers had not learnt in two CPU minutes to follow a word at a distance:
directions stayed at chance. So the weights begin where looking up works, and training decides what to
look for (mimetic initialisation, Trockman and Kolter 2023, arXiv:2305.09828; the two steps are the
induction heads of Olsson et al. 2022, arXiv:2209.11895):

- A word's vector lies in the first quarter of the width; a head is a quarter wide.
- First layer: three heads look one, two and three words back, by their biases alone, and copy what
  they find into the other three quarters. They use the fast pairs of the rotary positions, which tell
  near places apart. The fourth head looks at equal words.
- Later layers: heads whose queries and keys are the same projection of two quarters (W_Q = W_K), so
  that they find the place where the word before (or two, three before) equals this word, or that before
  it, and copy the word there. They use the slow pairs, which hardly turn within a history. Two heads of
  the last layer are left to chance.

What comes out is an ordinary LlamaForCausalLM with biases in its attention.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advlab.errors import SettingError, unknown
from advlab.language import _
from advlab.records import Dataset
from advlab.records.turns import turns_of
from advlab.tasks.history import MARKS

HEADS, LAYERS = 4, 3
WIDTHS = {"tiny": 64, "small": 128}  # 0.17 M parameters for 175 words; 0.6 M
MOST_WORDS = 7000
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>", *MARKS.values())
SLOW = 0.05  # radians a word: pairs that turn less compare words
BACK = (6.0, 4.0, 2.0)  # scores of the fastest pairs of a head that looks back
EQUAL, SAME = (
    14.0,
    4.0,
)  # scores of an equal word, in heads that look up and in the fourth of the first
# for each later layer and head: which word (0 this one, 1 the one before it, …) is compared with which
# of another place; None: drawn at random
LOOKS: tuple[tuple[tuple[int, int] | None, ...], ...] = (
    ((0, 1), (1, 3), (1, 2), (3, 2)),
    ((0, 1), (1, 2), None, None),
)


@dataclass(frozen=True)
class Attention:
    """The four projections of one layer, as tensors that are written into."""

    q: Tensor
    k: Tensor
    v: Tensor
    o: Tensor
    q_bias: Tensor
    k_bias: Tensor

    @staticmethod
    def of(layer: Any) -> Attention:
        """Those of a layer of Llama; its biases become 0."""
        at = layer.self_attn
        parts = (at.q_proj, at.k_proj, at.v_proj, at.o_proj)
        for part in parts:
            part.bias.data.zero_()
        q, k, v, o = (part.weight.data for part in parts)
        return Attention(q, k, v, o, at.q_proj.bias.data, at.k_proj.bias.data)


def scratch(size: str, data: Dataset, *, seed: int, max_length: int) -> tuple[Any, Any]:
    """A new model of `size` and its tokenizer; SettingError lists the sizes."""
    from transformers import LlamaConfig, LlamaForCausalLM

    if size not in WIDTHS:
        raise SettingError(unknown(_("model size"), size, WIDTHS))
    tokenizer, D = learn_words(data), WIDTHS[size]
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=D,
        intermediate_size=5 * D // 2,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=max(2 * max_length, 256),
        attention_bias=True,
        # Llama's 0.02 suits a width of thousands
        initializer_range=0.4 / D**0.5,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        begin(model, torch.Generator().manual_seed(seed))
    return model.eval(), tokenizer


# ---- weights ------------------------------------------------------------------------------------


def begin(model: Any, generator: torch.Generator) -> None:
    """Write the start into a model as `scratch` draws it."""
    w = model.config.hidden_size // HEADS
    words = model.get_input_embeddings().weight.data
    words[:, w:] = 0
    words /= words.norm(dim=1, keepdim=True).clamp_min(1e-6)
    model.lm_head.weight.data[:, :w] += words[:, :w]
    turns = _turns(model.config, w)
    for layer, looks in zip(model.model.layers, (((0, 0),) * HEADS, *LOOKS), strict=True):
        at = Attention.of(layer)
        first = layer is model.model.layers[0]
        for head, pair in enumerate(looks):
            if first and head < HEADS - 1:
                _look_back(at, head, head + 1, turns)
            elif pair is not None:
                _look_up(at, head, pair, turns, generator, first=first)


def _turns(config: Any, w: int) -> Tensor:
    """(w/2,) how far each pair of a head turns from word to word, in radians."""
    return config.rope_parameters["rope_theta"] ** (-torch.arange(0, w, 2).float() / w)


def _look_back(at: Attention, head: int, words: int, turns: Tensor) -> None:
    """A head that looks `words` back whatever stands there, and copies it into quarter `head` + 1."""
    w = 2 * len(turns)
    rows = slice(head * w, (head + 1) * w)
    at.q[rows], at.k[rows], at.v[rows] = 0, 0, 0
    for i, score in enumerate(BACK):
        length = math.sqrt(score * w**0.5)
        at.k_bias[rows][i] = length
        at.q_bias[rows][i] = length * math.cos(words * turns[i])
        at.q_bias[rows][i + w // 2] = -length * math.sin(words * turns[i])
    at.v[rows, :w] = torch.eye(w)
    at.o[:, rows] = 0
    # RMS norm has made the vector of length 1 one of length √D
    at.o[(head + 1) * w : (head + 2) * w, rows] = torch.eye(w) / (HEADS * w) ** 0.5


def _look_up(
    at: Attention,
    head: int,
    pair: tuple[int, int],
    turns: Tensor,
    generator: torch.Generator,
    *,
    first: bool,
) -> None:
    """A head that finds places whose quarter `pair[1]` holds the word of this one's `pair[0]`."""
    w = 2 * len(turns)
    rows, (mine, theirs) = slice(head * w, (head + 1) * w), pair
    slow = [i for i, turn in enumerate(turns.tolist()) if turn < SLOW]
    places = torch.tensor([head * w + i for i in (*slow, *(i + w // 2 for i in slow))])
    k = len(places)
    length = w * HEADS if first else w  # squared, of a quarter that holds a word, after RMS norm
    score = SAME if mine == theirs else EQUAL
    scale = math.sqrt(score * w**0.5 / (length * k / w))
    turned = torch.linalg.qr(torch.randn(w, w, generator=generator))[0][:k] * scale
    at.q[rows], at.k[rows] = 0, 0
    at.q[places, mine * w : (mine + 1) * w] = turned
    at.k[places, theirs * w : (theirs + 1) * w] = turned
    if mine == theirs:
        return
    at.v[rows], at.o[:, rows] = 0, 0
    at.v[rows, :w] = torch.eye(w)
    at.o[:w, rows] = torch.eye(w) / HEADS


# ---- words --------------------------------------------------------------------------------------


def learn_words(data: Dataset) -> Any:
    """A lower-casing tokenizer of whole words, with marks for the two speakers.

    It knows the words of the training dialogues, the most frequent 7,000 that occur at least twice;
    where some are left out, rare words are spelled letter by letter.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in _said(data):
        counts.update(
            word for word, __ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
        )
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = [word for word, n in common if n > 1][: MOST_WORDS - len(SPECIALS)]
    if len(words) < len(counts):
        letters = sorted({c for word in counts for c in word})
        words += [c for c in letters if c not in set(words)] + [f"##{c}" for c in letters]
    vocab = {word: i for i, word in enumerate((*SPECIALS, *words))}
    made = Tokenizer(models.WordPiece(vocab, unk_token="<unk>"))
    made.normalizer, made.pre_tokenizer = normalizer, splitter
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocab["<s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=list(MARKS.values()),
    )


def _said(data: Dataset) -> Iterator[str]:
    """All turns and replies of the training dialogues."""
    for example in data.train:
        yield from (turn.text for turn in turns_of(example.text))
        yield from example.answers
