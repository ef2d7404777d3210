#include "tests/upstream_simulator/control.h"

#include <charconv>
#include <optional>

#include "boost/json/parse.hpp"
#include "boost/json/serialize.hpp"
#include "fmt/format.h"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

constexpr std::string_view kRequests = "/requests/";
constexpr std::string_view kBody = "/body";

ControlReply Json(const json::object& object) { return {200, json::serialize(object)}; }

ControlReply Problem(unsigned status, std::string_view message) {
  return {status, json::serialize(json::object{{"error", message}})};
}

ControlReply FromStatus(const absl::Status& status) {
  if (status.ok()) return Json({{"ok", true}});
  return Problem(400, std::string(status.message()));
}

// "/requests/7/body" is 7.
std::optional<std::int64_t> BodyIndex(std::string_view path) {
  if (!path.starts_with(kRequests) || !path.ends_with(kBody)) return std::nullopt;
  path.remove_prefix(kRequests.size());
  path.remove_suffix(std::min(kBody.size(), path.size()));
  std::int64_t index = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), index);
  if (error != std::errc() || end != path.data() + path.size()) return std::nullopt;
  return index;
}

ControlReply RequestBody(Simulator& simulator, std::int64_t index) {
  const Record* record = simulator.log().Find(index);
  if (record == nullptr) return Problem(404, fmt::format("no request has the index {}", index));
  if (record->body_dropped)
    return Problem(410, fmt::format("the body of request {} was dropped to save memory", index));
  return {200, record->body};
}

ControlReply Put(Simulator& simulator, std::string_view path, std::string_view body, Moment now) {
  json::error_code error;
  const json::value document = json::parse(body, error);
  if (error) return Problem(400, fmt::format("the body is not JSON: {}", error.message()));
  if (path == "/limits") return FromStatus(simulator.SetLimits(document, now));
  if (path == "/options") return FromStatus(simulator.SetOptions(document));
  if (path == "/faults") return FromStatus(PushFaults(document, simulator.faults()));
  absl::StatusOr<Script> script = ReadScript(document);
  if (script.ok()) simulator.Load(*std::move(script), now);
  return FromStatus(script.status());
}

}  // namespace

ControlReply HandleControl(Simulator& simulator, std::string_view method, std::string_view path, std::string_view body,
                           Moment now) {
  const std::string route = fmt::format("{} {}", method, path);
  if (route == "GET /healthz") return Json({{"status", "ok"}});
  if (route == "GET /limits") return Json(simulator.LimitsJson(now));
  if (route == "GET /requests") return Json(simulator.log().Json(simulator.in_flight()));
  if (route == "PUT /limits" || route == "PUT /script" || route == "PUT /options" || route == "POST /faults") {
    return Put(simulator, path, body, now);
  }
  if (route == "DELETE /requests") {
    simulator.log().Forget();
    return Json({{"ok", true}});
  }
  if (route == "DELETE /faults") {
    simulator.faults().Clear();
    return Json({{"ok", true}});
  }
  if (method == "GET") {
    if (const std::optional<std::int64_t> index = BodyIndex(path)) return RequestBody(simulator, *index);
  }
  return Problem(404, fmt::format("there is no {}; see the README for the control face", route));
}

}  // namespace holdfast::simulator
