#include "gate/score_cache.h"

#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "env/file.h"
#include "gate/scorer.h"

namespace loam::gate {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{64} << 20;
constexpr std::size_t kHexDigits = 64;

void put(Bytes& out, std::uint64_t number) {
  for (unsigned byte = 0; byte < sizeof(number); ++byte)
    out.push_back(static_cast<std::uint8_t>(number >> (8 * byte)));
}

crypto::Digest key_of(const tuning::Text& text) {
  Bytes out;
  put(out, text.prompt_tokens);
  for (const train::Token token : text.tokens) put(out, token);
  return crypto::sha256(out);
}

std::string name_of(const crypto::Digest& model, const engine::ModelInfo& info) {
  crypto::Sha256 hash;
  hash.update(model).update(as_bytes(info.engine_build)).update(as_bytes(info.cpu_class));
  return crypto::digest_hex(hash.finish()) + ".txt";
}

/// Lines "HASH SCORE"; one that a crash cut off, and all behind it, is not there.
std::map<crypto::Digest, std::int64_t> parse(std::string_view text) {
  std::map<crypto::Digest, std::int64_t> out;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.size() < kHexDigits + 2) break;
    const auto key = crypto::parse_digest(line.substr(0, kHexDigits));
    const auto score = parse_int(line.substr(kHexDigits + 1));
    if (!key || !score) break;
    out.emplace(*key, *score);
  }
  return out;
}

std::string line_of(const crypto::Digest& key, std::int64_t score) {
  return format("{} {}\n", crypto::digest_hex(key), score);
}

}  // namespace

Result<ScoreCache> ScoreCache::open(const env::Path& folder, const crypto::Digest& model,
                                    engine::Engine& engine) {
  LOAM_TRY(env::make_folder(folder));
  ScoreCache out(engine, folder / name_of(model, engine.info()));
  if (const auto text = env::read_file(out.path_, kFileBytesMax)) out.known_ = parse(*text);
  std::string kept;
  for (const auto& [key, score] : out.known_) kept += line_of(key, score);
  LOAM_TRY(env::write_file_atomic(out.path_, kept));
  out.file_ = LOAM_TRY(env::open_append(out.path_, 0600));
  return out;
}

Result<std::int64_t> ScoreCache::score(const tuning::Text& text) {
  const crypto::Digest key = key_of(text);
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  const std::int64_t score = LOAM_TRY(gate::score(*engine_, text));
  LOAM_TRY(env::write_all(file_, path_, line_of(key, score)));
  known_.emplace(key, score);
  return score;
}

}  // namespace loam::gate
