#include "api/erasure.h"

#include "base/log.h"

namespace loam::api {

Result<commons::Copies::Reached> erase_retracted(
    Context& context, std::span<const commons::Sharing::Retracted> retracted) {
  std::vector<ledger::RecordId> records;
  for (const auto& one : retracted)
    records.insert(records.end(), one.records.begin(), one.records.end());
  LOAM_TRY(context.services.search.erase(records));
  auto reached = LOAM_TRY(commons::Copies::of(context.settings.folders).erase(records));
  LOAM_TRY(context.services.log.scrub());
  for (const auto& one : retracted) {
    const std::string reply = one.answer.substr(0, one.answer.find('#'));
    if (!reply.empty())
      static_cast<void>(LOAM_TRY(context.services.answers.forget_conversation(reply)));
  }
  LOAM_TRY(context.services.sharing.set_erased(records));
  return reached;
}

void erase_unfinished(Context& context) {
  const auto finish = [&]() -> Result<> {
    const auto retracted = LOAM_TRY(context.services.sharing.unerased());
    if (retracted.empty()) return {};
    const auto reached = LOAM_TRY(erase_retracted(context, retracted));
    log::info("api", "texts of {} retracted records were erased", retracted.size());
    for (const env::Path& folder : reached.left)
      log::warning("api", "retracted texts are still in {}: delete it, or build it again",
                   folder.string());
    return {};
  };
  if (const auto done = finish(); !done)
    log::warning("api", "retracted texts are not erased yet: {}", done.error().message);
}

}  // namespace loam::api
