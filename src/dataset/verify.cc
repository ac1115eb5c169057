#include "dataset/verify.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/format.h"
#include "base/parse.h"
#include "dataset/parallel.h"
#include "dataset/words.h"
#include "env/file.h"

namespace loam::dataset {
namespace {

constexpr std::size_t kFaultsMax = 100;
constexpr std::uint64_t kManifestBytesMax = std::uint64_t{4} << 20;
/// Files of a data set are read whole; what is larger does not fit the rows' memory either.
constexpr std::uint64_t kFileBytesMax = std::uint64_t{64} << 30;

/// A body of the folder, opened.
struct Opened {
  const Entry* entry = nullptr;
  bool is_row = false;
  ledger::Conversation conversation;
};

class Verifier {
 public:
  Verifier(const env::Path& folder, const VerifyOptions& options, const OnProgress& on_progress)
      : folder_(folder), options_(options), on_progress_(on_progress) {}

  Result<Verification> run() {
    LOAM_TRY(read_manifest());
    LOAM_TRY(read_logs());
    LOAM_TRY(read_dropped());
    LOAM_TRY(read_bodies());
    make_rows();
    check_complete();
    LOAM_TRY(check_files());
    if (!options_.sources.empty()) LOAM_TRY(recheck());
    return std::move(out_);
  }

 private:
  void fault(std::string what) {
    if (out_.faults.size() < kFaultsMax) out_.faults.push_back(std::move(what));
  }

  Result<> read_manifest() {
    auto text = env::read_file(folder_ / kManifestFile, kManifestBytesMax);
    if (!text)
      return fail(text.error().code,
                  format("{}: no data set: {}", folder_.string(), text.error().message),
                  "`loam data build --out DIR` makes one");
    manifest_file_ = *std::move(text);
    manifest_ = LOAM_TRY(parse_manifest(manifest_file_));
    recipe_.query = LOAM_TRY(Query::parse(manifest_.query));
    recipe_.profile = manifest_.profile;
    recipe_.split_seed = manifest_.split_seed;
    return {};
  }

  Result<crypto::VerifierKey> key_of(const std::string& origin) const {
    const auto found = std::ranges::find(options_.keys, origin, &crypto::VerifierKey::name);
    if (found == options_.keys.end())
      return fail(ErrorCode::kNotFound,
                  format("the data set was made from log {}, and no key of it was given", origin),
                  "give its key with --key; whoever runs the log publishes it");
    return *found;
  }

  Result<> read_logs() {
    std::vector<LogInput> inputs;
    for (const Manifest::Log& log : manifest_.logs) {
      const crypto::VerifierKey key = LOAM_TRY(key_of(log.origin));
      copies_.push_back(ledger::open_log_folder(folder_ / log_folder(key.key)));
      inputs.push_back({key, copies_.back().get(), log.height});
    }
    facts_ = LOAM_TRY(gather(std::move(inputs), manifest_.net, options_.threads, on_progress_));
    for (const LogAtHeight& log : facts_.logs) {
      out_.records += log.entries.size();
      const auto wanted = std::ranges::find(manifest_.logs, log.key.name, &Manifest::Log::origin);
      if (wanted->root != log.root)
        fault(format("{}: the root of {} at height {} is not that of its records", kManifestFile,
                     wanted->origin, wanted->height));
    }
    ratings_ = rate(facts_, recipe_.profile);
    return {};
  }

  /// Calls `on_line` for every line of a file.
  Result<> each_line(std::string_view name,
                     const std::function<Result<>(std::string_view)>& on_line) {
    const std::string text = LOAM_TRY(env::read_file(folder_ / name, kFileBytesMax));
    if (!text.empty() && text.back() != '\n') fault(format("{}: its last line is cut", name));
    for (std::size_t at = 0, line = 1; at < text.size(); ++line) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      if (auto read = on_line(std::string_view(text).substr(at, end - at)); !read) {
        if (read.error().code == ErrorCode::kCancelled) return read;
        fault(format("{}, line {}: {}", name, line, read.error().message));
      }
      at = end + 1;
    }
    return {};
  }

  Result<> read_dropped() {
    return each_line(kDroppedFile, [&](std::string_view line) -> Result<> {
      Dropped dropped = LOAM_TRY(parse_dropped_line(line));
      if (!dropped_.empty() && !(dropped_.back().id < dropped.id))
        return fail(ErrorCode::kCorrupt, "records are not in order");
      dropped_.push_back(std::move(dropped));
      return {};
    });
  }

