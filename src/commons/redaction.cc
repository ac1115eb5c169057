#include "commons/redaction.h"

#include <utility>

namespace loam::commons {

std::string_view finding_name(Finding finding) {
  switch (finding) {
    case Finding::kEmail: return "email";
    case Finding::kPhone: return "phone";
    case Finding::kIp: return "ip";
    case Finding::kIban: return "iban";
    case Finding::kCard: return "card";
    case Finding::kSecret: return "secret";
    case Finding::kSeedPhrase: return "seed-phrase";
  }
  std::unreachable();
}

}  // namespace loam::commons
