#include "common/log/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace holdfast {

void InitLog(const std::string& name) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %n: %v");
  const char* text = std::getenv("HOLDFAST_LOG");
  const std::string wanted = text == nullptr || *text == '\0' ? "info" : text;
  // spdlog takes every word that it does not know for "off".
  const spdlog::level::level_enum level = spdlog::level::from_str(wanted);
  const bool known = level != spdlog::level::off || wanted == "off";
  logger->set_level(known ? level : spdlog::level::info);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  if (!known) spdlog::warn("HOLDFAST_LOG: not one of trace, debug, info, warn, error, off; info is used");
}

}  // namespace holdfast
