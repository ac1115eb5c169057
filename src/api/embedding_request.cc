#include "api/embedding_request.h"

#include "api/generation_fields.h"
#include "base/format.h"

namespace loam::api {

ApiResult<EmbeddingRequest> parse_embedding_request(const codec::Value& body) {
  const Fields fields = LOAM_TRY(Fields::of(body));
  EmbeddingRequest out;
  out.model = LOAM_TRY(fields.required_text("model", kModelNameBytesMax));
  const auto encoding = LOAM_TRY(fields.text("encoding_format", 16));
  if (encoding && *encoding != "float" && *encoding != "base64")
    return refuse(bad_field("encoding_format", "must be float or base64"));
  out.base64 = encoding == "base64";
  out.dimensions = LOAM_TRY(fields.integer("dimensions", 1, INT32_MAX));
  out.keep_alive_s = LOAM_TRY(read_keep_alive(fields));
  out.inputs = LOAM_TRY(read_inputs(fields, "input", kEmbeddingInputsMax));
  for (std::size_t i = 0; i < out.inputs.size(); ++i) {
    const auto* text = std::get_if<std::string>(&out.inputs[i]);
    if (text != nullptr && text->empty())
      return refuse(
          bad_field(out.inputs.size() == 1 ? std::string("input") : format("input[{}]", i),
                    "must not be empty"));
  }
  return out;
}

}  // namespace loam::api
