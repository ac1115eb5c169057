// Rollouts of a node: which adapter answers a prompt, and what answers and votes lead to.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "env/clock.h"
#include "env/guarded.h"
#include "env/thread.h"
#include "release/channels.h"

namespace loam::release {

/// Has what a channel brought under `name` answer no longer: the adapter that is being tried, or,
/// if none is, the one that answers. The one before answers then, if there was one.
/// @error NotFound  no such model. InvalidArgument  no channel brought it.
Result<std::optional<catalog::Model>> give_up(catalog::Catalog& catalog, const ChannelBook& book,
                                              const std::string& name, const std::string& why,
                                              std::int64_t now_ms);

/// Thread-safe. What it counts stands in the channels' book, which the command line changes too; it
/// looks there once a second. Counting happens on a thread of its own: nobody waits for the disk.
class Rollouts {
 public:
  /// `catalog` and `clock` must outlive this.
  Rollouts(ChannelBook book, catalog::Catalog& catalog, env::Clock& clock);

  /// The model that answers this request for `model`: itself, or every tenth time the adapter that
  /// is being tried.
  std::string answering(const std::string& model);
  /// The model that answers what `model` answered too, unheard; nothing if none is tried so. As
  /// the last answering() saw it: reads no file.
  std::optional<std::string> unheard(const std::string& model);

  /// What `model` answered was given, or was `faulty`. Counts if the model is being tried.
  void answered(const std::string& model, bool faulty);
  /// A model that is being tried could not be loaded. If that is its own fault, the one before goes
  /// on; else this is only said, now and then, and it is tried again.
  void cannot_answer(const std::string& model, const Error& why);
  /// A vote on an answer of `adapter`. Of each answer, named by a text of any form, the first
  /// vote counts.
  void voted(const std::string& answer, const crypto::Digest& adapter, bool is_down);

  /// An answer of `adapter` that the engine could not end. Reads no file.
  void failed(const std::string& answer, const crypto::Digest& adapter, ErrorCode why);

  /// Waits until all of the above is counted. For tests.
  void flush();

 private:
  using Counting = std::function<Step(Rollout&)>;
  using Counts = std::function<bool(const Rollout&)>;
  struct Seen {
    std::optional<std::int64_t> looked_ms;
    std::optional<env::FileStamp> stamp;
    std::map<std::string, Rollout> rollouts;  // by name
    std::map<std::string, std::uint64_t> asked;
    std::deque<std::string> voted;  // the newest last
    std::optional<std::int64_t> warned_ms;
  };
  void look(Seen& seen, bool at_once);
  /// Whose rollout something counts for. By the time it is counted another may have its name.
  struct Counted {
    std::string name;
    ledger::RecordId publication;
  };
  /// That of the adapter which `model` is, if it is being tried.
  std::optional<Counted> tried_as(const std::string& model);
  /// Those that something said of an answer of `adapter` counts for, and whether that is the new
  /// one, of the rollouts that it `counts` for; none if it was said of that answer before.
  std::vector<std::pair<Counted, bool>> concerned(const std::string& answer,
                                                  const crypto::Digest& adapter,
                                                  const Counts& counts);
  void count_later(const Counted& what, Counting counting);
  void count(const Counted& what, const Counting& counting);
  Result<> count_and_step(const Counted& what, const Counting& counting);
  /// What the step asks for in the catalogue and in the book, which it saves.
  Result<> take(const std::string& name, ChannelBook::Edit& edit, Step step);

  ChannelBook book_;
  catalog::Catalog& catalog_;
  env::Clock& clock_;
  env::Guarded<Seen> seen_;
  env::ThreadPool counting_{"rollouts", 1, 1024};  // last: it uses all of the above
};

}  // namespace loam::release
