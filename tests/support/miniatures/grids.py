"""Miniatures of GLM-OCR, PaddleOCR-VL, dots.ocr and HunyuanOCR: one image token for each cell of a grid."""

from typing import Any

from tests.support.miniatures.family import Family, Ids
from tests.support.miniatures.qwen import text_config
from tests.support.miniatures.templates import content, system_or_user, turns

_THINKS_NOT = "enable_thinking is defined and not enable_thinking"  # a condition of GLM's templates


def _glm(ids: Ids, size: int) -> dict[str, Any]:
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "partial_rotary_factor": 1.0, "rope_theta": 10000}
    eos = [ids("<|endoftext|>"), ids("<|user|>")]
    return {
        "model_type": "glm_ocr",
        "text_config": {
            "model_type": "glm_ocr_text", "vocab_size": size, "hidden_size": 64, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
            "rope_parameters": rope, "eos_token_id": eos, "pad_token_id": ids("<|endoftext|>"),
        },
        "vision_config": {
            "model_type": "glm_ocr_vision", "depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2,
            "patch_size": 14, "out_hidden_size": 64, "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        "image_token_id": ids("<|image|>"),
        "video_token_id": ids("<|video|>"),
        "image_start_token_id": ids("<|begin_of_image|>"),
        "image_end_token_id": ids("<|end_of_image|>"),
    }  # fmt: skip


GLM = Family(
    "GLM-OCR-bf16",
    _glm,
    (
        "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
        "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>",
        "/nothink", "<|image|>", "<|video|>",
    ),
    ends="<|user|>",
    answer=("# A heading", "\n\n", "Some words of text."),
    last="\n",
    files={
        "preprocessor_config.json": {
            "image_processor_type": "Glm46VImageProcessor", "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
            "size": {"shortest_edge": 12_544, "longest_edge": 9_633_792},
        },
    },
    template="[gMASK]<sop>" + turns(
        "<|user|>{{ '\n' }}" + content("<|begin_of_image|><|image|><|end_of_image|>")
        + "{{ '/nothink' if " + _THINKS_NOT + " else '' }}",
        "<|assistant|>{{ '\n' }}{{ '<think></think>\n' if " + _THINKS_NOT + " else '' }}",
    ),
    tokenizer={"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
)  # fmt: skip


def _paddle(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "paddleocr_vl",
        **text_config(size, head_dim=16, use_bias=False, hidden_size=1024),  # fixed in mlx-vlm
        "rope_scaling": {"rope_type": "default", "type": "default", "mrope_section": [2, 3, 3]},
        "vision_config": {
            "model_type": "paddleocr_vl", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 56, "patch_size": 14, "spatial_merge_size": 2,
        },
        "image_token_id": ids("<|IMAGE_PLACEHOLDER|>"),
        "video_token_id": ids("<|video_pad|>"),
        "vision_start_token_id": ids("<|IMAGE_START|>"),
        "vision_end_token_id": ids("<|IMAGE_END|>"),
        "eos_token_id": ids("</s>"),
    }  # fmt: skip


PADDLE = Family(
    "PaddleOCR-VL-1.5-bf16",
    _paddle,
    (
        "<unk>", "<s>", "</s>", "<|begin_of_sentence|>", "<|end_of_sentence|>", "<|IMAGE_PLACEHOLDER|>",
        "<|video_pad|>", "<|IMAGE_START|>", "<|IMAGE_END|>",
    ),
    ends="</s>",
    answer=("Some words", " of text.", "\nA second line"),
    plain="Some words of text.\nA second line",
    last="\n",
    files={
        "preprocessor_config.json": {
            "image_processor_type": "PaddleOCRVLImageProcessor", "min_pixels": 147_384, "max_pixels": 2_822_400,
            "patch_size": 14, "temporal_patch_size": 1, "merge_size": 2,
        },
    },
    template="<|begin_of_sentence|>" + turns(
        "User: " + content("<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>") + "{{ '\n' }}", "Assistant:{{ '\n' }}"
    ),
    tokenizer={"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>"},
)  # fmt: skip


def _dots(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "dots_ocr",
        **text_config(size, attention_bias=True, hidden_size=16),
        "vision_config": {
            "model_type": "dots_vit", "embed_dim": 32, "hidden_size": 16, "intermediate_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 14, "spatial_merge_size": 2,
            "temporal_patch_size": 1,
        },
        "image_token_id": ids("<|imgpad|>"),
        "video_token_id": ids("<|video_pad|>"),
        "eos_token_id": [ids("<|endofassistant|>"), ids("<|endoftext|>")],
    }  # fmt: skip


DOTS = Family(
    "dots.mocr-4bit",
    _dots,
    (
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|video_pad|>", "<|img|>", "<|imgpad|>", "<|endofimg|>",
        "<|system|>", "<|endofsystem|>", "<|user|>", "<|endofuser|>", "<|assistant|>", "<|endofassistant|>",
    ),
    ends="<|endofassistant|>",
    answer=(
        '[{"bbox": [14, 28, 70, 42], ', '"category": "Title", ', '"text": "# A heading"}, ',
        '{"bbox": [14, 56, 98, 112], ', '"category": "Text", ', '"text": "Some words of text."}]',
    ),
    last="<|assistant|>",
    files={
        "preprocessor_config.json": {
            "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "temporal_patch_size": 1,
            "merge_size": 2, "min_pixels": 3136, "max_pixels": 11_289_600,
        },
    },
    template=turns(
        system_or_user(
            "<|system|>" + content("") + "<|endofsystem|>{{ '\n' }}",
            "<|user|>" + content("<|img|><|imgpad|><|endofimg|>") + "<|endofuser|>",
        ),
        "<|assistant|>",
    ),
    places={"<|imgpad|>": 151_665},  # fixed in mlx-vlm's processor
    tokenizer={"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
    head="language_model.model.lm_head.weight",
)  # fmt: skip

_HUNYUAN_IMAGE = tuple(f"<｜hy_place▁holder▁no▁{number}｜>" for number in (100, 102, 101))


def _hunyuan(ids: Ids, size: int) -> dict[str, Any]:
    rope = {
        "alpha": 1000.0, "beta_fast": 32, "beta_slow": 1, "factor": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
        "type": "xdrope", "xdrope_section": [1, 1, 1, 1],
    }  # fmt: skip
    text = text_config(size, head_dim=8, attention_head_dim=8, rope_scaling=rope, use_qk_norm=True)
    return {
        "model_type": "hunyuan_vl",
        **text,
        "hidden_size": 16,
        "org_vocab_size": size,
        "vision_config": {
            "model_type": "hunyuan_vl", "hidden_size": 32, "out_hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 32, "patch_size": 16, "spatial_merge_size": 2,
            "max_image_size": 128, "img_max_token_num": 4096,
        },
        "image_start_token_id": ids(_HUNYUAN_IMAGE[0]),
        "image_token_id": ids(_HUNYUAN_IMAGE[1]),
        "image_end_token_id": ids(_HUNYUAN_IMAGE[2]),
        "image_newline_token_id": ids("<｜hy_place▁holder▁no▁103｜>"),
        "bos_token_id": ids("<｜hy_begin▁of▁sentence｜>"),
        "eos_token_id": ids("<｜hy_Assistant｜>"),
        "pad_id": ids("<｜hy_▁pad▁｜>"),
    }  # fmt: skip


# mlx-vlm's processor has these ids in its code, so this miniature has as many embeddings as the real model.
HUNYUAN = Family(
    "HunyuanOCR",
    _hunyuan,
    ("<｜hy_User｜>", "<｜hy_place▁holder▁no▁3｜>"),
    ends="<｜hy_Assistant｜>",
    answer=("# A heading", "\n\n", "Some words of text."),
    last="<｜hy_User｜>",
    files={"preprocessor_config.json": {"image_processor_type": "HunYuanVLImageProcessor"}},
    template="<｜hy_begin▁of▁sentence｜>" + turns(
        system_or_user(
            content("") + "<｜hy_place▁holder▁no▁3｜>", content("".join(_HUNYUAN_IMAGE)) + "<｜hy_User｜>"
        ),
        "",
    ),
    places={
        "<｜hy_begin▁of▁sentence｜>": 120_000, "<｜hy_▁pad▁｜>": 120_002, "<｜hy_Assistant｜>": 120_020,
        _HUNYUAN_IMAGE[0]: 120_118, _HUNYUAN_IMAGE[2]: 120_119, _HUNYUAN_IMAGE[1]: 120_120,
        "<｜hy_place▁holder▁no▁103｜>": 120_121, "<｜hy_place▁holder▁no▁799｜>": 120_817,
    },
    tokenizer={"eos_token": "<｜hy_Assistant｜>", "pad_token": "<｜hy_▁pad▁｜>"},
    names=((r"^language_model\.model\.", "model."), (r"^vision_tower\.", "vit.")),
)  # fmt: skip
FAMILIES = (GLM, PADDLE, DOTS, HUNYUAN)