  Result<> read_bodies() {
    const std::string text = LOAM_TRY(env::read_file(folder_ / kBodiesFile, kFileBytesMax));
    std::vector<std::string_view> lines = split(text, '\n');
    if (!lines.back().empty()) fault(format("{}: its last line is cut", kBodiesFile));
    lines.pop_back();
    std::vector<Result<Opened>> opened(lines.size(), fail(ErrorCode::kInternal, ""));
    std::vector<UsedBody> read(lines.size());
    in_parallel(lines.size(), options_.threads,
                [&](std::size_t i) { opened[i] = open_line(lines[i], read[i]); });
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!opened[i]) {
        fault(format("{}, line {}: {}", kBodiesFile, i + 1, opened[i].error().message));
        continue;
      }
      if (!selection_.bodies.empty() && !(selection_.bodies.back().id < read[i].id))
        fault(format("{}, line {}: records are not in order", kBodiesFile, i + 1));
      opened_.emplace(read[i].id, *std::move(opened[i]));
      selection_.bodies.push_back(std::move(read[i]));
    }
    return {};
  }

  /// A body that may be used, and is what its record commits to.
  Result<Opened> open_line(std::string_view line, UsedBody& out) const {
    out = LOAM_TRY(parse_body_line(line));
    const Entry* entry = facts_.find(out.id);
    const std::string name = to_text(out.id);
    if (entry == nullptr)
      return fail(ErrorCode::kCorrupt, format("record {} is in no log up to its height", name));
    if (const auto reason = ruled_out(facts_, *entry))
      return fail(ErrorCode::kCorrupt,
                  format("record {} must not be used: {}", name, reason_name(*reason)));
    if (!entry->header.body_commitment ||
        ledger::commitment(out.body) != *entry->header.body_commitment)
      return fail(ErrorCode::kCorrupt,
                  format("record {}: body or salt is not what was signed", name));
    auto conversation = ledger::parse_conversation(out.body.body);
    if (!conversation)
      return fail(ErrorCode::kCorrupt, format("record {}: {}", name, conversation.error().message));
    return Opened{entry, out.is_row, *std::move(conversation)};
  }

  void make_rows() {
    std::set<ledger::RecordId> originals;
    for (const auto& [id, opened] : opened_) {
      if (!opened.is_row) continue;
      check_row(id, opened);
      if (!has_answer(opened.conversation)) continue;
      const ledger::Conversation* original = nullptr;
      if (opened.entry->header.kind == ledger::Kind::kEdit) {
        const auto found = opened_.find(opened.entry->header.refs.front());
        if (found != opened_.end()) original = &found->second.conversation;
      }
      Row row = make_row(*opened.entry, opened.conversation, rating_of(id), original);
      row.split =
          split_of(manifest_.split_seed, split_key(row.header, row.conversation, recipe_.profile));
      if (!(row.split == Split::kTrain ? row.header.scope.train : row.header.scope.eval))
        fault(format("row {}: its consent is not for {}", to_text(id), split_name(row.split)));
      if (row.original) originals.insert(*row.original);
      selection_.rows.push_back(std::move(row));
    }
    for (const auto& [id, opened] : opened_)
      if (!opened.is_row && !originals.contains(id))
        fault(format("{}: the text of record {} is in no row", kBodiesFile, to_text(id)));
    out_.rows = selection_.rows.size();
  }

  Rating rating_of(const ledger::RecordId& id) const {
    const auto found = ratings_.find(id);
    return found == ratings_.end() ? Rating{} : found->second;
  }

  void check_row(const ledger::RecordId& id, const Opened& opened) {
    std::vector<std::u32string> words;
    for (const ledger::Message& message : opened.conversation.messages)
      std::ranges::move(words_of(message.content), std::back_inserter(words));
    const Rating rating = rating_of(id);
    const HeaderFacts header{&opened.entry->header, rating.up - rating.down,
                             rating.up + rating.down};
    const BodyFacts body{&opened.conversation, &words};
    if (recipe_.query.matches(header, &body) != Answer::kYes)
      fault(format("row {}: the query does not match it", to_text(id)));
    if (!has_answer(opened.conversation))
      fault(format("row {}: it does not end in an answer", to_text(id)));
  }

  /// Every record that the query may match is a row or was dropped, and never both.
  void check_complete() {
    std::map<ledger::RecordId, const Dropped*> dropped;
    for (const Dropped& one : dropped_) dropped.emplace(one.id, &one);
    for (const LogAtHeight& log : facts_.logs)
      for (const Entry& entry : log.entries) {
        const auto opened = opened_.find(entry.id);
        const bool is_row = opened != opened_.end() && opened->second.is_row;
        const auto found = dropped.find(entry.id);
        const bool is_dropped = found != dropped.end();
        const bool wanted = is_candidate(entry, recipe_, rating_of(entry.id));
        if (is_row && is_dropped)
          fault(format("record {}: it is a row, and dropped", to_text(entry.id)));
        else if (wanted && !is_row && !is_dropped)
          fault(format("record {}: the query may match it, and it is neither a row nor dropped",
                       to_text(entry.id)));
        else if (is_dropped)
          check_dropped(entry, *found->second, wanted);
        if (is_dropped) dropped.erase(found);
      }
    for (const auto& [id, one] : dropped)
      fault(format("{}: record {} is in no log up to its height", kDroppedFile, to_text(id)));
    out_.dropped = dropped_.size();
  }

  void check_dropped(const Entry& entry, const Dropped& dropped, bool wanted) {
    if (!wanted)
      return fault(format("{}: the query cannot match record {}", kDroppedFile, to_text(entry.id)));
    const auto reason = ruled_out(facts_, entry);
    const bool by_header =
        dropped.reason == DropReason::kRetracted || dropped.reason == DropReason::kNoConsent;
    if ((by_header || reason) && reason != dropped.reason)
      fault(format("{}: record {} was not dropped because of \"{}\"", kDroppedFile,
                   to_text(entry.id), reason_name(dropped.reason)));
    out_.claims += by_header ? 0 : 1;
  }

  /// Writes every file again, into nothing, and compares.
  Result<> check_files() {
    std::vector<FileInfo> files;
    selection_.dropped = std::move(dropped_);
    for (const View view : kViews) {
      FileHash hash(view_file(view));
      LOAM_TRY(write_view(view, selection_.rows, [&](std::string_view line) -> Result<> {
        hash.add(line);
        return {};
      }));
      files.push_back(hash.finish());
    }
    FileHash dropped{std::string(kDroppedFile)}, bodies{std::string(kBodiesFile)};
    for (const Dropped& one : selection_.dropped) dropped.add(dropped_line(one));
    for (const UsedBody& body : selection_.bodies) bodies.add(body_line(body));
    files.push_back(dropped.finish());
    files.push_back(bodies.finish());
    for (const FileInfo& file : files) LOAM_TRY(compare_file(file));
    const std::string manifest =
        manifest_text(manifest_, summarise(selection_.rows, selection_.dropped), files);
    if (manifest != manifest_file_)
      fault(format("{}: it is not what its records, rows and files give", kManifestFile));
    out_.roots = roots_of(selection_.rows, manifest_file_);
    const auto roots = env::read_file(folder_ / kRootFile, kManifestBytesMax);
    if (!roots || *roots != roots_text(out_.roots))
      fault(format("{}: the root is {}", kRootFile, crypto::digest_hex(out_.roots.dataset())));
    return {};
  }

  Result<> compare_file(const FileInfo& wanted) {
    const auto text = env::read_file(folder_ / wanted.name, kFileBytesMax);
    if (!text) {
      fault(format("{}: {}", wanted.name, text.error().message));
    } else if (crypto::sha256(as_bytes(*text)) != wanted.sha256) {
      fault(format("{}: it is not what the records give", wanted.name));
    }
    return {};
  }

  /// Builds again from where the logs live.
  Result<> recheck() {
    std::vector<LogInput> sources;
    for (const Manifest::Log& log : manifest_.logs) {
      const auto found = std::ranges::find(options_.sources, log.origin,
                                           [](const LogInput& input) { return input.key.name; });
      if (found == options_.sources.end())
        return fail(ErrorCode::kNotFound,
                    format("log {}: not among those given with --from", log.origin));
      sources.push_back({found->key, found->source, log.height});
    }
    const Facts facts =
        LOAM_TRY(gather(std::move(sources), manifest_.net, options_.threads, on_progress_));
    const Selection again = LOAM_TRY(select(facts, recipe_, options_.threads, on_progress_));
    std::map<ledger::RecordId, const Dropped*> now;
    for (const Dropped& one : again.dropped) now.emplace(one.id, &one);
    const auto is_gone = [&](const ledger::RecordId& id) {
      const auto found = now.find(id);
      return found != now.end() && found->second->reason == DropReason::kNoBody;
    };
    for (const Row& row : selection_.rows) {
      if (is_gone(row.id))
        ++out_.gone;
      else if (!std::ranges::binary_search(again.rows, row.id, {}, &Row::id))
        fault(format("row {}: building again from the logs does not give it", to_text(row.id)));
    }
    for (const Dropped& one : selection_.dropped) {
      const auto found = now.find(one.id);
      if (found != now.end() && *found->second == one) continue;
      if (is_gone(one.id) || (one.of && is_gone(*one.of)))
        ++out_.gone;
      else
        fault(format("{}: building again from the logs, record {} is not dropped because of \"{}\"",
                     kDroppedFile, to_text(one.id), reason_name(one.reason)));
    }
    out_.rechecked = true;
    return {};
  }

  /// As FileWriter, without a file.
  class FileHash {
   public:
    explicit FileHash(std::string name) { info_.name = std::move(name); }
    void add(std::string_view text) {
      hash_.update(as_bytes(text));
      info_.bytes += text.size();
      ++info_.lines;
    }
    FileInfo finish() {
      info_.sha256 = hash_.finish();
      return info_;
    }

   private:
    FileInfo info_;
    crypto::Sha256 hash_;
  };

  const env::Path& folder_;
  const VerifyOptions& options_;
  const OnProgress& on_progress_;
  std::string manifest_file_;
  Manifest manifest_;
  Recipe recipe_;
  std::vector<std::unique_ptr<ledger::LogSource>> copies_;
  Facts facts_;
  std::map<ledger::RecordId, Rating> ratings_;
  std::vector<Dropped> dropped_;
  std::map<ledger::RecordId, Opened> opened_;
  Selection selection_;
  Verification out_;
};

}  // namespace

Result<Verification> verify(const env::Path& folder, const VerifyOptions& options,
                            const OnProgress& on_progress) {
  return Verifier(folder, options, on_progress).run();
}

}  // namespace loam::dataset
