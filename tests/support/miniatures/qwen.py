"""Miniatures of Qwen2-VL, Qwen2.5-VL and Qwen3-VL, and of models made from them: olmOCR, Nanonets-OCR."""

from typing import Any

from tests.support.miniatures.family import Family, Ids
from tests.support.miniatures.templates import chatml

SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
_SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"


def text_config(size: int, **more: Any) -> dict[str, Any]:
    """The settings of a decoder with two layers."""
    return {
        "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "vocab_size": size, "max_position_embeddings": 8192,
        "rope_theta": 10000.0, "tie_word_embeddings": False, **more,
    }  # fmt: skip


def _ids(ids: Ids) -> dict[str, Any]:
    return {
        "image_token_id": ids("<|image_pad|>"),
        "video_token_id": ids("<|video_pad|>"),
        "vision_start_token_id": ids("<|vision_start|>"),
        "vision_end_token_id": ids("<|vision_end|>"),
        "eos_token_id": [ids("<|im_end|>"), ids("<|endoftext|>")],
    }


def _qwen2(ids: Ids, size: int) -> dict[str, Any]:
    vision = {
        "model_type": "qwen2_vl", "depth": 1, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2,
        "in_channels": 3, "patch_size": 14, "spatial_patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
    }  # fmt: skip
    rope = {"type": "mrope", "mrope_section": [2, 3, 3]}
    return {"model_type": "qwen2_vl", **text_config(size, rope_scaling=rope), **_ids(ids), "vision_config": vision}


def _qwen2_5(ids: Ids, size: int) -> dict[str, Any]:
    vision = {
        "model_type": "qwen2_5_vl", "depth": 2, "hidden_size": 32, "intermediate_size": 32, "out_hidden_size": 64,
        "num_heads": 2, "in_chans": 3, "patch_size": 14, "spatial_patch_size": 14, "spatial_merge_size": 2,
        "temporal_patch_size": 2, "window_size": 112, "fullatt_block_indexes": [1], "tokens_per_second": 2,
    }  # fmt: skip
    rope = {"type": "mrope", "mrope_section": [2, 3, 3]}
    return {"model_type": "qwen2_5_vl", **text_config(size, rope_scaling=rope), **_ids(ids), "vision_config": vision}


def _qwen3(ids: Ids, size: int) -> dict[str, Any]:
    vision = {
        "model_type": "qwen3_vl", "depth": 2, "hidden_size": 32, "intermediate_size": 32, "out_hidden_size": 64,
        "num_heads": 2, "in_channels": 3, "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
        "num_position_embeddings": 64, "deepstack_visual_indexes": [0],
    }  # fmt: skip
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "mrope_interleaved": True}
    text = text_config(size, model_type="qwen3_vl_text", head_dim=16, rope_scaling=rope)
    return {"model_type": "qwen3_vl", "text_config": text, **_ids(ids), "vision_config": vision}


def _images(patch: int) -> dict[str, Any]:
    return {
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": patch, "merge_size": 2, "temporal_patch_size": 2,
        "min_pixels": 3136, "max_pixels": 12_845_056, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    }  # fmt: skip


def _family(name: str, config: Any, answer: tuple[str, ...], patch: int = 14, system: str = _SYSTEM) -> Family:
    return Family(
        name,
        config,
        SPECIALS,
        ends="<|im_end|>",
        answer=answer,
        last="\n",
        files={"preprocessor_config.json": _images(patch)},
        template=chatml(system, _IMAGE),
        tokenizer={"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    )


_MARKDOWN = ("# A heading", "\n\n", "Some words of text.")
_OLMOCR = (
    "---\n", "primary_language: en\n", "is_rotation_valid: True\n", "rotation_correction: 0\n", "is_table: False\n",
    "is_diagram: False\n", "---\n\n", "# A heading", "\n\n", "Some words of text.",
)  # fmt: skip
FAMILIES = (
    _family("Qwen2-VL-2B-Instruct-4bit", _qwen2, _MARKDOWN),
    _family("Qwen2.5-VL-3B-Instruct-4bit", _qwen2_5, _MARKDOWN),
    _family("olmOCR-2-7B-1025-8bit", _qwen2_5, _OLMOCR),
    _family("Nanonets-OCR2-3B-4bit", _qwen2_5, _MARKDOWN),
    _family("Qwen3-VL-4B-Instruct-4bit", _qwen3, _MARKDOWN, patch=16, system=""),
)
