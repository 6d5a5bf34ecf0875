"""The forward pass of a tiny Qwen2-VL over whole batches, with the parameters of mlx-vlm's modules.

mlx-vlm processes images one by one in Python. Whole batches make training possible in about an hour on two cores.
mlx-cpu computes exp one number at a time. Here exp is arithmetic on whole arrays.
"""

import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from tests.support.tiny_vlm.files import MERGE

ON_CPU = mx.default_device() == mx.Device(mx.cpu)
Array = Any


def _exp(x: Array) -> Array:
    """exp(x) as the 128th power of the series for x / 128."""
    if not ON_CPU:
        return mx.exp(x)
    x = mx.maximum(x, -40.0) * (1 / 128)
    y = 1 + x * (1 + x * (0.5 + x * (1 / 6 + x * (1 / 24))))
    for _ in range(7):
        y = y * y
    return y


def _normal(x: Array) -> Array:
    """The distribution function of the normal distribution. Abramowitz and Stegun 7.1.26; error below 1e-7."""
    z = mx.abs(x) * (1 / math.sqrt(2))
    t = 1 / (1 + 0.3275911 * z)
    y = -1.453152027 + t * 1.061405429
    for factor in (1.421413741, -0.284496736, 0.254829592):
        y = factor + t * y
    half = 0.5 * t * y * _exp(-z * z)
    return mx.where(x < 0, half, 1 - half)


class Kernels:
    """Fused functions with their own gradients; one set per stream, because a compiled function keeps its stream."""

    def __init__(self) -> None:
        soft = mx.compile(_softmax)
        self.softmax = mx.custom_function(lambda s: soft(s))  # noqa: PLW0108 -- it accepts only plain functions
        back = mx.compile(lambda p, d: p * (d - mx.sum(d * p, axis=-1, keepdims=True)))
        self.softmax.vjp(lambda _, given, out: back(out, given))
        self.silu = _swish(1.0)
        self.quick_gelu = _swish(1.702)
        forth = mx.compile(lambda x: x * _normal(x))
        slope = mx.compile(lambda x, d: d * (_normal(x) + x * _exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))))
        self.gelu = mx.custom_function(lambda x: forth(x))  # noqa: PLW0108
        self.gelu.vjp(lambda given, d, _: slope(given, d))


def _softmax(s: Array) -> Array:
    e = _exp(s - mx.max(s, axis=-1, keepdims=True))
    return e / mx.sum(e, axis=-1, keepdims=True)


def _swish(alpha: float) -> Callable[[Array], Array]:
    def sigmoid(x: Array) -> Array:
        return 1 / (1 + _exp(-alpha * mx.maximum(x, -20.0)))

    def slope(x: Array, d: Array) -> Array:
        s = sigmoid(x)
        return d * s * (1 + alpha * x * (1 - s))

    forth, back = mx.compile(lambda x: x * sigmoid(x)), mx.compile(slope)
    function = mx.custom_function(lambda x: forth(x))  # noqa: PLW0108
    function.vjp(lambda given, d, _: back(given, d))
    return function  # type: ignore[no-any-return, unused-ignore]


def _turn(x: Array) -> Array:
    half = x.shape[-1] // 2
    return mx.concatenate([-x[..., half:], x[..., :half]], axis=-1)


def _attend(kernels: Kernels, q: Array, k: Array, v: Array, scale: float, mask: Array = None) -> Array:
    scores = (q * scale) @ k.swapaxes(-1, -2)
    return kernels.softmax(scores if mask is None else scores + mask) @ v


