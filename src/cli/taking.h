// Taking up what a followed log published: verified, gated here, and adopted; and back again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "cli/published.h"
#include "gate/report.h"
#include "release/channels.h"

namespace loam::cli {

/// A log that the node follows.
struct Channel {
  std::string id;  // of `loam follow ls`
  std::string url, key;
  std::string origin;
  std::string trouble;  // why nothing of it is to be believed: it contradicts itself; else empty
  release::ChannelPolicy policy;
};

/// The followed logs with their policies. @error Unavailable  no node runs, and none can be
/// started.
Result<std::vector<Channel>> read_channels(const Invocation& invocation);
/// By the beginning of its id. @error NotFound, InvalidArgument.
Result<Channel> find_channel(const std::vector<Channel>& channels, const std::string& id);
Result<release::ChannelBook> channel_book(const Invocation& invocation);

/// Publications of followed logs, and what reads them.
struct Offers {
  std::vector<Channel> channels;  // without those that contradict themselves
  std::unique_ptr<Published> published;
  /// Of followed logs, the newest first; of each log some, if it has many.
  std::vector<FoundPublication> found;
  /// Channels of which nothing is offered because they cannot be read, each with why.
  std::vector<std::pair<Channel, std::string>> unread;

  const Channel* channel_of(const FoundPublication& one) const;
};
/// One log that cannot be read keeps none of the others back: it is named on stderr.
/// @error What Published::open() returns.
Result<Offers> read_offers(Invocation& invocation);

struct Taken {
  catalog::Model model;
  std::string adapter_of;              // the publication
  std::optional<gate::Report> report;  // of the gate here; none if attestations were enough
  std::uint64_t attestations = 0;
  bool replaced = false;  // an earlier one of the name, which rollback brings back
  bool on_trial = false;  // beside that one, which still answers
};

struct TakeOrder {
  std::string name = {};  // it answers under; empty: as published
  bool attest = false;    // signs what the gate here said
  /// Where an adapter of a channel answers already: unheard first, then a share of the prompts.
  bool on_trial = false;
};

/// Fetches the publication's files, verifies its lineage down to single records, builds its data
/// set again, gates the adapter here (or counts the attestations that the channel's policy asks
/// for) and makes a model of it. What was decided is written down, a refusal too. With `attest`,
/// and if the gate runs here, what draws its slice is committed to in this node's log before any
/// file of the publication is fetched, and what it said is signed after.
/// @error Corrupt  its lineage; a file; its data set. NotFound  its base is not here. Unsupported
///        its licence or parts. PermissionDenied  it did not pass. AlreadyExists  the name is that
///        of another model; another process takes one.
Result<Taken> take(Invocation& invocation, const Offers& offers, const FoundPublication& one,
                   TakeOrder order);

/// What answers under `name` from now on, as release::give_up() says.
struct RolledBack {
  std::string name;
  std::optional<catalog::Model> to;
};
/// @error NotFound  no such model. @error InvalidArgument  it was not taken from a channel.
Result<RolledBack> roll_back(Invocation& invocation, const std::string& name,
                             const std::string& why);

}  // namespace loam::cli
