#include "common/log/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <optional>

namespace holdfast {
namespace {

// Absent: a word that is no level.
std::optional<spdlog::level::level_enum> WantedLevel() {
  const char* text = std::getenv("HOLDFAST_LOG");
  const std::string wanted = text == nullptr || *text == '\0' ? "info" : text;
  // spdlog takes every word that it does not know for "off".
  const spdlog::level::level_enum level = spdlog::level::from_str(wanted);
  if (level == spdlog::level::off && wanted != "off") return std::nullopt;
  return level;
}

}  // namespace

std::string LogLevelMistake() {
  return WantedLevel() ? "" : "HOLDFAST_LOG: not one of trace, debug, info, warn, error, off";
}

void InitLog(const std::string& name) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %n: %v");
  logger->set_level(WantedLevel().value_or(spdlog::level::info));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  if (const std::string mistake = LogLevelMistake(); !mistake.empty()) spdlog::warn("{}; info is used", mistake);
}

}  // namespace holdfast
