"""A real Llama of 260,000 parameters as a Hugging Face folder, made from its flat float32 file.

`stories260K.bin` is the smallest of the models that Karpathy trained on TinyStories (2023, MIT
licence): seven little-endian int32 (width, hidden width, layers, heads, key heads, vocabulary, length),
then float32 weights, each kind stacked over the layers. `tok512.bin` is its tokenizer: the length of
the longest entry, then for each a float32 score, an int32 length and the bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIALS = ("<unk>", "<s>", "</s>")
FIRST_PIECE = 259  # behind the special tokens and the 256 bytes


@dataclass
class Floats:
    """The numbers of the file, taken one tensor after the other."""

    values: Tensor
    place: int = 0

    def take(self, *shape: int) -> Tensor:
        """The next tensor."""
        n = torch.Size(shape).numel()
        self.place += n
        return self.values[self.place - n : self.place].reshape(shape).clone()


def halves_first(weight: Tensor, heads: int) -> Tensor:
    """Rows (heads·d,D) as transformers pairs them: i with i+d/2, where the file has 2i with 2i+1."""
    d = weight.shape[0] // heads
    return weight.reshape(heads, d // 2, 2, -1).transpose(1, 2).reshape(weight.shape)


def read_model(path: Path, *, turned: bool = True) -> LlamaForCausalLM:
    """The model; with rows of queries and keys as they are in the file, if not `turned`."""
    data = path.read_bytes()
    D, hidden, L, H, KV, V, length = struct.unpack("<7i", data[:28])
    assert V > 0, "a positive vocabulary: the head shares the table"
    d = D // H
    floats = Floats(torch.frombuffer(bytearray(data[28:]), dtype=torch.float32))
    table, attention_norm = floats.take(V, D), floats.take(L, D)
    q, k, v = floats.take(L, D, D), floats.take(L, KV * d, D), floats.take(L, KV * d, D)
    o, mlp_norm = floats.take(L, D, D), floats.take(L, D)
    gate, down, up = floats.take(L, hidden, D), floats.take(L, D, hidden), floats.take(L, hidden, D)
    state = {"model.embed_tokens.weight": table, "lm_head.weight": table}
    state["model.norm.weight"] = floats.take(D)
    floats.take(2, length, d // 2)  # the rotary tables, which transformers computes
    assert floats.place == len(floats.values)
    for i in range(L):
        parts = {
            "input_layernorm": attention_norm[i],
            "self_attn.q_proj": halves_first(q[i], H) if turned else q[i],
            "self_attn.k_proj": halves_first(k[i], KV) if turned else k[i],
            "self_attn.v_proj": v[i],
            "self_attn.o_proj": o[i],
            "post_attention_layernorm": mlp_norm[i],
            "mlp.gate_proj": gate[i],
            "mlp.down_proj": down[i],
            "mlp.up_proj": up[i],
        }
        state |= {f"model.layers.{i}.{name}.weight": part for name, part in parts.items()}
    config = LlamaConfig(
        vocab_size=V,
        hidden_size=D,
        intermediate_size=hidden,
        num_hidden_layers=L,
        num_attention_heads=H,
        num_key_value_heads=KV,
        max_position_embeddings=length,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.load_state_dict(state)
    return model.eval()


def read_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """Its tokenizer: the pair of pieces that gives the entry of highest score is joined first."""
    data, place = path.read_bytes(), 4
    entries: list[tuple[float, str]] = []
    while place < len(data):
        score, n = struct.unpack("<fi", data[place : place + 8])
        entries.append((score, data[place + 8 : place + 8 + n].decode("utf-8", "replace")))
        place += 8 + n
    names = [
        name.replace(" ", "▁") if i >= FIRST_PIECE else name for i, (_, name) in enumerate(entries)
    ]
    names[:3] = SPECIALS
    vocab = {name: i for i, name in enumerate(names)}
    ranked = sorted(range(FIRST_PIECE, len(names)), key=lambda i: -entries[i][0])
    merges = [
        (names[i][:k], names[i][k:])
        for i in ranked
        for k in range(1, len(names[i]))
        if names[i][:k] in vocab and names[i][k:] in vocab
    ]
    made = Tokenizer(
        models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    roles: dict[str, Any] = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **roles)
