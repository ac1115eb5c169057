// A node of the tour: in a home of its own, on a free port of this machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "cli/invocation.h"
#include "cli/node_client.h"

namespace loam::cli {

struct TourAnswer {
  std::string id;
  std::string text;
  std::int64_t tokens = 0;
};

/// Stops when it is destroyed.
class TourNode {
 public:
  /// `outer` must outlive it: its console shows the progress of what is done here.
  /// @error as start_in_background().
  static Result<std::unique_ptr<TourNode>> start(Invocation& outer, const env::Path& home);
  ~TourNode();
  TourNode(const TourNode&) = delete;
  TourNode& operator=(const TourNode&) = delete;

  const std::string& url() const { return *globals_.url; }
  /// For functions behind verbs; they work on this node.
  Invocation invocation() {
    return {
        .globals = globals_, .console = outer_.console, .root = outer_.root, .clock = outer_.clock};
  }
  /// What the verb prints as JSON, its last line if there are several.
  /// @error that of the verb.
  Result<codec::Value> run(std::vector<std::string> arguments) const;
  /// @error Unavailable  it runs no more.
  Result<NodeClient> client();

  /// Leaves the file where it is.
  Result<> link_model(const catalog::Model& model);
  /// Answers to one question each, a few at a time; the likeliest words, so that they are always
  /// the same.
  Result<std::vector<TourAnswer>> ask(const std::string& model,
                                      const std::vector<std::string>& questions,
                                      std::int64_t tokens_max);
  /// Shares an answer and a better one in its place, at once. The better one's record.
  Result<std::string> teach(const std::string& answer, const std::string& better,
                            const std::string& licence);
  /// The log's head, once everybody may read all that is in it.
  Result<codec::Value> published_head();

 private:
  TourNode(Invocation& outer, const env::Path& home);

  Invocation& outer_;
  Globals globals_;
};

}  // namespace loam::cli
