// POST /loam/v1/identity/rotate
#include "api/context.h"
#include "api/request_fields.h"
#include "ledger/payload.h"

namespace loam::api {
namespace {

constexpr std::size_t kKeyHexBytes = 64;

ApiResult<std::optional<crypto::PublicKey>> read_recovery(const Fields& fields) {
  const auto text = LOAM_TRY(fields.text("recovery", kKeyHexBytes));
  if (!text) return std::nullopt;
  const auto key = crypto::parse_digest(*text);  // as many bytes, written the same
  if (!key || !crypto::is_valid_public_key(*key))
    return refuse(bad_field("recovery", "must be an Ed25519 public key in hexadecimal"));
  return *key;
}

/// A new key signs from now on; or, with "recovery", a key that may retract too is named.
ApiResult<> rotate(Context& context, const Call& call) {
  const std::string& text = call.request().body;
  const codec::Value body = LOAM_TRY(parse_object(text.empty() ? "{}" : text));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const auto recovery = LOAM_TRY(read_recovery(fields));
  ledger::Log& log = context.services.log;
  codec::Value out;
  if (recovery) {
    ledger::Draft draft;
    draft.kind = ledger::Kind::kKey;
    draft.payload = ledger::encode_key_change({.recovery = recovery});
    out.set("record", to_text(LOAM_TRY(log.post(std::move(draft))).id));
    out.set("recovery", to_hex(*recovery));
  } else {
    out.set("record", to_text(LOAM_TRY(log.rotate()).id));
  }
  out.set("author", to_hex(log.author()));
  call.respond_json(201, out);
  return {};
}

}  // namespace

void add_loam_identity_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kPost, "/loam/v1/identity/rotate", Need::kAdmin,
             [&context](const Call& call) { return rotate(context, call); });
}

}  // namespace loam::api
