// The models that this node holds: names, files, identity, licence.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/digest.h"
#include "env/clock.h"
#include "env/disk.h"

namespace loam::catalog {

/// What the header of a GGUF file says; read by our own bounded parser (gguf.h), never by the
/// engine.
struct ModelFacts {
  std::string architecture;  // "llama"
  std::string display_name;  // general.name
  std::string quantisation;  // "Q4_1": by the type that most weights have
  std::uint64_t parameters = 0;
  std::uint32_t context = 0;  // tokens it was trained for
  std::uint32_t embedding_width = 0;
  std::uint32_t layers = 0;
  std::string licence;        // general.license as written; empty if unknown
  std::string chat_template;  // empty if none
  /// Keys and values of one token over all layers, 16-bit floats; an estimate, 0 if unknown.
  std::uint64_t kv_bytes_per_token = 0;
};

/// A LoRA that goes with a model's file.
struct AdapterFile {
  crypto::Digest sha256{};
  std::uint64_t bytes = 0;
  env::Path file;
};

struct Model {
  std::string name;         // "smollm2"; [a-z0-9][a-z0-9._:/-]{0,127}, unique
  crypto::Digest sha256{};  // of the file
  std::uint64_t bytes = 0;
  env::Path file;       // data/models/<sha256>.gguf, or the linked file itself
  std::string source;   // where it came from: URL, hf:..., or path
  std::string licence;  // SPDX id or text as given or found; "unknown" if neither
  std::int64_t added_ms = 0;
  std::int64_t used_ms = 0;  // last load; 0: never
  ModelFacts facts;
  std::optional<AdapterFile> adapter = {};  // all above but the name is of the model below it

  /// What answers: the hash of the file, and that of the adapter if there is one.
  std::vector<crypto::Digest> content() const;
};

/// What add() does with the file it is given.
enum class Placing {
  kCopy,  // a second name on the same disk (hard link) where that works, else a copy
  kMove,  // the file is ours, such as a complete download: it is gone from its old place
  kStay,  // linked: it stays where it is and is never deleted by us
};

/// Which process opens a catalogue.
enum class Opener {
  kOwner,  // the one that has the home's lock
  kGuest,  // one beside it
};

/// Thread-safe. Durable: what a call acknowledged is there after a crash.
class Catalog {
 public:
  /// `models` is the folder of files, `database` the catalogue's own file; both are made. What a
  /// copy that was cut short left there is removed by the process that has the home's lock only.
  static Result<std::unique_ptr<Catalog>> open(const env::Path& database, const env::Path& models,
                                               env::Clock& clock, Opener opener = Opener::kOwner);
  virtual ~Catalog() = default;

  virtual Result<std::vector<Model>> list() = 0;  // by name
  /// By name in any case, "name:latest", or at least 8 hexadecimal characters of its hash (its
  /// adapter's, if it has one), if unique.
  /// @error NotFound  the hint names the nearest model there is. InvalidArgument  several models'
  /// hashes begin so.
  virtual Result<Model> find(std::string_view name) = 0;

  /// Takes a complete, hashed file into the catalogue under `name`; replaces a model of that name.
  /// An empty `licence` is taken from the file, and is "unknown" if that says none.
  /// @error Corrupt  not a GGUF file that we can read the header of, or not of this hash.
  /// @error Unsupported, as read_gguf(). ResourceExhausted  disk full; nothing was changed.
  virtual Result<Model> add(const std::string& name, const env::Path& file,
                            const crypto::Digest& sha256, const std::string& source,
                            const std::string& licence, Placing placing = Placing::kCopy) = 0;
  /// Takes an adapter for `base` into the catalogue, as a model of its own that needs the file of
  /// `base` too. A copy of `file` is made.
  /// @error InvalidArgument  `base` has an adapter already, or the adapter does not fit it.
  ///        Corrupt  it holds infinity or NaN. Else as add().
  virtual Result<Model> add_adapter(const std::string& name, const Model& base,
                                    const env::Path& file, const crypto::Digest& sha256,
                                    const std::string& source) = 0;
  /// A second name for the same file.
  virtual Result<Model> copy(std::string_view from, const std::string& to) = 0;
  /// Forgets the name (a hash is not enough here), and deletes the file once no name needs it
  /// (never a linked one). An engine that has the file open keeps it until it lets go.
  virtual Result<> remove(std::string_view name) = 0;

  /// Opens the file of a model after making sure that it is still the hashed one: by its stamp if
  /// that was seen before, else by hashing again, which takes about a second per gigabyte.
  /// @error Corrupt  the content changed; the message names the file. NotFound  the file is gone.
  virtual Result<env::Fd> open_verified(const Model& model) = 0;
  /// The same for its adapter, which there must be.
  virtual Result<env::Fd> open_adapter(const Model& model) = 0;

  virtual Result<> mark_used(std::string_view name) = 0;
  virtual const env::Path& folder() const = 0;
};

/// @error InvalidArgument  not a usable model name.
Result<std::string> checked_name(std::string_view name);

}  // namespace loam::catalog
