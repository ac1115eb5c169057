#include "cli/tour_steps.h"

#include "base/format.h"
#include "cli/gating.h"
#include "cli/interrupt.h"
#include "cli/table.h"
#include "cli/taking.h"
#include "cli/training.h"
#include "tuning/train_log.h"

namespace loam::cli {
namespace {

constexpr std::int64_t kLessonTokens = 6;  // an answer that is put right needs no length
constexpr std::int64_t kShownTokens = 48;
constexpr std::size_t kRated = 12;
constexpr std::string_view kName = "sailor";
constexpr std::string_view kQuery = "kind = edit";  // what a person wrote, not what the model did

/// Chosen by measurement on the starter model: two passes bring the loss from 4.4 to 1.6, and every
/// held-out question that was tried is then answered in the manner that was taught.
constexpr std::string_view kRecipe = R"(lora_rank = 8
cutoff_len = 128
per_device_train_batch_size = 8
gradient_accumulation_steps = 1
learning_rate = 1e-3
warmup_ratio = 0.1
num_train_epochs = 2
)";

std::string shortened(std::string_view hash) { return std::string(hash.substr(0, 16)); }

Error interrupted() { return {ErrorCode::kCancelled, "tour: interrupted", ""}; }

Result<TourReport> start_nodes(Tour& tour) {
  tour.a = LOAM_TRY(TourNode::start(tour.outer, tour.folder / "a"));
  tour.b = LOAM_TRY(TourNode::start(tour.outer, tour.folder / "b"));
  for (TourNode* node : {tour.a.get(), tour.b.get()}) LOAM_TRY(node->link_model(tour.base));
  const std::string sha256 = crypto::digest_hex(tour.base.sha256);
  return TourReport{format("A answers on {}, B on {}, both with {} ({})", tour.a->url(),
                           tour.b->url(), tour.base.name, shortened(sha256)),
                    {{"a", tour.a->url()},
                     {"b", tour.b->url()},
                     {"model", tour.base.name},
                     {"model_sha256", sha256}}};
}

/// A answers each question, and what it says is put right for everybody to read.
Result<std::vector<TourAnswer>> teach(Tour& tour, const std::vector<TourPair>& pairs,
                                      std::size_t rated) {
  std::vector<std::string> questions;
  for (const TourPair& pair : pairs) questions.push_back(pair.question);
  Console& console = tour.outer.console;
  console.progress(format("asking {} questions ...", questions.size()));
  auto answers = LOAM_TRY(tour.a->ask(tour.base.name, questions, kLessonTokens));
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (InterruptGuard::interrupted()) return std::unexpected(interrupted());
    console.progress(format("sharing {} of {} ...", i + 1, pairs.size()));
    const std::string record =
        LOAM_TRY(tour.a->teach(answers[i].id, pairs[i].answer, tour.pairs.licence));
    if (i < rated) static_cast<void>(LOAM_TRY(tour.a->run({"rate", record, "up"})));
  }
  console.progress("");
  return answers;
}

Result<TourReport> share_lessons(Tour& tour) {
  const auto answers = LOAM_TRY(teach(tour, tour.pairs.lessons, kRated));
  const auto head = LOAM_TRY(tour.a->published_head());
  const auto verified = LOAM_TRY(tour.a->run({"ledger", "verify"}));
  std::int64_t tokens = 0;
  for (const TourAnswer& answer : answers) tokens += answer.tokens;
  const std::string root = text_at(verified, "root");
  return TourReport{
      format("{} answers ({} tokens), {} edits, {} thumbs up: {} signed records, log root {}",
             answers.size(), tokens, answers.size(), kRated, integer_at(head, "size"),
             shortened(root)),
      {{"answers", std::uint64_t{answers.size()}},
       {"tokens", tokens},
       {"records", integer_at(head, "size")},
       {"log_root", root}}};
}

Result<codec::Value> build_set(TourNode& node, const env::Path& folder) {
  return node.run(
      {"data", "build", "--out", folder.string(), "--where", std::string(kQuery), "--no-parquet"});
}

