#include "cli/train_export.h"

#include <memory>

#include "base/format.h"
#include "base/utf8.h"
#include "cli/interrupt.h"
#include "cli/table.h"
#include "cli/training.h"
#include "cli/verified_set.h"
#include "codec/json.h"
#include "dataset/layout.h"
#include "dataset/row.h"
#include "env/file.h"
#include "tuning/external.h"

namespace loam::cli {
namespace {

constexpr std::size_t kBaseIdBytesMax = 4096;

struct ExportOptions {
  std::optional<std::string> data, model, recipe, to, base_id, out;
  std::vector<std::string> keys;
};

Result<std::string> base_name(const Invocation& invocation, const std::string& wanted) {
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const catalog::Model model = LOAM_TRY(catalog->find(wanted));
  if (model.adapter)
    return fail(
        ErrorCode::kInvalidArgument,
        format("export: {} has an adapter, and every training begins at a base", model.name),
        "name the model that the adapter was made for");
  return model.name;
}

Result<tuning::ExternalOrder> order_of(Invocation& invocation, const ExportOptions& options) {
  tuning::ExternalOrder out;
  out.trainer = LOAM_TRY(tuning::parse_trainer(*options.to));
  out.recipe = LOAM_TRY(read_recipe(options.recipe));
  LOAM_TRY(tuning::check_external(out.trainer, out.recipe));
  if (options.model) out.model = LOAM_TRY(base_name(invocation, *options.model));
  out.base_id = options.base_id.value_or("");
  if (!is_valid_utf8(out.base_id) || out.base_id.size() > kBaseIdBytesMax)
    return fail(ErrorCode::kInvalidArgument, "--base-id: expected UTF-8, not longer than a path");
  const auto root = LOAM_TRY(verified_root(invocation, "export", *options.data, options.keys));
  LOAM_TRY(check_not_withdrawn(invocation, "export", *options.data));
  out.data_set_root = crypto::digest_hex(root);
  return out;
}

/// An empty folder, made if it is not there.
Result<> make_empty(const env::Path& folder) {
  LOAM_TRY(env::make_folder(folder));
  if (LOAM_TRY(env::names_in(folder)).empty()) return {};
  return fail(ErrorCode::kAlreadyExists, format("export: {} is not empty", folder.string()),
              "name a new folder");
}

/// The rows of split `train`, one a line; how many.
Result<std::uint64_t> write_rows(const env::Path& data_set, const env::Path& folder,
                                 const tuning::ExternalOrder& order) {
  const tuning::Stage stage = order.recipe.stage;
  const std::string_view train = dataset::split_name(dataset::Split::kTrain);
  auto file = LOAM_TRY(dataset::FileWriter::create(folder, std::string(tuning::kExternalRows)));
  std::uint64_t rows = 0;
  const auto on_row = [&](const tuning::ViewRow& row) -> Result<> {
    if (row.split != train) return {};
    ++rows;
    return file.write(codec::to_json(tuning::external_row(row, order)) + "\n");
  };
  const InterruptGuard guard;
  LOAM_TRY(tuning::read_view(data_set / dataset::view_file(tuning::view_of(stage)), stage, on_row,
                             [](auto, auto) { return !InterruptGuard::interrupted(); }));
  static_cast<void>(LOAM_TRY(file.finish()));
  if (rows == 0)
    return fail(ErrorCode::kInvalidArgument,
                format("export: {} has nothing to learn from for this stage", data_set.string()),
                "another stage in the recipe, or another data set");
  return rows;
}

Result<int> export_it(Invocation& invocation, const ExportOptions& options) {
  tuning::ExternalOrder order = LOAM_TRY(order_of(invocation, options));
  const env::Path folder(*options.out);
  LOAM_TRY(make_empty(folder));
  order.rows = LOAM_TRY(write_rows(*options.data, folder, order));
  codec::Array files{tuning::kExternalRows};
  for (const tuning::ExternalFile& file : tuning::external_files(order)) {
    LOAM_TRY(env::write_file_atomic(folder / file.name, file.content));
    files.emplace_back(file.name);
  }
  Console& console = invocation.console;
  if (invocation.globals.json)
    console.json(codec::Object{{"folder", folder.string()},
                               {"rows", order.rows},
                               {"data_set_root", order.data_set_root},
                               {"files", std::move(files)}});
  else if (!invocation.globals.quiet)
    console.line(format("{} in {}; its README.md says how to go on", counted(order.rows, "row"),
                        folder.string()));
  return 0;
}

}  // namespace

Verb train_export_verb() {
  const auto options = std::make_shared<ExportOptions>();
  Verb verb = inner_verb("export", "Writes data and configuration for a trainer of others",
                         {"loam train export --data set --to trl folder",
                          "loam train export --data set --recipe recipe.toml --to llama-factory "
                          "--base-id owner/model folder"});
  verb.details =
      "For GPUs elsewhere: the rows that are learned from, the recipe in that trainer's words, and "
      "a README.md that says what to run. `loam train import` takes the adapter that comes out.";
  verb.arguments = {
      {"OUT", "", &options->out, "The new folder.", true, Offer::kFiles},
      {"--data", "DIR", &options->data, "The data set; it is verified.", true, Offer::kFiles},
      {"--to", "TRAINER", &options->to, "trl, llama-factory or axolotl.", true},
      {"--recipe", "FILE", &options->recipe,
       "How to train, as TOML (docs/formats/recipe.md); sensible settings if not given.", false,
       Offer::kFiles},
      {"--model", "NAME", &options->model, "The base model here, for the README.md.", false,
       Offer::kModels},
      {"--base-id", "ID", &options->base_id,
       "The base where the GPU is: its id on a model hub, or its folder."},
      {"--key", "VKEY", &options->keys,
       "The key of a log in the data set; this node's own if not given."}};
  verb.run = [options](Invocation& invocation) { return export_it(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
