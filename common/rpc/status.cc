#include "common/rpc/status.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "common/base/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace holdfast {
namespace {

// A status travels in trailers, and a peer refuses trailers above 8 KiB by a RESOURCE_EXHAUSTED of its own, without our
// details. The words travel twice: percent-encoded, where each byte may take three, and in base64.
constexpr size_t kMostMessageBytes = 1024;
constexpr size_t kMostViolations = 3;
constexpr size_t kMostViolationBytes = 256;
constexpr size_t kMostMetricBytes = 64;
// Where an absl::Status keeps the details of the status that it came from.
constexpr char kPayload[] = "type.googleapis.com/google.rpc.Status";

std::string Text(std::string_view text, size_t max_bytes) {
  return std::string(TruncateUtf8(RepairUtf8(text.substr(0, 4 * max_bytes)), max_bytes));
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status, const ErrorDetails& details) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message = Text({status.message().data(), status.message().size()}, kMostMessageBytes);
  if (details.empty()) {
    const auto kept = status.GetPayload(kPayload);
    return kept ? grpc::Status(code, message, std::string(*kept)) : grpc::Status(code, message);
  }

  google::rpc::Status wire;
  wire.set_code(static_cast<int32_t>(code));
  wire.set_message(message);
  if (details.retry_delay) {
    google::rpc::RetryInfo info;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*details.retry_delay);
    info.mutable_retry_delay()->set_seconds(seconds.count());
    info.mutable_retry_delay()->set_nanos(static_cast<int32_t>((*details.retry_delay - seconds).count()));
    wire.add_details()->PackFrom(info);
  }
  if (!details.violations.empty()) {
    google::rpc::QuotaFailure failure;
    for (const QuotaViolation& violation : details.violations) {
      if (static_cast<size_t>(failure.violations_size()) == kMostViolations) break;
      auto* out = failure.add_violations();
      out->set_subject(Text(violation.subject, kMostViolationBytes));
      out->set_description(Text(violation.description, kMostViolationBytes));
      out->set_quota_metric(Text(violation.metric, kMostMetricBytes));
      out->set_quota_value(violation.value);
    }
    wire.add_details()->PackFrom(failure);
  }
  return {code, message, wire.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  absl::Status out(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  if (!status.error_details().empty()) out.SetPayload(kPayload, absl::Cord(status.error_details()));
  return out;
}

ErrorDetails DetailsOf(const grpc::Status& status) {
  ErrorDetails details;
  google::rpc::Status wire;
  if (status.error_details().empty() || !wire.ParseFromString(status.error_details())) return details;
  for (const auto& any : wire.details()) {
    google::rpc::RetryInfo info;
    google::rpc::QuotaFailure failure;
    if (any.Is<google::rpc::RetryInfo>() && any.UnpackTo(&info) && info.has_retry_delay()) {
      // A peer may say anything; no delay is negative, and not every one fits into nanoseconds.
      const Duration whole = FromSeconds(static_cast<double>(info.retry_delay().seconds()));
      details.retry_delay = std::max(Duration::zero(), whole + std::chrono::nanoseconds(info.retry_delay().nanos()));
    } else if (any.Is<google::rpc::QuotaFailure>() && any.UnpackTo(&failure)) {
      for (const auto& v : failure.violations()) {
        details.violations.push_back({v.subject(), v.description(), v.quota_metric(), v.quota_value()});
      }
    }
  }
  return details;
}

}  // namespace holdfast
