// The manifest of a published adapter: what it is made of, and its files by hash. It is a file
// itself, named by its hash in a publication record. docs/formats/publication.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataset/manifest.h"
#include "ledger/payload.h"

namespace loam::release {

inline constexpr std::uint64_t kManifestBytesMax = std::uint64_t{1} << 20;

// The files of a publication.
inline constexpr std::string_view kAdapterFile = "adapter.gguf";
inline constexpr std::string_view kRecipeFile = "recipe.toml";
inline constexpr std::string_view kLogFile = "log.jsonl";
inline constexpr std::string_view kGateFile = "gate.json";
inline constexpr std::string_view kDataSetFile = "data-set.json";  // the data set's manifest
inline constexpr std::string_view kProofsFile = "proofs.cbor";
/// All of them, in the order of the manifest; no other.
inline constexpr std::array kFiles = {kAdapterFile,
                                      std::string_view("adapter_config.json"),
                                      std::string_view("adapter_model.safetensors"),
                                      kRecipeFile,
                                      kLogFile,
                                      kGateFile,
                                      kDataSetFile,
                                      kProofsFile};
/// The largest that a file of this name may be.
std::uint64_t file_bytes_max(std::string_view name);

/// What a gate's report comes to.
struct GateSummary {
  std::string verdict;  // "pass", "fail", "inconclusive"
  std::string profile;  // "own", "network"
  bool self_gated = false;
  crypto::Digest adapter_sha256{}, base_sha256{}, data_set_root{};  // what was compared
};

struct Manifest {
  struct Base {
    std::string name;
    crypto::Digest sha256{};
    std::uint64_t bytes = 0;
    std::string architecture;
    std::string source;  // a URL or hf:...; empty if it came from a file
    std::string licence;
  };
  struct DataSet {
    dataset::Roots roots;    // roots.manifest is the hash of kDataSetFile
    std::uint64_t used = 0;  // records
    std::string query;
  };
  struct Run {
    crypto::Digest id{};  // tuning::run_id()
    std::uint64_t seed = 0;
    std::uint64_t examples = 0;
    crypto::Digest examples_sha256{};  // tuning::hash_of()
    std::string version, engine_build, instruction_set;
  };
  struct Gate {
    std::string verdict, profile;
    bool self_gated = false;
  };
  struct File {
    std::string name;
    std::uint64_t bytes = 0;
    crypto::Digest sha256{};
  };

  std::string name;     // ledger::is_published_name()
  std::string licence;  // SPDX id, combined_licence() of base and records
  Base base;
  DataSet data_set;
  Run run;
  Gate gate;
  std::vector<ledger::RecordId> parents;  // as the record refers to them
  std::vector<File> files;                // kFiles

  /// `name` must be one of kFiles.
  const File& file(std::string_view name) const;
};

/// The one text of a manifest, whose texts must be what parse_manifest() takes.
std::string manifest_text(const Manifest& manifest);
/// Accepts exactly what manifest_text() writes: nothing unread stands in it.
/// @error Corrupt  another shape; says which member. @error Unsupported  a later version.
Result<Manifest> parse_manifest(std::string_view text);

/// What the record of a publication says of `manifest`, whose file's hash is `sha256`.
ledger::Publication publication_of(const Manifest& manifest, const crypto::Digest& sha256);

}  // namespace loam::release
