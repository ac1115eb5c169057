// The one place that makes libsodium ready.
#pragma once

namespace loam::crypto {

/// Lets libsodium choose its implementations for this processor, once. What calls the library comes
/// through here first. Thread-safe.
void init_sodium();

}  // namespace loam::crypto
