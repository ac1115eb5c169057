#include "dataset/verify.h"

#include <algorithm>
#include <array>
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

  /// The lines of a file, and what the manifest says of it if nobody changed it.
  Result<std::vector<std::string_view>> lines_of(std::string_view name, std::string& text,
                                                 FileInfo& info) {
    text = LOAM_TRY(env::read_file(folder_ / name, kFileBytesMax));
    std::vector<std::string_view> lines = split(text, '\n');
    if (!lines.back().empty()) fault(format("{}: its last line is cut", name));
    lines.pop_back();
    info = {std::string(name), text.size(), lines.size(), crypto::sha256(as_bytes(text))};
    return lines;
  }

  Result<> read_dropped() {
    std::string text;
    const auto lines = LOAM_TRY(lines_of(kDroppedFile, text, dropped_file_));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      auto dropped = parse_dropped_line(lines[i]);
      if (!dropped)
        fault(format("{}, line {}: {}", kDroppedFile, i + 1, dropped.error().message));
      else if (!dropped_.empty() && !(dropped_.back().id < dropped->id))
        fault(format("{}, line {}: records are not in order", kDroppedFile, i + 1));
      if (dropped) dropped_.push_back(*std::move(dropped));
    }
    return {};
  }

  Result<> read_bodies() {
    std::string text;
    const auto lines = LOAM_TRY(lines_of(kBodiesFile, text, bodies_file_));
    std::vector<Result<Opened>> opened(lines.size(), fail(ErrorCode::kInternal, ""));
    std::vector<ledger::RecordId> ids(lines.size());
    in_parallel(lines.size(), options_.threads,
                [&](std::size_t i) { opened[i] = open_line(lines[i], ids[i]); });
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!opened[i])
        fault(format("{}, line {}: {}", kBodiesFile, i + 1, opened[i].error().message));
      else if (!opened_.empty() && !(opened_.rbegin()->first < ids[i]))
        fault(format("{}, line {}: records are not in order", kBodiesFile, i + 1));
      if (opened[i]) opened_.emplace(ids[i], *std::move(opened[i]));
    }
    return {};
  }

  /// A body that may be used, and is what its record commits to.
  Result<Opened> open_line(std::string_view line, ledger::RecordId& id) const {
    const UsedBody used = LOAM_TRY(parse_body_line(line));
    id = used.id;
    const Entry* entry = facts_.find(id);
    const std::string name = to_text(id);
    if (entry == nullptr)
      return fail(ErrorCode::kCorrupt, format("record {} is in no log up to its height", name));
    if (const auto reason = ruled_out(facts_, *entry))
      return fail(ErrorCode::kCorrupt,
                  format("record {} must not be used: {}", name, reason_name(*reason)));
    if (!entry->header.body_commitment ||
        ledger::commitment(used.body) != *entry->header.body_commitment)
      return fail(ErrorCode::kCorrupt,
                  format("record {}: body or salt is not what was signed", name));
    auto conversation = ledger::parse_conversation(used.body.body);
    if (!conversation)
      return fail(ErrorCode::kCorrupt, format("record {}: {}", name, conversation.error().message));
    return Opened{entry, used.is_row, *std::move(conversation)};
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
    if (!matches(opened, rating_of(id)))
      fault(format("row {}: the query does not match it", to_text(id)));
    if (!has_answer(opened.conversation))
      fault(format("row {}: it does not end in an answer", to_text(id)));
  }

  bool matches(const Opened& opened, const Rating& rating) const {
    const HeaderFacts header{&opened.entry->header, rating.up - rating.down,
                             rating.up + rating.down};
    const Answer by_header = recipe_.query.matches(header, nullptr);
    if (by_header != Answer::kNeedsBody) return by_header == Answer::kYes;
    std::vector<std::u32string> words;
    for (const ledger::Message& message : opened.conversation.messages)
      std::ranges::move(words_of(message.content), std::back_inserter(words));
    const BodyFacts body{&opened.conversation, &words};
    return recipe_.query.matches(header, &body) == Answer::kYes;
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

  /// Makes every view again, and compares; then what stands over them.
  Result<> check_files() {
    selection_.dropped = std::move(dropped_);
    std::vector<Result<FileInfo>> views(kViews.size(), fail(ErrorCode::kInternal, ""));
    std::array<bool, kViews.size()> same{};
    in_parallel(kViews.size(), options_.threads,
                [&](std::size_t i) { views[i] = compare_view(kViews[i], same[i]); });
    std::vector<FileInfo> files;
    for (std::size_t i = 0; i < kViews.size(); ++i) {
      files.push_back(LOAM_TRY(std::move(views[i])));
      if (!same[i]) fault(format("{}: it is not what the records give", files.back().name));
    }
    files.push_back(dropped_file_);
    files.push_back(bodies_file_);
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

  /// What the view's file should be; `equal`: whether it is.
  Result<FileInfo> compare_view(View view, bool& equal) const {
    const auto file = env::read_file(folder_ / view_file(view), kFileBytesMax);
    equal = file.has_value();
    std::string_view rest = file ? std::string_view(*file) : std::string_view();
    FileInfo out{view_file(view)};
    crypto::Sha256 hash;
    LOAM_TRY(write_view(view, selection_.rows, [&](std::string_view line) -> Result<> {
      equal = equal && rest.starts_with(line);
      rest.remove_prefix(std::min(line.size(), rest.size()));
      hash.update(as_bytes(line));
      out.bytes += line.size();
      ++out.lines;
      return {};
    }));
    equal = equal && rest.empty();
    out.sha256 = hash.finish();
    return out;
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

  const env::Path& folder_;
  const VerifyOptions& options_;
  const OnProgress& on_progress_;
  std::string manifest_file_;
  Manifest manifest_;
  FileInfo dropped_file_, bodies_file_;
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