def _see(kernels: Kernels, tower: Any, patches: Array, cos: Array, sin: Array) -> Array:
    """The vision tower: (B, P, PATCH * PATCH) grey patches to (B, P / 4, hidden) embeddings."""
    weight = tower.patch_embed.proj.weight  # (D, 1, p, p, 3); a grey pixel has the same value in all three channels
    x = patches @ weight.sum(axis=-1).reshape(weight.shape[0], -1).T
    batch, count, width = x.shape
    for block in tower.blocks:
        qkv = block.attn.qkv(block.norm1(x)).reshape(batch, count, 3, block.attn.num_heads, -1)
        q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
        q, k = q * cos + _turn(q) * sin, k * cos + _turn(k) * sin
        seen = _attend(kernels, q, k, v, block.attn.scale)
        x = x + block.attn.proj(seen.transpose(0, 2, 1, 3).reshape(batch, count, width))
        x = x + block.mlp.fc2(kernels.quick_gelu(block.mlp.fc1(block.norm2(x))))
    merger = tower.merger
    x = merger.ln_q(x).reshape(batch, count // (MERGE * MERGE), -1)
    return merger.mlp[2](kernels.gelu(merger.mlp[0](x)))


def _write(kernels: Kernels, language: Any, h: Array, cos: Array, sin: Array, mask: Array, count: int) -> Array:
    """The language model: (B, T, D) embeddings to the logits of the last `count` tokens."""
    batch, length, width = h.shape
    for layer in language.model.layers:
        attention = layer.self_attn
        y = layer.input_layernorm(h)
        q, k, v = (
            part(y).reshape(batch, length, -1, attention.head_dim).transpose(0, 2, 1, 3)
            for part in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        q, k = q * cos + _turn(q) * sin, k * cos + _turn(k) * sin
        seen = _attend(kernels, q, k, v, attention.scale, mask)
        h = h + attention.o_proj(seen.transpose(0, 2, 1, 3).reshape(batch, length, width))
        y = layer.post_attention_layernorm(h)
        h = h + layer.mlp.down_proj(kernels.silu(layer.mlp.gate_proj(y)) * layer.mlp.up_proj(y))
    return language.model.embed_tokens.as_linear(language.model.norm(h[:, length - count :]))


class Sequence:
    """Positions and mask of a sequence of prompt, image tokens and answer. Many steps share one sequence."""

    def __init__(
        self, model: Any, config: dict[str, Any], around: tuple[list[int], list[int]], shape: tuple[int, int, int]
    ) -> None:
        before, after = around
        columns, rows, answer = shape
        ids = mx.array(
            [before + [config["image_token_id"]] * (columns * rows) + after + [config["pad_token_id"]] * answer]
        )
        grid = mx.array([[1, rows * MERGE, columns * MERGE]])
        places, _ = model.language_model.get_rope_index(ids, grid)
        cos, sin = model.language_model.model.layers[0].self_attn.rotary_emb(mx.zeros((1,)), places)
        self.cos, self.sin = cos[:, None], sin[:, None]  # (1, 1, T, head)
        self.mask = mx.triu(mx.full((ids.shape[1], ids.shape[1]), -1e9), k=1)
        angles = model.vision_tower.rot_pos_emb(grid)
        self.seen_cos = mx.concatenate([mx.cos(angles)] * 2, axis=-1)[None, None]
        self.seen_sin = mx.concatenate([mx.sin(angles)] * 2, axis=-1)[None, None]
        self.before, self.after = mx.array(before), mx.array(after)
        mx.eval(self.cos, self.sin, self.mask, self.seen_cos, self.seen_sin)


def loss(
    model: Any, kernels: Kernels, patches: Array, given: Array, wanted: Array, sequence: Sequence
) -> tuple[Array, Array]:
    """The cross-entropy per token, and the share of answers without an error. Tokens below 0 are padding."""
    batch, count = wanted.shape
    embed = model.language_model.model.embed_tokens
    image = _see(kernels, model.vision_tower, patches, sequence.seen_cos, sequence.seen_sin)
    around = [
        mx.broadcast_to(embed(part)[None], (batch, part.shape[0], image.shape[-1]))
        for part in (sequence.before, sequence.after)
    ]
    # given[:, 0] is not used: the last token of the prompt predicts the first character
    h = mx.concatenate([around[0], image, around[1], embed(given[:, 1:])], axis=1)
    length = h.shape[1]
    cos, sin, mask = sequence.cos[:, :, :length], sequence.sin[:, :, :length], sequence.mask[:length, :length]
    logits = _write(kernels, model.language_model, h, cos, sin, mask, count)
    counts = wanted >= 0
    entropy = nn.losses.cross_entropy(logits, mx.maximum(wanted, 0)) * counts
    right = (mx.argmax(logits, axis=-1) == wanted) | ~counts
    return entropy.sum() / counts.sum(), right.all(axis=1).mean()
