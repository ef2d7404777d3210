#pragma once

#include <google/protobuf/timestamp.pb.h>

#include "common/base/clock.h"
#include "holdfast/quota/v1/model.pb.h"
#include "quota_service/admission/limit_group.h"

namespace holdfast::quota {

// The limit, the amounts, the seconds and the position of an estimate; what surrounds it is the caller's.
void FillWait(const WaitEstimate& estimate, v1::Wait* wait);
void FillTimestamp(WallTime time, google::protobuf::Timestamp* timestamp);

}  // namespace holdfast::quota
