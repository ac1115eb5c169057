#include "dataset/verify.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "base/format.h"
#include "base/parse.h"
#include "dataset/parallel.h"
#include "dataset/words.h"
#include "env/file.h"

namespace loam::dataset {
namespace {

constexpr std::size_t kFaultsMax = 100;
/// Of a file's lines that are read together.
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

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

  /// Gives all lines of a file, some at a time, and the number of the first of them.
  /// @return what the manifest says of the file if nobody changed it.
  Result<FileInfo> read_lines(
      std::string_view name,
      const std::function<void(std::span<const std::string_view>, std::uint64_t)>& on_lines) {
    FileReader file(folder_ / name);
    FileInfo out{std::string(name)};
    crypto::Sha256 hash;
    for (;;) {
      const std::string_view text = file.next_lines(kPieceBytes);
      if (text.empty()) break;
      hash.update(as_bytes(text));
      std::vector<std::string_view> lines = split(text, '\n');
      if (!lines.back().empty()) fault(format("{}: its last line is cut", name));
      lines.pop_back();
      on_lines(lines, out.lines + 1);
      out.bytes += text.size();
      out.lines += lines.size();
    }
    LOAM_TRY(file.state());
    out.sha256 = hash.finish();
    return out;
  }

  Result<> read_dropped() {
    const auto read = [&](std::span<const std::string_view> lines, std::uint64_t number) {
      for (const std::string_view line : lines) {
        auto dropped = parse_dropped_line(line);
        if (!dropped)
          fault(format("{}, line {}: {}", kDroppedFile, number, dropped.error().message));
        else if (!dropped_.empty() && !(dropped_.back().id < dropped->id))
          fault(format("{}, line {}: records are not in order", kDroppedFile, number));
        if (dropped) dropped_.push_back(*std::move(dropped));
        ++number;
      }
    };
    dropped_file_ = LOAM_TRY(read_lines(kDroppedFile, read));
    return {};
  }

  Result<> read_bodies() {
    opened_.reserve(out_.records);
    opened_at_.reserve(out_.records);
    const auto read = [&](std::span<const std::string_view> lines, std::uint64_t number) {
      std::vector<Result<Opened>> opened(lines.size(), fail(ErrorCode::kInternal, ""));
      in_parallel(lines.size(), options_.threads,
                  [&](std::size_t i) { opened[i] = open_line(lines[i]); });
      for (Result<Opened>& one : opened) {
        if (!one)
          fault(format("{}, line {}: {}", kBodiesFile, number, one.error().message));
        else if (!opened_.empty() && !(opened_.back().entry->id < one->entry->id))
          fault(format("{}, line {}: records are not in order", kBodiesFile, number));
        else
          add_opened(*std::move(one));
        ++number;
      }
    };
    bodies_file_ = LOAM_TRY(read_lines(kBodiesFile, read));
    return {};
  }

  void add_opened(Opened opened) {
    opened_at_.emplace(opened.entry->id, opened_.size());
    opened_.push_back(std::move(opened));
  }

  /// A body that may be used, and is what its record commits to.
  Result<Opened> open_line(std::string_view line) const {
    const UsedBody used = LOAM_TRY(parse_body_line(line));
    const auto refuse = [&](std::string_view why) {
      return fail(ErrorCode::kCorrupt, format("record {}{}", to_text(used.id), why));
    };
    const Entry* entry = facts_.find(used.id);
    if (entry == nullptr) return refuse(" is in no log up to its height");
    if (const auto reason = ruled_out(facts_, *entry))
      return refuse(format(" must not be used: {}", reason_name(*reason)));
    auto conversation = open_body(entry->header, used.body);
    if (!conversation) return refuse(format(": {}", conversation.error().message));
    return Opened{entry, used.is_row, *std::move(conversation)};
  }

