// What bench/run ledger measures inside one process.
//
//   bench_ledger make HOME RECORDS SENTENCES        a node's home with so many signed records
//   bench_ledger post FOLDER WRITERS SECONDS SENTENCES   posts, then the limits for the same bytes
//   bench_ledger hammer HOME WRITERS SENTENCES      posts until it is killed; says so first
//
// SENTENCES: a file with one a line. stdout: one JSON object.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "corpus.h"
#include "env/file.h"
#include "ledger/home.h"
#include "metered_storage.h"
#include "must.h"

namespace {

using namespace loam;
using bench::die;
using bench::must;
using namespace loam::ledger;
using Time = std::chrono::steady_clock;

constexpr std::size_t kBodyBytes = 1000;       // with its salt, 1 KB
constexpr std::size_t kDraftsPerWriter = 200;  // made before the clock runs, then posted in turns
constexpr std::uint64_t kSeed = 1;

double since(Time::time_point begin) {
  return std::chrono::duration<double>(Time::now() - begin).count();
}

std::vector<std::string> sentences(const char* file) {
  const std::string text = must(env::read_file(file, std::uint64_t{1} << 26));
  std::vector<std::string> out;
  for (const std::string_view line : split(text, '\n'))
    if (!line.empty()) out.emplace_back(line);
  return out;
}

/// A key that is the same in each run, so that each run makes the same log.
crypto::SigningKey key_of(std::string_view name) {
  return crypto::SigningKey::from_seed(crypto::sha256(as_bytes(name)));
}

std::unique_ptr<Log> open_home(const env::Path& root, bench::Meter& meter, env::Clock& clock) {
  const env::Folders folders = must(env::find_folders(root));
  const LogHome home = LogHome::of(folders);
  must(env::make_folder(home.base));
  must(env::make_folder(folders.state));
  if (!env::stamp(home.keys()))
    must(write_keys(LogKeys(key_of("loam bench log"), key_of("loam bench author"), home.keys())));
  auto storage = must(open_sqlite_storage(home.database()));
  return must(Log::open(home.setup(), must(read_keys(home.keys())),
                        bench::metered(std::move(storage), meter), clock));
}

void make(const env::Path& home, std::size_t records, const char* file) {
  constexpr std::size_t kAtOnce = 256;
  constexpr std::int64_t kAnHour_ms = 3'600'000;
  env::ManualClock clock;
  bench::Meter meter;
  bench::Corpus corpus(sentences(file), kSeed);
  const auto log = open_home(home, meter, clock);
  std::size_t bodies = 0;
  for (std::size_t done = 0; done < records;) {
    auto drafts = corpus.next(std::min(kAtOnce, records - done));
    for (const Draft& draft : drafts) bodies += draft.body ? draft.body->body.size() : 0;
    const auto posted = must(log->post_all(std::move(drafts)));
    corpus.posted(posted);
    done += posted.size();
    clock.advance_ms(kAnHour_ms);
  }
  must(log->flush());
  std::printf("{\"records\": %zu, \"body_bytes\": %zu, \"key\": \"%s\"}\n", records, bodies,
              log->verifier_key().text().c_str());
}

/// Posts from a thread for each list of drafts until `until()`; how many.
template <class Until>
std::size_t post_from(Log& log, std::vector<std::vector<Draft>>& drafts, const Until& until) {
  std::atomic<std::size_t> posted = 0;
  std::vector<std::thread> writers;
  for (std::vector<Draft>& own : drafts)
    writers.emplace_back([&log, &own, &until, &posted] {
      for (std::size_t i = 0; !until(); ++i) {
        must(log.post(own[i % own.size()]));
        ++posted;
      }
    });
  for (std::thread& writer : writers) writer.join();
  return posted;
}

std::vector<std::vector<Draft>> drafts_for(std::size_t writers, const char* file) {
  bench::Corpus corpus(sentences(file), kSeed);
  std::vector<std::vector<Draft>> out(writers);
  for (auto& own : out)
    for (std::size_t i = 0; i < kDraftsPerWriter; ++i) own.push_back(corpus.data(kBodyBytes));
  return out;
}

/// Records a second, if a disk does nothing but what makes these groups durable.
double bare_writes(const env::Path& file, const std::vector<bench::Meter::Group>& groups,
                   double seconds) {
  const env::Fd target = must(env::create_file(file, 0600));
  std::size_t largest = 0, records = 0;
  for (const auto& group : groups) largest = std::max(largest, group.bytes);
  const std::string bytes(largest, 'x');
  const auto begin = Time::now();
  for (std::size_t i = 0; since(begin) < seconds; ++i) {
    const auto& group = groups[i % groups.size()];
    must(env::write_all(target, file, std::string_view(bytes).substr(0, group.bytes)));
    if (::fdatasync(target.get()) != 0) die("fdatasync failed");
    records += group.records;
  }
  const double elapsed = since(begin);
  must(env::remove_file(file));
  return static_cast<double>(records) / elapsed;
}

/// Signatures a second of messages as long as a record's, on all cores.
double signatures(std::size_t message_bytes, double seconds) {
  const auto key = key_of("loam bench author");
  const std::vector<std::uint8_t> message(message_bytes, 7);
  std::atomic<std::size_t> made = 0;
  std::vector<std::thread> threads;
  const auto begin = Time::now();
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
    threads.emplace_back([&] {
      std::size_t own = 0;
      for (; since(begin) < seconds; ++own) static_cast<void>(key.sign(message));
      made += own;
    });
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(made) / since(begin);
}

void post(const env::Path& folder, std::size_t writers, double seconds, const char* file) {
  env::SystemClock clock;
  bench::Meter meter;
  auto drafts = drafts_for(writers, file);
  std::size_t posted = 0;
  double elapsed = 0;
  {
    const auto log = open_home(folder / "home", meter, clock);
    const auto begin = Time::now();
    posted = post_from(*log, drafts, [&] { return since(begin) >= seconds; });
    elapsed = since(begin);
  }
  std::size_t bytes = 0;
  for (const auto& group : meter.groups) bytes += group.bytes;
  const std::size_t per_record = bytes / posted;
  const double bare = bare_writes(folder / "bare", meter.groups, seconds);
  const double signs = signatures(per_record - kBodyBytes, seconds);
  std::printf(
      "{\"posts\": %zu, \"seconds\": %.6f, \"groups\": %zu, \"bytes\": %zu, \"bare\": %.1f, "
      "\"signatures\": %.1f, "
      "\"transactions_s\": %.6f, \"sign_and_apply_s\": %.6f, \"statements_s\": %.6f, "
      "\"commits_s\": %.6f}\n",
      posted, elapsed, meter.groups.size(), per_record, bare, signs, meter.transactions_s,
      meter.bodies_s - meter.calls_s, meter.calls_s, meter.transactions_s - meter.bodies_s);
}

void hammer(const env::Path& home, std::size_t writers, const char* file) {
  env::SystemClock clock;
  bench::Meter meter;
  auto drafts = drafts_for(writers, file);
  const auto log = open_home(home, meter, clock);
  std::puts("{\"posting\": true}");
  std::fflush(stdout);
  post_from(*log, drafts, [] { return false; });
}

std::size_t count(const char* text) {
  const auto value = parse_int(text);
  if (!value || *value <= 0) die(format("{} is no count", text));
  return static_cast<std::size_t>(*value);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "make" && argc == 5)
    make(argv[2], count(argv[3]), argv[4]);
  else if (what == "post" && argc == 6)
    post(argv[2], count(argv[3]), static_cast<double>(count(argv[4])), argv[5]);
  else if (what == "hammer" && argc == 5)
    hammer(argv[2], count(argv[3]), argv[4]);
  else
    die("usage: see the top of bench/ledger.cc");
}
