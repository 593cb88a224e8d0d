"""Small vocabularies for tests: trained on made-up text, and written as GGUF files."""

from __future__ import annotations

import io
import json
import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import gguf
import sentencepiece
from gguf import TokenType
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Split

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
BLANKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          + BLANKS)
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         + CONTRACTIONS
         + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
         + CONTRACTIONS + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + BLANKS)
#: The letters that DeepSeek LLM's first expression lists one by one.
DEEPSEEK_LETTERS = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅ"
    "ὐ-ὗὙὛὝ\u1f5f-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄ"
    "Ⰰ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃")
DEEPSEEK_CJK = "[一-龥ࠀ-一가-퟿]+"
KIMI_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
KIMI_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

BAILING = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}"
           r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")

#: The steps of each pre-tokenizer as the models' own files have them: expressions, and `Digits`.
PRE_TOKENIZERS: dict[str, list[str | Digits]] = {
    "gpt-2": [GPT2],
    "llama-bpe": [CL100K],
    "qwen2": [CL100K.replace(r"\p{N}{1,3}", r"\p{N}")],
    "deepseek-llm": [r"[\r\n]", rf"\s?[{DEEPSEEK_LETTERS}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
                     r"\s+$", DEEPSEEK_CJK, Digits(individual_digits=True)],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_CJK,
                       Digits(individual_digits=True)],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
                    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
                    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" + BLANKS],
    "gpt-4o": [O200K],
    "glm4": [CL100K],
    "olmo": [GPT2],
    "kimi-k2": [rf"[\p{{Han}}]+|[^\r\n\p{{L}}\p{{N}}]?{KIMI_UPPER}*{KIMI_LOWER}+{CONTRACTIONS}?"
                rf"|[^\r\n\p{{L}}\p{{N}}]?{KIMI_UPPER}+{KIMI_LOWER}*{CONTRACTIONS}?"
                r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + BLANKS],
    "dbrx": [CL100K],
    "smaug-bpe": [CL100K],
    "hunyuan": [CL100K.replace(r"\p{N}{1,3}", r"\p{N}")],
    "minimax-m2": [O200K],
    "bailingmoe": [BAILING],
    "bailingmoe2": [BAILING],
    "refact": [Digits(individual_digits=True), GPT2],
}
#: Those that take a word that is a token whole.
TAKE_WHOLE_WORDS = {"llama-bpe"}


@cache
def known_characters() -> list[str]:
    """Those that Python knows: what the packages and PCRE2 know of newer ones may differ."""
    return [chr(c) for c in range(1, 0x110000)
            if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]


class TextMaker:
    """Random text of everything that tokenizers treat in a way of its own."""

    def __init__(self, seed: int, rare: int | None = None) -> None:
        """`rare`: how many of all characters may occur; None: all."""
        self.random = random.Random(seed)
        self.characters = known_characters()
        if rare is not None:
            self.characters = self.random.sample(self.characters, rare)

    def _pick(self, characters: str, least: int, most: int) -> str:
        return "".join(self.random.choices(characters, k=self.random.randint(least, most)))

    def _part(self) -> str:
        pick = self._pick
        match self.random.randrange(13):
            case 0:
                return "".join(self.random.choices(self.characters, k=8))
            case 1:
                return pick("abcdefghijklmnopqrstuvwxyz", 1, 9)
            case 2:
                return pick("ABCabcÄäßſЖжΣσςǅʰªկ", 1, 7)
            case 3:
                return pick("0123456789٣४½Ⅷ②", 1, 8)
            case 4:
                return pick(" \t\n\r", 1, 6)
            case 5:
                return pick(" \u00a0\u3000\u2028\u180e\u0085\u200b\u000b\n", 1, 4)
            case 6:
                return self.random.choice(["'", "’"]) + self.random.choice(
                    ["s", "S", "ſ", "t", "re", "RE", "vE", "m", "ll", "Ll", "d", "x"])
            case 7:
                return pick("(){}[]<>=+-*/!?.,;:#@_|\\\"'`~^&%$", 1, 4)
            case 8:
                return pick("的一是在不了有和人这々〇〡⺀龥龦㐀𠀀、。！", 1, 6)
            case 9:
                return pick("ひらがなカタカナー한국어าภาษาไทยខ្មែរ", 1, 6)
            case 10:
                return pick("😀👩‍💻🏽🇩🇪✅️", 1, 5)
            case 11:
                return pick("e\u0301\u0308\u093f\u20dd\U000e0100a", 1, 5)
            case _:
                return self.random.choice([" the", " of", "if (x) {\n    return 1;\n}", " 1234",
                                           "\r\n\r\n", "  ", "Hello", " world", "▁"])

    def make(self, parts: int) -> str:
        return "".join(self._part() for _ in range(parts))


