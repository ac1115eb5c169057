// ReplyWriter: gathers the choices of one reply and sends them, whole at the end or chunk by chunk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "api/reply_format.h"

namespace loam::api {

enum class Delivery { kWhole, kStream };

/// Used under its owner's lock. Answers `call` once: finish() or fail().
class ReplyWriter {
 public:
  ReplyWriter(Call call, ReplyHead head, std::unique_ptr<ReplyFormat> format, Delivery delivery,
              std::size_t choices);

  const ReplyHead& head() const { return head_; }
  const ReplyFormat& format() const { return *format_; }
  const ChoiceText& choice(std::size_t index) const { return choices_[index]; }
  /// False once a stream's client is gone or cut off: stop producing.
  bool is_open() const { return open_; }

  /// Sends the head of a stream, which names the submission, and what opens its choices; later
  /// calls do nothing.
  void begin();
  /// Adds text and the tokens that end in it; `tokens` is empty unless logprobs are wanted.
  void add(std::size_t choice, std::string_view text, std::vector<engine::TokenInfo> tokens,
           TextOf of);
  /// The choice is complete; `tokens` are those that it ends with and that have no text.
  void close(std::size_t choice, engine::FinishReason reason,
             std::vector<engine::TokenInfo> tokens);
  /// Something that clients ignore, in a stream.
  void send_comment();
  /// Completes the reply; `with_usage`: a stream ends with the usage. `commons`, unless null,
  /// becomes a member of the reply or of its last chunk.
  void finish(const Usage& usage, bool with_usage, codec::Value commons);
  /// Ends the reply with an error: as its status, or in the stream if that has begun.
  void fail(const ApiError& error);

 private:
  void send(std::string frame);

  const Call call_;
  const ReplyHead head_;
  const std::unique_ptr<ReplyFormat> format_;
  const Delivery delivery_;
  bool begun_ = false;
  bool open_ = true;
  std::vector<ChoiceText> choices_;
  std::vector<std::size_t> offsets_;  // code points sent of each choice
  codec::Value last_;                 // a chunk that waits for what became of the submission
};

}  // namespace loam::api
