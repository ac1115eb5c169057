// A second opinion on log-likelihoods: libllama alone, none of Loam's code.
//
//   oracle [--chunk N] [--threads N] [--lora FILE] [--wide] MODEL < token ids, one sequence a
//   line, separated by spaces
//       prints for each line ln p(token | those before it) for all tokens but the first, with the
//       adapter in FILE if one is named; --wide keeps keys and values as binary32
//   oracle --tokenize MODEL < a text
//       prints the text's token ids, special tokens not parsed, no first token added
//
// A sequence is evaluated in parts of `chunk` rows (default 32); would the last part have one row,
// it takes another from the part before it. That is the rule of src/engine/scheduler.h for a prompt
// that is scored, so the same kernels see the same shapes and the figures must agree to rounding.
#include <llama-cpp.h>
#include <llama.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Options {
  std::string model, lora;
  std::size_t chunk = 32;
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  bool tokenize = false;
  bool wide = false;
};

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "oracle: %s\n", message.c_str());
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): this program has one thread
}

template <class Number>
Number parse(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    die("not a number: " + std::string(text));
  }
  return value;
}

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool has_value = argument == "--chunk" || argument == "--threads" || argument == "--lora";
    if (has_value && ++i == argc) die(std::string(argument) + " wants a value");
    if (argument == "--chunk") {
      options.chunk = parse<std::size_t>(argv[i]);
    } else if (argument == "--threads") {
      options.threads = parse<int>(argv[i]);
    } else if (argument == "--lora") {
      options.lora = argv[i];
    } else if (argument == "--tokenize") {
      options.tokenize = true;
    } else if (argument == "--wide") {
      options.wide = true;
    } else {
      options.model = argument;
    }
  }
  if (options.model.empty() || options.chunk < 2 || options.threads < 1) {
    die("usage: oracle [--chunk N] [--threads N] [--lora FILE] [--wide] [--tokenize] MODEL");
  }
  return options;
}

std::vector<llama_token> parse_ids(std::string_view line) {
  std::vector<llama_token> ids;
  while (true) {
    const auto begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) return ids;
    line.remove_prefix(begin);
    const auto word = line.substr(0, line.find(' '));
    ids.push_back(parse<llama_token>(word));
    line.remove_prefix(word.size());
  }
}

void print_tokens(const llama_vocab* vocab) {
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  std::vector<llama_token> tokens(text.size() + 8);
  const int count =
      llama_tokenize(vocab, text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
                     static_cast<std::int32_t>(tokens.size()), false, false);
  if (count < 0) die("the tokenizer refuses the text");
  for (int i = 0; i < count; ++i) {
    std::printf(i == 0 ? "%d" : " %d", tokens[static_cast<std::size_t>(i)]);
  }
  std::printf("\n");
}

/// ln softmax(row)[token], summed in double.
double log_likelihood(const float* row, int vocabulary, llama_token token) {
  const double most = *std::max_element(row, row + vocabulary);
  double sum = 0;
  for (int i = 0; i < vocabulary; ++i) sum += std::exp(row[i] - most);
  return row[token] - most - std::log(sum);
}

/// One part: rows [begin, end) of `ids`; prints what each says of the token after it.
void evaluate_part(llama_context* context, const llama_vocab* vocab,
                   const std::vector<llama_token>& ids, std::size_t begin, std::size_t end,
                   llama_batch& batch) {
  batch.n_tokens = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const auto row = static_cast<std::size_t>(batch.n_tokens++);
    batch.token[row] = ids[i];
    batch.pos[row] = static_cast<llama_pos>(i);
    batch.n_seq_id[row] = 1;
    batch.seq_id[row][0] = 0;
    batch.logits[row] = 1;
  }
  if (llama_decode(context, batch) != 0) die("llama_decode failed");
  for (std::size_t i = begin; i < end && i + 1 < ids.size(); ++i) {
    const float* row = llama_get_logits_ith(context, static_cast<std::int32_t>(i - begin));
    std::printf(i == 0 ? "%.6f" : " %.6f",
                log_likelihood(row, llama_vocab_n_tokens(vocab), ids[i + 1]));
  }
}

/// Freed with the model.
void adapt(llama_context* context, llama_model* model, const std::string& file) {
  llama_adapter_lora* adapter = llama_adapter_lora_init(model, file.c_str());
  if (adapter == nullptr) die("cannot load the adapter " + file);
  float scale = 1;
  if (llama_set_adapters_lora(context, &adapter, 1, &scale) != 0) die("cannot use the adapter");
}

void score(llama_context* context, const llama_vocab* vocab, const std::vector<llama_token>& ids,
           std::size_t chunk, llama_batch& batch) {
  for (const auto id : ids) {
    if (id < 0 || id >= llama_vocab_n_tokens(vocab)) die("a token outside the vocabulary");
  }
  if (ids.size() > llama_n_ctx(context)) die("a sequence longer than the context");
  llama_memory_clear(llama_get_memory(context), false);
  for (std::size_t begin = 0; begin < ids.size();) {
    const std::size_t left = ids.size() - begin;
    std::size_t rows = std::min(left, chunk);
    if (left - rows == 1 && rows > 1) --rows;
    evaluate_part(context, vocab, ids, begin, begin + rows, batch);
    begin += rows;
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  const llama_model_ptr model(
      llama_model_load_from_file(options.model.c_str(), llama_model_default_params()));
  if (model == nullptr) die("cannot load " + options.model);
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  if (options.tokenize) {
    print_tokens(vocab);
    return 0;
  }
  auto params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(llama_model_n_ctx_train(model.get()));
  params.n_batch = static_cast<std::uint32_t>(options.chunk);
  params.n_ubatch = params.n_batch;
  params.n_threads = options.threads;
  params.n_threads_batch = options.threads;
  if (options.wide) {
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  }
  const llama_context_ptr context(llama_init_from_model(model.get(), params));
  if (context == nullptr) die("cannot make a context");
  if (!options.lora.empty()) adapt(context.get(), model.get(), options.lora);
  llama_batch batch = llama_batch_init(static_cast<std::int32_t>(options.chunk), 0, 1);
  for (std::string line; std::getline(std::cin, line);) {
    score(context.get(), vocab, parse_ids(line), options.chunk, batch);
  }
  llama_batch_free(batch);
}