  void make_rows() {
    selection_.rows.reserve(opened_.size());
    std::set<ledger::RecordId> edited, originals;
    std::map<crypto::PublicKey, std::int64_t> rows_of;
    for (const Opened& opened : opened_)
      if (opened.is_row && opened.entry->header.kind == ledger::Kind::kEdit)
        edited.insert(opened.entry->header.refs.front());
    for (Opened& opened : opened_) {
      if (!opened.is_row) continue;
      const Entry& entry = *opened.entry;
      check_row(opened);
      if (!has_answer(opened.conversation)) continue;
      const Opened* original = entry.header.kind == ledger::Kind::kEdit
                                   ? find_opened(entry.header.refs.front())
                                   : nullptr;
      // A text that another row improves is still needed here.
      Row row = make_row(
          entry, edited.contains(entry.id) ? opened.conversation : std::move(opened.conversation),
          rating_of(entry.id), original == nullptr ? nullptr : &original->conversation);
      const crypto::PublicKey& writer = facts_.writer_of(entry);
      row.split =
          split_of(manifest_.split_seed, split_key(writer, row.conversation, recipe_.profile));
      ++rows_of[writer];
      if (!(row.split == Split::kTrain ? row.header.scope.train : row.header.scope.eval))
        fault(format("row {}: its consent is not for {}", to_text(row.id), split_name(row.split)));
      if (row.original) originals.insert(*row.original);
      if (original != nullptr && original->is_row) check_superseded(entry, *original->entry);
      selection_.rows.push_back(std::move(row));
    }
    for (const auto& [writer, rows] : rows_of)
      if (rows > cap_of(recipe_).value_or(rows))
        fault(format("author {}: {} rows, {} are allowed", to_hex(writer), rows, *cap_of(recipe_)));
    for (const Opened& opened : opened_)
      if (!opened.is_row && !originals.contains(opened.entry->id))
        fault(format("{}: the text of record {} is in no row", kBodiesFile,
                     to_text(opened.entry->id)));
    out_.rows = selection_.rows.size();
  }

  /// A row that an edit took the place of. docs/formats/dataset.md, "superseded".
  void check_superseded(const Entry& edit, const Entry& original) {
    if (recipe_.profile == Profile::kNetwork &&
        facts_.writer_of(edit) != facts_.writer_of(original))
      return;
    fault(format("row {}: an edit of it is a row, too", to_text(original.id)));
  }

  const Opened* find_opened(const ledger::RecordId& id) const {
    const auto found = opened_at_.find(id);
    return found == opened_at_.end() ? nullptr : &opened_[found->second];
  }

  const Rating& rating_of(const ledger::RecordId& id) const {
    static const Rating kNone;
    const auto found = ratings_.find(id);
    return found == ratings_.end() ? kNone : found->second;
  }

  void check_row(const Opened& opened) {
    const ledger::RecordId& id = opened.entry->id;
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
    const Words words = words_of(opened.conversation);
    const BodyFacts body{&opened.conversation, &words};
    return recipe_.query.matches(header, &body) == Answer::kYes;
  }

  /// Every record that the query may match is a row or was dropped, and never both.
  void check_complete() {
    IdMap<const Dropped*> dropped;
    for (const Dropped& one : dropped_) dropped.emplace(one.id, &one);
    for (const LogAtHeight& log : facts_.logs)
      for (const Entry& entry : log.entries) {
        const Opened* opened = find_opened(entry.id);
        const bool is_row = opened != nullptr && opened->is_row;
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
      }
    for (const Dropped& one : dropped_)
      if (facts_.find(one.id) == nullptr)
        fault(format("{}: record {} is in no log up to its height", kDroppedFile, to_text(one.id)));
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
    out_.used = used_records(selection_.rows);
    const auto roots = env::read_file(folder_ / kRootFile, kManifestBytesMax);
    if (!roots || *roots != roots_text(out_.roots))
      fault(format("{}: the root is {}", kRootFile, crypto::digest_hex(out_.roots.dataset())));
    return {};
  }

  /// What the view's file should be; `equal`: whether it is.
  Result<FileInfo> compare_view(View view, bool& equal) const {
    FileInfo out{view_file(view)};
    FileReader file(folder_ / out.name);
    crypto::Sha256 hash;
    equal = true;
    LOAM_TRY(write_view(view, selection_.rows, [&](std::string_view line) -> Result<> {
      equal = equal && file.next(line.size()) == line;
      hash.update(as_bytes(line));
      out.bytes += line.size();
      ++out.lines;
      return {};
    }));
    equal = equal && file.next(1).empty() && file.state();
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
  IdMap<Rating> ratings_;
  std::vector<Dropped> dropped_;
  std::vector<Opened> opened_;  // by id
  IdMap<std::size_t> opened_at_;
  Selection selection_;
  Verification out_;
};

}  // namespace

Result<Verification> verify(const env::Path& folder, const VerifyOptions& options,
                            const OnProgress& on_progress) {
  return Verifier(folder, options, on_progress).run();
}

}  // namespace loam::dataset