Result<TourReport> build_data(Tour& tour) {
  const auto built = LOAM_TRY(build_set(*tour.a, tour.data_set()));
  const auto verified = LOAM_TRY(tour.a->run({"data", "verify", tour.data_set().string()}));
  const codec::Value* splits = built.find("splits");
  const std::int64_t lessons = splits == nullptr ? 0 : integer_at(*splits, "train");
  return TourReport{
      format("{} rows, {} of them to learn from; verified against {} signed records, root {}",
             integer_at(built, "rows"), lessons, integer_at(verified, "records"),
             shortened(text_at(built, "root"))),
      {{"rows", integer_at(built, "rows")},
       {"lessons", lessons},
       {"root", text_at(built, "root")}}};
}

Result<TourReport> train(Tour& tour) {
  const env::Path recipe = tour.folder / "recipe.toml";
  LOAM_TRY(env::write_file_atomic(recipe, kRecipe));
  Invocation on_a = tour.a->invocation();
  TrainingOrder order;
  order.data_set = tour.data_set().string();
  order.model = tour.base.name;
  order.recipe = recipe.string();
  order.name = std::string(kName);
  tour.job = LOAM_TRY(make_training(on_a, order)).job;
  LOAM_TRY(start_training(on_a, *tour.job));
  const auto state = LOAM_TRY(watch_training(on_a, *tour.job));
  if (!state) return std::unexpected(interrupted());
  if (state->status != tuning::JobStatus::kSucceeded)
    return std::unexpected(state->error.value_or(Error{
        ErrorCode::kInternal, format("training {} did not succeed", tour.job->spec().id), ""}));
  const auto log = LOAM_TRY(tuning::read_train_log(tour.job->log()));
  if (log.empty()) return fail(ErrorCode::kCorrupt, "the training's log is empty");
  return TourReport{
      format("{}: loss {:.3f} to {:.3f} in {} steps over {} examples, {:.0f} tokens/s",
             tour.job->spec().id, log.front().loss, state->loss, state->steps, state->examples,
             state->tokens_per_s),
      {{"job", tour.job->spec().id},
       {"steps", state->steps},
       {"examples", state->examples},
       {"first_loss", log.front().loss},
       {"last_loss", state->loss},
       {"tokens_per_s", state->tokens_per_s}}};
}

Result<TourReport> share_held_out(Tour& tour) {
  const auto answers = LOAM_TRY(teach(tour, tour.pairs.held_out, 0));
  const auto head = LOAM_TRY(tour.a->published_head());
  const auto built = LOAM_TRY(build_set(*tour.a, tour.newer_set()));
  return TourReport{
      format("{} more edits, {} signed records by now; data set at this height: {} rows, root {}",
             answers.size(), integer_at(head, "size"), integer_at(built, "rows"),
             shortened(text_at(built, "root"))),
      {{"held_out", std::uint64_t{answers.size()}},
       {"records", integer_at(head, "size")},
       {"rows", integer_at(built, "rows")},
       {"root", text_at(built, "root")}}};
}

/// What the gate says of the held-out answers, or why it did not pass.
Result<TourReport> gate_report(const gate::Report& report, std::string_view who) {
  const gate::Verdict verdict = report.verdict();
  std::string gain;
  for (const gate::RuleResult& rule : verdict.rules) {
    if (rule.rule == "gain") gain = rule.says;
    if (rule.outcome == gate::Outcome::kFail || rule.outcome == gate::Outcome::kInconclusive)
      return fail(ErrorCode::kPermissionDenied,
                  format("the gate of {}: rule {}: {}: {}", who, rule.rule,
                         gate::outcome_name(rule.outcome), printable(rule.says)));
  }
  return TourReport{format("{}: {}", gate::outcome_name(verdict.outcome), gain),
                    {{"verdict", gate::outcome_name(verdict.outcome)},
                     {"gain", gain},
                     {"held_out", std::uint64_t{report.measured.losses.size()}}}};
}

Result<TourReport> gate(Tour& tour) {
  Invocation on_a = tour.a->invocation();
  GateOrder order;
  order.adapter = tour.job->spec().id;
  order.newer = tour.newer_set().string();
  return gate_report(LOAM_TRY(run_gate(on_a, order)).report, "A");
}

