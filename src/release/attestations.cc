#include "release/attestations.h"

namespace loam::release {
namespace {

struct Commitment {
  crypto::PublicKey author{};
  crypto::Digest hash{};
  bool is_used = false;
};

/// Those of one log, up to the record that is looked at.
using Commitments = std::map<ledger::RecordId, Commitment>;

/// Why an attestation by `author` does not count; one that does uses its commitment up.
std::string_view use(Commitments& before, const crypto::PublicKey& author,
                     const ledger::Attestation& attestation) {
  if (!attestation.drawn) return "it names no commitment to its nonce";
  const auto found = before.find(attestation.drawn->commitment);
  if (found == before.end()) return "no commitment of that name is before it in its log";
  Commitment& commitment = found->second;
  if (commitment.author != author) return "another key committed to its nonce";
  if (commitment.hash != ledger::nonce_hash(attestation.drawn->nonce))
    return "its nonce is not the one that was committed to";
  if (commitment.is_used) return "something else was attested with its nonce";
  commitment.is_used = true;
  return {};
}

void add_log(const dataset::LogAtHeight& log, const ledger::RecordId& publication,
             Attestations& out) {
  Commitments commitments;
  for (const dataset::Entry& entry : log.entries) {
    const ledger::Header& header = entry.header;
    if (header.kind != ledger::Kind::kAttestation || header.refs.size() != 1 ||
        header.refs.front() != publication)
      continue;
    // Withdrawn or not: nobody makes draws vanish that did not suit, or uses a nonce again.
    if (const auto hash = ledger::decode_commitment(header.payload)) {
      commitments[entry.id] = {header.author, *hash};
      continue;
    }
    const auto payload = ledger::decode_attestation(header.payload);
    if (!payload) continue;
    const std::string_view doubt = use(commitments, header.author, *payload);
    if (!entry.retracted) out.found.push_back({entry.id, header.author, *payload, doubt});
  }
  for (const auto& [id, commitment] : commitments)
    if (!commitment.is_used) ++out.open[commitment.author];
}

}  // namespace

Attestations attestations_of(const dataset::Facts& facts, const ledger::RecordId& publication) {
  Attestations out;
  for (const dataset::LogAtHeight& log : facts.logs) add_log(log, publication, out);
  return out;
}

}  // namespace loam::release
