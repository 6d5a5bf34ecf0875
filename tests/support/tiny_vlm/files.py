"""All files of a tiny Qwen2-VL except its weights: configuration, tokenizer, chat template, image processor."""

import json
from pathlib import Path
from typing import Any

PATCH, MERGE = 12, 2
CELL = PATCH * MERGE  # a token of the language model covers CELL x CELL pixels
SPECIALS = (
    "<|endoftext|> <|im_end|> <|system|> <|user|> <|assistant|> <|vision_start|> <|vision_end|> <|image_pad|> "
    "<|video_pad|>"
).split()
# Text first, then the images, so that the distance from image to answer is the same for every prompt.
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{% for c in m['content'] %}{% if c['type'] in ['image', 'image_url'] %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
PROMPTS = (
    "OCR:",
    "Text Recognition:",
    "Free OCR.",
    "Read the text in the image.",
    "Extract the text from this image.",
    "Convert the document to markdown.",
    "Extract all text from this page. Return only the text.",
    "Transcribe this page as plain text, keep the line breaks.",
    "",
)
WORDS = (
    "a all and any as be by convert content document each every exactly extract file for formula from give image in "
    "into it json keep layout line lines markdown no not of on only output page parse plain please print read "
    "recognition return scan show table text that the this to transcribe what with without word words write you"
).split()


def write_files(folder: Path) -> tuple[dict[str, Any], Any]:
    """Write all files except the weights. Returns the configuration and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(folder)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIALS}
    config = _config(len(tokenizer), ids)
    images = _image_processor()
    generation = {"eos_token_id": config["eos_token_id"], "pad_token_id": config["pad_token_id"], "do_sample": False}
    for name, content in {
        "config.json": config,
        "preprocessor_config.json": images,
        "video_preprocessor_config.json": images,
        "processor_config.json": {"processor_class": "Qwen2VLProcessor"},
        "generation_config.json": generation,
    }.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return config, tokenizer


def _config(words: int, ids: dict[str, int]) -> dict[str, Any]:
    vision = {
        "model_type": "qwen2_vl", "depth": 3, "embed_dim": 96, "hidden_size": 128, "num_heads": 4, "mlp_ratio": 3,
        "in_channels": 3, "patch_size": PATCH, "spatial_patch_size": PATCH, "spatial_merge_size": MERGE,
        "temporal_patch_size": 1,
    }  # fmt: skip
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-6,
        "vocab_size": words,
        "max_position_embeddings": 4096,
        "rope_theta": 10.0,  # sequences are short, so this distinguishes neighbouring columns
        "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6]},
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "bos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_config": vision,
    }


def _image_processor() -> dict[str, Any]:
    return {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2VLProcessor",
        "patch_size": PATCH,
        "temporal_patch_size": 1,
        "merge_size": MERGE,
        "min_pixels": 4 * CELL * CELL,
        "max_pixels": 1024 * CELL * CELL,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }


def _tokenizer(folder: Path) -> Any:
    """Byte-level BPE. Words of prompts are merged; the characters that the model writes stay one token each."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [prompt.lower() for prompt in PROMPTS] * 4 + [" ".join(WORDS)] * 4,
        trainers.BpeTrainer(
            vocab_size=448,
            special_tokens=SPECIALS,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIALS[0],
        eos_token=SPECIALS[1],
        additional_special_tokens=SPECIALS[2:],
        padding_side="left",
        model_max_length=4096,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    return fast
