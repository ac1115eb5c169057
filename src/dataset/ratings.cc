#include "dataset/ratings.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/format.h"
#include "dataset/bridging.h"

namespace loam::dataset {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"own", "network"};

/// R10: who likes it, whatever the camp, and how many must have voted.
constexpr std::int64_t kGoodIntercept_ppm = 400'000;
constexpr std::size_t kGoldVotersMin = 5;
constexpr std::int64_t kNetworkAuthorCap = 10;  // R8

int sign_of(std::int64_t number) { return number > 0 ? 1 : number < 0 ? -1 : 0; }

void label_by_agreement(IdMap<Rating>& ratings,
                        const std::vector<std::pair<ledger::RecordId, VoteFact>>& counted) {
  std::map<crypto::PublicKey, std::uint32_t> voters;
  std::map<ledger::RecordId, std::uint32_t> items;
  std::vector<Ballot> ballots;
  for (const auto& [id, vote] : counted) {
    if (vote.vote == ledger::Vote::kNone) continue;
    const auto voter = voters.emplace(vote.voter, static_cast<std::uint32_t>(voters.size()));
    const auto item = items.emplace(id, static_cast<std::uint32_t>(items.size()));
    ballots.push_back({voter.first->second, item.first->second, std::to_underlying(vote.vote)});
  }
  const auto scores = bridge(ballots, static_cast<std::uint32_t>(voters.size()),
                             static_cast<std::uint32_t>(items.size()));
  for (const auto& [id, number] : items) {
    const ItemScore& score = scores[number];
    Rating& rating = ratings[id];
    rating.gold = rating.votes.size() >= kGoldVotersMin && score.both_sides &&
                  score.intercept_ppm >= kGoodIntercept_ppm;
  }
}

}  // namespace

std::string_view profile_name(Profile profile) { return kNames.at(std::to_underlying(profile)); }

Result<Profile> parse_profile(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name);
  if (found == kNames.end())
    return fail(ErrorCode::kInvalidArgument, format("no profile \"{}\"", name),
                "there are own (people whom you know) and network (strangers)");
  return static_cast<Profile>(found - kNames.begin());
}

std::optional<std::int64_t> author_cap(Profile profile) {
  if (profile == Profile::kOwn) return std::nullopt;
  return kNetworkAuthorCap;
}

IdMap<Rating> rate(const Facts& facts, Profile profile) {
  IdMap<Rating> out;
  std::vector<std::pair<ledger::RecordId, VoteFact>> counted;
  for (const auto& [id, votes] : facts.votes) {
    const Entry* target = facts.find(id);
    if (target == nullptr) continue;
    for (const VoteFact& vote : votes) {
      if (profile == Profile::kNetwork && vote.voter == facts.writer_of(*target)) continue;
      counted.emplace_back(id, vote);
      Rating& rating = out[id];
      rating.up += vote.vote == ledger::Vote::kUp ? 1 : 0;
      rating.down += vote.vote == ledger::Vote::kDown ? 1 : 0;
      rating.votes.push_back(vote.id);
    }
  }
  for (auto& [id, rating] : out) {
    std::ranges::sort(rating.votes);
    rating.label = sign_of(rating.up - rating.down);
  }
  if (profile == Profile::kNetwork) label_by_agreement(out, counted);
  return out;
}

}  // namespace loam::dataset
