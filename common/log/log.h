#pragma once

#include <string>

namespace holdfast {

// What is wrong with HOLDFAST_LOG; empty: nothing.
std::string LogLevelMistake();

// Sets spdlog's default logger to standard error, one line an entry: time, level, `name`, words. Level from
// HOLDFAST_LOG (trace, debug, info, warn, error, off; default info, also where it is none of these, which is logged).
// Once, before threads start.
void InitLog(const std::string& name);

}  // namespace holdfast
