#include "engine/columns.h"

#include <cmath>

#include "base/check.h"
#include "engine/protocol.h"

namespace loam::engine {
namespace {

/// Pieces of text one after another, and the length of each.
struct Pieces {
  std::vector<std::uint32_t> lengths;
  Bytes bytes;

  void add(const std::string& piece) {
    lengths.push_back(static_cast<std::uint32_t>(piece.size()));
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  }
};

/// Hands out the pieces again. False if the lengths do not add up to the bytes.
class PieceReader {
 public:
  PieceReader(const std::vector<std::uint32_t>& lengths, const Bytes& bytes)
      : lengths_(lengths), bytes_(as_text(bytes)) {}

  bool adds_up() const {
    std::uint64_t sum = 0;
    for (const std::uint32_t length : lengths_) sum += length;
    return sum == bytes_.size();
  }
  std::string next() {
    const std::string_view piece = bytes_.substr(at_, lengths_[index_]);
    at_ += lengths_[index_++];
    return std::string(piece);
  }

 private:
  const std::vector<std::uint32_t>& lengths_;  // of the caller, which outlives this
  std::string_view bytes_;
  std::size_t index_ = 0;
  std::size_t at_ = 0;
};

bool has_nan(const std::vector<float>& numbers) {
  for (const float number : numbers)
    if (std::isnan(number)) return true;
  return false;
}

/// How many alternatives there are in all; empty if one token has more than it may.
std::optional<std::size_t> count_top(const std::vector<std::uint8_t>& counts) {
  std::size_t sum = 0;
  for (const std::uint8_t count : counts) {
    if (count > protocol::kTopLogprobsMax) return std::nullopt;
    sum += count;
  }
  return sum;
}

}  // namespace

codec::Value to_table(const std::vector<TokenInfo>& tokens) {
  std::vector<TokenId> ids, top_ids;
  std::vector<float> logprobs, top_logprobs;
  std::vector<std::uint8_t> top_counts;
  Pieces pieces, top_pieces;
  for (const TokenInfo& token : tokens) {
    LOAM_CHECK(token.top.size() == token.top_bytes.size());
    LOAM_CHECK(token.top.size() <= protocol::kTopLogprobsMax);
    ids.push_back(token.token);
    logprobs.push_back(token.logprob);
    pieces.add(token.bytes);
    top_counts.push_back(static_cast<std::uint8_t>(token.top.size()));
    for (const TopLogprob& top : token.top) {
      top_ids.push_back(top.token);
      top_logprobs.push_back(top.logprob);
    }
    for (const std::string& piece : token.top_bytes) top_pieces.add(piece);
  }
  return codec::Object{
      {"id", to_column<TokenId>(ids)},
      {"logprob", to_column<float>(logprobs)},
      {"length", to_column<std::uint32_t>(pieces.lengths)},
      {"bytes", std::move(pieces.bytes)},
      {"top_count", to_column<std::uint8_t>(top_counts)},
      {"top_id", to_column<TokenId>(top_ids)},
      {"top_logprob", to_column<float>(top_logprobs)},
      {"top_length", to_column<std::uint32_t>(top_pieces.lengths)},
      {"top_bytes", std::move(top_pieces.bytes)},
  };
}

std::vector<TokenInfo> take_table(Fields& fields, std::string_view name) {
  using protocol::kFrameBytesMax;
  using protocol::kTokensMax;
  Fields table(fields.map(name), name);
  const auto ids = take_column<TokenId>(table, "id", kTokensMax);
  const auto logprobs = take_column<float>(table, "logprob", kTokensMax);
  const auto lengths = take_column<std::uint32_t>(table, "length", kTokensMax);
  const Bytes& bytes = table.bytes("bytes", kFrameBytesMax);
  const auto top_counts = take_column<std::uint8_t>(table, "top_count", kTokensMax);
  const auto top_ids = take_column<TokenId>(table, "top_id", kTokensMax);
  const auto top_logprobs = take_column<float>(table, "top_logprob", kTokensMax);
  const auto top_lengths = take_column<std::uint32_t>(table, "top_length", kTokensMax);
  const Bytes& top_bytes = table.bytes("top_bytes", kFrameBytesMax);

  PieceReader pieces(lengths, bytes), top_pieces(top_lengths, top_bytes);
  const std::optional<std::size_t> top_all = count_top(top_counts);
  const bool same_lengths = logprobs.size() == ids.size() && lengths.size() == ids.size() &&
                            top_counts.size() == ids.size() && top_all &&
                            top_ids.size() == *top_all && top_logprobs.size() == *top_all &&
                            top_lengths.size() == *top_all;
  if (!same_lengths || !pieces.adds_up() || !top_pieces.adds_up())
    table.refuse(name, "columns that do not fit together");
  if (has_nan(logprobs) || has_nan(top_logprobs)) table.refuse(name, "a logprob that is no number");
  fields.join(table);
  if (!fields.good()) return {};

  std::vector<TokenInfo> out(ids.size());
  std::size_t top = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out[i].token = ids[i];
    out[i].logprob = logprobs[i];
    out[i].bytes = pieces.next();
    for (std::uint8_t k = 0; k < top_counts[i]; ++k, ++top) {
      out[i].top.push_back({top_ids[top], top_logprobs[top]});
      out[i].top_bytes.push_back(top_pieces.next());
    }
  }
  return out;
}

}  // namespace loam::engine
