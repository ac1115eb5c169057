// BIP-39: phrases of words that are a key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace loam::commons {

/// The English list as published: 2,048 lines in alphabetical order, each with a newline.
std::string_view bip39_english();

/// The index, 0 to 2,047, of a lower-case word; empty if the list has no such word.
std::optional<std::uint16_t> bip39_index(std::string_view word);

/// `indexes`, of 12, 15, 18, 21 or 24 words, carry the checksum of the entropy they hold.
/// @source BIP-39, "Generating the mnemonic".
bool bip39_checksum_holds(std::span<const std::uint16_t> indexes);

}  // namespace loam::commons
