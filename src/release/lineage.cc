#include "release/lineage.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/format.h"

namespace loam::release {
namespace {

/// A lineage deeper or wider than that is cut off with a fault. Chosen: a hundred times what is
/// reasonable.
constexpr std::size_t kDepthMax = 64;
constexpr std::uint64_t kPublicationsMax = 1000;

class FactsArchive final : public Archive {
 public:
  FactsArchive(const dataset::Facts& facts, BlobSource& blobs) : facts_(facts), blobs_(blobs) {
    for (const dataset::LogAtHeight& log : facts.logs)
      for (std::size_t i = 0; i < log.entries.size(); ++i) note(log, i);
  }
  std::optional<Standing> find(const ledger::RecordId& id) const override {
    const auto found = facts_.places.find(id);
    if (found == facts_.places.end()) return std::nullopt;
    const dataset::LogAtHeight& log = facts_.logs[found->second.log];
    return Standing{log.entries[found->second.entry].header, log.key.name, found->second.entry};
  }
  std::optional<Retraction> retraction(const ledger::RecordId& id) const override {
    const auto found = retractions_.find(id);
    if (found == retractions_.end()) return std::nullopt;
    return found->second;
  }
  bool knows(const crypto::PublicKey& key) const override {
    return std::ranges::any_of(facts_.logs, [&](const auto& log) { return log.key.key == key; });
  }
  BlobSource& blobs() override { return blobs_; }

 private:
  /// The first valid retraction of each record.
  void note(const dataset::LogAtHeight& log, std::size_t index) {
    const dataset::Entry& entry = log.entries[index];
    if (entry.header.kind != ledger::Kind::kRetraction) return;
    const dataset::Entry* of = facts_.find(entry.header.refs.front());
    if (of == nullptr || !of->retracted || !facts_.speaks_for(entry.header.author, *of)) return;
    retractions_.try_emplace(of->id, Retraction{entry.id, log.key.name, index});
  }

  const dataset::Facts& facts_;
  BlobSource& blobs_;
  std::map<ledger::RecordId, Retraction> retractions_;
};

Error not_fetched(const ledger::RecordId& id, Error why) {
  if (why.code == ErrorCode::kCancelled) return why;
  why.message = format("publication {}: it could not be fetched: {}", to_text(id), why.message);
  if (why.hint.empty()) why.hint = "nothing is known to be wrong with it: try again later";
  return why;
}

class Walk {
 public:
  Walk(Archive& archive, const WalkOptions& options) : archive_(archive), options_(options) {}

  Result<Lineage> run(const ledger::RecordId& id) {
    const auto standing = archive_.find(id);
    if (!standing)
      return fail(ErrorCode::kNotFound,
                  format("publication {}: it is in no log at hand", to_text(id)),
                  "name the log that it is in with --from and --key");
    static_cast<void>(LOAM_TRY(published_adapter(id, standing->header)));
    out_.root = LOAM_TRY(publication(id));
    out_.faults = faults_of(out_.root);
    return std::move(out_);
  }

 private:
  Result<Part> publication(const ledger::RecordId& id) {
    Part part{.what = path_.empty() ? "publication" : "parent", .id = to_text(id)};
    if (std::ranges::find(path_, id) != path_.end()) {
      part.faults.emplace_back("a cycle: it descends from itself");
      return part;
    }
    if (!seen_.insert(id).second) {
      part.text = "as above";
      return part;
    }
    if (path_.size() >= kDepthMax || seen_.size() > kPublicationsMax) {
      part.faults.emplace_back("the lineage goes on beyond what is looked at");
      return part;
    }
    const auto standing = archive_.find(id);
    if (!standing) {
      part.faults.emplace_back("it is missing: no log at hand has it");
      return part;
    }
    path_.push_back(id);
    auto done = fill(part, id, *standing);
    path_.pop_back();
    if (!done) return std::unexpected(std::move(done).error());
    return part;
  }

