#include "dataset/card.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/parse.h"
#include "codec/json.h"
#include "dataset/containers.h"

namespace loam::dataset {
namespace {

constexpr std::size_t kShortHash = 16;

const FileInfo* file_named(const Built& built, std::string_view name) {
  for (const auto* list : {&built.files, &built.containers})
    for (const FileInfo& file : *list)
      if (file.name == name) return &file;
  return nullptr;
}

/// Views that have a line.
std::vector<View> filled_views(const Built& built) {
  std::vector<View> out;
  for (const View view : kViews) {
    const FileInfo* file = file_named(built, view_file(view));
    if (file != nullptr && file->lines > 0) out.push_back(view);
  }
  return out;
}

std::string_view size_category(std::uint64_t rows) {
  constexpr std::array<std::pair<std::uint64_t, std::string_view>, 5> kSizes = {
      {{1'000, "n<1K"},
       {10'000, "1K<n<10K"},
       {100'000, "10K<n<100K"},
       {1'000'000, "100K<n<1M"},
       {10'000'000, "1M<n<10M"}}};
  for (const auto& [below, name] : kSizes)
    if (rows < below) return name;
  return "10M<n<100M";
}

/// As data hubs spell it.
std::string hub_licence(const std::string& spdx) {
  return spdx == "ODC-By-1.0" ? "odc-by" : to_lower_ascii(spdx);
}

std::string yaml_list(const std::map<std::string, std::uint64_t>& counts,
                      const std::function<std::string(const std::string&)>& name_of) {
  std::string out;
  for (const auto& [name, count] : counts) out += format("- {}\n", name_of(name));
  return out;
}

std::string yaml_head(const Built& built) {
  std::string out = "---\n";
  if (!built.summary.licences.empty())
    out += "license:\n" + yaml_list(built.summary.licences, hub_licence);
  if (!built.summary.languages.empty())
    out += "language:\n" + yaml_list(built.summary.languages, [](const std::string& l) {
             return '"' + l + '"';  // YAML takes Norwegian for "no"
           });
  out += format("pretty_name: Loam data set {}\n",
                crypto::digest_hex(built.roots.dataset()).substr(0, kShortHash));
  out += format("size_categories:\n- {}\n", size_category(built.summary.rows));
  out += "task_categories:\n- text-generation\ntags:\n- loam\n";
  const std::vector<View> views = filled_views(built);
  if (!views.empty()) out += "configs:\n";
  for (const View view : views)
    out += format("- config_name: {0}\n  data_files:\n  - split: unsplit\n    path: {0}.jsonl\n",
                  view_name(view));
  return out + "---\n";
}

std::string table(std::string_view head, const std::map<std::string, std::uint64_t>& counts) {
  std::string out = format("\n| {} | rows |\n|---|---|\n", head);
  for (const auto& [name, count] : counts) out += format("| `{}` | {} |\n", name, count);
  return out;
}

/// JSON-LD's names; the standard's own list. @source Croissant 1.1, appendix "context".
constexpr std::string_view kContext = R"({
"@language":"en","@vocab":"https://schema.org/","citeAs":"cr:citeAs","column":"cr:column",
"conformsTo":"dct:conformsTo","containedIn":"cr:containedIn","cr":"http://mlcommons.org/croissant/",
"data":{"@id":"cr:data","@type":"@json"},"dataBiases":"cr:dataBiases","dataCollection":"cr:dataCollection",
"dataType":{"@id":"cr:dataType","@type":"@vocab"},"dct":"http://purl.org/dc/terms/",
"equivalentProperty":"cr:equivalentProperty","examples":{"@id":"cr:examples","@type":"@json"},
"extract":"cr:extract","field":"cr:field","fileProperty":"cr:fileProperty","fileObject":"cr:fileObject",
"fileSet":"cr:fileSet","format":"cr:format","includes":"cr:includes","isArray":"cr:isArray",
"arrayShape":"cr:arrayShape","isLiveDataset":"cr:isLiveDataset","jsonPath":"cr:jsonPath","key":"cr:key",
"md5":"cr:md5","parentField":"cr:parentField","path":"cr:path",
"personalSensitiveInformation":"cr:personalSensitiveInformation","prov":"http://www.w3.org/ns/prov#",
"rai":"http://mlcommons.org/croissant/RAI/","recordSet":"cr:recordSet","references":"cr:references",
"regex":"cr:regex","repeated":"cr:repeated","replace":"cr:replace","samplingRate":"cr:samplingRate",
"sc":"https://schema.org/","separator":"cr:separator","source":"cr:source","subField":"cr:subField",
"transform":"cr:transform"})";

codec::Object file_object(const FileInfo& file, std::string_view encoding) {
  return {{"@type", "cr:FileObject"},
          {"@id", file.name},
          {"name", file.name},
          {"contentUrl", file.name},
          {"encodingFormat", encoding},
          {"contentSize", format("{} B", file.bytes)},
          {"sha256", crypto::digest_hex(file.sha256)}};
}

/// A field that is read from the column of one of our files; `path` leads on inside its structures.
codec::Object field_of(View view, const std::string& id, std::string_view type,
                       const Column& column, const std::string& path = {}) {
  codec::Object source{{"fileObject", codec::Object{{"@id", view_file(view)}}},
                       {"extract", codec::Object{{"column", column.name}}}};
  if (!path.empty()) source.emplace_back("transform", codec::Object{{"jsonPath", path}});
  return {{"@type", "cr:Field"},
          {"@id", id},
          {"name", path.empty() ? column.name : path},
          {"dataType", type},
          {"source", std::move(source)}};
}

/// A list of messages: a field without a source, of two that have one.
codec::Object messages_field(View view, const std::string& id, const Column& column) {
  codec::Array parts;
  for (const char* part : {"role", "content"})
    parts.push_back(field_of(view, id + "/" + part, "sc:Text", column, part));
  return {{"@type", "cr:Field"}, {"@id", id},          {"name", column.name},
          {"isArray", true},     {"arrayShape", "-1"}, {"subField", std::move(parts)}};
}

codec::Object record_set(View view) {
  const std::string name(view_name(view));
  codec::Array fields;
  for (const Column& column : columns_of(view)) {
    const std::string id = name + "/" + column.name;
    const std::string_view type = column.type == "BIGINT"    ? "sc:Integer"
                                  : column.type == "BOOLEAN" ? "sc:Boolean"
                                                             : "sc:Text";
    fields.push_back(column.type.starts_with("STRUCT") ? messages_field(view, id, column)
                                                       : field_of(view, id, type, column));
  }
  return {{"@type", "cr:RecordSet"}, {"@id", name}, {"name", name}, {"field", std::move(fields)}};
}

}  // namespace

std::string card_text(const Built& built) {
  const Summary& summary = built.summary;
  std::string out = yaml_head(built);
  out += format("\n# Loam data set {}\n\n",
                crypto::digest_hex(built.roots.dataset()).substr(0, kShortHash));
  out += format(
      "{} rows by {} authors, made from {} open logs of prompts, answers and ratings that people "
      "shared with consent. {} records that the query may match were left out; `dropped.jsonl` "
      "says why.\n\n",
      summary.rows, summary.authors, built.manifest.logs.size(), summary.dropped);
  out += format("- root: `{}`\n- query: `{}`\n- profile: `{}`\n",
                crypto::digest_hex(built.roots.dataset()), built.manifest.query,
                profile_name(built.manifest.profile));
  for (const Manifest::Log& log : built.manifest.logs)
    out += format("- log: `{}`, {} records\n", log.origin, log.height);
  out += table("split", summary.splits) + table("licence", summary.licences) +
         table("language", summary.languages) + table("who wrote the answer", summary.origins) +
         table("model (SHA-256)", summary.models);
  out +=
      "\nEach view is a file of JSON lines, the same compressed (`.zst`), and Parquet under "
      "`data/` "
      "if it was written:\n`sft` (messages to imitate), `kto` (answers with a thumb), `dpo` (a "
      "better and a worse answer), `text` (plain text).\nTrain on rows whose column `split` is "
      "`train` only; `eval` and `gate` are for measuring.\n\n"
      "Every row follows from signed records in `logs/` and `bodies.jsonl`: "
      "`loam data verify DIR --key KEY` proves it without a network.\n"
      "A row keeps the licence of its record; who uses rows of several licences keeps the "
      "strictest. "
      "Records may be withdrawn by their authors after this data set was made: build it again "
      "before each use.\n";
  return out;
}

std::string croissant_text(const Built& built) {
  codec::Array licences, derived, files, record_sets;
  for (const auto& [licence, count] : built.summary.licences)
    licences.emplace_back(format("https://spdx.org/licenses/{}.html", licence));
  for (const Manifest::Log& log : built.manifest.logs)
    derived.push_back(codec::Object{{"@id", format("urn:loam:log:{}", log.origin)}});
  for (const View view : filled_views(built)) {
    files.push_back(file_object(*file_named(built, view_file(view)), "application/jsonlines"));
    if (const FileInfo* parquet = file_named(built, parquet_file(view)))
      files.push_back(file_object(*parquet, "application/x-parquet"));
    record_sets.push_back(record_set(view));
  }
  const std::string root = crypto::digest_hex(built.roots.dataset());
  const codec::Object out{
      {"@context", *codec::parse_json(kContext)},
      {"@type", "sc:Dataset"},
      {"name", "loam-" + root.substr(0, kShortHash)},
      {"description", format("{} prompts and answers that people shared with consent; root {}",
                             built.summary.rows, root)},
      {"conformsTo", "http://mlcommons.org/croissant/1.1"},
      {"version", "1.0.0"},
      {"license", std::move(licences)},
      {"prov:wasDerivedFrom", std::move(derived)},
      {"distribution", std::move(files)},
      {"recordSet", std::move(record_sets)}};
  return codec::to_json(codec::Value(out), 2) + "\n";
}

}  // namespace loam::dataset
