// An adapter as the folder that Hugging Face's PEFT writes: what most trainers and servers
// elsewhere know.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "train/adapter.h"
#include "train/weights.h"

namespace loam::tuning {

/// The two files of such a folder.
struct PeftFiles {
  std::string config;  // adapter_config.json
  Bytes tensors;       // adapter_model.safetensors
};

/// For each of `count` rows of q or k as Hugging Face orders them, its row in a GGUF file for
/// adjacent pairs, where the two halves of each head lie interleaved.
/// @param head_width  divides `count`.
std::vector<std::size_t> interleaved_rows(std::size_t count, std::size_t head_width);

/// The adapter for the base model as Hugging Face has it: where a GGUF file of architecture `llama`
/// has the rows of q and k in another order, B gets its rows back into theirs. The same arguments
/// give the same bytes.
/// @param adapter            adapts at least one part; its alpha is above 0.
/// @param shape              of the base model; its rotations are those of `architecture`.
/// @param architecture       the base model's general.architecture: `llama` or `qwen2`.
/// @param base_model_name    as PEFT is to look for it, e.g. "HuggingFaceTB/SmolLM2-135M".
/// @source peft 0.21, LoraConfig and get_peft_model_state_dict; llama.cpp's convert_hf_to_gguf.py,
/// LlamaModel.permute.
PeftFiles encode_peft(const train::Adapter& adapter, const train::Shape& shape,
                      std::string_view architecture, std::string_view base_model_name);

/// The reverse, for what another trainer made. Refuses whatever means something else than plain
/// LoRA of one rank and one alpha on the seven linear parts; what only told the trainer how to
/// train is ignored. Names and places of tensors must be those that the config chooses, all of
/// them.
/// @error InvalidArgument  does not fit this base model, or parts are missing; names what.
/// @error Unsupported      another method than plain LoRA, or another architecture; names what.
/// @error Corrupt          no such files, or a number that is not finite.
Result<train::Adapter> decode_peft(std::string_view config, ByteView tensors,
                                   const train::Shape& shape, std::string_view architecture);

}  // namespace loam::tuning
