#include "crypto/sodium_init.h"

#include <sodium.h>

#include "base/check.h"

namespace loam::crypto {

void init_sodium() {
  static const int ready = sodium_init();
  LOAM_CHECK(ready >= 0);
}

}  // namespace loam::crypto
