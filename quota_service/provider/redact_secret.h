#pragma once

#include <string>
#include <string_view>

namespace holdfast::quota {

// `text`, which others wrote, without anything that gives our `secret` away: the secret itself in any case, percent-
// encoded, in hex, in base64 (also amidst other bytes), with other characters strewn in, and pieces of these of 12
// letters and digits or more. A secret of fewer than 8 letters and digits is only found as it is.
std::string RedactSecret(std::string_view secret, std::string_view text);

}  // namespace holdfast::quota
