"""Miniatures of models that cut a page into tiles, and of LightOnOCR: Granite-Docling, SmolDocling, Granite Vision."""

from typing import Any

from tests.support.miniatures.family import Family, Ids
from tests.support.miniatures.qwen import text_config
from tests.support.miniatures.templates import chatml, content, turns

_SIGLIP = {
    "model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 1, "num_channels": 3,
}  # fmt: skip
_TILE_NAMES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
_DOCTAGS = (
    "<doctag>", "<section_header_level_1>", "<loc_40><loc_50><loc_250><loc_70>", "A heading",
    "</section_header_level_1>\n", "<text><loc_40><loc_90><loc_460><loc_160>Some words of text.</text>\n", "</doctag>",
)  # fmt: skip
_TILES = {
    "image_processor_type": "Idefics3ImageProcessor", "do_convert_rgb": True, "do_image_splitting": True,
    "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5], "max_image_size": {"longest_edge": 512}, "resample": 1,
    "rescale_factor": 1 / 255, "size": {"longest_edge": 2048},
}  # fmt: skip


def _tiled(model_type: str, ends: str) -> Any:
    def config(ids: Ids, size: int) -> dict[str, Any]:
        return {
            "model_type": model_type,
            "text_config": text_config(size, model_type="llama"),
            "vision_config": {**_SIGLIP, "image_size": 512, "patch_size": 16},
            "scale_factor": 4,
            "image_token_id": ids("<image>"),
            "vocab_size": size,
            "eos_token_id": ids(ends),
        }

    return config


def _docling(name: str, model_type: str, template: str, specials: tuple[str, ...], last: str, ends: str) -> Family:
    return Family(
        name,
        _tiled(model_type, ends),
        ("<image>", "<fake_token_around_image>", "<global-img>", *_TILE_NAMES, *specials),
        ends=ends,
        answer=_DOCTAGS,
        last=last,
        files={"preprocessor_config.json": _TILES, "processor_config.json": {"image_seq_len": 64}},
        template=template,
        tokenizer={"eos_token": ends, "pad_token": ends},
        embedding="language_model.embed_tokens.weight",
    )


_ROLES = turns(
    "<|start_of_role|>{{ m['role'] }}<|end_of_role|>" + content("<image>") + "<|end_of_text|>{{ '\n' }}",
    "<|start_of_role|>assistant<|end_of_role|>",
)
_USER_AND_ASSISTANT = "<|im_start|>" + turns(
    "{{ m['role'] | capitalize }}:" + content("<image>") + "<end_of_utterance>{{ '\n' }}", "Assistant:"
)
GRANITE_DOCLING = _docling(
    "granite-docling-258M-mlx", "idefics3", _ROLES, ("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>",
    "<end_of_utterance>"), "<|end_of_role|>", "<|end_of_text|>",
)  # fmt: skip
SMOLDOCLING = _docling(
    "SmolDocling-256M-preview-mlx-bf16", "smolvlm", _USER_AND_ASSISTANT, ("<|im_start|>", "<end_of_utterance>"), ":",
    "<end_of_utterance>",
)  # fmt: skip

_GRANITE_TEXT = {"embedding_multiplier": 1.0, "residual_multiplier": 1.0, "logits_scaling": 1.0}
_PINPOINTS = [[384, 384], [384, 768], [768, 384], [768, 768]]
_LLAVA = {
    "image_processor_type": "LlavaNextImageProcessor", "crop_size": {"height": 384, "width": 384},
    "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
    "do_resize": True, "image_grid_pinpoints": _PINPOINTS, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    "resample": 3, "rescale_factor": 1 / 255, "size": {"height": 384, "width": 384},
}  # fmt: skip
_MARKDOWN = ("# A heading", "\n\n", "Some words of text.")


def _granite(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "granite_vision",
        "text_config": text_config(size, model_type="granite", **_GRANITE_TEXT),
        "vision_config": {**_SIGLIP, "image_size": 384, "patch_size": 16, "num_hidden_layers": 2},
        "image_token_index": ids("<image>"),
        "image_grid_pinpoints": _PINPOINTS,
        "vision_feature_select_strategy": "full",
        "vision_feature_layer": [-2, -1],
        "eos_token_id": ids("<|end_of_text|>"),
    }


