"""A small byte-level BPE tokenizer, trained on a few lines, with a family's special tokens."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.support.miniatures.family import Family

_LINES = (
    "Text Recognition: OCR: Free OCR. Convert the document to markdown. Read the text of this page.",
    "Extract the text from the image as if you were reading it naturally. Return the tables in html format.",
    "document parsing. plain user assistant system format table formula image bbox title",
)


def write_tokenizer(family: Family, folder: Path) -> Mapping[str, int]:
    """Write tokenizer.json and tokenizer_config.json. Returns the id of each token.

    The answer's tokens are words of the vocabulary without merges: the model can write them, and no prompt contains
    them.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(_LINES * 2, trainer)
    content = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = content["model"]["vocab"]
    taken = set(family.places.values())
    vocabulary.update(zip(vocabulary, _free(taken), strict=False))
    specials = _ids(family, vocabulary)
    vocabulary.update(specials)  # else `tokenizers` gives added tokens ids of its own
    written = [text for text in family.answer if text not in specials]
    vocabulary.update(zip(map(byte_level, written), _free(vocabulary.values()), strict=False))
    vocabulary.update(_fillers(vocabulary))
    content["added_tokens"] = [_added(text, number) for text, number in sorted(specials.items(), key=lambda s: s[1])]
    if family.wrap:
        content["post_processor"] = _wrapper(family.wrap, specials)
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 8192, **family.tokenizer}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    words = {*written, family.last} - specials.keys()
    return {**{text: vocabulary[byte_level(text)] for text in words}, **specials}


def byte_level(text: str) -> str:
    """A text in the alphabet of byte-level BPE, which writes each byte as one visible character."""
    from tokenizers import pre_tokenizers

    parts = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return "".join(part for part, _ in parts)


def _free(taken: Iterable[int]) -> Iterable[int]:
    """Numbers from 0 on that are not taken."""
    used = set(taken)
    return (number for number in range(200_000) if number not in used)


def _fillers(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """Words for the ids that nothing has, because mlx-vlm's detokenizer expects ids without gaps."""
    highest = max(vocabulary.values())
    return {f"<unused{n}>": n for n in _free(vocabulary.values()) if n < highest} if highest > len(vocabulary) else {}


def _ids(family: Family, vocabulary: Mapping[str, int]) -> dict[str, int]:
    others = (text for text in family.specials if text not in family.places)
    free = _free({*family.places.values(), *vocabulary.values()})
    return {**family.places, **dict(zip(others, free, strict=False))}


def _added(text: str, number: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": text, **flags}


def _wrapper(wrap: tuple[str, str], specials: Mapping[str, int]) -> dict[str, Any]:
    def special(text: str) -> dict[str, Any]:
        return {"SpecialToken": {"id": text, "type_id": 0}}

    def sequence(name: str) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": 0}}

    first, last = (special(text) for text in wrap)
    return {
        "type": "TemplateProcessing",
        "single": [first, sequence("A"), last],
        "pair": [first, sequence("A"), sequence("B"), last],
        "special_tokens": {text: {"id": text, "ids": [specials[text]], "tokens": [text]} for text in wrap},
    }
