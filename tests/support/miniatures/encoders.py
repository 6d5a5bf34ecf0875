"""Miniatures with an encoder and a decoder (Nemotron Parse, Florence-2), and of GOT-OCR 2.0 and Falcon-OCR."""

from typing import Any

from tests.support.miniatures.family import Family, Ids
from tests.support.miniatures.qwen import text_config


def _bart(size: int, **more: Any) -> dict[str, Any]:
    """The settings of a decoder as BART has it."""
    return {
        "d_model": 64, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": size, "pad_token_id": 1,
        "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2, **more,
    }  # fmt: skip


_BART_PLACES = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
_BART: dict[str, Any] = {
    "wrap": ("<s>", "</s>"),
    "places": _BART_PLACES,
    "tokenizer": {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"},
    "ends": "</s>",
    "residual": ("out_proj", "fc2", "embed_positions"),
    "embedding": "language_model.model.shared.weight",
}


def _nemotron(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "nemotron_parse",
        # mlx-vlm reads the sizes of the encoder from `vision_config`, which real folders have not. The encoder has no
        # layers, because a page always has 2048 x 1664 pixels, which are 13,312 patches.
        "vision_config": {"hidden_size": 16, "num_heads": 1, "mlp_ratio": 1.0, "num_layers": 0, "neck_dim": 64},
        "decoder": _bart(size, max_position_embeddings=9000),
        "image_size": [2048, 1664],
        "vocab_size": size,
        "decoder_start_token_id": 2,
        "eos_token_id": 2,
    }


NEMOTRON = Family(
    "NVIDIA-Nemotron-Parse-v1.2-8bit",
    _nemotron,
    (
        "<predict_bbox>", "<predict_classes>", "<output_markdown>", "<predict_no_text_in_pic>", "<x_0.48>",
        "<y_0.44>", "<x_0.52>", "<y_0.47>", "<class_Title>",
    ),
    answer=(  # on a small page in the middle of 1664 x 2048 pixels
        "<x_0.48>", "<y_0.44>", "# A heading", "<x_0.52>", "<y_0.47>", "<class_Title>",
        "<x_0.48><y_0.49>Some words of text.<x_0.52><y_0.55><class_Text>",
    ),
    last="<predict_no_text_in_pic>",
    **_BART,
)  # fmt: skip


def _florence(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "florence2",
        "text_config": _bart(size, model_type="florence2_language", max_position_embeddings=1024),
        "vision_config": {
            "model_type": "davit", "depths": [1, 1, 1, 1], "dim_embed": [8, 8, 8, 8], "num_heads": [1, 1, 1, 1],
            "num_groups": [1, 1, 1, 1], "window_size": 12, "mlp_ratio": 1.0, "patch_size": [7, 3, 3, 3],
            "patch_stride": [4, 2, 2, 2], "patch_padding": [3, 1, 1, 1], "patch_prenorm": [False, True, True, True],
            "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 50},
            "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 100},
            "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"],
        },
        "image_token_id": ids("<image>"),
        "vocab_size": size,
        "eos_token_id": 2,
    }  # fmt: skip


FLORENCE = Family(
    "Florence-2-base-ft-8bit",
    _florence,
    (
        "</od>", "<ocr>", "</ocr>", *(f"<loc_{number}>" for number in range(1000)), "<cap>", "</cap>", "<ncap>",
        "</ncap>", "<dcap>", "</dcap>", "<grounding>", "</grounding>", "<seg>", "</seg>", "<sep>", "<region_cap>",
        "</region_cap>", "<region_to_desciption>", "</region_to_desciption>", "<proposal>", "</proposal>",
        "<poly>", "</poly>", "<and>", "<image>",
    ),
    answer=(
        "Some words", *(f"<loc_{number}>" for number in (100, 101, 500, 102, 501, 200, 103, 201)),
        "of text.", *(f"<loc_{number}>" for number in (110, 301, 510, 302, 511, 400, 113, 401)),
    ),
    plain="Some words\nof text.",
    last="</s>",
    files={
        "preprocessor_config.json": {
            "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"height": 768, "width": 768},
            "do_center_crop": False, "crop_size": {"height": 768, "width": 768}, "do_normalize": True,
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3,
            "image_seq_length": 577,
        },
    },
    **_BART,
)  # fmt: skip


def _got(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "GOT",
        "architectures": ["GOTQwenForCausalLM"],
        **text_config(size, hidden_size=16, tie_word_embeddings=False),
        "vision_config": {"embed_dim": 16, "depth": 1, "num_heads": 1, "mlp_ratio": 1.0, "out_chans": 16,
                          "out_dim": 16},
        "im_patch_token": ids("<imgpad>"),
        "im_start_token": ids("<img>"),
        "im_end_token": ids("</img>"),
        "eos_token_id": ids("<|endoftext|>"),
        "bos_token_id": ids("<|endoftext|>"),
    }  # fmt: skip


GOT = Family(
    "GOT-OCR2_0-8bit",
    _got,
    (),
    ends="<|im_end|>",
    answer=("Some words", " of text.", "\nA second line"),
    plain="Some words of text.\nA second line",
    last="\n",
    # The real folder has its tokenizer as Python code beside this file; the miniature has tokenizer.json.
    files={"qwen.tiktoken": {}},
    places={
        "<|endoftext|>": 151_643, "<|im_start|>": 151_644, "<|im_end|>": 151_645,  # stop tokens, fixed in mlx-vlm
        "<img>": 151_857, "</img>": 151_858, "<imgpad>": 151_859,
    },
    tokenizer={"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
)  # fmt: skip


def _falcon(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "falcon_ocr",
        "dim": 32, "n_layers": 2, "n_heads": 4, "head_dim": 16, "n_kv_heads": 2, "vocab_size": size, "ffn_dim": 32,
        "norm_eps": 1e-5, "max_seq_len": 8192, "rope_theta": 10000, "channel_size": 3, "spatial_patch_size": 16,
        "temporal_patch_size": 1,
        "eos_id": ids("<|end_of_text|>"),
        "img_id": ids("<|image|>"),
        "image_cls_token_id": ids("<|image_cls|>"),
        **{f"image_reg_{number}_token_id": ids(f"<|image_reg_{number}|>") for number in range(1, 5)},
        "img_end_id": ids("<|end_of_image|>"),
    }  # fmt: skip


FALCON = Family(
    "Falcon-OCR",
    _falcon,
    (
        "<|end_of_text|>", "<|image|>", "<|image_cls|>", "<|image_reg_1|>", "<|image_reg_2|>", "<|image_reg_3|>",
        "<|image_reg_4|>", "<|end_of_image|>", "<|OCR_PLAIN|>",
    ),
    ends="<|end_of_text|>",
    answer=("Some words", " of text.", "\nA second line"),
    plain="Some words of text.\nA second line",
    last="<|OCR_PLAIN|>",
    tokenizer={"eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>"},
    residual=("wo", "w2"),
    names=(
        (r"^language_model\.model\.(cos|sin)_1d$", ""), (r"^language_model\.(model\.)?", ""),
        ("^embed_tokens", "tok_embeddings"), ("^lm_head", "output"), ("self_attn", "attention"),
        ("mlp", "feed_forward"),
    ),
)  # fmt: skip
FAMILIES = (NEMOTRON, FLORENCE, GOT, FALCON)
