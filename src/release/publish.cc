#include "release/publish.h"

#include <algorithm>
#include <set>

#include "base/format.h"
#include "catalog/file_hash.h"
#include "commons/public_blobs.h"
#include "dataset/verify.h"
#include "http/client.h"
#include "release/licences.h"
#include "tuning/outcome.h"

namespace loam::release {
namespace {

constexpr std::size_t kIdBytesMax = 64;

/// Where a base came from, if strangers can go there: never a path of this machine.
std::string public_source(const std::string& source) {
  if (source.starts_with("hf:")) return source;
  if (source.starts_with("https://") || source.starts_with("http://"))
    return http::shown_url(source);
  return {};
}

class Staging {
 public:
  Staging(const PublishOrder& order, const env::Path& folder,
          const dataset::OnProgress& on_progress)
      : order_(order), folder_(folder), on_progress_(on_progress) {}

  Result<crypto::Digest> run() {
    LOAM_TRY(check_job());
    LOAM_TRY(check_data_set());
    LOAM_TRY(check_gate());
    LOAM_TRY(env::make_folder(folder_));
    blobs_ = LOAM_TRY(commons::PublicBlobs::open(folder_));
    LOAM_TRY(add_files());
    fill_manifest();
    const std::string text = manifest_text(manifest_);
    static_cast<void>(LOAM_TRY(parse_manifest(text)));  // what it was made of is not ours to trust
    const crypto::Digest sha256 = crypto::sha256(as_bytes(text));
    LOAM_TRY(env::write_file_atomic(folder_ / crypto::digest_hex(sha256), text));
    return sha256;
  }

 private:
  const tuning::JobSpec& spec() const { return order_.job.spec(); }

  std::unexpected<Error> changed(std::string_view what, const crypto::Digest& found,
                                 const crypto::Digest& wanted) const {
    return fail(ErrorCode::kCorrupt,
                format("publish {}: {} is {}, and the training wrote down {}", spec().id, what,
                       crypto::digest_hex(found), crypto::digest_hex(wanted)),
                "it was changed since; train again: the same recipe and data set give the same "
                "adapter");
  }

  Result<> check_hash(std::string_view what, const crypto::Digest& found,
                      const crypto::Digest& wanted) const {
    if (found == wanted) return {};
    return changed(what, found, wanted);
  }

  Result<> check_job() {
    const tuning::JobState state = LOAM_TRY(order_.job.state());
    if (state.status != tuning::JobStatus::kSucceeded)
      return fail(ErrorCode::kInvalidArgument,
                  format("publish {}: it is {}", spec().id, tuning::job_status_name(state.status)),
                  format("loam train show {}", spec().id));
    if (spec().private_source || spec().recipe.full)
      return fail(ErrorCode::kUnsupported,
                  format("publish {}: {}", spec().id,
                         spec().private_source ? "it learned from a private file"
                                               : "it is a whole model, and adapters are published"),
                  "train an adapter on a data set: loam train start --data DIR");
    lineage_ = LOAM_TRY(tuning::read_lineage(order_.job.result() / "lineage.json"));
    LOAM_TRY(check_hash("its base", order_.base.sha256, lineage_.base));
    LOAM_TRY(check_hash("its data set's root", spec().data_set_root, lineage_.data_set_root));
    const std::string recipe = to_toml(spec().recipe);
    LOAM_TRY(check_hash("its recipe", crypto::sha256(as_bytes(recipe)), lineage_.recipe));
    LOAM_TRY(check_hash(
        "its run",
        tuning::run_id(lineage_.base, lineage_.data_set_root, lineage_.recipe, lineage_.examples),
        lineage_.run));
    for (const auto& [name, wanted] : lineage_.files) {
      if (name.contains('/')) return changed("a file's name", {}, wanted);
      const auto found = LOAM_TRY(catalog::hash_file(order_.job.result() / name));
      LOAM_TRY(check_hash(name, found.sha256, wanted));
    }
    return {};
  }

  Result<> check_data_set() {
    dataset::VerifyOptions options{order_.keys};
    options.threads = order_.threads;
    const auto verified = LOAM_TRY(dataset::verify(order_.data_set, options, on_progress_));
    if (!verified.faults.empty())
      return fail(ErrorCode::kCorrupt,
                  format("publish {}: the data set {} is damaged: {}", spec().id,
                         order_.data_set.string(), verified.faults.front()),
                  format("loam data verify {} lists all that is wrong", order_.data_set.string()));
    LOAM_TRY(check_hash("the data set in " + order_.data_set.string(), verified.roots.dataset(),
                        lineage_.data_set_root));
    const std::string text = LOAM_TRY(
        env::read_file(order_.data_set / dataset::kManifestFile, file_bytes_max(kDataSetFile)));
    data_set_ = LOAM_TRY(dataset::parse_manifest(text));
    manifest_.data_set = {verified.roots, verified.used.size(), data_set_.query};
    const auto bundle =
        LOAM_TRY(make_proofs(order_.data_set, data_set_, order_.keys, verified.used));
    std::set<std::string> licences;
    for (const RecordProof& proof : bundle.records)
      licences.insert(LOAM_TRY(ledger::decode_record(proof.record)).header.licence);
    licences.erase("");  // of votes
    std::vector<LicensedPart> parts{{order_.base.licence, "the base model " + order_.base.name}};
    for (const std::string& licence : licences)
      parts.push_back({licence, "a record of the data set"});
    manifest_.licence = LOAM_TRY(combined_licence(parts));
    proofs_ = encode_proofs(bundle);
    if (proofs_.size() > file_bytes_max(kProofsFile))
      return fail(
          ErrorCode::kResourceExhausted,
          format("publish {}: the proofs of {} records take {} bytes, and {} is the most",
                 spec().id, bundle.records.size(), proofs_.size(), file_bytes_max(kProofsFile)),
          "build a smaller data set, and train on that");
    return {};
  }

