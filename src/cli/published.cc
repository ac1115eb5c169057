#include "cli/published.h"

#include <algorithm>
#include <map>

#include "base/format.h"
#include "base/parse.h"
#include "cli/interrupt.h"
#include "cli/log_source.h"
#include "cli/record_progress.h"
#include "cli/training.h"
#include "commons/copy_source.h"
#include "dataset/parallel.h"
#include "http/client.h"

namespace loam::cli {
namespace {

constexpr std::size_t kHashDigitsMin = 8;

/// The files of the node whose log lies at `where`.
Result<std::unique_ptr<release::BlobSource>> blobs_beside(const std::string& where) {
  if (!where.contains("://")) return release::open_blob_folder(env::Path(where) / ".." / "blob");
  std::string url = where;
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with("/log"))
    return fail(ErrorCode::kInvalidArgument,
                "--from: the URL of a log ends in /log, and the node's files lie beside it",
                "for example https://example.org/log");
  return release::open_http_blobs(url.substr(0, url.size() - 3) + "blob",
                                  InterruptGuard::interrupted);
}

struct OpenedLog {
  crypto::VerifierKey key;
  std::unique_ptr<ledger::LogSource> source;
  std::unique_ptr<release::BlobSource> blobs;
};

Result<OpenedLog> open_named(const Invocation& invocation, const std::string& where,
                             const std::string& key) {
  const auto parsed = LOAM_TRY(crypto::parse_verifier_key(key));
  return OpenedLog{parsed, LOAM_TRY(named_log(invocation, where, parsed)),
                   LOAM_TRY(blobs_beside(where))};
}

/// What `what` means as the beginning of an adapter's hash; empty if it is none.
std::string hash_of(const Invocation& invocation, const std::string& what) {
  const bool is_hash = what.size() >= kHashDigitsMin &&
                       what.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_hash) return what;
  const auto catalog = open_catalog(invocation);
  if (!catalog) return {};
  const auto model = (*catalog)->find(what);
  return model && model->adapter ? crypto::digest_hex(model->adapter->sha256) : std::string();
}

}  // namespace

Result<std::unique_ptr<ledger::LogSource>> named_log(const Invocation& invocation,
                                                     const std::string& where,
                                                     const crypto::VerifierKey& key) {
  auto source = LOAM_TRY(open_log_at(invocation, "read a log", where));
  auto copy = commons::open_log_copy(LOAM_TRY(folders_of(invocation)).data / "commons", key);
  if (!copy) return source;
  const auto head = source->read("checkpoint", ledger::kNoteBytesMax);
  if (head || (head.error().code != ErrorCode::kUnavailable &&
               head.error().code != ErrorCode::kDeadlineExceeded))
    return commons::copy_first(*std::move(copy), std::move(source));
  invocation.console.warn(
      printable(format("{}; the copy of the last poll is read instead", head.error().message)));
  return copy;
}

void Published::leave_out(Invocation& invocation, const std::string& from, const Error& why) {
  const std::string shown = from.contains("://") ? http::shown_url(from) : from;
  invocation.console.warn(printable(format("{} is left out: {}", shown, why.message)));
  unread_.push_back({from, why});
}

