#pragma once

#include <string>

namespace holdfast {

// Sets spdlog's default logger to standard error, one line an entry: time, level, `name`, words. Level from
// HOLDFAST_LOG (trace, debug, info, warn, error, off; default info). Once, before threads start.
void InitLog(const std::string& name);

}  // namespace holdfast
