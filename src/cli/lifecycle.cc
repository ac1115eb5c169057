// up, down, status: the node in the background.
#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "cli/background.h"
#include "cli/exit_code.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace loam::cli {
namespace {

struct UpOptions {
  std::optional<std::string> listen;
  std::optional<std::int64_t> fake_step_ms;
  bool offline = false;
};

codec::Value presence_value(const node::Presence& presence) {
  codec::Value value;
  value.set("status", "running");
  value.set("url", presence.url);
  value.set("pid", presence.pid);
  value.set("version", presence.version);
  return value;
}

Result<int> up(Invocation& invocation, const UpOptions& options) {
  BackgroundOptions background;
  if (options.listen) background.serve_options = {"--listen", *options.listen};
  if (options.offline) background.serve_options.emplace_back("--offline");
  if (options.fake_step_ms) {
    background.serve_options.emplace_back("--fake-engine");
    background.serve_options.push_back(std::to_string(*options.fake_step_ms));
  }
  const auto node = LOAM_TRY(start_in_background(invocation, background));
  if (invocation.globals.json) {
    codec::Value value = presence_value(node.presence);
    value.set("started", node.started == Started::kNow);
    invocation.console.json(value);
    return 0;
  }
  if (invocation.globals.quiet) return 0;
  invocation.console.line(format("loam {} {} on {} (process {})", node.presence.version,
                                 node.started == Started::kNow ? "answers" : "already answers",
                                 node.presence.url, node.presence.pid));
  return 0;
}

Result<int> down(Invocation& invocation) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  const auto config = config_of(invocation);
  // A config error must not keep anybody from stopping the node.
  const std::int64_t grace_s = config ? config->config.stop_grace : node::Config{}.stop_grace;
  invocation.console.progress("stopping the node ...");
  const bool ran = LOAM_TRY(stop_running(folders, invocation.clock, (grace_s + 10) * 1000));
  invocation.console.progress("");
  if (invocation.globals.json) {
    codec::Value value;
    value.set("status", "stopped");
    value.set("stopped", ran);
    invocation.console.json(value);
  } else if (!invocation.globals.quiet) {
    invocation.console.line(ran ? "stopped" : "no node is running");
  }
  return 0;
}

std::string since(const Invocation& invocation, std::int64_t uptime_s) {
  const std::int64_t now = invocation.clock.wall_ms();
  return relative_time(now - uptime_s * 1000, now);
}

void print_status(Invocation& invocation, const Endpoint& endpoint, const codec::Value& status) {
  Console& console = invocation.console;
  const auto row = [&](std::string_view name, std::string_view value) {
    console.line(format("{:<10}{}", name, value));
  };
  row("status", "running");
  row("url", endpoint.url);
  row("version", text_at(status, "version"));
  if (const auto pid = integer_at(status, "pid"); pid != 0) row("process", std::to_string(pid));
  row("started", since(invocation, integer_at(status, "uptime_s")));
  row("answers", format("{} running, {} waiting", integer_at(status, "running"),
                        integer_at(status, "waiting")));
  std::string models;
  for (const auto* model : items_at(status, "models"))
    models += format("{}{} ({})", models.empty() ? "" : ", ", text_at(*model, "name"),
                     human_bytes(static_cast<std::uint64_t>(integer_at(*model, "bytes"))));
  row("loaded", models.empty() ? "no model" : models);
  if (const auto* folders = status.find("folders"); folders != nullptr)
    row("data", text_at(*folders, "data"));
}

Result<int> status(Invocation& invocation) {
  const auto endpoint = LOAM_TRY(find_endpoint(invocation));
  const auto reply = NodeClient(endpoint).get("/loam/v1/status");
  if (reply) {
    if (invocation.globals.json) {
      codec::Value value = *reply;
      value.set("status", "running");
      value.set("url", endpoint.url);
      invocation.console.json(value);
    } else {
      print_status(invocation, endpoint, *reply);
    }
    return 0;
  }
  if (reply.error().code != ErrorCode::kUnavailable) return std::unexpected(reply.error());
  if (invocation.globals.json) {
    codec::Value value;
    value.set("status", "stopped");
    value.set("url", endpoint.url);
    invocation.console.json(value);
  } else {
    invocation.console.line(
        format("no node answers on {} (start one with: loam up)", endpoint.url));
  }
  return static_cast<int>(ExitCode::kUnreachable);
}

}  // namespace

Verb up_verb() {
  const auto options = std::make_shared<UpOptions>();
  Verb verb;
  verb.name = "up";
  verb.group = "Node";
  verb.summary = "Starts the node in the background";
  verb.details =
      "Waits until the node answers; if it cannot start, shows why. Does nothing if it runs "
      "already. Its log is loam.log in the state folder (`loam config path`).";
  verb.examples = {"loam up", "loam up --listen 127.0.0.1:8080"};
  verb.arguments = {
      {"--listen", "ADDR", &options->listen, "Where to answer: address:port."},
      {"--offline", "", &options->offline, "Make no outgoing connection."},
      {"--fake-engine", "STEP_MS", &options->fake_step_ms, ""},
  };
  verb.run = [options](Invocation& invocation) { return up(invocation, *options); };
  return verb;
}

Verb down_verb() {
  Verb verb;
  verb.name = "down";
  verb.group = "Node";
  verb.summary = "Stops the node that runs in the background";
  verb.details = "Running answers may finish for a while (setting stop_grace).";
  verb.examples = {"loam down"};
  verb.run = down;
  return verb;
}

Verb status_verb() {
  Verb verb;
  verb.name = "status";
  verb.group = "Node";
  verb.summary = "Says whether a node runs, where, and what it has loaded";
  verb.details = "Exit code 0 if it runs, 4 if not.";
  verb.examples = {"loam status", "loam status --json"};
  verb.run = status;
  return verb;
}

}  // namespace loam::cli
