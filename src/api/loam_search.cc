// GET /loam/v1/search
#include <algorithm>
#include <chrono>

#include "api/context.h"
#include "api/ledger_values.h"
#include "api/request_fields.h"
#include "api/times.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "commons/search.h"

namespace loam::api {
namespace {

constexpr std::int64_t kHitsMax = 100;
constexpr std::int64_t kHitsDefault = 20;
constexpr std::int64_t kOffsetMax = 10'000;
constexpr std::int64_t kDay_s = 86'400;

std::string query_text(const Call& call, std::string_view name) {
  return call.request().query_param(name).value_or("");
}

/// The number in `digits`, or -1.
std::int64_t digits(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  return plain ? parse_int(text).value_or(-1) : -1;
}

/// "2026-11-23" or "2026-11-23T04:00:46Z" as seconds since 1970, and how long what it names lasts.
struct Moment {
  std::int64_t begin_s = 0;
  std::int64_t lasts_s = 0;
};
std::optional<Moment> parse_moment(std::string_view text) {
  using namespace std::chrono;
  const bool whole_day = text.size() == 10;
  if (!whole_day && (text.size() != 20 || text[10] != 'T' || text[19] != 'Z')) return std::nullopt;
  if (text[4] != '-' || text[7] != '-') return std::nullopt;
  const std::int64_t year_number = digits(text.substr(0, 4)),
                     month_number = digits(text.substr(5, 2)),
                     day_number = digits(text.substr(8, 2));
  if (year_number < 0 || month_number < 0 || day_number < 0) return std::nullopt;
  const year_month_day date{year(static_cast<int>(year_number)),
                            month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t midnight_s = sys_days(date).time_since_epoch().count() * kDay_s;
  if (whole_day) return Moment{midnight_s, kDay_s};
  const std::int64_t hour = digits(text.substr(11, 2)), minute = digits(text.substr(14, 2)),
                     second = digits(text.substr(17, 2));
  const bool is_time = text[13] == ':' && text[16] == ':' && hour >= 0 && hour < 24 &&
                       minute >= 0 && minute < 60 && second >= 0 && second < 60;
  if (!is_time) return std::nullopt;
  return Moment{midnight_s + hour * 3600 + minute * 60 + second, 1};
}

ApiResult<std::optional<Moment>> query_moment(const Call& call, const std::string& name) {
  const std::string text = query_text(call, name);
  if (text.empty()) return std::optional<Moment>();
  if (const auto moment = parse_moment(text)) return moment;
  return refuse(
      bad_field(name, "must be a date like 2026-11-23, or a time like 2026-11-23T04:00:00Z"));
}

ApiResult<commons::SearchQuery> read_query(const Call& call) {
  commons::SearchQuery out;
  out.words = query_text(call, "q");
  out.model = query_text(call, "model");
  out.language = query_text(call, "lang");
  out.log = query_text(call, "log");
  if (const std::string author = query_text(call, "author"); !author.empty()) {
    const auto key = from_hex(author);
    if (!key || key->size() != 32)
      return refuse(bad_field("author", "must be a key in 64 hexadecimal digits"));
    std::ranges::copy(*key, out.author.emplace().begin());
  }
  if (const std::string kind = query_text(call, "kind"); kind == "data")
    out.kind = ledger::Kind::kData;
  else if (kind == "edit")
    out.kind = ledger::Kind::kEdit;
  else if (!kind.empty())
    return refuse(bad_field("kind", "must be data or edit: only they have words"));
  if (const std::string rating = query_text(call, "rating"); rating == "up")
    out.rating = commons::Rating::kUp;
  else if (rating == "down")
    out.rating = commons::Rating::kDown;
  else if (rating == "none")
    out.rating = commons::Rating::kNone;
  else if (!rating.empty())
    return refuse(bad_field("rating", "must be up, down or none"));
  if (const auto since = LOAM_TRY(query_moment(call, "since"))) out.since_s = since->begin_s;
  if (const auto until = LOAM_TRY(query_moment(call, "until")))
    out.until_s = until->begin_s + until->lasts_s;
  out.hits_max = static_cast<std::size_t>(
      LOAM_TRY(query_number(call.request(), "limit", 1, kHitsMax, kHitsDefault)));
  out.offset =
      static_cast<std::size_t>(LOAM_TRY(query_number(call.request(), "offset", 0, kOffsetMax, 0)));
  return out;
}

codec::Value hit_value(const commons::SearchHit& hit) {
  codec::Array snippet;
  for (const commons::SnippetPiece& piece : hit.snippet) {
    codec::Value out = codec::Object{{"text", replace_invalid_utf8(piece.text)}};
    if (piece.hit) out.set("hit", true);
    snippet.push_back(std::move(out));
  }
  codec::Value out =
      codec::Object{{"id", to_text(hit.id)},
                    {"log", hit.log},
                    {"index", hit.index},
                    {"kind", kind_name(hit.kind)},
                    {"author", to_hex(hit.author)},
                    {"time", rfc3339(hit.time_s * 1000)},
                    {"language", hit.language},
                    {"model", hit.model},
                    {"licence", hit.licence},
                    {"votes", codec::Object{{"up", hit.votes_up}, {"down", hit.votes_down}}},
                    {"score", hit.score},
                    {"snippet", std::move(snippet)}};
  if (hit.edits) out.set("edits", to_text(*hit.edits));
  return out;
}

ApiResult<> search(Context& context, const Call& call) {
  const commons::SearchQuery query = LOAM_TRY(read_query(call));
  auto found = context.services.search.search(query);
  if (!found && found.error().code == ErrorCode::kInvalidArgument)
    return refuse(ApiError(found.error()).with_param("q"));
  const commons::SearchPage page = LOAM_TRY(std::move(found));
  codec::Array hits;
  for (const commons::SearchHit& hit : page.hits) hits.push_back(hit_value(hit));
  const std::size_t next = query.offset + page.hits.size();
  const bool goes_on = page.more && next <= static_cast<std::size_t>(kOffsetMax);
  codec::Value out = codec::Object{{"hits", std::move(hits)}};
  out.set("next", nullptr);
  if (goes_on) out.set("next", next);
  out.set("rebuilding", page.rebuilding);
  if (page.rebuilding) {
    out.set("done", page.done);
    out.set("of", page.of);
  }
  call.respond_json(200, out);
  return {};
}

}  // namespace

void add_loam_search_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/loam/v1/search", Need::kInfer,
             [&context](const Call& call) { return search(context, call); });
}

}  // namespace loam::api