GRANITE = Family(
    "granite-vision-3.3-2b-bf16",
    _granite,
    ("<|end_of_text|>", "<image>", "<|system|>", "<|user|>", "<|assistant|>"),
    ends="<|end_of_text|>",
    answer=_MARKDOWN,
    last="\n",
    files={
        "preprocessor_config.json": _LLAVA,
        "processor_config.json": {
            "processor_class": "LlavaNextProcessor", "image_token": "<image>", "patch_size": 16,
            "num_additional_image_tokens": 0, "vision_feature_select_strategy": "full",
        },
    },
    template=turns(
        "<|{{ m['role'] }}|>{{ '\n' }}{% for c in m['content'] if c['type'] == 'image' %}<image>{{ '\n' }}{% endfor %}"
        "{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{{ '\n' }}{% endfor %}",
        "<|assistant|>{{ '\n' }}",
    ),
    tokenizer={"eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>"},
)  # fmt: skip


def _granite4(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "granite4_vision",
        "text_config": text_config(size, model_type="granitemoehybrid", shared_intermediate_size=64, **_GRANITE_TEXT),
        "vision_config": {**_SIGLIP, "image_size": 384, "patch_size": 16, "hidden_size": 64, "num_hidden_layers": 2},
        "image_token_index": ids("<image>"),
        "image_grid_pinpoints": _PINPOINTS,
        "vision_feature_select_strategy": "full",
        "downsample_rate": "4/8",
        "deepstack_layer_map": [[-2, 0]],
        "use_spatial_sampling": True,
        "spatial_vision_layer": -1,
        "spatial_target_layers": [1, 1, 1, 1],
        "eos_token_id": ids("<|end_of_text|>"),
    }


GRANITE4 = Family(
    "granite-4.0-3b-vision",
    _granite4,
    ("<|end_of_text|>", "<image>", "<|start_of_role|>", "<|end_of_role|>"),
    ends="<|end_of_text|>",
    answer=_MARKDOWN,
    last="<|end_of_role|>",
    files={
        "preprocessor_config.json": _LLAVA,
        "processor_config.json": {
            "image_token": "<image>", "patch_size": 16, "num_additional_image_tokens": 0, "downsample_rate": "4/8",
            "vision_feature_select_strategy": "full",
        },
    },
    template=_ROLES,
    tokenizer={"eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>"},
    residual=("o_proj", "output_linear"),
)  # fmt: skip


def _lighton(ids: Ids, size: int) -> dict[str, Any]:
    return {
        "model_type": "mistral3",
        "architectures": ["LightOnOCRForConditionalGeneration"],
        "text_config": text_config(size, model_type="qwen3", head_dim=16, use_qk_norm=True),
        "vision_config": {
            "model_type": "pixtral", "num_hidden_layers": 1, "hidden_size": 16, "head_dim": 16, "intermediate_size": 16,
            "num_attention_heads": 1, "image_size": 1540, "patch_size": 14, "num_channels": 3, "rope_theta": 10000.0,
        },
        "image_token_id": ids("<|image_pad|>"),
        "spatial_merge_size": 2,
        "multimodal_projector_bias": False,
        "vision_feature_layer": -1,
        "eos_token_id": ids("<|im_end|>"),
    }  # fmt: skip


LIGHTON = Family(
    "LightOnOCR-2-1B-bf16",
    _lighton,
    ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
     "<|image_pad|>", "<|video_pad|>"),
    ends="<|im_end|>",
    answer=_MARKDOWN,
    last="\n",
    files={
        "preprocessor_config.json": {
            "image_processor_type": "PixtralImageProcessor", "patch_size": 14, "size": {"longest_edge": 1540},
            "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        },
        "processor_config.json": {
            "processor_class": "PixtralProcessor", "patch_size": 14, "spatial_merge_size": 2,
            "image_token": "<|image_pad|>", "image_break_token": "<|vision_pad|>", "image_end_token": "<|vision_end|>",
        },
    },
    template=chatml("<|im_start|>system<|im_end|>\n", "<|image_pad|>"),
    tokenizer={"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
)  # fmt: skip
FAMILIES = (GRANITE_DOCLING, SMOLDOCLING, GRANITE, GRANITE4, LIGHTON)
