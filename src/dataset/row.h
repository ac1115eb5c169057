// Rows: what a data set consists of. The four .jsonl files and Parquet are views of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataset/facts.h"
#include "dataset/ratings.h"
#include "ledger/body.h"

namespace loam::dataset {

/// What a row may be used for: train, or to measure (eval: by anybody; gate: by the gate).
enum class Split : std::uint8_t { kTrain, kEval, kGate };
std::string_view split_name(Split split);

struct Row {
  ledger::RecordId id;
  ledger::Header header;
  ledger::Conversation conversation;
  Rating rating;
  /// Of an edit: the record that it improves, if its text is still there, and that one's answer.
  std::optional<ledger::RecordId> original = {};
  std::string rejected = {};
  Split split = Split::kTrain;

  const ledger::Message& answer() const { return conversation.messages.back(); }
};

/// How often models have learned from models on the way to this answer: 0 if a person wrote or
/// edited it, else 1. Unknown counts as a model. @source data-and-training reference, R1 to R3.
int synthetic_depth(const Row& row);

/// The one encoding of a row: deterministic CBOR, no float. A leaf of the rows' tree.
Bytes encode_row(const Row& row);

/// What the split is drawn from: the same opening question falls on the same side, whoever
/// answered; of strangers, all that one `writer` wrote (Facts::writer_of).
crypto::Digest split_key(const crypto::PublicKey& writer, const ledger::Conversation& conversation,
                         Profile profile);
/// The first 8 bytes of SHA-256(seed || key), modulo 100: below 5 eval, below 10 gate, else train.
Split split_of(const crypto::Digest& seed, const crypto::Digest& key);

/// SHA-256("loam.split.v1" || the logs' roots at their heights, sorted).
crypto::Digest default_split_seed(const Facts& facts);

/// A record's text, if body and salt are what `header` commits to. Its language is one of letters,
/// digits and "-", at most 35 of them, else "und": it is written into cards and columns.
Result<ledger::Conversation> open_body(const ledger::Header& header,
                                       const ledger::SaltedBody& body);

/// Whether `conversation` ends in a model's, a person's or a mixed answer to something.
bool has_answer(const ledger::Conversation& conversation);

/// A row without its split. `original`: the text that an edit improves, if it is there; it counts
/// only if both answer the same messages.
Row make_row(const Entry& entry, ledger::Conversation conversation, Rating rating,
             const ledger::Conversation* original);

}  // namespace loam::dataset
