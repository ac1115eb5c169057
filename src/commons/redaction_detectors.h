// One detector for each kind of thing, each over folded text (redaction_fold.h). What they report
// may overlap: redact() sorts that out. All are pure, and linear in the text's length: a pattern
// whose beginning can match at many places has an end within a fixed number of bytes.
#pragma once

#include <string_view>
#include <vector>

#include "commons/redaction.h"

namespace loam::commons {

void find_emails(std::string_view folded, std::vector<Mask>& found);
void find_phones(std::string_view folded, std::vector<Mask>& found);
void find_ips(std::string_view folded, std::vector<Mask>& found);
void find_ibans(std::string_view folded, std::vector<Mask>& found);
void find_cards(std::string_view folded, std::vector<Mask>& found);
/// Keys and tokens that say themselves what they are: a known prefix, a key block, a checksum.
void find_marked_secrets(std::string_view folded, std::vector<Mask>& found);
/// Keys, tokens and passwords behind a name that says so, and those inside a URL.
void find_named_secrets(std::string_view folded, std::vector<Mask>& found);
void find_seed_phrases(std::string_view folded, std::vector<Mask>& found);

/// The bytes before the first mask ("[email]" ...) that stands in `text` already.
std::string_view before_mask(std::string_view text);

}  // namespace loam::commons
