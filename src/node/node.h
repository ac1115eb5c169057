// The composition root: builds, starts and stops everything that a node is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "env/clock.h"
#include "env/folders.h"
#include "node/config.h"
#include "pool/residency.h"

namespace loam::node {

struct NodeOptions {
  env::Folders folders;
  Config config;
  /// The program that worker processes run: this one, unless a test says otherwise.
  env::Path program = "/proc/self/exe";
  /// Serve every model, and one named "fake", by the fake engine with steps of so many
  /// milliseconds. For tests of clients, load and supervision.
  std::optional<int> fake_step_ms;
  /// Options by which another process of this program finds the same home and settings.
  std::vector<std::string> program_options;
  /// Replaces the start of worker processes; for tests in one process.
  pool::EngineStarter starter;
  /// Called (on some thread) when a client with the owner's token asks the node to stop.
  std::function<void()> on_shutdown_request;
};

/// One node on one set of folders. Lives in one thread; the threads that serve are its own.
class Node {
 public:
  /// Makes the folders, takes their lock, opens the stores and binds the address; serves nothing
  /// yet.
  /// @error AlreadyExists     another node has these folders (names its process) or the address.
  /// @error PermissionDenied  a folder cannot be written; the owner's token is readable by others;
  ///                          an address off loopback and no API key.
  /// @error Unsupported       the processor lacks what the engine needs.
  /// @error InvalidArgument   a bad address; Corrupt: a damaged store.
  static Result<std::unique_ptr<Node>> open(NodeOptions options, env::Clock& clock);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Serves from now on, and says so in state/node.json.
  Result<> start();
  /// Takes no new request, lets running answers finish for at most `grace_ms`, then unloads the
  /// models. Later calls do nothing.
  void stop(std::int64_t grace_ms);

  /// "http://127.0.0.1:5626", with the port really bound.
  std::string url() const;

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace loam::node
