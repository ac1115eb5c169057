// pull: fetching a model through the node.
#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "cli/background.h"
#include "cli/interrupt.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "codec/json.h"

namespace loam::cli {
namespace {

constexpr int kBarCells = 24;

struct PullOptions {
  std::optional<std::string> source;
  std::optional<std::string> name;
  std::optional<std::string> sha256;
  std::optional<std::string> licence;
  bool link = false;
};

bool is_local(std::string_view source) {
  return source.find("://") == std::string_view::npos && !source.starts_with("hf:");
}

/// The node runs elsewhere in the tree of folders: a relative path would mean another file there.
std::string sent_source(const std::string& source) {
  if (!is_local(source)) return source;
  std::error_code error;
  const auto absolute = std::filesystem::absolute(source, error);
  return error ? source : absolute.lexically_normal().string();
}

std::string phase_text(std::string_view phase) {
  if (phase == "connecting") return "connecting";
  if (phase == "verifying") return "verifying";
  return "pulling";
}

/// "pulling [######......] 42% 41 MB of 98 MB, 8.1 MB/s, 7s left"
std::string progress_text(const codec::Value& line) {
  const auto done = static_cast<std::uint64_t>(integer_at(line, "done"));
  const auto total = static_cast<std::uint64_t>(integer_at(line, "total"));
  std::string out = phase_text(text_at(line, "phase"));
  if (total > 0) {
    const double part = static_cast<double>(done) / static_cast<double>(total);
    const auto cells = static_cast<std::size_t>(part * kBarCells);
    out += format(" [{}{}] {:3.0f}% {} of {}",
                  std::string(std::min<std::size_t>(cells, kBarCells), '#'),
                  std::string(kBarCells - std::min<std::size_t>(cells, kBarCells), '.'), part * 100,
                  human_bytes(done), human_bytes(total));
  } else if (done > 0) {
    out += " " + human_bytes(done);
  }
  if (const double rate = number_at(line, "bytes_per_s"); rate > 0)
    out += format(", {}/s", human_bytes(static_cast<std::uint64_t>(rate)));
  if (const auto* left = line.find("left_s"); left != nullptr && left->is_number())
    out += format(", {} left", short_duration(left->number()));
  return out;
}

codec::Value request_body(const PullOptions& options) {
  codec::Value body;
  body.set("source", sent_source(*options.source));
  if (options.name) body.set("name", *options.name);
  if (options.sha256) body.set("sha256", to_lower_ascii(*options.sha256));
  if (options.licence) body.set("licence", *options.licence);
  if (options.link) body.set("link", true);
  return body;
}

Result<int> pull(Invocation& invocation, const PullOptions& options) {
  const auto endpoint = LOAM_TRY(ensure_node(invocation));
  const InterruptGuard guard;
  const NodeClient client(endpoint, InterruptGuard::interrupted);
  Console& console = invocation.console;
  std::optional<codec::Value> model;
  std::optional<Error> failed;
  const auto on_line = [&](const std::string& text) {
    const auto line = codec::parse_json(text);
    if (!line) return false;
    if (const auto* found = line->find("model")) model = *found;
    if (const auto* error = line->find("error"))
      failed = error_of_object(*error, ErrorCode::kInternal);
    if (invocation.globals.json && !failed)
      console.json(*line);
    else if (!model && !failed)
      console.progress(progress_text(*line));
    return true;
  };
  const auto done = client.post_lines("/loam/v1/pull", request_body(options), on_line);
  console.progress("");
  if (InterruptGuard::interrupted())
    return fail(ErrorCode::kCancelled, format("pull {}: interrupted", *options.source),
                "what was fetched is kept; the same command continues from there");
  if (failed) return std::unexpected(*failed);
  if (!done) return std::unexpected(done.error());
  if (!model)
    return fail(ErrorCode::kUnavailable,
                format("pull {}: the node broke off before the end", *options.source),
                "the same command continues from there");
  if (invocation.globals.json) return 0;
  if (invocation.globals.quiet) {
    console.line(text_at(*model, "name"));
    return 0;
  }
  console.line(format("pulled {} ({}, licence {})", text_at(*model, "name"),
                      human_bytes(static_cast<std::uint64_t>(integer_at(*model, "bytes"))),
                      printable(text_at(*model, "licence"))));
  console.note(format("try it: loam run {} \"Hello\"", text_at(*model, "name")));
  return 0;
}

}  // namespace

Verb pull_verb() {
  const auto options = std::make_shared<PullOptions>();
  Verb verb;
  verb.name = "pull";
  verb.group = "Models";
  verb.summary = "Fetches a model, verifies it and records its licence";
  verb.details =
      "SOURCE is an https URL (with --sha256), hf:owner/repo/file, or a GGUF file on this machine. "
      "Ctrl-C keeps what was fetched, and the same command continues from there. With --json one "
      "object a line: progress, then the model.";
  verb.examples = {
      "loam pull ./SmolLM2-135M-Instruct.Q4_1.gguf --name smollm2",
      "loam pull hf:owner/repository/model.gguf",
      "loam pull https://models.example/m.gguf --sha256 0123...cdef --licence Apache-2.0",
  };
  verb.arguments = {
      {"SOURCE", "", &options->source, "Where the model is.", true, Offer::kFiles},
      {"--name", "NAME", &options->name, "Its name here; otherwise made from the file's name."},
      {"--sha256", "HEX", &options->sha256, "The SHA-256 that the file must have."},
      {"--licence", "TEXT", &options->licence, "Its licence, if the file does not say it."},
      {"--link", "", &options->link, "Leave a local file where it is."},
  };
  verb.run = [options](Invocation& invocation) { return pull(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
