// Our own reader of a GGUF file's header: strict, bounded, and independent of the engine's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "env/disk.h"

namespace loam::catalog {

/// No real file comes near these. Whatever a file announces, memory grows only with bytes read.
struct GgufLimits {
  std::uint64_t header_bytes_max = std::uint64_t{256} << 20;
  std::uint64_t pairs_max = 65'536;
  std::uint64_t tensors_max = 262'144;
  std::uint64_t name_bytes_max = 1024;          // of a key or a tensor
  std::uint64_t word_bytes_max = 4096;          // of a name or licence that is kept
  std::uint64_t template_bytes_max = 1U << 20;  // of a chat template
};

/// Reads metadata and tensor infos, versions 2 and 3, little-endian. Arrays (vocabularies) are
/// walked, not kept. Checks that shapes, types and places of all tensors fit into the file.
/// @error Corrupt  anything else; the message says where and what, without the file's name.
/// @error Unsupported  another version or byte order, an unknown weight format, a part of a split
///                     model. Unavailable  the disk failed.
/// @source GGUF specification, github.com/ggml-org/ggml/blob/master/docs/gguf.md.
Result<ModelFacts> read_gguf(ByteView bytes, const GgufLimits& limits = {});
/// The same from a file, read with pread(): the descriptor's position does not matter. The message
/// names `path`.
Result<ModelFacts> read_gguf(const env::Fd& file, const env::Path& path,
                             const GgufLimits& limits = {});

/// Where a tensor lies. Its name is as written, any bytes.
struct GgufTensor {
  std::string name;
  std::vector<std::uint64_t> sizes;  // the fastest first, at most 4; none is 0
  std::uint32_t type = 0;            // one that ggml_type() knows; whole blocks make up a row
  std::uint64_t offset = 0;          // of its first byte, in the file
  std::uint64_t bytes = 0;
};

/// Where a metadata entry lies: key, type and value, in the file.
struct GgufPair {
  std::string key;  // as written
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// All of a header but lists and long texts. Keys are as written, any bytes.
struct GgufHeader {
  ModelFacts facts;
  /// Scalars of every number type, true and false as 1 and 0. Any double: NaN too, and a whole
  /// number above 2^53 is rounded.
  std::map<std::string, double, std::less<>> numbers;
  /// Valid UTF-8 without control characters. Not here: the chat template, and what is longer than
  /// GgufLimits::word_bytes_max.
  std::map<std::string, std::string, std::less<>> texts;
  std::vector<GgufPair> pairs;      // in the file's order, those with lists and long texts too
  std::vector<GgufTensor> tensors;  // in the file's order; all lie in the file, none in another
};

/// Takes what read_gguf() takes, and tells more.
/// @error as read_gguf(); Corrupt also if two tensors share bytes, so that whoever reads all of
///        them reads no more than the file has.
Result<GgufHeader> read_gguf_header(ByteView bytes, const GgufLimits& limits = {});
Result<GgufHeader> read_gguf_header(const env::Fd& file, const env::Path& path,
                                    const GgufLimits& limits = {});

/// How long the file must be by its header, whether it is or not: for a download under way.
/// @error as read_gguf(); Corrupt also while the header is incomplete.
Result<std::uint64_t> gguf_bytes_needed(const env::Fd& file, const env::Path& path,
                                        const GgufLimits& limits = {});

}  // namespace loam::catalog
