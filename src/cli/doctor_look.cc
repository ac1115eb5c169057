#include "cli/doctor_look.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstring>

#include "catalog/catalog.h"
#include "cli/node_client.h"
#include "engine/cpu_class.h"
#include "env/file.h"
#include "env/random.h"
#include "node/machine.h"
#include "node/presence.h"

namespace loam::cli {
namespace {

FolderSeen look_at_folder(std::string name, const env::Path& path) {
  FolderSeen out{std::move(name), path.string(), std::nullopt};
  if (const auto made = env::make_folder(path); !made) {
    out.error = made.error();
    return out;
  }
  const env::Path probe = path / env::random_id("probe-");
  const auto file = env::create_file(probe, 0600);
  if (!file) {
    out.error = file.error();
  } else if (const auto removed = env::remove_file(probe); !removed) {
    out.error = removed.error();
  }
  return out;
}

/// True if the address can be bound now.
bool is_free(const node::ListenAddress& listen) {
  const bool v6 = listen.host.find(':') != std::string::npos;
  const env::Fd socket(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return true;
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_storage address{};
  socklen_t length = 0;
  if (v6) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(listen.port);
    ::inet_pton(AF_INET6, listen.host.c_str(), &six.sin6_addr);
    std::memcpy(&address, &six, length = sizeof six);
  } else {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(listen.port);
    ::inet_pton(AF_INET, listen.host.c_str(), &four.sin_addr);
    std::memcpy(&address, &four, length = sizeof four);
  }
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
}

void look_at_machine(Surroundings& seen, env::Clock& clock) {
  const node::Memory memory = node::memory();
  seen.memory_total = memory.total_bytes;
  seen.memory_available = memory.available_bytes;
  seen.cpu_class = engine::cpu_class();
  if (const auto able = engine::require_cpu(engine::probe_cpu()); !able)
    seen.cpu_error = able.error();
  seen.wall_ms = clock.wall_ms();
  seen.program_version = node::version();
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) seen.open_files_max = files.rlim_max;
}

void look_at_config(Surroundings& seen, const Invocation& invocation) {
  const auto loaded = config_of(invocation);
  if (!loaded) {
    seen.config_error = loaded.error();
    return;
  }
  seen.settings_changed = loaded->origins.size();
  seen.has_tls = !loaded->config.tls.certificate.empty();
  const auto listen = node::parse_listen(loaded->config.listen);
  if (!listen) {
    seen.config_error = listen.error();
    return;
  }
  seen.listens_on_loopback = listen->loopback;
  seen.url = listen->url(seen.has_tls, listen->port);
  seen.port = is_free(*listen) ? PortSeen::kFree : PortSeen::kTaken;
}

void look_at_node(Surroundings& seen, const Invocation& invocation, const env::Folders& folders) {
  if (const auto running = node::find_running(folders)) {
    seen.node_running = true;
    seen.node_pid = running->pid;
    seen.port = PortSeen::kOurs;
  }
  const auto endpoint = find_endpoint(invocation);
  if (!endpoint) return;
  seen.url = endpoint->url;
  if (endpoint->is_given) seen.port = PortSeen::kRemote;
  const NodeClient client(*endpoint);
  if (!client.is_healthy()) return;
  const auto version = client.get("/version");
  // Something else that answers /health with 200 is not a node.
  if (!version) return;
  seen.node_healthy = true;
  seen.node_version = text_at(*version, "version");
}

void add_model(Surroundings& seen, std::string name, std::string path, std::uint64_t bytes) {
  ModelSeen model{std::move(name), std::move(path), bytes, std::nullopt};
  if (const auto stamp = env::stamp(env::Path(model.path))) model.bytes = stamp->size;
  seen.models.push_back(std::move(model));
}

/// Reads the catalogue itself, so that it works with and without a node.
void look_at_models(Surroundings& seen, const Invocation& invocation, const env::Folders& folders) {
  const env::Path database = folders.data / "catalog.db";
  if (!env::stamp(database)) return;
  const auto catalog = catalog::Catalog::open(database, folders.data / "models", invocation.clock,
                                              catalog::Opener::kGuest);
  if (!catalog) {
    seen.catalog_error = catalog.error();
    return;
  }
  const auto models = (*catalog)->list();
  if (!models) {
    seen.catalog_error = models.error();
    return;
  }
  for (const auto& model : *models) add_model(seen, model.name, model.file.string(), model.bytes);
}

}  // namespace

Result<Surroundings> look_around(const Invocation& invocation) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  Surroundings seen;
  look_at_config(seen, invocation);
  seen.folders = {look_at_folder("config", folders.config), look_at_folder("data", folders.data),
                  look_at_folder("state", folders.state), look_at_folder("cache", folders.cache)};
  const env::Path token = node::token_file(folders);
  seen.token_path = token.string();
  if (const auto mode = env::permissions(token)) seen.token_mode = *mode & 07777U;
  if (const auto free = env::free_bytes(folders.data)) seen.free_bytes = *free;
  look_at_machine(seen, invocation.clock);
  look_at_node(seen, invocation, folders);
  look_at_models(seen, invocation, folders);
  return seen;
}

}  // namespace loam::cli
