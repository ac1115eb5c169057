// What bench/run dataset measures inside one process.
//
//   bench_dataset verify FOLDER KEY        a data set on one thread, then libsodium on the same
//                                          signatures
//   bench_dataset parquet JSONL PARQUET    the rows of sft.jsonl as Parquet
//
// KEY: the log's verifier key. stdout: one JSON object; seconds are those of the processor.
#include <sodium.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "base/format.h"
#include "codec/cbor_items.h"
#include "dataset/parquet.h"
#include "dataset/verify.h"
#include "dataset/views.h"
#include "env/folders.h"
#include "must.h"

namespace {

using namespace loam;
using bench::die;
using bench::must;

/// Seconds of a processor that this process took so far: what others do at the time is not in it.
double spent_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// What one signature of a record covers. docs/formats/record.md.
struct Signed {
  crypto::PublicKey author{};
  crypto::Signature signature{};
  Bytes message;
};

Signed signed_of(const Bytes& record) {
  Signed out;
  codec::CborReader in(record);
  static_cast<void>(must(in.array()));
  const ByteView algorithm = must(in.bytes());
  static_cast<void>(must(in.map()));
  const ByteView header = must(in.bytes());
  std::ranges::copy(must(in.bytes()), out.signature.begin());
  out.author = must(ledger::decode_header(header)).author;
  Bytes context;
  std::ranges::copy(std::string_view("loam.rec.v1"), std::back_inserter(context));
  std::ranges::copy(ledger::kPublicNet, std::back_inserter(context));
  codec::CborWriter message;
  message.array(4).text("Signature1").bytes(algorithm).bytes(context).bytes(header);
  out.message = message.take();
  return out;
}

/// All records of the log's copy in the data set.
std::vector<Signed> signatures_of(const env::Path& folder, const crypto::VerifierKey& key) {
  const auto log = ledger::open_log_folder(folder / dataset::log_folder(key.key));
  const std::uint64_t size = must(ledger::read_checkpoint(*log, key)).checkpoint.size;
  std::vector<Signed> out;
  for (std::uint64_t at = 0; at < size; at += ledger::kTileWidth)
    for (const Bytes& record : must(ledger::read_bundle(*log, at / ledger::kTileWidth,
                                                        std::min(size - at, ledger::kTileWidth))))
      out.push_back(signed_of(record));
  return out;
}

void verify(const env::Path& folder, const crypto::VerifierKey& key) {
  double begin = spent_s();
  const auto verified =
      must(dataset::verify(folder, {.keys = {key}, .threads = 1}, [](auto&&...) { return true; }));
  const double verify_s = spent_s() - begin;
  if (!verified.faults.empty()) die(verified.faults.front());

  const std::vector<Signed> signatures = signatures_of(folder, key);
  begin = spent_s();
  for (const Signed& one : signatures)
    if (crypto_sign_verify_detached(one.signature.data(), one.message.data(), one.message.size(),
                                    one.author.data()) != 0)
      die("a signature is wrong");
  const double signatures_s = spent_s() - begin;
  std::printf(
      "{\"records\": %zu, \"rows\": %zu, \"signatures\": %zu, \"verify_s\": %.6f, "
      "\"signatures_s\": %.6f}\n",
      std::size_t{verified.records}, std::size_t{verified.rows}, signatures.size(), verify_s,
      signatures_s);
}

void parquet(const env::Path& jsonl, const env::Path& file) {
  const env::Path library = must(dataset::find_duckdb(must(env::find_folders(std::nullopt)).data));
  const double begin = spent_s();
  must(dataset::write_parquet(library, jsonl, file, dataset::columns_of(dataset::View::kSft)));
  std::printf("{\"seconds\": %.6f}\n", spent_s() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "verify" && argc == 4)
    verify(argv[2], must(crypto::parse_verifier_key(argv[3])));
  else if (what == "parquet" && argc == 4)
    parquet(argv[2], argv[3]);
  else
    die("usage: see the top of bench/dataset.cc");
}
