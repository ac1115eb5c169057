// tour: the whole loop in a few minutes, in folders that are gone afterwards.
#include <memory>

#include "base/format.h"
#include "cli/interrupt.h"
#include "cli/table.h"
#include "cli/tour_steps.h"
#include "cli/training.h"
#include "cli/verbs.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::cli {
namespace {

constexpr std::string_view kStarter = "smollm2";

struct TourOptions {
  std::optional<std::string> model;
  bool keep = false;
};

/// The tour's folder; gone at the end, unless it is to be kept.
class TourFolder {
 public:
  static Result<TourFolder> make(bool keep) {
    const env::Path temporary = env::variable("TMPDIR").value_or("/tmp");
    LOAM_TRY(env::make_folder(temporary));
    const env::Path path = LOAM_TRY(env::real_path(temporary)) / env::random_id("loam-tour-");
    LOAM_TRY(env::make_folder(path));
    return TourFolder(path, keep);
  }
  TourFolder(TourFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), keep_(other.keep_) {}
  TourFolder& operator=(TourFolder&&) = delete;
  ~TourFolder() {
    if (!path_.empty() && !keep_) static_cast<void>(env::remove_tree(path_));
  }
  const env::Path& path() const { return path_; }

 private:
  TourFolder(env::Path path, bool keep) : path_(std::move(path)), keep_(keep) {}
  env::Path path_;
  bool keep_;
};

/// The base that is to learn: of this node's models, so that nothing is fetched.
Result<catalog::Model> base_of(const Invocation& invocation, const TourOptions& options) {
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  auto model = catalog->find(options.model.value_or(std::string(kStarter)));
  if (!model && !options.model)
    return fail(ErrorCode::kNotFound, format("tour: the starter model {} is not here", kStarter),
                "./run fetches it; or name another small model: loam tour --model NAME");
  if (model && model->adapter)
    return fail(ErrorCode::kInvalidArgument, format("tour: {} has an adapter already", model->name),
                "name its base");
  return model;
}

/// A training that works on when the tour ends would write into folders that are gone.
void end_training(Tour& tour) {
  if (!tour.job || !tour.job->holder()) return;
  Invocation on_a = tour.a->invocation();
  if (const auto stopped = stop_training(on_a, *tour.job); !stopped)
    tour.outer.console.error(stopped.error());
}

void show(Console& console, const TourStep& step, const TourReport& report, double seconds) {
  if (console.options().json) {
    codec::Object line{{"step", step.name}, {"seconds", seconds}};
    line.insert(line.end(), report.figures.begin(), report.figures.end());
    return console.json(line);
  }
  if (!console.options().quiet)
    console.line(format("     {} [{}]", report.says, short_duration(seconds)));
}

Result<> walk(Tour& tour) {
  Console& console = tour.outer.console;
  const auto steps = tour_steps();
  const auto seconds_since = [&](std::int64_t ms) {
    return static_cast<double>(tour.outer.clock.steady_ms() - ms) / 1000;
  };
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::int64_t began_ms = tour.outer.clock.steady_ms();
    if (!console.options().json && !console.options().quiet)
      console.line(format("{:>2}/{} {}", i + 1, steps.size(), steps[i].title));
    console.progress("...");
    auto report = steps[i].run(tour);
    console.progress("");
    if (InterruptGuard::interrupted())
      return fail(ErrorCode::kCancelled, format("tour: interrupted in step {}", steps[i].name));
    if (!report) {
      Error error = report.error();
      error.message = format("tour: step {}: {}", steps[i].name, error.message);
      return std::unexpected(std::move(error));
    }
    show(console, steps[i], *report, seconds_since(began_ms));
  }
  return {};
}

Result<int> run(Invocation& invocation, const TourOptions& options) {
  if (env::variable("LOAM_API_KEY"))
    return fail(ErrorCode::kInvalidArgument,
                "tour: LOAM_API_KEY is set, and the tour's nodes do not know that key",
                "env -u LOAM_API_KEY loam tour");
  const std::int64_t began_ms = invocation.clock.steady_ms();
  const catalog::Model base = LOAM_TRY(base_of(invocation, options));
  const TourFolder folder = LOAM_TRY(TourFolder::make(options.keep));
  const InterruptGuard guard;
  {
    Tour tour{.outer = invocation, .folder = folder.path(), .base = base};
    const auto walked = walk(tour);
    end_training(tour);
    if (!walked) return std::unexpected(walked.error());
    invocation.console.progress("stopping the two nodes ...");
  }
  Console& console = invocation.console;
  const double seconds = static_cast<double>(invocation.clock.steady_ms() - began_ms) / 1000;
  if (invocation.globals.json)
    console.json(codec::Object{{"step", "end"},
                               {"seconds", seconds},
                               {"folder", options.keep ? folder.path().string() : ""}});
  else
    console.line(format("done in {}; {}", short_duration(seconds),
                        options.keep ? format("all of it lies in {}", folder.path().string())
                                     : std::string("nothing of it is left on this machine")));
  return 0;
}

}  // namespace

Verb tour_verb() {
  const auto options = std::make_shared<TourOptions>();
  Verb verb;
  verb.name = "tour";
  verb.group = "Training";
  verb.summary = "Shows the whole loop in minutes: answers, open log, data set, better model";
  verb.details =
      "Starts two nodes on this machine in folders of their own. A person's edits of A's answers "
      "(159 questions and answers, written for this, CC0-1.0) become a data set, that an adapter; "
      "it is gated and published, and B verifies it, gates it again and takes it up. Stops "
      "both nodes and removes the folders at the end, also after Ctrl-C. Exit code 0 only if "
      "every step did what it should.";
  verb.examples = {"loam tour", "loam tour --keep", "loam tour --model smollm2 --json"};
  verb.arguments = {{"--model", "NAME", &options->model,
                     "The base that learns; smollm2 if nothing is said. A small one is meant.",
                     false, Offer::kModels},
                    {"--keep", "", &options->keep, "Leave the folders there, to look into."}};
  verb.run = [options](Invocation& invocation) { return run(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
