// What a detector asks before it believes a pattern: check digits, checksums, and whether letters
// look drawn rather than spelled. All pure, all on ASCII.
#pragma once

#include <cstddef>
#include <string_view>

namespace loam::commons {

/// `digits` has nothing but digits, and its last one is Luhn's. @source ISO/IEC 7812-1 annex B.
bool luhn_holds(std::string_view digits);
/// A payment card's number: an issuer's range with its length, and Luhn's digit.
/// @param digits  without spaces or hyphens.
bool is_card_number(std::string_view digits);

/// Characters of an IBAN of the country whose two capital letters begin `iban`; 0 if it has none.
/// @source SWIFT IBAN registry, release 98.
std::size_t iban_length(std::string_view iban);
/// `iban`, capital letters and digits without spaces, has its country's length and remainder 1.
/// @source ISO 13616 and ISO 7064, MOD 97-10.
bool iban_holds(std::string_view iban);

/// Base58 with the four bytes of a double SHA-256 at its end, as Bitcoin's keys have them.
/// @param payload_bytes  without the four; anything else is refused.
bool base58check_holds(std::string_view text, std::size_t payload_bytes);
/// Lower-case Bech32 whose part before the last '1' is `prefix`. @source BIP-173.
bool bech32_holds(std::string_view text, std::string_view prefix);

/// An IPv6 address as people write them, and of a host: not `::`, not `::1`, not a C++ scope, a MAC
/// or a ratio that happens to parse.
bool is_ipv6_of_a_host(std::string_view text);

/// Letters and digits in the disorder of a drawn key: long enough, both kinds well mixed, few
/// repeats. Integers only, so that it is the same everywhere.
bool looks_drawn(std::string_view token);
/// What documentation writes where a key goes: "your-api-key", "xxxxxxxx", "changeme", "...".
bool is_placeholder(std::string_view value);

}  // namespace loam::commons