  Result<> check_gate() {
    const GateSummary gate = LOAM_TRY(order_.read_gate(order_.gate_report));
    const auto about = [&](std::string_view what, const crypto::Digest& found,
                           const crypto::Digest& wanted) -> Result<> {
      if (found == wanted) return {};
      return fail(ErrorCode::kInvalidArgument,
                  format("publish {}: the gate's report is about another {}: {}, not {}", spec().id,
                         what, crypto::digest_hex(found), crypto::digest_hex(wanted)),
                  format("loam gate run {}", spec().id));
    };
    const auto adapter = lineage_.files.find(kAdapterFile);
    if (adapter == lineage_.files.end()) return changed(kAdapterFile, {}, {});
    LOAM_TRY(about("adapter", gate.adapter_sha256, adapter->second));
    LOAM_TRY(about("base", gate.base_sha256, lineage_.base));
    LOAM_TRY(about("data set", gate.data_set_root, lineage_.data_set_root));
    manifest_.gate = {gate.verdict, gate.profile, gate.self_gated};
    return {};
  }

  Result<> add_files() {
    for (const std::string_view name : kFiles) {
      if (name == kGateFile)
        LOAM_TRY(add_text(name, order_.gate_report));
      else if (name == kProofsFile)
        LOAM_TRY(add_text(name, as_text(proofs_)));
      else if (name == kRecipeFile)
        LOAM_TRY(add_text(name, to_toml(spec().recipe)));
      else if (name == kDataSetFile)
        LOAM_TRY(add_file(name, order_.data_set / dataset::kManifestFile,
                          manifest_.data_set.roots.manifest));
      else if (name == kLogFile)
        LOAM_TRY(add_file(name, order_.job.log(), lineage_.log));
      else if (const auto wanted = lineage_.files.find(name); wanted != lineage_.files.end())
        LOAM_TRY(add_file(name, order_.job.result() / name, wanted->second));
      else
        return changed(name, {}, {});
    }
    return {};
  }

  Result<> add_text(std::string_view name, std::string_view content) {
    const crypto::Digest sha256 = crypto::sha256(as_bytes(content));
    LOAM_TRY(env::write_file_atomic(folder_ / crypto::digest_hex(sha256), content));
    manifest_.files.push_back({std::string(name), content.size(), sha256});
    return {};
  }

  Result<> add_file(std::string_view name, const env::Path& file, const crypto::Digest& wanted) {
    const crypto::Digest sha256 = LOAM_TRY(blobs_->add(file));
    LOAM_TRY(check_hash(name, sha256, wanted));
    const auto blob = LOAM_TRY(blobs_->find(sha256));
    manifest_.files.push_back({std::string(name), blob.bytes, sha256});
    return {};
  }

  void fill_manifest() {
    manifest_.name = spec().name;
    manifest_.base = {.name = order_.base.name,
                      .sha256 = order_.base.sha256,
                      .bytes = order_.base.bytes,
                      .architecture = lineage_.architecture,
                      .source = public_source(order_.base.source),
                      .licence = order_.base.licence};
    manifest_.run = {.id = lineage_.run,
                     .seed = lineage_.seed,
                     .examples = lineage_.examples_count,
                     .examples_sha256 = lineage_.examples,
                     .version = lineage_.version,
                     .engine_build = lineage_.engine_build,
                     .instruction_set = lineage_.instruction_set};
    manifest_.parents = order_.parents;
  }

  const PublishOrder& order_;
  const env::Path& folder_;
  const dataset::OnProgress& on_progress_;
  std::optional<commons::PublicBlobs> blobs_;
  tuning::WrittenLineage lineage_;
  dataset::Manifest data_set_;
  Bytes proofs_;
  Manifest manifest_;
};

}  // namespace

Result<crypto::Digest> stage(const PublishOrder& order, const env::Path& folder,
                             const dataset::OnProgress& on_progress) {
  return Staging(order, folder, on_progress).run();
}

Result<env::Path> staging_folder(const env::Path& data, std::string_view id) {
  const bool plain = !id.empty() && id.size() <= kIdBytesMax && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (plain) return data / "publishing" / id;
  return fail(ErrorCode::kInvalidArgument,
              "publish: the id of what is to be published is not one of this program");
}

Result<Examined> check_staged(const env::Path& folder, const crypto::Digest& manifest,
                              const ReadGate& read_gate, std::size_t threads) {
  const auto blobs = open_blob_folder(folder);
  Examined out = LOAM_TRY(examine(manifest, *blobs, read_gate, threads));
  for (const Part& part : out.parts)
    if (const auto faults = faults_of(part); !faults.empty())
      return fail(ErrorCode::kCorrupt, format("publish: {}", faults.front()),
                  "nothing was published");
  return out;
}

}  // namespace loam::release