@dataclass
class Vocabulary:
    """Tokens as a GGUF file has them."""

    model: str
    tokens: list[str]
    types: list[TokenType]
    scores: list[float] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)

    def write(self, path: Path, chat_template: str | None = None,
              **settings: str | int | bool) -> Path:
        """Writes a file without tensors. `settings` are keys after `tokenizer.ggml.`."""
        writer = gguf.GGUFWriter(path, "llama")
        if chat_template is not None:
            writer.add_chat_template(chat_template)
        writer.add_tokenizer_model(self.model)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        if self.scores:
            writer.add_token_scores(self.scores)
        if self.model == "gpt2":
            writer.add_token_merges(self.merges)
        for key, value in settings.items():
            add = {str: writer.add_string, int: writer.add_uint32, bool: writer.add_bool}
            add[type(value)](f"tokenizer.ggml.{key}", value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path


class BytePairs:
    """A byte-level vocabulary whose merges go beyond words, so that each wrong split shows."""

    #: Found in text by their names; the last is user-defined.
    SPECIAL = ["<|begin|>", "<|end|>", "<|end|>>", "<tool>"]

    def __init__(self, text: str, size: int) -> None:
        trained = Tokenizer(models.BPE())
        trained.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
        trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=ByteLevel.alphabet(),
                                      show_progress=False)
        trained.train_from_iterator([text[i:i + 80] for i in range(0, len(text), 80)], trainer)
        state = json.loads(trained.to_str())["model"]
        self.ids: dict[str, int] = state["vocab"]
        self.merges = [tuple(merge) for merge in state["merges"]]
        # Words that no merges make, for the pre-tokenizers that take them whole.
        for word in ("ĠHello", "Ġthe", "ãĢģãĢĤ", "123"):
            self.ids.setdefault(word, len(self.ids))

    def reference(self, pre: str) -> Tokenizer:
        """The `tokenizers` package with a pre-tokenizer."""
        model = models.BPE(self.ids, self.merges, ignore_merges=pre in TAKE_WHOLE_WORDS)
        tokenizer = Tokenizer(model)
        steps = [step if isinstance(step, Digits) else Split(Regex(step), "isolated")
                 for step in PRE_TOKENIZERS[pre]]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [*steps, ByteLevel(add_prefix_space=False, use_regex=False)])
        tokenizer.decoder = decoders.ByteLevel()
        *control, user_defined = self.SPECIAL
        tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False)
                                      for t in control])
        tokenizer.add_tokens([AddedToken(user_defined, normalized=False)])
        return tokenizer

    def vocabulary(self) -> Vocabulary:
        tokens = [*sorted(self.ids, key=self.ids.__getitem__), *self.SPECIAL]
        types = [TokenType.NORMAL] * len(self.ids) + [TokenType.CONTROL] * (len(self.SPECIAL) - 1)
        return Vocabulary("gpt2", tokens, [*types, TokenType.USER_DEFINED],
                          merges=[" ".join(merge) for merge in self.merges])


def train_sentence_piece(text: str, size: int, **options: object,
                         ) -> sentencepiece.SentencePieceProcessor:
    """A model of type BPE that leaves text as it is, unless `options` say otherwise."""
    model = io.BytesIO()
    settings = {"model_type": "bpe", "vocab_size": size, "byte_fallback": True,
                "normalization_rule_name": "identity", "remove_extra_whitespaces": False,
                "character_coverage": 0.99, "minloglevel": 2} | options
    lines = [line for line in text.split("\n") if line]
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model,
                                             **settings)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def sentence_piece_vocabulary(model: sentencepiece.SentencePieceProcessor,
                              user_defined: Sequence[str] = ()) -> Vocabulary:
    def type_of(number: int) -> TokenType:
        if model.id_to_piece(number) in user_defined:
            return TokenType.USER_DEFINED
        for is_type, token_type in ((model.is_unknown, TokenType.UNKNOWN),
                                    (model.is_control, TokenType.CONTROL),
                                    (model.is_unused, TokenType.UNUSED),
                                    (model.is_byte, TokenType.BYTE)):
            if is_type(number):
                return token_type
        return TokenType.NORMAL

    numbers = range(model.vocab_size())
    return Vocabulary("llama", [model.id_to_piece(n) for n in numbers],
                      [type_of(n) for n in numbers], scores=[model.get_score(n) for n in numbers])
