#include "node/node.h"

#include <unistd.h>

#include <optional>
#include <utility>

#include "api/app.h"
#include "base/format.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "commons/follow.h"
#include "commons/http_log_source.h"
#include "commons/public_blobs.h"
#include "commons/search.h"
#include "commons/sharing.h"
#include "engine/cpu_class.h"
#include "engine/engine.h"
#include "http/server.h"
#include "ledger/home.h"
#include "node/channel_poll.h"
#include "node/fake_catalog.h"
#include "node/machine.h"
#include "node/presence.h"
#include "pool/answers.h"
#include "pool/files.h"
#include "pool/keys.h"
#include "release/leftovers.h"
#include "tuning/job_queue.h"
#include "tuning/trainer.h"

namespace loam::node {
namespace {

// A client that looks whether a node runs holds the lock for an instant (presence.cc).
constexpr std::size_t kIoThreads = 2;
constexpr std::size_t kPublicHandlers = 2;       // chosen
constexpr std::size_t kPublicConnections = 512;  // chosen

Result<> make_folders(const env::Folders& folders) {
  for (const auto* folder :
       {&folders.config, &folders.data, &folders.state, &folders.cache, &folders.runtime}) {
    if (auto made = env::make_folder(*folder); !made) {
      Error error = made.error();
      error.hint = "make it writable for this user, or choose another place with --home DIR";
      return std::unexpected(std::move(error));
    }
  }
  return {};
}

Result<env::FileLock> take_lock(const env::Folders& folders) {
  auto lock = env::FileLock::acquire(lock_file(folders));
  if (lock) return lock;
  Error& error = lock.error();
  if (error.code == ErrorCode::kAlreadyExists) {
    error.message = format("start node on {}: another node runs there ({})", folders.data.string(),
                           error.message);
    error.hint = "use it (`loam status`), stop it (`loam down`), or give --home another folder";
  } else {
    error.hint = "make it writable for this user, or choose another place with --home DIR";
  }
  return lock;
}

engine::LoadOptions load_options(const Config& config) {
  engine::LoadOptions out;
  out.context = static_cast<std::uint32_t>(config.load.context);
  out.sequences_max = static_cast<std::uint32_t>(config.load.sequences);
  out.queue_max = static_cast<std::uint32_t>(config.load.queue);
  out.threads = static_cast<std::uint32_t>(config.load.threads);
  out.chunk_tokens = static_cast<std::uint32_t>(config.load.chunk);
  return out;
}

pool::ResidencyOptions residency_options(const Config& config) {
  pool::ResidencyOptions out;
  out.load = load_options(config);
  out.keep_alive_s = config.keep_alive;
  out.memory_bytes_max = static_cast<std::uint64_t>(config.memory_max);
  out.models_max = static_cast<std::size_t>(config.models_max);
  out.load_timeout_ms = config.load.timeout * 1000;
  return out;
}

pool::EngineStarter worker_starter(const NodeOptions& options) {
  return [program = engine::worker_program(options.program, engine::probe_cpu()),
          step_ms = options.fake_step_ms,
          timeout_ms = options.config.load.timeout * 1000](pool::EngineOrder order) {
    engine::EngineSource source;
    source.name = order.model.name;
    if (!step_ms) source.file = std::move(order.file);
    if (!step_ms) source.adapter = std::move(order.adapter);
    source.path = order.model.file;
    source.load = order.options;
    source.stop = std::move(order.stop);
    source.fake_step_ms = step_ms.value_or(0);
    return engine::start_worker_engine(program, std::move(source), timeout_ms);
  };
}

api::Settings api_settings(const NodeOptions& options, const ListenAddress& listen) {
  api::Settings out;
  out.version = version();
  out.listen = options.config.listen;
  out.access.listens_on_loopback = listen.loopback;
  // The log is read without a key wherever the node listens.
  out.log_is_public = !listen.loopback || !options.config.public_listen.empty();
  out.access.allowed_hosts = options.config.allow.hosts;
  if (!listen.loopback) out.access.allowed_hosts.push_back(listen.host);
  out.access.allowed_origins = options.config.allow.origins;
  out.folders = options.folders;
  out.pull.partial_folder = options.folders.cache / "partial";
  if (!options.config.pull.hub.empty()) out.pull.hub_url = options.config.pull.hub;
  out.pull.offline = options.config.offline;
  out.load = load_options(options.config);
  out.training_threads = training_threads(options.config);
  return out;
}

http::ServerOptions server_options(const Config& config, const ListenAddress& listen) {
  http::ServerOptions out;
  out.address = listen.host;
  out.port = listen.port;
  out.io_threads = kIoThreads;
  out.handler_threads = static_cast<std::size_t>(config.limits.handlers);
  out.limits.body_bytes_max = static_cast<std::size_t>(config.limits.body_bytes);
  out.limits.head_bytes_max = static_cast<std::size_t>(config.limits.head_bytes);
  out.limits.connections_max = static_cast<std::size_t>(config.limits.connections);
  if (!config.tls.certificate.empty())
    out.tls =
        std::make_unique<http::TlsFiles>(http::TlsFiles{config.tls.certificate, config.tls.key});
  return out;
}

Result<> check_tls(const Config& config) {
  if (config.tls.certificate.empty() == config.tls.key.empty()) return {};
  return fail(ErrorCode::kInvalidArgument,
              format("tls.{} is not set: HTTPS needs certificate and key",
                     config.tls.key.empty() ? "key" : "certificate"),
              "set both, or none for plain HTTP");
}

/// Off loopback every request needs a key; without any the node would answer nobody, and whoever
/// set it up so probably expected that everybody is answered.
Result<> check_exposure(const Config& config, const ListenAddress& listen, pool::KeyRing& keys) {
  if (listen.loopback) return {};
  const auto known = LOAM_TRY(keys.list());
  if (known.empty())
    return fail(
        ErrorCode::kPermissionDenied,
        format("listen on {}: other machines could reach it, and no API key exists", config.listen),
        "make one first: loam key new");
  if (config.tls.certificate.empty())
    log::warning("node",
                 "listening on {} without TLS: keys and prompts cross the network in the clear "
                 "(set tls.certificate and tls.key)",
                 config.listen);
  return {};
}

Error address_error(Error error, const Config& config) {
  if (error.code == ErrorCode::kAlreadyExists && error.hint.empty())
    error.hint = format(
        "another program listens on {}; stop it, or choose another address with "
        "--listen or LOAM_LISTEN",
        config.listen);
  return error;
}

/// Of takes and publications that were killed. No reason not to serve.
void remove_leftovers(const env::Folders& folders, const release::ChannelBook& book,
                      catalog::Catalog& catalog) {
  if (const auto done = release::remove_left_staged(folders.data); !done)
    log::warning("node", "what was to be published: {}", done.error().message);
  const auto alone = book.lock();
  if (!alone) return;  // a take is under way, and has removed what there was
  if (const auto done = release::remove_takes(folders.cache, catalog); !done)
    log::warning("node", "what was being taken: {}", done.error().message);
}

}  // namespace

// In the order in which they are made; destroyed the other way round.
struct Node::Parts {
  Parts(NodeOptions node_options, env::Clock& node_clock, ListenAddress address, env::FileLock held)
      : options(std::move(node_options)),
        clock(node_clock),
        listen(std::move(address)),
        lock(std::move(held)) {}

