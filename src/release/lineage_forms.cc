#include "release/lineage_forms.h"

#include <algorithm>

#include "base/format.h"

namespace loam::release {
namespace {

constexpr std::size_t kHashCharacters = 16;  // shown of a hash in a picture

std::string_view standing_of(const Part& part) {
  if (!part.faults.empty()) return "DAMAGED";
  return part.is_claim ? "claim" : "ok";
}

/// How many parts of `part` are shown: all but many records.
std::size_t shown(const Part& part, std::size_t parts_max) {
  return part.what == "log" ? std::min(part.parts.size(), parts_max) : part.parts.size();
}

void add_lines(const Part& part, const std::string& indent, std::size_t parts_max,
               std::string& out) {
  out += format("{}{} {}: {}{}{}\n", indent, part.what, part.id, standing_of(part),
                part.text.empty() ? "" : ", ", part.text);
  const std::string inner = indent + "  ";
  for (const std::string& fault : part.faults) out += format("{}! {}\n", inner, fault);
  const std::size_t count = shown(part, parts_max);
  for (std::size_t i = 0; i < count; ++i) add_lines(part.parts[i], inner, parts_max, out);
  if (count < part.parts.size())
    out += format("{}and {} records more\n", inner, part.parts.size() - count);
}

codec::Value value_of(const Part& part) {
  codec::Array faults, parts;
  for (const std::string& fault : part.faults) faults.emplace_back(fault);
  for (const Part& inner : part.parts) parts.push_back(value_of(inner));
  return codec::Object{{"what", part.what},           {"id", part.id},
                       {"text", part.text},           {"claim", part.is_claim},
                       {"faults", std::move(faults)}, {"parts", std::move(parts)}};
}

/// A string of the DOT language: control characters are left out.
std::string dot_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c < 0 || c >= 0x20) out += c;
  }
  return out + '"';
}

/// Adds `part` with all below it; gives the number of its node.
std::size_t add_nodes(const Part& part, std::size_t parts_max, std::size_t& next,
                      std::string& out) {
  const std::size_t self = next++;
  const std::string label =
      format("{} {} {}", part.what, part.id.substr(0, kHashCharacters), part.text);
  out += format(
      "  n{} [label={}{}];\n", self, dot_string(label),
      part.faults.empty() ? (part.is_claim ? ", style=dashed" : "") : ", color=red, fontcolor=red");
  const std::size_t count = shown(part, parts_max);
  for (std::size_t i = 0; i < count; ++i)
    out += format("  n{} -> n{};\n", self, add_nodes(part.parts[i], parts_max, next, out));
  if (count < part.parts.size()) {
    out += format("  n{} [label=\"{} records more\", shape=plaintext];\n", next,
                  part.parts.size() - count);
    out += format("  n{} -> n{};\n", self, next++);
  }
  return self;
}

}  // namespace

std::string lineage_tree(const Lineage& lineage, std::size_t parts_max) {
  std::string out;
  add_lines(lineage.root, "", parts_max, out);
  return out;
}

codec::Value lineage_value(const Lineage& lineage) {
  codec::Array faults, retracted;
  for (const std::string& fault : lineage.faults) faults.emplace_back(fault);
  for (const auto& [record, by] : lineage.retracted)
    retracted.push_back(codec::Object{
        {"record", to_text(record)}, {"by", to_text(by.id)}, {"log", by.log}, {"index", by.index}});
  return codec::Object{{"publications", lineage.publications}, {"records", lineage.records},
                       {"verified", lineage.faults.empty()},   {"faults", std::move(faults)},
                       {"retracted", std::move(retracted)},    {"lineage", value_of(lineage.root)}};
}

std::string lineage_dot(const Lineage& lineage, std::size_t parts_max) {
  std::string out = "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n";
  std::size_t next = 0;
  static_cast<void>(add_nodes(lineage.root, parts_max, next, out));
  return out + "}\n";
}

}  // namespace loam::release
