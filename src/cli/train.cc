// train: adapters of models that are on this machine, and small models, learned from open data
// sets.
#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "cli/table.h"
#include "cli/train_export.h"
#include "cli/training.h"
#include "cli/verbs.h"
#include "env/file.h"
#include "tuning/train_log.h"

namespace loam::cli {
namespace {

using tuning::JobFolder;
using tuning::JobState;
using tuning::JobStatus;

struct TrainOptions {
  TrainingOrder order;
  std::optional<std::string> adopted_name;
  std::optional<std::string> data, id, folder;
  bool background = false;
  bool foreground = false;
};

Result<env::Path> jobs_of(const Invocation& invocation) {
  return tuning::jobs_folder(LOAM_TRY(folders_of(invocation)).data);
}
Result<JobFolder> job_of(const Invocation& invocation, const TrainOptions& options) {
  return JobFolder::open(LOAM_TRY(jobs_of(invocation)), *options.id);
}

codec::Value job_value(const JobFolder& job, const JobState& state) {
  const tuning::JobSpec& spec = job.spec();
  codec::Object out{{"id", spec.id},
                    {"name", spec.name},
                    {"status", std::string(tuning::job_status_name(state.status))},
                    {"model", spec.model}};
  if (spec.private_source) {
    out.emplace_back("private_file", spec.private_source->id);
    out.emplace_back("private_file_sha256", crypto::digest_hex(spec.rows_sha256));
  } else {
    out.emplace_back("data_set", spec.data_set.string());
    out.emplace_back("data_set_root", crypto::digest_hex(spec.data_set_root));
  }
  const codec::Object more{{"created_at", time_text(spec.created_ms)},
                           {"step", state.step},
                           {"steps", state.steps},
                           {"loss", state.loss},
                           {"tokens_per_s", state.tokens_per_s},
                           {"seconds_left", state.seconds_left},
                           {"examples", state.examples},
                           {"too_long", state.too_long},
                           {"no_template", state.no_template},
                           {"folder", job.path().string()}};
  out.insert(out.end(), more.begin(), more.end());
  if (!state.adopted.empty()) out.emplace_back("adopted", state.adopted);
  if (state.status == JobStatus::kSucceeded)
    out.emplace_back(spec.recipe.full ? "trained_model" : "adapter", job.result().string());
  if (state.error) out.emplace_back("error", state.error->message);
  return out;
}

std::string progress_text(const JobState& state) {
  if (state.steps == 0) return state.doing.empty() ? "-" : state.doing;
  return format("{}/{}", state.step, state.steps);
}

void show_job(Console& console, const JobFolder& job, const JobState& state) {
  const tuning::JobSpec& spec = job.spec();
  const auto row = [&](std::string_view name, std::string_view value) {
    console.line(format("{:<10}{}", name, printable(value)));
  };
  row("id", spec.id);
  row("status", tuning::job_status_name(state.status));
  row("name", spec.name);
  row("model", spec.model);
  if (spec.private_source) {
    row("file", spec.private_source->id + " (private)");
    row("sha256", crypto::digest_hex(spec.rows_sha256));
  } else {
    row("data set", spec.data_set.string());
    row("root", crypto::digest_hex(spec.data_set_root));
  }
  row("examples", format("{} ({} too long, {} not for the model's template)", state.examples,
                         state.too_long, state.no_template));
  row("step", progress_text(state));
  if (state.step > 0) row("loss", format("{:.4f}", state.loss));
  if (state.status == JobStatus::kRunning && state.step == 0 && state.steps > 0)
    row("time", format("about {}", short_duration(state.seconds_left)));
  if (state.status == JobStatus::kRunning && state.step > 0)
    row("speed",
        format("{:.0f} tokens/s, {} left", state.tokens_per_s, short_duration(state.seconds_left)));
  if (state.status == JobStatus::kSucceeded) row("result", job.result().string());
  if (!state.adopted.empty()) row("answers as", state.adopted);
  if (state.error) row("error", state.error->message);
  if (state.error && !state.error->hint.empty()) row("", state.error->hint);
}

codec::Value estimate_value(const NewTraining& made) {
  return codec::Object{{"examples", made.estimate.examples},
                       {"steps", made.estimate.steps},
                       {"memory_bytes", made.estimate.memory_bytes},
                       {"memory_bytes_max", made.memory_bytes_max},
                       {"seconds", made.estimate.seconds}};
}

std::string estimate_text(const NewTraining& made) {
  return format("{}: about {} from {}, {} of memory (it may use {}), {}", made.job.spec().id,
                counted(made.estimate.steps, "step"), counted(made.estimate.examples, "example"),
                human_bytes(made.estimate.memory_bytes), human_bytes(made.memory_bytes_max),
                short_duration(made.estimate.seconds));
}

/// What a job came to, or where it is.
Result<int> report(Invocation& invocation, const JobFolder& job, const JobState& state,
                   const NewTraining* made = nullptr) {
  if (state.status == JobStatus::kFailed && state.error) return std::unexpected(*state.error);
  Console& console = invocation.console;
  if (invocation.globals.json) {
    codec::Value value = job_value(job, state);
    if (made != nullptr) value.set("estimate", estimate_value(*made));
    console.json(value);
  } else if (invocation.globals.quiet) {
    console.line(job.spec().id);
  } else if (state.status == JobStatus::kSucceeded) {
    console.line(
        format("{}: {}, loss {:.4f}", job.spec().id, counted(state.step, "step"), state.loss));
    console.line(
        format("{} in {}", job.spec().recipe.full ? "model" : "adapter", job.result().string()));
  } else if (state.status == JobStatus::kStopped) {
    console.line(format("{}: stopped after step {} of {}; go on with: loam train resume {}",
                        job.spec().id, state.step, state.steps, job.spec().id));
  } else {
    console.line(format("{}: {}; look with: loam train show {}", job.spec().id,
                        tuning::job_status_name(state.status), job.spec().id));
  }
  return 0;
}

/// @param made  what a new one was estimated to take.
Result<int> begin(Invocation& invocation, const JobFolder& job, const TrainOptions& options,
                  const NewTraining* made = nullptr) {
  LOAM_TRY(start_training(invocation, job));
  if (options.background) return report(invocation, job, LOAM_TRY(job.state()), made);
  invocation.console.note(
      format("{} works in the background; Ctrl-C ends this display only", job.spec().id));
  const auto ended = LOAM_TRY(watch_training(invocation, job));
  return report(invocation, job, ended ? *ended : LOAM_TRY(job.state()), made);
}

Result<int> start(Invocation& invocation, TrainOptions& options) {
  options.order.data_set = *options.data;
  const NewTraining made = LOAM_TRY(make_training(invocation, options.order));
  if (!invocation.globals.json && !invocation.globals.quiet)
    invocation.console.line(estimate_text(made));
  return begin(invocation, made.job, options, &made);
}

Result<int> resume(Invocation& invocation, const TrainOptions& options) {
  const JobFolder job = LOAM_TRY(job_of(invocation, options));
  if (const JobState state = LOAM_TRY(job.state()); state.status == JobStatus::kSucceeded)
    return report(invocation, job, state);
  if (!options.foreground) return begin(invocation, job, options);
  static_cast<void>(LOAM_TRY(do_training(invocation, job)));
  return report(invocation, job, LOAM_TRY(job.state()));
}

Result<int> list(Invocation& invocation) {
  std::vector<std::vector<std::string>> rows;
  const env::Path jobs = LOAM_TRY(jobs_of(invocation));
  for (const JobFolder& job : LOAM_TRY(JobFolder::list(jobs))) {
    const auto state = job.state();
    if (!state) continue;  // one that cannot be read does not hide the others
    if (invocation.globals.json) invocation.console.json(job_value(job, *state));
    rows.push_back({job.spec().id, std::string(tuning::job_status_name(state->status)),
                    progress_text(*state), state->step == 0 ? "-" : format("{:.4f}", state->loss),
                    job.spec().model, job.spec().name,
                    relative_time(job.spec().created_ms, invocation.clock.wall_ms())});
    if (invocation.globals.quiet) invocation.console.line(job.spec().id);
  }
  if (invocation.globals.quiet || invocation.globals.json) return 0;
  if (rows.empty())
    invocation.console.note("no training yet: loam train start --data DIR");
  else
    invocation.console.out(
        format_table({"ID", "STATUS", "STEP", "LOSS", "MODEL", "NAME", "CREATED"}, rows));
  return 0;
}

Result<int> show(Invocation& invocation, const TrainOptions& options) {
  const JobFolder job = LOAM_TRY(job_of(invocation, options));
  const JobState state = LOAM_TRY(job.state());
  if (invocation.globals.json)
    invocation.console.json(job_value(job, state));
  else
    show_job(invocation.console, job, state);
  return 0;
}

Result<int> logs(Invocation& invocation, const TrainOptions& options) {
  const JobFolder job = LOAM_TRY(job_of(invocation, options));
  std::vector<std::vector<std::string>> rows;
  for (const tuning::StepReport& step : LOAM_TRY(tuning::read_train_log(job.log()))) {
    if (invocation.globals.json) invocation.console.out(tuning::log_line(step));
    rows.push_back({std::to_string(step.step), std::to_string(step.epoch + 1),
                    format("{:.4f}", step.loss), format("{:.3f}", step.gradient_norm),
                    format("{:.2e}", step.rate), std::to_string(step.tokens)});
  }
  if (!invocation.globals.json)
    invocation.console.out(format_table({"STEP", "EPOCH", "LOSS", "NORM", "RATE", "TOKENS"}, rows));
  return 0;
}

Result<int> stop(Invocation& invocation, const TrainOptions& options) {
  const JobFolder job = LOAM_TRY(job_of(invocation, options));
  const bool ran = LOAM_TRY(stop_training(invocation, job));
  invocation.console.progress("");
  if (!ran) invocation.console.note(format("{} was not running", job.spec().id));
  return report(invocation, job, LOAM_TRY(job.state()));
}

void show_adopted(const Invocation& invocation, const catalog::Model& model) {
  Console& console = invocation.console;
  if (!invocation.globals.json && invocation.globals.quiet) return console.line(model.name);
  if (!invocation.globals.json)
    return console.line(format("{} answers now{} ({})", model.name,
                               model.adapter ? ", with an adapter" : "", printable(model.source)));
  codec::Object out{{"model", model.name}, {"source", model.source}};
  const std::string hash = crypto::digest_hex(model.sha256);
  if (model.adapter) {
    out.emplace_back("base_sha256", hash);
    out.emplace_back("adapter_sha256", crypto::digest_hex(model.adapter->sha256));
  } else {
    out.emplace_back("sha256", hash);
  }
  console.json(std::move(out));
}

Result<int> adopt(Invocation& invocation, const TrainOptions& options) {
  const JobFolder job = LOAM_TRY(job_of(invocation, options));
  show_adopted(invocation, LOAM_TRY(adopt_training(invocation, job, options.adopted_name)));
  return 0;
}

Result<int> bring_in(Invocation& invocation, const TrainOptions& options) {
  const env::Path folder = LOAM_TRY(env::real_path(*options.folder));
  show_adopted(invocation, LOAM_TRY(import_training(invocation, folder, options.order)));
  return 0;
}

}  // namespace

Verb train_verb() {
  const auto options = std::make_shared<TrainOptions>();
  const Argument id = {"ID", "", &options->id, "An ID of `loam train ls`.", true};
  const Argument background = {"--background", "", &options->background,
                               "Return at once; `loam train show` tells how far it is."};
  Verb verb;
  verb.name = "train";
  verb.group = "Training";
  verb.summary = "Trains adapters for models of the Llama family, on this machine";
  verb.details =
      "Learns from the rows of a data set that `loam data build` made. The same data set, model "
      "and "
      "recipe give the same adapter, byte for byte, also when it is stopped and resumed. A process "
      "of its own does the work, at low priority; it needs no node.";
  verb.examples = {"loam train start --data set --model smollm2", "loam train ls"};

  Verb make = inner_verb("start", "Verifies a data set, and trains on it",
                         {"loam train start --data set --model smollm2",
                          "loam train start --data set --recipe recipe.toml --background"});
  make.arguments = {
      {"--data", "DIR", &options->data, "The data set.", true, Offer::kFiles},
      {"--model", "NAME", &options->order.model, "The base model; needed if there are several.",
       false, Offer::kModels},
      {"--recipe", "FILE", &options->order.recipe,
       "How to train, as TOML (docs/formats/recipe.md); sensible settings if not given.", false,
       Offer::kFiles},
      {"--name", "NAME", &options->order.name, "Of the adapter; MODEL-tuned if not given."},
      {"--key", "VKEY", &options->order.keys,
       "The key of a log in the data set; this node's own if not given."},
      {"--threads", "N", &options->order.threads, "As training.threads says if not given."},
      background};
  make.run = [options](Invocation& invocation) { return start(invocation, *options); };

  Verb all = inner_verb("ls", "Lists trainings, the newest first", {"loam train ls --json"});
  all.run = list;

  Verb one = inner_verb("show", "Shows one training", {"loam train show ftjob-..."});
  one.arguments = {id};
  one.run = [options](Invocation& invocation) { return show(invocation, *options); };

  Verb steps = inner_verb("logs", "Prints the loss of each logged step", {"loam train logs ID"});
  steps.arguments = {id};
  steps.run = [options](Invocation& invocation) { return logs(invocation, *options); };

  Verb end = inner_verb("stop", "Stops a training after its step; it can be resumed",
                        {"loam train stop ftjob-..."});
  end.arguments = {id};
  end.run = [options](Invocation& invocation) { return stop(invocation, *options); };

  Verb again = inner_verb("resume", "Goes on with a training that was stopped or failed",
                          {"loam train resume ftjob-..."});
  again.arguments = {id,
                     background,
                     {"--foreground", "", &options->foreground,
                      "Work in this process instead of one of its own."}};
  again.run = [options](Invocation& invocation) { return resume(invocation, *options); };

  Verb use = inner_verb("adopt", "Makes a model of the base and the trained adapter",
                        {"loam train adopt ftjob-...", "loam train adopt ftjob-... --name sailor"});
  use.details = "It answers under its own name, beside the base; `loam rm NAME` takes it back.";
  use.arguments = {id,
                   {"--name", "NAME", &options->adopted_name,
                    "The model's name; that of the training if not given."}};
  use.run = [options](Invocation& invocation) { return adopt(invocation, *options); };

  Verb from_outside = inner_verb("import", "Makes a model of a base and an adapter from elsewhere",
                                 {"loam train import peft-folder --model smollm2 --name theirs"});
  from_outside.details =
      "Takes the folder that Hugging Face's PEFT writes: plain LoRA on the linear parts. What it "
      "learned from is not known here, and its source says so.";
  from_outside.arguments = {
      {"DIR", "", &options->folder, "With adapter_config.json and adapter_model.safetensors.", true,
       Offer::kFiles},
      {"--model", "NAME", &options->order.model, "The base model; needed if there are several.",
       false, Offer::kModels},
      {"--name", "NAME", &options->order.name, "The model's name; MODEL-tuned if not given."}};
  from_outside.run = [options](Invocation& invocation) { return bring_in(invocation, *options); };

  verb.verbs = {make, all, one, steps, end, again, use, from_outside, train_export_verb()};
  return verb;
}

}  // namespace loam::cli
