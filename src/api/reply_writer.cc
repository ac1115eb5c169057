#include "api/reply_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/logprobs.h"
#include "api/sse.h"

namespace loam::api {
namespace {

constexpr const char* kSubmissionHeader = "x-commons-submission";

}  // namespace

ReplyWriter::ReplyWriter(Call call, ReplyHead head, std::unique_ptr<ReplyFormat> format,
                         Delivery delivery, std::size_t choices)
    : call_(std::move(call)),
      head_(std::move(head)),
      format_(std::move(format)),
      delivery_(delivery),
      choices_(choices),
      offsets_(choices) {
  for (std::size_t i = 0; i < choices; ++i) choices_[i].index = static_cast<std::uint32_t>(i);
}

void ReplyWriter::begin() {
  if (begun_ || delivery_ == Delivery::kWhole) return;
  begun_ = true;
  http::Headers headers = sse_headers();
  if (!head_.submission.empty()) headers.set(kSubmissionHeader, head_.submission);
  call_.exchange->begin_stream(200, std::move(headers));
  for (const ChoiceText& choice : choices_) {
    const codec::Value opening = format_->opening(head_, choice.index);
    if (!opening.is_null()) send(sse_data(opening));
  }
}

void ReplyWriter::send(std::string frame) {
  if (open_) open_ = call_.exchange->write(std::move(frame));
}

void ReplyWriter::add(std::size_t choice, std::string_view text,
                      std::vector<engine::TokenInfo> tokens, TextOf of) {
  ChoiceText& to = choices_[choice];
  to.text += text;
  if (of == TextOf::kPrompt) to.echo_bytes += text.size();
  if (delivery_ == Delivery::kWhole) {
    std::ranges::move(tokens, std::back_inserter(to.tokens));
    return;
  }
  if (text.empty() && tokens.empty()) return;
  begin();
  send(
      sse_data(format_->chunk(head_, ChunkPart{to.index, text, tokens, offsets_[choice], of, {}})));
  offsets_[choice] += count_code_points(text);
}

void ReplyWriter::close(std::size_t choice, engine::FinishReason reason,
                        std::vector<engine::TokenInfo> tokens) {
  ChoiceText& to = choices_[choice];
  to.finish = reason;
  if (delivery_ == Delivery::kWhole) {
    std::ranges::move(tokens, std::back_inserter(to.tokens));
    return;
  }
  begin();
  const ChunkPart part{to.index, {}, tokens, offsets_[choice], TextOf::kAnswer, reason};
  codec::Value chunk = format_->chunk(head_, part);
  if (head_.submission.empty())
    send(sse_data(chunk));
  else
    last_ = std::move(chunk);
}

void ReplyWriter::send_comment() {
  begin();
  send(sse_comment());
}

void ReplyWriter::finish(const Usage& usage, bool with_usage, codec::Value commons) {
  const auto add_commons = [&commons](codec::Value to) {
    if (!commons.is_null()) to.set("commons", std::move(commons));
    return to;
  };
  if (delivery_ == Delivery::kWhole) {
    if (!head_.submission.empty()) call_.exchange->add_header(kSubmissionHeader, head_.submission);
    return call_.respond_json(200, add_commons(format_->whole(head_, choices_, usage)));
  }
  begin();
  // A chunk for the submission alone would have no choices, which clients expect only with a usage.
  if (!last_.is_null()) send(sse_data(with_usage ? last_ : add_commons(last_)));
  if (with_usage) send(sse_data(add_commons(format_->usage_chunk(head_, usage))));
  send(sse_done());
  call_.exchange->end();
}

void ReplyWriter::fail(const ApiError& error) {
  if (!begun_) return call_.exchange->respond(error_response(error));
  send(sse_data(codec::Object{{"error", error_body(error)}}));
  call_.exchange->end();
}

}  // namespace loam::api
