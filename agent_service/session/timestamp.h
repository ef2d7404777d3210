#pragma once

#include <google/protobuf/timestamp.pb.h>

#include "common/base/clock.h"

namespace holdfast::agent {

// A time before 1950 or after 2200 counts as that year's beginning: nanoseconds in 64 bits say any two of these times,
// and the time between them.
WallTime FromTimestamp(const google::protobuf::Timestamp& timestamp);
void SetTimestamp(WallTime time, google::protobuf::Timestamp* out);

}  // namespace holdfast::agent
