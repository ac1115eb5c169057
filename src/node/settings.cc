// The table of settings.
#include "node/config.h"

namespace loam::node {
namespace {

constexpr std::int64_t kMany = std::int64_t{1} << 40;

std::vector<Setting> make_settings() {
  using enum Kind;
  return {
      {"listen", kText, "address:port",
       "Where the node answers. Off loopback it needs an API key for every request.",
       [](Config& c) -> Field { return &c.listen; }},
      {"public_listen", kText, "address:port",
       "Where anybody may read this node's log and public files; empty: nowhere.",
       [](Config& c) -> Field { return &c.public_listen; }},
      {"allow.hosts", kList, "names",
       "Host names, besides loopback and the listen address, that requests may be addressed to.",
       [](Config& c) -> Field { return &c.allow.hosts; }},
      {"allow.origins", kList, "origins",
       "Web origins (scheme://host:port), besides the node's own, whose pages may call the API.",
       [](Config& c) -> Field { return &c.allow.origins; }},
      {"tls.certificate", kText, "path",
       "PEM certificate chain; with tls.key the node speaks HTTPS.",
       [](Config& c) -> Field { return &c.tls.certificate; }},
      {"tls.key", kText, "path", "PEM private key of tls.certificate.",
       [](Config& c) -> Field { return &c.tls.key; }},
      {"keep_alive", kDuration, "time",
       "How long an idle model stays in memory; -1: for ever, 0: not at all.",
       [](Config& c) -> Field { return &c.keep_alive; }, -1, kMany},
      {"models_max", kCount, "models", "Models in memory at the same time.",
       [](Config& c) -> Field { return &c.models_max; }, 1, 64},
      {"memory_max", kSize, "bytes",
       "Memory for all loaded models together; 0: three quarters of the machine's.",
       [](Config& c) -> Field { return &c.memory_max; }, 0, kMany << 10},
      {"load.context", kCount, "tokens",
       "Prompt and answer of one conversation, cut to what the model was trained for.",
       [](Config& c) -> Field { return &c.load.context; }, 64, 1 << 20},
      {"load.sequences", kCount, "answers", "Answers of one model generated at the same time.",
       [](Config& c) -> Field { return &c.load.sequences; }, 1, 1024},
      {"load.queue", kCount, "requests", "Requests of one model that may wait; more get 429.",
       [](Config& c) -> Field { return &c.load.queue; }, 0, 65536},
      {"load.threads", kCount, "threads", "Threads that compute; 0: one for each core.",
       [](Config& c) -> Field { return &c.load.threads; }, 0, 1024},
      {"load.chunk", kCount, "tokens",
       "Prompt tokens read in one step; fewer keep running answers smoother.",
       [](Config& c) -> Field { return &c.load.chunk; }, 16, 8192},
      {"load.timeout", kDuration, "time", "A model that takes longer to load is given up.",
       [](Config& c) -> Field { return &c.load.timeout; }, 1, 86'400},
      {"training.threads", kCount, "threads",
       "Threads of a training, and of a gate's engines, two at least; 0: one for each core.",
       [](Config& c) -> Field { return &c.training.threads; }, 0, 1024},
      {"training.memory_max", kSize, "bytes",
       "Memory of a training and of a gate; 0: what memory_max says, if that is set.",
       [](Config& c) -> Field { return &c.training.memory_max; }, 0, kMany << 10},
      {"history.keep", kDays, "days",
       "How long private answers are kept for their asker; 0: not at all.",
       [](Config& c) -> Field { return &c.history.keep; }, 0, 36'500},
      {"share.cooling", kDuration, "seconds",
       "How long something shared can be taken back without a trace.",
       [](Config& c) -> Field { return &c.share.cooling; }, 0, 30 * 86'400},
      {"share.batch", kDuration, "seconds",
       "Shared answers are published at whole multiples of this, so that times tell less.",
       [](Config& c) -> Field { return &c.share.batch; }, 1, 86'400},
      {"follow.poll", kDuration, "time",
       "How often the logs that are followed are looked at for something new.",
       [](Config& c) -> Field { return &c.follow.poll; }, 1, 30 * 86'400},
      {"channels.poll", kDuration, "time",
       "How often channels set to auto are looked at for adapters to take.",
       [](Config& c) -> Field { return &c.channels.poll; }, 1, 30 * 86'400},
      {"channels.attest", kFlag, "",
       "Sign and publish what the gate says of each adapter that a channel set to auto offers.",
       [](Config& c) -> Field { return &c.channels.attest; }},
      {"limits.body_bytes", kSize, "bytes", "Largest request body; larger ones get 413.",
       [](Config& c) -> Field { return &c.limits.body_bytes; }, 1024, 1 << 30},
      {"limits.head_bytes", kSize, "bytes",
       "Largest request line and headers; larger ones get 431.",
       [](Config& c) -> Field { return &c.limits.head_bytes; }, 1024, 1 << 20},
      {"limits.connections", kCount, "connections", "Open connections; more are turned away.",
       [](Config& c) -> Field { return &c.limits.connections; }, 8, 100'000},
      {"limits.handlers", kCount, "threads", "Threads that prepare answers and wait for models.",
       [](Config& c) -> Field { return &c.limits.handlers; }, 1, 256},
      {"log.level",
       kText,
       "",
       "Least important lines that are written.",
       [](Config& c) -> Field { return &c.log.level; },
       0,
       0,
       {"debug", "info", "warning", "error"}},
      {"pull.hub", kText, "URL",
       "The model hub that hf:owner/repo/file means; empty: the usual one.",
       [](Config& c) -> Field { return &c.pull.hub; }},
      {"offline", kFlag, "", "No outgoing connection of any kind.",
       [](Config& c) -> Field { return &c.offline; }},
      {"stop_grace", kDuration, "time",
       "How long running answers may still take when the node stops.",
       [](Config& c) -> Field { return &c.stop_grace; }, 0, 3600},
  };
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = make_settings();
  return table;
}

}  // namespace loam::node
