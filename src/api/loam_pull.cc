// POST /loam/v1/pull
#include <atomic>
#include <memory>

#include "api/model_values.h"
#include "api/request_fields.h"
#include "catalog/pull.h"
#include "codec/json.h"

namespace loam::api {
namespace {

constexpr std::size_t kSourceBytesMax = 4096;
constexpr std::size_t kNameBytesMax = 256;

struct PullCall {
  catalog::PullRequest request;
  bool stream = true;
};

ApiResult<PullCall> parse(const codec::Value& body) {
  const Fields fields = LOAM_TRY(Fields::of(body));
  PullCall out;
  out.request.source = LOAM_TRY(fields.required_text("source", kSourceBytesMax));
  out.request.name = LOAM_TRY(fields.text("name", kNameBytesMax)).value_or("");
  if (const auto hex = LOAM_TRY(fields.text("sha256", kNameBytesMax))) {
    const auto digest = crypto::parse_digest(*hex);
    if (!digest) return refuse(bad_field("sha256", "must be 64 hexadecimal characters"));
    out.request.sha256 = *digest;
  }
  out.request.licence = LOAM_TRY(fields.text("licence", kNameBytesMax)).value_or("");
  out.request.link = LOAM_TRY(fields.boolean("link")).value_or(false);
  out.stream = LOAM_TRY(fields.boolean("stream")).value_or(true);
  return out;
}

std::string_view phase_name(catalog::PullPhase phase) {
  switch (phase) {
    case catalog::PullPhase::kConnecting: return "connecting";
    case catalog::PullPhase::kDownloading: return "downloading";
    case catalog::PullPhase::kVerifying: return "verifying";
    case catalog::PullPhase::kDone: break;
  }
  return "done";
}

codec::Value progress_value(const catalog::PullProgress& progress) {
  codec::Value out = codec::Object{{"phase", phase_name(progress.phase)},
                                   {"done", progress.done},
                                   {"total", progress.total},
                                   {"bytes_per_s", progress.bytes_per_s},
                                   {"left_s", nullptr}};
  if (progress.left_s) out.set("left_s", *progress.left_s);
  return out;
}

/// Lines of JSON as the pull goes on. The head is sent with the first of them, so that a pull that
/// fails at once has the status of its error.
class PullReply {
 public:
  PullReply(const Call& call, bool stream) : call_(call), stream_(stream) {}

  /// False once the client is gone.
  bool line(const codec::Value& value) {
    if (!stream_) return true;
    if (!begun_) {
      http::Headers headers;
      headers.set("content-type", "application/x-ndjson");
      headers.set("cache-control", "no-cache");
      headers.set("x-accel-buffering", "no");
      call_.exchange->begin_stream(200, std::move(headers));
      begun_ = true;
    }
    return call_.exchange->write(codec::to_json(value) + "\n");
  }
  void finish(const codec::Value& value) {
    line(value);
    if (begun_)
      call_.exchange->end();
    else
      call_.respond_json(200, value);
  }
  void fail(const ApiError& error) {
    if (!begun_) return call_.exchange->respond(error_response(error));
    line(codec::Object{{"error", error_body(error)}});
    call_.exchange->end();
  }

 private:
  const Call& call_;
  const bool stream_;
  bool begun_ = false;
};

void pull(Context& context, const Call& call, const PullCall& asked) {
  // Shared with the exchange, which may tell of the client's leaving at any time.
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  call.exchange->on_disconnect([gone] { *gone = true; });
  PullReply reply(call, asked.stream);
  const auto model =
      catalog::pull(context.services.catalog, asked.request, context.settings.pull,
                    context.services.clock, [&](const catalog::PullProgress& progress) {
                      return !*gone && !context.stopping && reply.line(progress_value(progress));
                    });
  if (!model) return reply.fail(model.error());
  context.models.forget_warm();
  reply.finish(codec::Object{{"model", model_value(context, call, *model, Detail::kList)}});
}

}  // namespace

void add_loam_pull_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kPost, "/loam/v1/pull", Need::kAdmin,
             [&context](const Call& call) -> ApiResult<> {
               const codec::Value body = LOAM_TRY(parse_object(call.request().body));
               PullCall asked = LOAM_TRY(parse(body));
               if (context.pulls.try_run(
                       [&context, call, asked = std::move(asked)] { pull(context, call, asked); }))
                 return {};
               return refuse(error_of_status(429, "too many pulls wait; try later"));
             });
}

}  // namespace loam::api
