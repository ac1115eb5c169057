// What a user may name as the source of a model. Inside this module only.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace loam::catalog {

enum class SourceKind { kUrl, kHub, kFile };

struct Source {
  SourceKind kind = SourceKind::kFile;
  std::string url;        // kUrl: as given. kHub: of the file on the hub
  std::string path;       // kFile
  std::string file_name;  // the last part, without a folder; never used as a path
  std::string shown;  // for messages and the catalogue: without a query, which may hold a secret
};

/// "https://host/.../file", "http://127.0.0.1/..." (loopback only), "hf:owner/repo/file" below
/// `hub_url`, or a path.
/// @error InvalidArgument  says which forms there are.
Result<Source> parse_source(std::string_view text, std::string_view hub_url);

/// A model name out of a file's name: "SmolLM2.Q4_1.gguf" gives "smollm2.q4_1".
/// @error InvalidArgument  nothing usable is in it.
Result<std::string> name_from_file(std::string_view file_name);

}  // namespace loam::catalog
