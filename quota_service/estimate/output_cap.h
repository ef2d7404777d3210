#pragma once

#include <cstdint>
#include <vector>

namespace holdfast::quota {

// What is asked for where a request names no cap. Kimi's own examples ask for as much.
inline constexpr int64_t kLargestOutputCap = 32'768;
inline constexpr int64_t kLeastOutputCap = 1'024;

// The output cap to send where a gate charges it for good: large enough that few answers are cut, since an answer that
// is cut is paid for and asked for again, `input` and all; small enough that not every call reserves what one in a
// hundred needs. It is the cap, a quarter above one of `outputs`, for which the expected charge is least; until there
// are 19 outputs a fixed one. From kLeastOutputCap to `most`, and `most` where that is less. `outputs`: answers of such
// calls, in tokens, in any order.
int64_t SizeOutputCap(std::vector<int32_t> outputs, int64_t input, int64_t most);

// The same where an answer that is cut cannot be asked for again: twice the longest of `outputs`, so that hardly any is
// cut; `most` until there are 99 of them.
int64_t SafeOutputCap(const std::vector<int32_t>& outputs, int64_t most);

// After an answer was cut at `cap`: four times as much, and after that `most`. At `most` there is nothing more to do.
int64_t RaiseOutputCap(int64_t cap, int raises, int64_t most);

}  // namespace holdfast::quota