Result<std::unique_ptr<Published>> Published::open(Invocation& invocation, const NamedLogs& logs) {
  if (logs.from.size() != logs.keys.size())
    return fail(ErrorCode::kInvalidArgument,
                format("{} logs and {} keys: each --from needs a --key", logs.from.size(),
                       logs.keys.size()),
                "whoever runs a log publishes its key; `loam ledger head` shows this node's");
  const InterruptGuard guard;
  std::unique_ptr<Published> out(new Published());
  std::vector<dataset::LogInput> inputs;
  std::vector<std::unique_ptr<release::BlobSource>> blobs;
  std::map<std::string, std::string> named;  // by the key's name
  const auto add = [&](const crypto::VerifierKey& key, std::unique_ptr<ledger::LogSource> source) {
    inputs.push_back({.key = key, .source = source.get(), .height = {}, .on_bundle = {}});
    out->sources_.push_back(std::move(source));
  };
  for (std::size_t i = 0; i < logs.from.size(); ++i) {
    const std::string& from = logs.from[i];
    auto log = open_named(invocation, from, logs.keys[i]);
    if (!log &&
        (logs.if_unreadable == IfUnreadable::kFail || log.error().code == ErrorCode::kCancelled))
      return std::unexpected(log.error());
    if (!log) {
      out->leave_out(invocation, from, log.error());
      continue;
    }
    named[log->key.name] = from;
    add(log->key, std::move(log->source));
    blobs.push_back(std::move(log->blobs));
  }
  auto own = open_own_log(invocation);
  if (!own && logs.from.empty()) return std::unexpected(own.error());
  if (own) {
    out->own_ = *std::move(own);
    // An empty log may have no checkpoint yet.
    if (!named.contains(out->own_->key.name) && env::stamp(out->own_->folder / "checkpoint"))
      add(out->own_->key, ledger::open_own_log(out->own_->folder, *out->own_->storage));
    // First: it costs nothing to look.
    blobs.insert(blobs.begin(),
                 release::open_blob_folder(LOAM_TRY(folders_of(invocation)).data / "public"));
  }
  const auto on_unreadable = [&](const crypto::VerifierKey& log, const Error& why) -> Result<> {
    const auto from = named.find(log.name);
    if (logs.if_unreadable == IfUnreadable::kFail || from == named.end())
      return std::unexpected(why);
    out->leave_out(invocation, from->second, why);
    return {};
  };
  out->facts_ =
      LOAM_TRY(dataset::gather(std::move(inputs), ledger::kPublicNet, dataset::usual_threads(),
                               RecordProgress(invocation), on_unreadable));
  out->blobs_ = release::any_blobs(std::move(blobs));
  out->archive_ = release::archive_of(out->facts_, *out->blobs_);
  return out;
}

std::vector<FoundPublication> Published::list() const {
  std::vector<FoundPublication> out;
  for (const dataset::LogAtHeight& log : facts_.logs)
    for (std::size_t i = 0; i < log.entries.size(); ++i) {
      const dataset::Entry& entry = log.entries[i];
      if (auto payload = release::published_adapter(entry.id, entry.header))
        out.push_back(
            {entry.id, *std::move(payload), log.key.name, i, entry.header.time_s, entry.retracted});
    }
  std::ranges::sort(out, [](const FoundPublication& a, const FoundPublication& b) {
    return std::pair(b.time_s, b.index) < std::pair(a.time_s, a.index);
  });
  return out;
}

std::uint64_t Published::retracted_since(const dataset::Manifest& data_set) const {
  const auto height = [&](const std::string& origin) -> std::uint64_t {
    const auto log = std::ranges::find(data_set.logs, origin, &dataset::Manifest::Log::origin);
    return log == data_set.logs.end() ? 0 : log->height;
  };
  std::uint64_t out = 0;
  for (const dataset::LogAtHeight& log : facts_.logs) {
    const auto below = std::min<std::uint64_t>(height(log.key.name), log.entries.size());
    for (std::size_t i = 0; i < below; ++i) {
      if (!log.entries[i].retracted || !release::has_text(log.entries[i].header.kind)) continue;
      const auto by = archive_->retraction(log.entries[i].id);
      if (!by || by->index >= height(by->log)) ++out;
    }
  }
  return out;
}

Result<ledger::RecordId> Published::find(const Invocation& invocation,
                                         const std::string& what) const {
  if (const auto id = ledger::parse_record_id(what)) return *id;
  const std::string hash = hash_of(invocation, what);
  std::vector<FoundPublication> found = list();
  std::erase_if(found, [&](const FoundPublication& one) {
    const std::string adapter =
        one.payload.models.empty() ? std::string() : crypto::digest_hex(one.payload.models.back());
    return hash.empty() ? one.payload.name != what : !adapter.starts_with(hash);
  });
  if (found.empty())
    return fail(ErrorCode::kNotFound, format("publication of {}: no log at hand has one", what),
                "loam model ls");
  for (const FoundPublication& other : found)
    if (other.payload.models != found.front().payload.models)
      return fail(ErrorCode::kInvalidArgument,
                  format("{} may be {} or {}", what, to_text(found.front().id), to_text(other.id)),
                  "name one of them by its id");
  return found.front().id;
}

}  // namespace loam::cli
