#include "common/base/core_dump.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>
#include <string_view>

namespace holdfast {

void ForbidCoreDumps() {
  const char* allowed = std::getenv("HOLDFAST_CORE_DUMPS");
  if (allowed != nullptr && std::string_view(allowed) == "1") return;
  // The limit does not count where cores go to a program (core_pattern "|…"); not being dumpable does.
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace holdfast
