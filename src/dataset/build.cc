#include "dataset/build.h"

#include "base/format.h"
#include "dataset/card.h"
#include "dataset/containers.h"
#include "dataset/parallel.h"
#include "env/file.h"
#include "env/public_folder.h"

namespace loam::dataset {
namespace {

/// Keeps what was read of a log, so that the data set can be verified without it.
void keep_copy(LogInput& log, const env::Path& folder) {
  const env::Path copy = folder / log_folder(log.key.key);
  log.on_bundle = [copy](std::uint64_t bundle, const std::vector<Bytes>& entries) -> Result<> {
    FileWriter file = LOAM_TRY(
        FileWriter::create(copy, ledger::tile_path(ledger::kEntries, bundle, entries.size())));
    LOAM_TRY(file.write(as_text(ledger::encode_bundle(entries))));
    static_cast<void>(LOAM_TRY(file.finish()));
    return {};
  };
}

Result<> check_free(const env::Path& folder) {
  const auto names = env::names_in(folder);
  if (!names && names.error().code == ErrorCode::kNotFound) return {};
  if (!names) return std::unexpected(names.error());
  if (names->empty()) return env::remove_tree(folder);
  return fail(ErrorCode::kAlreadyExists, format("{}: there is something already", folder.string()),
              "name a folder that is not there yet, or remove this one");
}

Result<> write_text(const env::Path& folder, std::string_view name, std::string_view text) {
  FileWriter file = LOAM_TRY(FileWriter::create(folder, std::string(name)));
  LOAM_TRY(file.write(text));
  static_cast<void>(LOAM_TRY(file.finish()));
  return {};
}

}  // namespace

Result<std::vector<FileInfo>> write_files(const env::Path& folder, const Selection& selection,
                                          std::size_t threads) {
  using Lines = std::function<Result<>(FileWriter&)>;
  std::vector<std::pair<std::string, Lines>> files;
  for (const View view : kViews)
    files.emplace_back(view_file(view), [&selection, view](FileWriter& file) {
      return write_view(view, selection.rows,
                        [&](std::string_view line) { return file.write(line); });
    });
  files.emplace_back(kDroppedFile, [&](FileWriter& file) -> Result<> {
    for (const Dropped& one : selection.dropped) LOAM_TRY(file.write(dropped_line(one)));
    return {};
  });
  files.emplace_back(kBodiesFile, [&](FileWriter& file) -> Result<> {
    for (const UsedBody& body : selection.bodies) LOAM_TRY(file.write(body_line(body)));
    return {};
  });
  const auto write = [&](const auto& file) -> Result<FileInfo> {
    FileWriter out = LOAM_TRY(FileWriter::create(folder, file.first));
    LOAM_TRY(file.second(out));
    return out.finish();
  };
  std::vector<Result<FileInfo>> written(files.size(), fail(ErrorCode::kInternal, ""));
  in_parallel(files.size(), threads, [&](std::size_t i) { written[i] = write(files[i]); });
  return all_of(std::move(written));
}

namespace {

/// All of it, in a folder that is made for it.
Result<Built> build_in(const env::Path& unfinished, BuildOptions options,
                       const OnProgress& on_progress) {
  LOAM_TRY(env::make_public_folder(unfinished));
  for (LogInput& log : options.logs) keep_copy(log, unfinished);

  const Facts facts =
      LOAM_TRY(gather(std::move(options.logs), options.net, options.threads, on_progress));
  for (const LogAtHeight& log : facts.logs)
    LOAM_TRY(write_text(unfinished, log_folder(log.key.key) + "/checkpoint", log.checkpoint.note));
  const Selection selection = LOAM_TRY(select(facts, options.recipe, options.threads, on_progress));

  Built out;
  on_progress("writing", 0, selection.rows.size());
  out.manifest = manifest_of(facts, options.recipe, options.net, selection.split_seed);
  out.summary = summarise(selection.rows, selection.dropped);
  out.files = LOAM_TRY(write_files(unfinished, selection, options.threads));
  const std::string manifest = manifest_text(out.manifest, out.summary, out.files);
  static_cast<void>(LOAM_TRY(parse_manifest(manifest)));  // else nobody could verify it
  out.roots = roots_of(selection.rows, manifest);
  LOAM_TRY(write_text(unfinished, kManifestFile, manifest));
  LOAM_TRY(write_text(unfinished, kRootFile, roots_text(out.roots)));
  on_progress("writing", selection.rows.size(), selection.rows.size());
  out.containers =
      LOAM_TRY(write_containers(unfinished, out.files, options.duckdb, options.threads));
  LOAM_TRY(write_text(unfinished, kContainersFile, containers_text(out.containers)));
  LOAM_TRY(write_text(unfinished, "README.md", card_text(out)));
  LOAM_TRY(write_text(unfinished, "croissant.json", croissant_text(out)));
  return out;
}

}  // namespace

Result<Built> build(const env::Path& folder, BuildOptions options, const OnProgress& on_progress) {
  if (options.logs.empty())
    return fail(ErrorCode::kInvalidArgument, "a data set: no log to build it from");
  LOAM_TRY(check_free(folder));
  const env::Path unfinished = folder.string() + ".building";
  LOAM_TRY(env::remove_tree(unfinished));
  auto out = build_in(unfinished, std::move(options), on_progress);
  // Texts must not be left where nobody knows of them.
  if (!out)
    static_cast<void>(env::remove_tree(unfinished));
  else
    LOAM_TRY(env::rename_file(unfinished, folder));
  return out;
}

}  // namespace loam::dataset
