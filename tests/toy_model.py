"""A model of about a million parameters, for tests and the bench: Llama's shape (or Qwen2's, with biases and a head of its own),
weights drawn from a seed, and a tokenizer of bytes and of pairs that are frequent in a text. The same text gives the same file.
It knows nothing until it is trained.

    toy_model.py FILE < TEXT
"""
import re
import sys
from collections import Counter, defaultdict

import gguf
import numpy

MERGES = 765  # with the bytes and three special tokens that makes 1,024
LAYERS, WIDTH, FFN_WIDTH, HEADS, KV_HEADS, CONTEXT = 4, 128, 448, 4, 2, 512
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
# As llama.cpp cuts text for "gpt-2", nearly; what it cuts otherwise only costs a few tokens.
WORD = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def letters():
    """GPT-2's character for each byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = iter(range(0x100, 0x200))
    return [chr(byte if byte in plain else next(rest)) for byte in range(256)]


def frequent_pairs(text, count):
    """Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016."""
    of_byte = letters()
    words = [[[of_byte[byte] for byte in word.encode()], number]
             for word, number in sorted(Counter(WORD.findall(text)).items())]
    numbers, places = Counter(), defaultdict(set)

    def note(index, sign):
        symbols, number = words[index]
        for pair in zip(symbols, symbols[1:]):
            numbers[pair] += sign * number
            places[pair].add(index)

    for index in range(len(words)):
        note(index, 1)
    merges = []
    while len(merges) < count:
        number, best = max((number, pair) for pair, number in numbers.items())
        if number < 2:
            break
        merges.append(best)
        for index in places.pop(best):
            note(index, -1)
            symbols, at = words[index][0], 0
            while at + 1 < len(symbols):
                if (symbols[at], symbols[at + 1]) == best:
                    symbols[at:at + 2] = ["".join(best)]
                at += 1
            note(index, 1)
        numbers = +numbers  # drops what is not there any more
    return merges


def tensors(vocabulary, architecture):
    random = numpy.random.default_rng(20261123)

    def drawn(rows, columns, scale):
        return (random.standard_normal((rows, columns)) * scale).astype(numpy.float32)

    ones, root = numpy.ones(WIDTH, numpy.float32), WIDTH ** -0.5
    kv_width = WIDTH // HEADS * KV_HEADS
    quiet = (2 * LAYERS) ** -0.5  # what is added to the stream of a layer, as GPT-2 begins
    yield "token_embd.weight", drawn(vocabulary, WIDTH, 0.02)
    for layer in range(LAYERS):
        name = f"blk.{layer}.{{}}.weight".format
        yield name("attn_norm"), ones
        yield name("attn_q"), drawn(WIDTH, WIDTH, root)
        yield name("attn_k"), drawn(kv_width, WIDTH, root)
        yield name("attn_v"), drawn(kv_width, WIDTH, root)
        yield name("attn_output"), drawn(WIDTH, WIDTH, root * quiet)
        yield name("ffn_norm"), ones
        yield name("ffn_gate"), drawn(FFN_WIDTH, WIDTH, root)
        yield name("ffn_up"), drawn(FFN_WIDTH, WIDTH, root)
        yield name("ffn_down"), drawn(WIDTH, FFN_WIDTH, FFN_WIDTH ** -0.5 * quiet)
    yield "output_norm.weight", ones
    if architecture == "qwen2":
        for layer in range(LAYERS):
            for part, width in (("q", WIDTH), ("k", kv_width), ("v", kv_width)):
                yield f"blk.{layer}.attn_{part}.bias", drawn(1, width, 0.1)[0]
        yield "output.weight", drawn(vocabulary, WIDTH, 0.02)


def write(path, text, architecture="llama"):
    merges = frequent_pairs(text, MERGES)
    tokens = letters() + ["".join(pair) for pair in merges] + SPECIAL
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Toy")
    writer.add_license("CC0-1.0")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(len(tokens))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN_WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL)) + [gguf.TokenType.CONTROL] * len(SPECIAL))
    writer.add_token_merges([" ".join(pair) for pair in merges])
    for add, name in ((writer.add_bos_token_id, SPECIAL[0]), (writer.add_eos_token_id, SPECIAL[2])):
        add(tokens.index(name))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, values in tensors(len(tokens), architecture):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(sys.argv[1], sys.stdin.read())
