#include "ledger/body.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/format.h"
#include "codec/cbor.h"

namespace loam::ledger {
namespace {

constexpr std::string_view kDomain = "loam.body.v1";
constexpr std::int64_t kVersion = 1;
constexpr std::array<std::string_view, 4> kOrigins = {"human", "model", "mixed", "unknown"};

std::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, format("body: {}", why));
}

/// Members of a map, each asked for once, so that what is left over shows.
class Members {
 public:
  static Result<Members> of(const codec::Value& value) {
    const codec::Object* object = value.as_object();
    if (object == nullptr) return refuse("not a map");
    return Members(*object);
  }
  const codec::Value* find(std::string_view name) {
    const auto found = std::ranges::find(object_, name, &codec::Member::first);
    if (found == object_.end()) return nullptr;
    ++asked_;
    return &found->second;
  }
  Result<std::string> text(std::string_view name) {
    const codec::Value* value = find(name);
    const std::string* out = value == nullptr ? nullptr : value->as_string();
    if (out == nullptr) return refuse(format("\"{}\" is missing or no text", name));
    return *out;
  }
  Result<std::int64_t> integer(std::string_view name) {
    const codec::Value* value = find(name);
    const std::int64_t* out = value == nullptr ? nullptr : value->as_int();
    if (out == nullptr) return refuse(format("\"{}\" is missing or no integer", name));
    return *out;
  }
  Result<> end() const {
    if (asked_ != object_.size()) return refuse("a field that is not known");
    return {};
  }

 private:
  explicit Members(const codec::Object& object) : object_(object) {}
  const codec::Object& object_;
  std::size_t asked_ = 0;
};

Result<Message> parse_message(const codec::Value& value) {
  Members members = LOAM_TRY(Members::of(value));
  Message out;
  out.role = LOAM_TRY(members.text("role"));
  out.content = LOAM_TRY(members.text("content"));
  const std::string origin = LOAM_TRY(members.text("origin"));
  LOAM_TRY(members.end());
  const auto* found = std::ranges::find(kOrigins, origin);
  if (found == kOrigins.end()) return refuse("an unknown origin");
  if (out.role.empty()) return refuse("a message without a role");
  out.origin = static_cast<Origin>(found - kOrigins.begin());
  return out;
}

bool has_float(const codec::Value& value) {
  if (value.as_double() != nullptr) return true;
  if (const auto* items = value.as_array()) return std::ranges::any_of(*items, has_float);
  if (const auto* members = value.as_object())
    return std::ranges::any_of(*members, [](const auto& m) { return has_float(m.second); });
  return false;
}

}  // namespace

crypto::Digest commitment(const SaltedBody& body) {
  const std::uint8_t zero = 0;
  return crypto::Sha256()
      .update(as_bytes(kDomain))
      .update({&zero, 1})
      .update(body.salt)
      .update(body.body)
      .finish();
}

std::uint8_t size_bucket(std::size_t bytes) {
  return bytes <= 1 ? 0 : static_cast<std::uint8_t>(std::bit_width(bytes - 1));
}

std::string_view origin_name(Origin origin) { return kOrigins.at(std::to_underlying(origin)); }

Bytes encode_conversation(const Conversation& conversation) {
  codec::Array messages;
  for (const Message& message : conversation.messages)
    messages.push_back(codec::Object{{"role", message.role},
                                     {"content", message.content},
                                     {"origin", origin_name(message.origin)}});
  codec::Object out{{"v", kVersion},
                    {"messages", std::move(messages)},
                    {"model", conversation.model_name},
                    {"lang", conversation.language},
                    {"masked", std::int64_t{conversation.masked}},
                    {"replayable", !conversation.replay.is_null()}};
  if (!conversation.replay.is_null()) out.emplace_back("replay", conversation.replay);
  return codec::to_cbor(codec::Value(std::move(out)));
}

Result<Conversation> parse_conversation(ByteView body) {
  const codec::CborLimits limits{.bytes_max = kBodyBytesMax, .depth_max = 8, .values_max = 500'000};
  const codec::Value value = LOAM_TRY(codec::parse_cbor(body, limits));
  if (has_float(value)) return refuse("a float");
  Members members = LOAM_TRY(Members::of(value));
  if (LOAM_TRY(members.integer("v")) != kVersion)
    return fail(ErrorCode::kUnsupported, "body: of a version that this program does not know");
  Conversation out;
  const codec::Value* messages = members.find("messages");
  if (messages == nullptr || messages->as_array() == nullptr || messages->as_array()->empty() ||
      messages->as_array()->size() > kMessagesMax)
    return refuse(format("no messages, or more than {}", kMessagesMax));
  for (const codec::Value& message : *messages->as_array())
    out.messages.push_back(LOAM_TRY(parse_message(message)));
  out.model_name = LOAM_TRY(members.text("model"));
  out.language = LOAM_TRY(members.text("lang"));
  const std::int64_t masked = LOAM_TRY(members.integer("masked"));
  if (masked < 0 || masked > UINT32_MAX) return refuse("\"masked\" is out of range");
  out.masked = static_cast<std::uint32_t>(masked);
  const codec::Value* replayable = members.find("replayable");
  const codec::Value* replay = members.find("replay");
  if (replayable == nullptr || replayable->as_bool() == nullptr ||
      *replayable->as_bool() != (replay != nullptr))
    return refuse("\"replayable\" does not say whether there is a \"replay\"");
  if (replay != nullptr && replay->is_null()) return refuse("a \"replay\" that is null");
  if (replay != nullptr) out.replay = *replay;
  LOAM_TRY(members.end());
  if (out.masked > 0 && replay != nullptr) return refuse("a masked body cannot be replayed");
  return out;
}

}  // namespace loam::ledger