Result<TourReport> publish(Tour& tour) {
  const auto published = LOAM_TRY(tour.a->run({"publish", tour.job->spec().id}));
  static_cast<void>(LOAM_TRY(tour.a->published_head()));
  tour.publication = text_at(published, "record");
  return TourReport{
      format("{}: adapter {}, manifest {}, licence {}", tour.publication,
             shortened(text_at(published, "adapter")), shortened(text_at(published, "manifest")),
             text_at(published, "licence")),
      {{"publication", tour.publication},
       {"adapter_sha256", text_at(published, "adapter")},
       {"manifest_sha256", text_at(published, "manifest")},
       {"licence", text_at(published, "licence")}}};
}

Result<TourReport> follow(Tour& tour) {
  const auto head = LOAM_TRY(tour.a->published_head());
  const std::string key = text_at(head, "verifier_key");
  const auto followed =
      LOAM_TRY(tour.b->run({"follow", "add", tour.a->url() + "/log", "--key", key}));
  const auto answers =
      LOAM_TRY(tour.b->ask(tour.base.name, {tour.pairs.held_out.front().question}, kShownTokens));
  tour.answer_before = answers.front().text;
  return TourReport{
      format("followed as {}; asked \"{}\", B still says: {}", text_at(followed, "id"),
             tour.pairs.held_out.front().question, printable(tour.answer_before)),
      {{"channel", text_at(followed, "id")},
       {"question", tour.pairs.held_out.front().question},
       {"before", tour.answer_before}}};
}

Result<TourReport> take_up(Tour& tour) {
  Invocation on_b = tour.b->invocation();
  const Offers offers = LOAM_TRY(read_offers(on_b));
  for (const FoundPublication& one : offers.found) {
    if (to_text(one.id) != tour.publication) continue;
    const Taken taken = LOAM_TRY(take(on_b, offers, one, {}));
    if (!taken.report) return fail(ErrorCode::kInternal, "B took it without a gate");
    TourReport out = LOAM_TRY(gate_report(*taken.report, "B"));
    out.figures.emplace_back("model", taken.model.name);
    return out;
  }
  return fail(ErrorCode::kNotFound, "B does not see what A published");
}

Result<TourReport> ask_again(Tour& tour) {
  const std::string& question = tour.pairs.held_out.front().question;
  const auto answers = LOAM_TRY(tour.b->ask(std::string(kName), {question}, kShownTokens));
  const std::string& after = answers.front().text;
  const std::string manner = taught_beginning(tour.pairs);
  if (!took_the_manner(tour.pairs, tour.answer_before, after))
    return fail(ErrorCode::kInternal,
                format("B took up the adapter, and was to answer with \"{}\" what it answered "
                       "without it before; it said \"{}\", and now says \"{}\"",
                       manner, printable(tour.answer_before), printable(after)));
  return TourReport{format("asked \"{}\", B now begins with \"{}\", as it was taught: {}", question,
                           manner, printable(after)),
                    {{"question", question},
                     {"taught", manner},
                     {"before", tour.answer_before},
                     {"after", after}}};
}

constexpr TourStep kSteps[] = {
    {"nodes", "Two nodes start, each in a home of its own", start_nodes},
    {"share", "A answers, a person edits the answers, and both are shared into A's open log",
     share_lessons},
    {"data", "The log becomes a data set, which is verified down to the signatures", build_data},
    {"train", "A learns from it: an adapter for its model", train},
    {"held-out", "More questions, which nothing has learned from, are shared to measure with",
     share_held_out},
    {"gate", "A's gate measures the adapter on them", gate},
    {"publish", "A publishes the adapter with its whole lineage", publish},
    {"follow", "B follows A's log, and is asked what it was never taught", follow},
    {"take", "B verifies the lineage, builds the data set again, and gates the adapter itself",
     take_up},
    {"ask", "B is asked again, and must answer in the manner that A was taught", ask_again},
};

}  // namespace

std::span<const TourStep> tour_steps() { return kSteps; }

}  // namespace loam::cli
