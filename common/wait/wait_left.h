#pragma once

#include "holdfast/quota/v1/model.pb.h"

namespace holdfast {

// A wait that is told later than it was estimated: `seconds_left` of its `seconds` are left, and its interval is as
// much nearer. What is left is never more than was estimated, nor less than 0.
void SetSecondsLeft(double seconds_left, quota::v1::Wait* wait);

}  // namespace holdfast
