#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quota_service/estimate/known_answers.h"

namespace holdfast::quota {

// What is asked for where a request names no cap. Kimi's own examples ask for as much.
inline constexpr int64_t kLargestOutputCap = 32'768;
inline constexpr int64_t kLeastOutputCap = 1'024;

// A history with fewer answers is not asked how often a cap would cut.
inline constexpr size_t kAnswersForCap = 19;
inline constexpr size_t kAnswersForSafeCap = 99;

// The output cap to send where a gate charges it for good: large enough that few answers are cut, since an answer that
// is cut is paid for and asked for again, `input` and all; small enough that not every call reserves what one in a
// hundred needs. Of the caps just above one of the answers `known` it is the one for which the expected charge is
// least, cap + P(longer) * (input + the raised cap); 4,096 until there are kAnswersForCap. From kLeastOutputCap to
// `most`, and `most` where that is less.
//
// P(longer) than a cap, of n answers of which k were: (k + 1) / (n + 1), for what has not happened yet may. Of the
// session's own answers and those alike the lower, since the few of a session can tell short answers from long ones,
// but not one cut in 30 from one in 300; never lower than the session's own k / n, whose answers may be longer than
// others'.
int64_t SizeOutputCap(KnownAnswers known, int64_t input, int64_t most);

// The same where an answer that is cut cannot be asked for again: twice the longest of `outputs`, so that hardly any is
// cut; `most` until there are kAnswersForSafeCap of them.
int64_t SafeOutputCap(const std::vector<int32_t>& outputs, int64_t most);

// After an answer was cut at `cap`: four times as much, and after that `most`. At `most` there is nothing more to do.
int64_t RaiseOutputCap(int64_t cap, int raises, int64_t most);

}  // namespace holdfast::quota
