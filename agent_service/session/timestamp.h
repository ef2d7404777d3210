#pragma once

#include <google/protobuf/timestamp.pb.h>

#include "common/base/clock.h"

namespace holdfast::agent {

// Times from the years 1678 to 2261, as nanoseconds since 1970 can say them.
WallTime FromTimestamp(const google::protobuf::Timestamp& timestamp);
void SetTimestamp(WallTime time, google::protobuf::Timestamp* out);

}  // namespace holdfast::agent
