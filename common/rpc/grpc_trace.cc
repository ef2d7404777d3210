#include "common/rpc/grpc_trace.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace holdfast {
namespace {

constexpr char kVariable[] = "GRPC_TRACE";

// What tells of connections, names and timers alone.
constexpr std::array<std::string_view, 16> kHarmless = {"bdp_estimator",   "cares_address_sorting",
                                                        "cares_resolver",  "connectivity_state",
                                                        "executor",        "flowctl",
                                                        "handshaker",      "health_check_client",
                                                        "http_keepalive",  "list_tracers",
                                                        "pick_first",      "resource_quota",
                                                        "round_robin",     "subchannel",
                                                        "subchannel_pool", "timer_check"};

}  // namespace

std::string RestrictGrpcTrace() {
  const char* value = std::getenv(kVariable);
  if (value == nullptr) return {};
  std::vector<std::string> kept;
  std::vector<std::string> dropped;
  const std::vector<std::string> names = absl::StrSplit(value, ',');
  for (const std::string& name : names) {
    std::string word(absl::StripAsciiWhitespace(name));
    if (word.empty()) continue;
    // A minus switches one off.
    const bool harmless = word.front() == '-' || std::ranges::find(kHarmless, word) != kHarmless.end();
    (harmless ? kept : dropped).push_back(std::move(word));
  }
  setenv(kVariable, absl::StrJoin(kept, ",").c_str(), 1);
  return absl::StrJoin(dropped, ",");
}

}  // namespace holdfast
