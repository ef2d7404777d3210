#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

// What must become of a call whose first request is answered with a fault.
enum class Fate {
  kHolds,           // waits until the limit has room
  kBacksOff,        // comes back after a pause with jitter
  kNeverFits,       // ends: larger than a limit or a window
  kQuotaGone,       // ends: money or quota is used up
  kKeyRefused,      // ends
  kRequestRefused,  // ends
};

// An error as a provider sends it.
struct FaultRow {
  const char* name;
  int status;
  Fate fate;
  // The error object alone, or, where it is no JSON, the whole body.
  const char* error;
  HttpHeaders headers = {};
  Duration delay = {};         // that the error itself asks for
  Duration header_delay = {};  // that the headers ask for
  Duration most = {};          // the longest wait that is right; zero: a second more than what was asked for
  std::optional<Duration> reset = {};
  int64_t largest = 0;  // what the refusal says that fits
  // The error says what it is also where no HTTP status does.
  bool names_itself = true;
  int64_t charge = 1000;
};

// Every answer of these upstreams has this date.
inline constexpr char kFaultDate[] = "Sat, 10 Jan 2026 03:26:55 GMT";

std::vector<FaultRow> FaultRows();

}  // namespace holdfast::quota
