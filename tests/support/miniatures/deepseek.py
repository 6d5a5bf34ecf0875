"""Miniatures of DeepSeek-OCR, DeepSeek-OCR-2 and Unlimited-OCR."""

from typing import Any

from tests.support.miniatures.family import Family, Ids
from tests.support.miniatures.shrink import WIDTH

_SPECIALS = (
    "<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<td>", "</td>", "<|User|>",
    "<|Assistant|>",
)  # fmt: skip
_PLACES = {"<｜begin▁of▁sentence｜>": 0, "<｜end▁of▁sentence｜>": 1, "<｜▁pad▁｜>": 2}
_PROCESSOR = {
    "processor_class": "DeepseekVLV2Processor", "candidate_resolutions": [[1024, 1024]], "patch_size": 16,
    "downsample_ratio": 4, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "normalize": True,
    "image_token": "<image>", "pad_token": "<｜▁pad▁｜>", "add_special_token": False, "sft_format": "deepseek",
    "mask_prompt": False, "ignore_id": -100,
}  # fmt: skip


def _config(model_type: str, input_dim: int, **vision: Any) -> Any:
    def config(ids: Ids, size: int) -> dict[str, Any]:
        return {
            "model_type": model_type,
            "architectures": ["DeepseekOCRForCausalLM"],
            "language_config": {
                "model_type": "deepseek_v2", "vocab_size": size, "hidden_size": 64, "intermediate_size": 64,
                "moe_intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
                "n_shared_experts": 1, "n_routed_experts": 4, "num_experts_per_tok": 2, "first_k_dense_replace": 1,
                "kv_lora_rank": None, "q_lora_rank": None, "qk_nope_head_dim": 0, "qk_rope_head_dim": 0,
                "v_head_dim": 0, "topk_method": "greedy", "max_position_embeddings": 8192, "sliding_window_size": 8,
            },
            "vision_config": {"model_type": "vision", "image_size": 1024, "mlp_ratio": 3.7362, **vision},
            "projector_config": {"model_type": "mlp_projector", "projector_type": "linear", "input_dim": input_dim,
                                 "n_embed": 64},
            "image_token_index": ids("<image>"),
            "tile_tag": "2D",
            "global_view_pos": "head",
            "vocab_size": size,
            "bos_token_id": 0,
            "eos_token_id": 1,
        }  # fmt: skip

    return config


def _family(name: str, config: Any, answer: tuple[str, ...], names: tuple[tuple[str, str], ...] = ()) -> Family:
    return Family(
        name,
        config,
        _SPECIALS,
        ends="<｜end▁of▁sentence｜>",
        answer=answer,
        last=".",
        files={"processor_config.json": _PROCESSOR},
        places=_PLACES,
        tokenizer={
            "tokenizer_class": "LlamaTokenizerFast",
            "bos_token": "<｜begin▁of▁sentence｜>",
            "eos_token": "<｜end▁of▁sentence｜>",
            "pad_token": "<｜▁pad▁｜>",
        },
        names=names,
    )


_CLIP = {
    "layers": 1, "hidden_size": WIDTH, "intermediate_size": 8, "num_attention_heads": 1, "patch_size": 14,
    "width": {"clip-l-14-224": {"width": WIDTH}, "sam_vit_b": {"width": 8}},
}  # fmt: skip
_QWEN2 = {"width": {"qwen2-0-5b": {"dim": WIDTH}, "sam_vit_b": {"width": 8}}}
_GROUNDED = (
    "<|ref|>", "sub_title", "<|/ref|>", "<|det|>", "[[99, 99, 499, 199]]", "<|/det|>", "\n## A heading\n",
    "\n<|ref|>text<|/ref|><|det|>[[99, 299, 899, 499]]<|/det|>\nSome words of text.\n",
)  # fmt: skip
_UNLIMITED = (
    "<|det|>", "title [99, 99, 499, 199]", "<|/det|>", "A heading\n",
    "<|det|>text [99, 299, 899, 499]<|/det|>Some words of text.\n",
)  # fmt: skip
_AUTHORS = (
    (r"^language_model\.", ""),
    ("^(vision_model|sam_model|projector|image_newline)", r"model.\1"),
    ("^view_separator", "model.view_seperator"),
)
FAMILIES = (
    _family("DeepSeek-OCR-8bit", _config("DeepseekOCR", 2 * WIDTH, **_CLIP), _GROUNDED),
    _family("DeepSeek-OCR-2-8bit", _config("deepseekocr_2", WIDTH, **_QWEN2), _GROUNDED),
    _family("Unlimited-OCR", _config("unlimited-ocr", 2 * WIDTH, **_CLIP), _UNLIMITED, _AUTHORS),
)
