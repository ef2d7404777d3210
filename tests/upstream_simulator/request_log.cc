#include "tests/upstream_simulator/request_log.h"

#include "boost/json/array.hpp"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxBodyBytes = std::size_t{512} * 1024 * 1024;

template <typename T>
json::value OrNull(const std::optional<T>& value) {
  if (!value) return nullptr;
  return json::value(*value);
}

json::object RecordJson(std::int64_t index, const Record& record) {
  const GenerationRequest request = record.request.value_or(GenerationRequest{});
  json::object object{{"index", index},
                      {"path", record.path},
                      {"model", request.model},
                      {"stream", request.stream},
                      {"chars", request.chars},
                      {"charge", request.charge},
                      {"admitted", record.admitted},
                      {"boot_ns", record.boot_ns},
                      {"wall_ms", record.wall_ms},
                      {"body_sha256", record.body_sha256},
                      {"input_items", request.input_items},
                      {"completed", record.completed},
                      {"client_gone", record.client_gone}};
  object["max_output_tokens"] = OrNull(request.max_output_tokens);
  object["used_before"] = OrNull(record.used_before);
  object["limit"] = OrNull(record.limit);
  object["status"] = OrNull(record.status);
  object["wait_ms"] = OrNull(record.wait_ms);
  object["ended_boot_ns"] = OrNull(record.ended_boot_ns);
  object["earliest_boot_ns"] = OrNull(record.earliest_boot_ns);
  object["fault"] = record.fault.empty() ? json::value(nullptr) : json::value(json::string(record.fault));
  return object;
}

}  // namespace

std::int64_t RequestLog::Add(Record record) {
  body_bytes_ += record.body.size();
  const std::int64_t index = next_++;
  records_.emplace(index, std::move(record));
  for (; body_bytes_ > kMaxBodyBytes && oldest_body_ < index; ++oldest_body_) {
    Record* old = Find(oldest_body_);
    if (old == nullptr) continue;
    body_bytes_ -= old->body.size();
    old->body = std::string();
    old->body_dropped = true;
  }
  return index;
}

Record* RequestLog::Find(std::int64_t index) {
  const auto found = records_.find(index);
  return found == records_.end() ? nullptr : &found->second;
}

void RequestLog::Forget() {
  records_.clear();
  oldest_body_ = next_;
  body_bytes_ = 0;
}

json::object RequestLog::Json(std::int64_t in_flight) const {
  json::array requests;
  for (const auto& [index, record] : records_) requests.push_back(RecordJson(index, record));
  return {{"requests", std::move(requests)}, {"in_flight", in_flight}};
}

}  // namespace holdfast::simulator