  NodeOptions options;
  env::Clock& clock;
  ListenAddress listen;
  env::FileLock lock;
  std::unique_ptr<pool::KeyRing> keys;
  std::unique_ptr<catalog::Catalog> catalog;
  std::unique_ptr<pool::AnswerStore> answers;
  std::unique_ptr<ledger::Log> log;
  std::unique_ptr<commons::Sharing> sharing;
  std::unique_ptr<commons::Search> search;
  std::unique_ptr<commons::Following> following;
  std::optional<commons::PublicBlobs> blobs;
  std::unique_ptr<pool::FileStore> files;
  std::unique_ptr<tuning::JobQueue> training;
  std::unique_ptr<release::Rollouts> rollouts;
  std::unique_ptr<ChannelPoll> channels;
  std::unique_ptr<pool::Residency> residency;
  std::unique_ptr<api::App> app;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<http::Server> public_server;  // null unless it was asked for
  bool started = false;

  Result<> open_stores();
  Result<> open_ledger();
  Result<> open_server();
  Result<> open_public_server();
};

Result<> Node::Parts::open_stores() {
  const env::Path& data = options.folders.data;
  keys = LOAM_TRY(pool::KeyRing::open(data / "keys.db", token_file(options.folders), clock));
  catalog = LOAM_TRY(catalog::Catalog::open(data / "catalog.db", data / "models", clock));
  if (options.fake_step_ms) catalog = add_fake_model(std::move(catalog));
  answers = LOAM_TRY(pool::AnswerStore::open(data / "answers.db",
                                             static_cast<int>(options.config.history.keep), clock));
  LOAM_TRY(open_ledger());
  blobs = LOAM_TRY(commons::PublicBlobs::open(data / "public"));
  files = LOAM_TRY(pool::FileStore::open(data / "files", clock));
  training = std::make_unique<tuning::JobQueue>(tuning::QueueSetup{
      tuning::jobs_folder(data), *catalog, clock,
      tuning::make_process_trainer(options.program, options.program_options, clock)});
  const release::ChannelBook book(data / "channels");
  remove_leftovers(options.folders, book, *catalog);
  rollouts = std::make_unique<release::Rollouts>(book, *catalog, clock);
  if (!options.config.offline)
    channels = std::make_unique<ChannelPoll>(ChannelPollSetup{
        book, options.program, options.program_options,
        std::chrono::seconds(options.config.channels.poll), options.config.channels.attest});
  residency =
      pool::Residency::create(*catalog, options.starter ? options.starter : worker_starter(options),
                              residency_options(options.config), clock);
  return {};
}

Result<> Node::Parts::open_ledger() {
  const auto home = ledger::LogHome::of(options.folders);
  log = LOAM_TRY(ledger::open_log(home, clock));
  if (const auto signs = log->check_signs(); !signs)
    log::warning("node", "nothing can be published: {} ({})", signs.error().message,
                 signs.error().hint);
  sharing = LOAM_TRY(commons::Sharing::open(
      home.base / "sharing.db", *log, clock,
      {.cooling_s = options.config.share.cooling, .batch_s = options.config.share.batch}));
  const env::Path folder = options.folders.data / "commons";
  LOAM_TRY(env::make_folder(folder));
  search = commons::Search::open(folder / "search.db");
  search->attach(commons::searched(*log));
  const auto own_retractors =
      [this](const ledger::RecordId& id) -> Result<std::vector<crypto::PublicKey>> {
    return commons::retractors_among(LOAM_TRY(log->referring_to(id)));
  };
  following = LOAM_TRY(commons::Following::open(folder, *search, clock,
                                                {.poll_s = options.config.follow.poll,
                                                 .offline = options.config.offline,
                                                 .own_origin = log->verifier_key().name,
                                                 .own_retractors = own_retractors},
                                                commons::open_http_log));
  if (const auto forgotten = search->forget_others(); !forgotten)
    log::warning("node", "the search index: {}", forgotten.error().message);
  return {};
}

Result<> Node::Parts::open_server() {
  LOAM_TRY(check_exposure(options.config, listen, *keys));
  auto on_request = options.on_shutdown_request;
  app = api::App::create({*catalog, *residency, *keys, *answers, *log, *sharing, *search,
                          *following, *blobs, *files, *training, *rollouts, clock,
                          [on_request] {
                            if (on_request) on_request();
                          }},
                         api_settings(options, listen));
  auto opened = http::Server::open(
      server_options(options.config, listen),
      [this](const http::ExchangePtr& exchange) { app->handle(exchange); },
      [](int status, std::string_view message) { return api::App::error_reply(status, message); });
  if (!opened) return std::unexpected(address_error(opened.error(), options.config));
  server = *std::move(opened);
  const bool v6 = listen.host.find(':') != std::string::npos;
  app->set_listen(format("{}{}{}:{}", v6 ? "[" : "", listen.host, v6 ? "]" : "", server->port()));
  return {};
}

Result<> Node::Parts::open_public_server() {
  if (options.config.public_listen.empty()) return {};
  const ListenAddress address = LOAM_TRY(parse_listen(options.config.public_listen));
  http::ServerOptions settings = server_options(options.config, address);
  // Strangers get little: what they may ask for are small files.
  settings.io_threads = 1;
  settings.handler_threads = kPublicHandlers;
  settings.limits.body_bytes_max = 0;
  settings.limits.connections_max = kPublicConnections;
  auto opened = http::Server::open(
      std::move(settings),
      [this](const http::ExchangePtr& exchange) { app->handle_public(exchange); },
      [](int status, std::string_view message) { return api::App::error_reply(status, message); });
  if (!opened) return std::unexpected(opened.error());
  public_server = *std::move(opened);
  return {};
}

Result<std::unique_ptr<Node>> Node::open(NodeOptions options, env::Clock& clock) {
  const ListenAddress listen = LOAM_TRY(parse_listen(options.config.listen));
  LOAM_TRY(check_tls(options.config));
  if (!options.fake_step_ms) LOAM_TRY(engine::require_cpu(engine::probe_cpu()));
  LOAM_TRY(make_folders(options.folders));
  env::FileLock lock = LOAM_TRY(take_lock(options.folders));
  auto parts = std::make_unique<Parts>(std::move(options), clock, listen, std::move(lock));
  LOAM_TRY(parts->open_stores());
  LOAM_TRY(parts->open_server());
  LOAM_TRY(parts->open_public_server());
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Node::~Node() { stop(0); }

Result<> Node::start() {
  parts_->server->start();
  if (parts_->public_server) {
    parts_->public_server->start();
    log::info("node", "anybody may read the log on {}", parts_->options.config.public_listen);
  }
  parts_->training->start();
  parts_->started = true;
  LOAM_TRY(write_presence(parts_->options.folders,
                          {url(), ::getpid(), version(), parts_->clock.wall_ms()}));
  // It asks this node, and must find it.
  if (parts_->channels) parts_->channels->start();
  return {};
}

void Node::stop(std::int64_t grace_ms) {
  if (!parts_->started) return;
  parts_->started = false;
  if (parts_->channels) parts_->channels->stop();
  parts_->app->begin_stopping();
  parts_->residency->begin_stopping();
  if (parts_->public_server) parts_->public_server->stop(0);
  parts_->server->stop(grace_ms);
  parts_->training->stop();
  parts_->answers->flush();
  remove_presence(parts_->options.folders);
}

std::string Node::url() const {
  return parts_->listen.url(!parts_->options.config.tls.certificate.empty(),
                            parts_->server->port());
}

}  // namespace loam::node
