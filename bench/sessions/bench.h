#pragma once

#include <filesystem>
#include <string>

namespace holdfast::bench {

// Each prints a table and works below `folder`, which is empty. False: a bound was missed, or nothing could be
// measured.
bool MeasureStoreRate(const std::filesystem::path& folder);
bool MeasureArrival(const std::filesystem::path& folder);
bool MeasureOpening(const std::filesystem::path& folder);
bool MeasureScale(const std::filesystem::path& folder);

}  // namespace holdfast::bench
