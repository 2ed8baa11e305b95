"""Tiny causal models that reply to histories: random weights, float64, each way to lay out turns."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import (
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from victims import subword_tokenizer

from advlab.model.victim import Victim
from advlab.records import Example
from advlab.tasks.dialogue import Dialogue

KINDS = ("gpt2", "llama", "gemma", "qwen2", "neox")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TALKS = (
    ("the film was good", "a great plot"),
    ("User: i saw a film\nBot: was it slow?\nUser: not the second scene", "fine"),
    ("User: poor plot", "we saw the very dull movie and would never see it again"),
    ("User: a\nBot: so?\nUser: the acting was wonderful, and i felt it", "was it?"),
)
EXAMPLES = tuple(Example(str(i), text, (reply,)) for i, (text, reply) in enumerate(TALKS))


def with_tokens(tokenizer: Any, *tokens: str) -> PreTrainedTokenizerFast:
    """A copy that knows further special tokens."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    roles = {
        k: v
        for k, v in tokenizer.special_tokens_map.items()
        if k.endswith("_token") and v is not None
    }
    made = PreTrainedTokenizerFast(tokenizer_object=backend, **roles)
    made.add_special_tokens({"additional_special_tokens": list(tokens)})
    return made


@lru_cache
def tokenizer_of(kind: str) -> Any:
    """Lines for bytes and ▁ (“gpt2”, “llama”), a chat template (“qwen2”), marks (“gemma”)."""
    if kind == "qwen2":
        made = with_tokens(subword_tokenizer("bytes"), "<|im_start|>", "<|im_end|>")
        made.chat_template = TEMPLATE
        return made
    if kind == "gemma":
        return with_tokens(subword_tokenizer("llama"), "<user>", "<bot>")
    return subword_tokenizer("llama" if kind == "llama" else "bytes")


def _model(kind: str, tokenizer: Any) -> Any:
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer) + 3,
        "initializer_range": 0.3,
        "pad_token_id": 0,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if kind == "gpt2":
        sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 160}
        still = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
        return GPT2LMHeadModel(GPT2Config(**common, **sizes, **still))
    common |= {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 160,
    }
    if kind == "neox":
        return GPTNeoXForCausalLM(GPTNeoXConfig(**common))
    common |= {"num_key_value_heads": 1}
    if kind == "gemma":
        return GemmaForCausalLM(GemmaConfig(**common, head_dim=8))
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**common))
    return LlamaForCausalLM(LlamaConfig(**common))


def make_speaker(kind: str, *, task: Dialogue | None = None, max_length: int = 96) -> Victim:
    """A new victim of a kind, in evaluation mode; it has passed the identity check."""
    tokenizer = tokenizer_of(kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = _model(kind, tokenizer)
    task = task or Dialogue(longest=12)
    return Victim(model.double().eval(), tokenizer, task=task, name=kind, max_length=max_length)


@lru_cache
def shared_speaker(kind: str) -> Victim:
    """The victim of a kind that all tests share: for reading only."""
    return make_speaker(kind)
