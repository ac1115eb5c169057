// App: the whole HTTP API over the node's services. The node composes it and gives it to a Server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/access.h"
#include "catalog/catalog.h"
#include "catalog/pull.h"
#include "commons/follow.h"
#include "commons/public_blobs.h"
#include "commons/search.h"
#include "commons/sharing.h"
#include "env/clock.h"
#include "env/folders.h"
#include "http/exchange.h"
#include "ledger/log.h"
#include "pool/answers.h"
#include "pool/files.h"
#include "pool/keys.h"
#include "pool/residency.h"
#include "release/rollouts.h"
#include "tuning/job_queue.h"

namespace loam::api {

/// What the API works on. All must outlive the App.
struct Services {
  catalog::Catalog& catalog;
  pool::Residency& residency;
  pool::KeyRing& keys;
  pool::AnswerStore& answers;
  ledger::Log& log;
  commons::Sharing& sharing;
  commons::Search& search;
  commons::Following& following;
  commons::PublicBlobs& blobs;
  pool::FileStore& files;
  tuning::JobQueue& training;
  release::Rollouts& rollouts;
  env::Clock& clock;
  /// Asks the node to stop; returns at once. Called on a handler thread.
  std::function<void()> request_shutdown;
};

struct Settings {
  std::string version;  // of the program
  std::string listen;   // "127.0.0.1:5626", as status shows it
  AccessRules access;
  bool log_is_public = false;  // other machines can read it here
  env::Folders folders;
  catalog::PullOptions pull;
  engine::LoadOptions load;            // what Residency loads with
  std::size_t training_threads = 1;    // of a job
  std::int64_t heartbeat_ms = 10'000;  // silence on a stream after which a comment is sent
};

class App {
 public:
  /// Also erases what was retracted and could not be erased everywhere before the node ended.
  static std::unique_ptr<App> create(Services services, Settings settings);
  /// Cancels what still runs. Stop the Server first.
  virtual ~App() = default;

  /// Answers a request, now or later. May block for a short time only. @thread any.
  virtual void handle(const http::ExchangePtr& exchange) = 0;

  /// Answers a request of anybody: GET and HEAD of /log/, /blob/ and /health, and 404 for all else.
  /// No key, Host or Origin is looked at. @thread any. @source DESIGN.md 8.9.
  virtual void handle_public(const http::ExchangePtr& exchange) = 0;

  /// From now on /health says that the node is stopping (503). @thread any.
  virtual void begin_stopping() = 0;

  /// The address that the server is really bound to, once known. Call before it is started.
  virtual void set_listen(std::string address) = 0;

  /// For http::ErrorWriter: refusals that the server makes by itself, in the API's form.
  static http::Response error_reply(int status, std::string_view message);
};

}  // namespace loam::api
