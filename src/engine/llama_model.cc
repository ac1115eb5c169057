#ifdef LOAM_HAVE_LLAMA

#include "engine/llama_model.h"

#include <llama.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "crypto/digest.h"
#include "engine/cpu_class.h"
#include "engine/llama_log.h"

namespace loam::engine {
namespace {

/// What the loader's words mean: a file that is fine and not for us, or a broken one.
ErrorCode classify(std::string_view words) {
  static constexpr std::array<std::string_view, 6> kUnsupportedWords = {
      "unknown model architecture", "unsupported",           "not supported",
      "unknown tokenizer",          "unknown pre-tokenizer", "cannot be used as main model"};
  const bool unsupported = std::ranges::any_of(kUnsupportedWords, [&](std::string_view known) {
    return words.find(known) != std::string_view::npos;
  });
  return unsupported ? ErrorCode::kUnsupported : ErrorCode::kCorrupt;
}

std::unexpected<Error> refused(std::string_view words) {
  return fail(classify(words),
              format("load the model: {}", words.empty() ? "the file is not a GGUF model" : words),
              "check its SHA-256, pull it again, or choose another model");
}

std::string metadata(const llama_model* model, const std::string& key) {
  std::array<char, 256> buffer{};
  const int length = llama_model_meta_val_str(model, key.c_str(), buffer.data(), buffer.size());
  if (length <= 0) return {};
  const auto kept = std::min(static_cast<std::size_t>(length), buffer.size() - 1);
  return std::string(buffer.data(), kept);
}

/// "135M", "1.2B".
std::string parameter_text(std::uint64_t parameters) {
  if (parameters >= 1'000'000'000) {
    return format("{:.1f}B", static_cast<double>(parameters) / 1e9);
  }
  return format("{}M", (parameters + 500'000) / 1'000'000);
}

/// The hash of pin, flags and compiler that stands in ModelInfo::engine_build.
std::string build_hash() {
  const std::string text = format("loam.engine.v1\n{}\n{}\n{}\n", LOAM_LLAMA_BUILD_ID, __VERSION__,
                                  llama_print_system_info());
  return crypto::digest_hex(crypto::sha256(as_bytes(text)));
}

/// What we could load and then not use.
Result<> check_kind(const llama_model* model) {
  const char* reason = nullptr;
  if (llama_model_has_encoder(model)) reason = "encoder-decoder models";
  if (llama_model_is_diffusion(model)) reason = "diffusion models";
  const auto* vocab = llama_model_get_vocab(model);
  if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_NONE) reason = "models without a vocabulary";
  if (reason == nullptr) return {};
  return fail(ErrorCode::kUnsupported, format("load the model: {} are not offered", reason),
              "choose another model");
}

using Stream = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
Result<Stream> stream_of(env::Fd file) {
  Stream stream(fdopen(file.get(), "rb"), &std::fclose);
  if (stream == nullptr)
    return fail(ErrorCode::kInternal, "load the model: a descriptor is not open for reading");
  file.release();  // the stream's now
  return stream;
}

}  // namespace

void LlamaModelFree::operator()(llama_model* model) const { llama_model_free(model); }
void LlamaAdapterFree::operator()(llama_adapter_lora* adapter) const {
  llama_adapter_lora_free(adapter);
}

Result<LlamaAdapter> open_llama_adapter(llama_model* model, env::Fd file) {
  const Stream stream = LOAM_TRY(stream_of(std::move(file)));
  const LlamaErrors errors;
  const auto refused = [](std::string_view words) {
    return fail(ErrorCode::kCorrupt,
                format("load the adapter: {}", words.empty() ? "it does not fit the model" : words),
                "an adapter works with the model that it was trained on, and no other");
  };
  try {
    LlamaAdapter adapter(llama_adapter_lora_init_from_file_ptr(model, stream.get()));
    if (adapter == nullptr) return refused(errors.text());
    return adapter;
  } catch (const std::exception& error) {
    return refused(error.what());
  }
}

Result<LlamaModel> open_llama_model(env::Fd file) {
  const Stream stream = LOAM_TRY(stream_of(std::move(file)));
  auto params = llama_model_default_params();
  params.load_mode = LLAMA_LOAD_MODE_MMAP;
  const LlamaErrors errors;
  try {
    LlamaModel model(llama_model_load_from_file_ptr(stream.get(), params));
    if (model == nullptr) return refused(errors.text());
    LOAM_TRY(check_kind(model.get()));
    return model;
  } catch (const std::exception& error) {
    return refused(error.what());
  }
}

std::string llama_piece(const llama_model* model, TokenId token, bool render_special) {
  const auto* vocab = llama_model_get_vocab(model);
  if (token < 0 || token >= llama_vocab_n_tokens(vocab)) return {};
  std::string bytes(32, '\0');
  auto convert = [&] {
    return llama_token_to_piece(vocab, token, bytes.data(), static_cast<std::int32_t>(bytes.size()),
                                0, render_special);
  };
  auto length = convert();
  if (length < 0) {
    bytes.resize(static_cast<std::size_t>(-length));
    length = convert();
  }
  bytes.resize(static_cast<std::size_t>(std::max(length, 0)));
  return bytes;
}

ModelInfo describe_llama_model(const llama_model* model) {
  const auto* vocab = llama_model_get_vocab(model);
  auto text_of = [&](llama_token token) {
    return token == LLAMA_TOKEN_NULL ? std::string() : llama_piece(model, token, true);
  };
  ModelInfo info;
  info.architecture = metadata(model, "general.architecture");
  info.parameters = llama_model_n_params(model);
  info.weight_bytes = llama_model_size(model);
  info.description = format("{} {} {}", info.architecture, parameter_text(info.parameters),
                            llama_ftype_name(llama_model_ftype(model)));
  info.context_trained = static_cast<std::uint32_t>(std::max(llama_model_n_ctx_train(model), 0));
  info.vocabulary = static_cast<std::uint32_t>(llama_vocab_n_tokens(vocab));
  info.embedding_width = static_cast<std::uint32_t>(llama_model_n_embd_out(model));
  info.bos = text_of(llama_vocab_bos(vocab));
  info.eos = text_of(llama_vocab_eos(vocab));
  info.pad = text_of(llama_vocab_pad(vocab));
  info.adds_bos = llama_vocab_get_add_bos(vocab);
  for (llama_token token = 0; token < llama_vocab_n_tokens(vocab); ++token) {
    if (llama_vocab_is_eog(vocab, token)) info.end_tokens.push_back(token);
  }
  info.engine_build = build_hash();
  info.cpu_class = cpu_class();
  return info;
}

Pooling pooling_of(const llama_model* model) {
  const auto architecture = metadata(model, "general.architecture");
  const auto text = metadata(model, architecture + ".pooling_type");
  int type = LLAMA_POOLING_TYPE_NONE;
  std::from_chars(text.data(), text.data() + text.size(), type);
  switch (type) {
    case LLAMA_POOLING_TYPE_MEAN:
    case LLAMA_POOLING_TYPE_CLS:
    case LLAMA_POOLING_TYPE_LAST: return Pooling::kModel;
    case LLAMA_POOLING_TYPE_RANK: return Pooling::kNone;
    default: return Pooling::kMean;
  }
}

}  // namespace loam::engine

#endif  // LOAM_HAVE_LLAMA
