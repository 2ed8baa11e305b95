"""Tiny random classifiers of many architectures that transformers knows; no downloads.

What a configuration calls its sizes differs; here each gets the names that it has.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from victims import LABELS, word_tokenizer

from advlab.model.victim import Victim

# sizes under every name that an architecture may have for them
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "d_model": 16,
    "n_embd": 16,
    "dim": 16,
    "emb_dim": 16,
    "embedding_size": 16,
    "intermediate_size": 32,
    "ffn_dim": 32,
    "d_inner": 32,
    "hidden_dim": 32,
    "n_inner": 32,
    "d_ff": 32,
    "word_embed_proj_dim": 16,
    "num_hidden_layers": 2,
    "n_layer": 2,
    "n_layers": 2,
    "num_layers": 2,
    "num_attention_heads": 2,
    "n_head": 2,
    "n_heads": 2,
    "num_heads": 2,
    "num_key_value_heads": 2,
    "d_head": 8,
    "d_kv": 8,
    "head_dim": 8,
    "max_position_embeddings": 40,
    "n_positions": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.3,
}
# what an architecture needs besides
OWN: dict[str, dict[str, Any]] = {
    "albert": {"inner_group_num": 1, "classifier_dropout_prob": 0.0},
    "big_bird": {"attention_type": "original_full"},
    "convbert": {"head_ratio": 1, "conv_kernel_size": 3, "num_groups": 1},
    "distilbert": {"hidden_dim": 32},
    "funnel": {"block_sizes": [1, 1], "num_decoder_layers": 1, "d_head": 8},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
    "gptj": {"rotary_dim": 4},
    "longformer": {"attention_window": 4},
    "mobilebert": {
        "true_hidden_size": 16,
        "intra_bottleneck_size": 16,
        "num_feedforward_networks": 1,
    },
    "mpt": {"max_seq_len": 40},
    "squeezebert": {
        "q_groups": 1,
        "k_groups": 1,
        "v_groups": 1,
        "post_attention_groups": 1,
        "intermediate_groups": 1,
        "output_groups": 1,
    },
    "opt": {"do_layer_norm_before": True},
    "modernbert": {"global_attn_every_n_layers": 1, "local_attention": 8},
    "bloom": {},
}
ENCODERS = (
    "albert",
    "bert",
    "big_bird",
    "camembert",
    "convbert",
    "data2vec-text",
    "deberta",
    "deberta-v2",
    "distilbert",
    "electra",
    "ernie",
    "flaubert",
    "funnel",
    "ibert",
    "layoutlm",
    "longformer",
    "megatron-bert",
    "mobilebert",
    "modernbert",
    "mpnet",
    "nystromformer",
    "rembert",
    "roberta",
    "roberta-prelayernorm",
    "roformer",
    "squeezebert",
    "xlm",
    "xlm-roberta",
    "xlnet",
)
DECODERS = (
    "bloom",
    "ctrl",
    "falcon",
    "gemma",
    "gpt2",
    "gpt_bigcode",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "llama",
    "mistral",
    "mpt",
    "openai-gpt",
    "opt",
    "phi",
    "qwen2",
    "stablelm",
)
ARCHITECTURES = (*ENCODERS, *DECODERS)


def architecture(kind: str, labels: int = 3, seed: int = 0) -> tuple[Any, Any]:
    """A model of this kind with random weights, in evaluation mode, and its word tokenizer."""
    like = "roberta" if "roberta" in kind or kind in ("camembert", "ibert", "mpnet") else kind
    if kind in DECODERS:
        like = "gpt2"
    tokenizer = word_tokenizer(like)
    own = OWN.get(kind.replace("-", "_"), {})
    default = AutoConfig.for_model(kind)
    sizes = {name: SIZES[name] for name in default.to_dict() if name in SIZES} | own
    roles = {"pad_token_id": tokenizer.pad_token_id or 0, "num_labels": labels}
    config = AutoConfig.for_model(kind, **sizes, **roles, vocab_size=len(tokenizer))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_config(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:  # wide, so that a mistake is seen
                torch.nn.init.normal_(parameter, std=0.3)
    return model.eval(), tokenizer


def architecture_victim(kind: str, seed: int = 0) -> Victim:
    """A victim of this kind; ModelError where the laboratory refuses it."""
    model, tokenizer = architecture(kind, seed=seed)
    return Victim(model, tokenizer, head=LABELS, name=kind, max_length=32)
