#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "quota_service/call/envelope.h"

namespace holdfast::quota {

// What a caller says of a call, whichever protocol it speaks.
struct CallTerms {
  std::string tenant;
  std::string call_id;
  std::string session;
  std::string model;  // as the caller named it
  std::string digest = "";
  int64_t prompt_characters = 0;
  int64_t guessed_characters = 0;  // of these: may turn out not to be
  int64_t output_cap = 0;          // 0: none
  int64_t bytes = 0;               // of the request, as it is held in memory
  Duration max_wait{};
  bool background = false;  // nobody looks at it
};

// The call as it goes along `route`, with what the gate there will charge.
Envelope MakeEnvelope(CallTerms terms, Route route);

}  // namespace holdfast::quota