  Result<> fill(Part& part, const ledger::RecordId& id, const Standing& standing) {
    ++out_.publications;
    const auto payload = published_adapter(id, standing.header);
    if (!payload) {
      part.faults.push_back(payload.error().message);
      return {};
    }
    part.text = format("{} {}, {}, record {} of {}", published_type_name(payload->type),
                       payload->name, payload->licence, standing.index, standing.log);
    if (archive_.retraction(id)) part.text += ", withdrawn by its publisher";
    auto examined =
        examine(payload->manifest, archive_.blobs(), options_.read_gate, options_.threads);
    if (!examined) {
      if (may_pass(examined.error().code))
        return std::unexpected(not_fetched(id, std::move(examined).error()));
      part.faults.push_back(format("manifest {}: {}", crypto::digest_hex(payload->manifest),
                                   examined.error().message));
    } else {
      if (publication_of(examined->manifest, payload->manifest) != *payload)
        part.faults.emplace_back("its record and its manifest do not name the same things");
      if (examined->manifest.parents != standing.header.refs)
        part.faults.emplace_back("its record and its manifest name different parents");
      LOAM_TRY(look_at_base(examined->parts.front(), examined->manifest.base));
      look_at_logs(*examined);
      part.parts = std::move(examined->parts);
      if (path_.size() == 1) out_.examined = *std::move(examined);
    }
    for (const ledger::RecordId& parent : standing.header.refs)
      part.parts.push_back(LOAM_TRY(publication(parent)));
    return {};
  }

  Result<> look_at_base(Part& part, const Manifest::Base& base) {
    if (!options_.find_base) return {};
    const auto found = options_.find_base(base);
    if (!found && may_pass(found.error().code)) return std::unexpected(found.error());
    if (!found)
      part.faults.push_back(found.error().message);
    else
      part.is_claim = !*found;
    return {};
  }

  /// The records, against the logs at hand.
  void look_at_logs(Examined& examined) {
    out_.records += examined.proofs.records.size();
    Part& data_set = examined.parts.back();
    for (std::size_t i = 0; i < std::min(data_set.parts.size(), examined.log_keys.size()); ++i)
      data_set.parts[i].is_claim = !archive_.knows(examined.log_keys[i]);
    for (const UsedRecord& record : examined.proofs.records) {
      if (record.log >= examined.log_keys.size() || record.log >= examined.data_set.logs.size())
        continue;
      const std::string& origin = examined.data_set.logs[record.log].origin;
      if (archive_.knows(examined.log_keys[record.log])) {
        const auto standing = archive_.find(record.id);
        if (!standing || (standing->log == origin && standing->index != record.index))
          data_set.faults.push_back(format("record {} is not record {} of log {}",
                                           to_text(record.id), record.index, origin));
      }
      if (const auto retraction = archive_.retraction(record.id))
        note_retraction(data_set, examined.data_set, record, *retraction);
    }
  }

  void note_retraction(Part& data_set, const dataset::Manifest& manifest, const UsedRecord& record,
                       const Retraction& retraction) {
    const auto log =
        std::ranges::find(manifest.logs, retraction.log, &dataset::Manifest::Log::origin);
    const bool is_overlooked = log != manifest.logs.end() && retraction.index < log->height;
    if (is_overlooked)
      data_set.faults.push_back(
          format("record {} was retracted before the data set was built", to_text(record.id)));
    if (is_overlooked || path_.size() != 1) return;
    out_.retracted.emplace_back(record.id, retraction);
    out_.texts_retracted += has_text(record.header.kind) ? 1 : 0;
  }

  Archive& archive_;
  const WalkOptions& options_;
  std::vector<ledger::RecordId> path_;  // from the one that was asked for
  std::set<ledger::RecordId> seen_;
  Lineage out_;
};

}  // namespace

bool has_text(ledger::Kind kind) {
  return kind == ledger::Kind::kData || kind == ledger::Kind::kEdit;
}

std::unique_ptr<Archive> archive_of(const dataset::Facts& facts, BlobSource& blobs) {
  return std::make_unique<FactsArchive>(facts, blobs);
}

Result<Lineage> walk(Archive& archive, const ledger::RecordId& id, const WalkOptions& options) {
  return Walk(archive, options).run(id);
}

Result<ledger::Publication> published_adapter(const ledger::RecordId& id,
                                              const ledger::Header& record) {
  if (record.kind != ledger::Kind::kPublication)
    return fail(ErrorCode::kInvalidArgument,
                format("record {}: it is a {}, not a publication", to_text(id),
                       ledger::kind_name(record.kind)),
                "loam model ls");
  const auto payload = ledger::decode_publication(record.payload);
  if (!payload)
    return fail(ErrorCode::kInvalidArgument,
                format("publication {}: it is of a form that is not known here: {}", to_text(id),
                       payload.error().message));
  if (payload->type != ledger::PublishedType::kAdapter)
    return fail(ErrorCode::kUnsupported,
                format("publication {}: it is that of a {}; this program knows adapters",
                       to_text(id), published_type_name(payload->type)));
  if (payload->models.size() < 2)
    return fail(ErrorCode::kInvalidArgument,
                format("publication {}: it names no base and adapter", to_text(id)));
  return *payload;
}

}  // namespace loam::release
